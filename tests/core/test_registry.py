"""Names, lazy entries and clashes of a registry; nothing here needs Keras."""

import importlib.util
import sys

import pytest

from seqtasks.core.errors import DuplicateNameError, UnknownNameError
from seqtasks.core.registry import FILE_MODULE, Registry


class Apple: ...


class Pear: ...


def never():
    raise AssertionError("listing must import nothing")


def filled():
    registry = Registry("fruit")
    registry.add("apple", Apple, "pkg.apple", {"summary": "round"})
    registry.add_lazy("pear", lambda: Pear, "pkg.pear", {"summary": "long"})
    return registry


def test_names_are_sorted_and_load_nothing():
    registry = filled()
    registry.add_lazy("fig", never, "pkg.fig", {"summary": "sweet"})
    assert registry.names() == ["apple", "fig", "pear"]
    assert [entry.about["summary"] for entry in registry.entries()] == ["round", "sweet", "long"]
    assert "fig" in registry and "plum" not in registry


def test_an_object_is_loaded_once():
    calls = []
    registry = Registry("fruit")
    registry.add_lazy("pear", lambda: calls.append(1) or Pear, "pkg.pear")
    assert registry.get("pear") is Pear and registry.get("pear") is Pear
    assert calls == [1]


def test_a_module_may_register_by_itself():
    registry = Registry("fruit")
    about = {"summary": "said without importing"}
    registry.add_lazy("pear", lambda: registry.add("pear", Pear, "elsewhere") and None, "pkg.pear", about)
    assert registry.get("pear") is Pear
    assert [entry.about for entry in registry.entries()] == [about]


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown fruit 'aple'; did you mean apple\?"):
        filled().get("aple")
    with pytest.raises(UnknownNameError, match="unknown fruit 'xyz'; allowed: apple, pear"):
        filled().get("xyz")
    with pytest.raises(UnknownNameError, match="unknown fruit 'x'; there are none"):
        Registry("fruit").get("x")


def test_another_object_of_the_same_name_is_refused():
    registry = filled()
    with pytest.raises(DuplicateNameError, match=r"fruit apple is defined by both pkg.apple and other"):
        registry.add("apple", Pear, "other")
    assert registry.get("apple") is Apple


def test_a_lazy_name_is_not_taken_by_another_package():
    with pytest.raises(DuplicateNameError, match=r"fruit pear is defined by both pkg.pear and other.pear"):
        filled().add("pear", Apple, "other.pear")


def test_defining_a_class_again_replaces_it():
    def define():
        class Plum: ...

        return Plum

    registry = Registry("fruit")
    first, second = define(), define()
    registry.add("plum", first, "notebook")
    registry.add("plum", second, "notebook")
    assert first is not second and registry.get("plum") is second


def test_a_clash_is_refused_only_when_asked_for():
    registry = filled()
    registry.add_lazy("pear", never, "other.pear")
    assert registry.names() == ["apple", "pear"] and registry.get("apple") is Apple
    with pytest.raises(DuplicateNameError, match=r"fruit pear is offered by both pkg.pear and other.pear"):
        registry.get("pear")


def test_one_offer_found_twice_is_no_clash():
    registry = filled()
    registry.add_lazy("pear", never, "pkg.pear")  # an editable and a regular install of one package
    assert registry.get("pear") is Pear


def test_a_module_without_the_promised_object_is_named():
    registry = Registry("fruit")
    registry.add_lazy("fig", lambda: None, "pkg.fig")
    with pytest.raises(UnknownNameError, match=r"pkg.fig defines no fruit 'fig'"):
        registry.get("fig")


def test_a_failed_load_can_be_tried_again():
    tries = [ImportError("not yet"), None]

    def load():
        if error := tries.pop(0):
            raise error
        return Pear

    registry = Registry("fruit")
    registry.add_lazy("pear", load, "pkg.pear")
    with pytest.raises(ImportError, match="not yet"):
        registry.get("pear")
    assert registry.get("pear") is Pear


@pytest.mark.parametrize("use", [lambda r: r.names(), lambda r: r.get("pear"), lambda r: "pear" in r])
def test_discovery_runs_once_and_late(use):
    calls = []

    def discover(registry):
        calls.append(1)
        registry.add_lazy("pear", lambda: Pear, "pkg.pear")

    registry = Registry("fruit", discover)
    assert not calls
    use(registry)
    use(registry)
    assert calls == [1]


def test_discovery_comes_before_a_registration():
    registry = Registry("fruit", lambda r: r.add_lazy("pear", lambda: Pear, "pkg.pear"))
    with pytest.raises(DuplicateNameError):
        registry.add("pear", Apple, "other")


def test_a_file_loaded_by_its_path_may_be_imported_too(tmp_path, monkeypatch):
    text = "class Plum: ...\n"
    (tmp_path / "plum.py").write_text(text, encoding="utf-8")
    (tmp_path / "other_plum.py").write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"{FILE_MODULE}plum", tmp_path / "plum.py")
    by_path = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(by_path)
    monkeypatch.setitem(sys.modules, spec.name, by_path)
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("fruit")
    registry.add("plum", by_path.Plum, spec.name)
    imported = importlib.import_module("plum")
    registry.add("plum", imported.Plum, "plum")
    assert registry.get("plum") is imported.Plum
    registry.add("plum", by_path.Plum, spec.name)  # by its path once more
    assert registry.get("plum") is by_path.Plum
    other = importlib.import_module("other_plum")
    with pytest.raises(DuplicateNameError, match="plum is defined by both seqtasks_file_plum and other_plum"):
        registry.add("plum", other.Plum, "other_plum")
