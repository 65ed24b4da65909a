"""Data files inside other packages: found without importing them, and refused with a list of what there is."""

import sys

import pytest

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data import package_data
from seqtasks.data.resolve import check_source, resolve_source
from seqtasks.data.source import Source

FORMS = {"aeon": ("NAME_TRAIN.ts",), "statsmodels": ("NAME.csv",)}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package aeon with two sets, which cannot be imported, and no statsmodels."""
    folder = tmp_path / "aeon" / "datasets" / "data"
    for name in ("Walks", "Gestures", "Empty"):
        (folder / name).mkdir(parents=True)
    for name in ("Walks", "Gestures"):
        (folder / name / f"{name}_TRAIN.ts").touch()
    (tmp_path / "aeon" / "__init__.py").write_text("raise ImportError('it is imported')")
    monkeypatch.delitem(sys.modules, "aeon", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return folder


def resolve(spec, **facts):
    facts = {"tfds": None, "files": True, "builtin": "events", "packages": FORMS} | facts
    return resolve_source(spec, announce=lambda text: None, **facts)


def test_a_set_is_found_without_importing_its_package(installed):
    assert package_data.names("aeon", FORMS["aeon"]) == ["Gestures", "Walks"]
    source = resolve("aeon:Walks")
    assert source == Source("aeon", "Walks", installed / "Walks") and str(source) == "aeon:Walks"
    assert "aeon" not in sys.modules


def test_another_name_is_refused_with_those_that_there_are(installed):
    message = (
        r"data\.source=aeon:Walk: the installed package aeon has no such set for this task; did you mean aeon:Walks\? "
        r"allowed: aeon:Gestures, aeon:Walks; choose one of them, or give files: data\.source=files:PATH"
    )
    with pytest.raises(ConfigError, match=message):
        resolve("aeon:Walk")
    with pytest.raises(ConfigError, match="has no such set for this task; allowed: aeon:Gestures"):
        check_source("aeon:Empty", {"tfds": None, "files": True, "builtin": None, "packages": FORMS})


def test_a_package_that_is_missing_is_named_with_its_extra(installed):
    message = r"the package statsmodels is not installed; .*; run pip install 'seqtasks\[series\]'"
    with pytest.raises(DataError, match=message):
        resolve("statsmodels:sunspots")
    assert package_data.names("statsmodels", FORMS["statsmodels"]) == []
    assert package_data.summary("statsmodels", ()) == "not installed: pip install 'seqtasks[series]'"
    assert package_data.summary("aeon", FORMS["aeon"]) == "Gestures, Walks"


def test_a_task_that_reads_no_packages_refuses_them_and_names_what_it_reads(installed):
    with pytest.raises(
        ConfigError, match=r"unknown data\.source=aeon:Walks; allowed for this task: auto, builtin, files"
    ):
        resolve("aeon:Walks", packages={})
    with pytest.raises(ConfigError, match=r"allowed for this task: .*, aeon:NAME, statsmodels:NAME"):
        resolve("eon:Walks")
    check_source("aeon:Anything", {"tfds": None})  # what a task reads is not known before it is imported


def test_a_pattern_may_name_the_folder(installed):
    (installed / "UnitTest").mkdir()
    for name in ("ecg_TEST.csv", "ecg_TRAIN.csv", "other.csv"):
        (installed / "UnitTest" / name).touch()
    (installed / "Walks" / "S1E0.csv").touch()
    patterns = ("UnitTest/NAME_TEST.csv", "NAME/S*E*.csv")
    assert package_data.names("aeon", patterns) == ["Walks", "ecg"]
    assert package_data.folder_of("aeon", "ecg", patterns) == installed / "UnitTest"
    assert package_data.folder_of("aeon", "Walks", patterns) == installed / "Walks"
    with pytest.raises(ConfigError, match="allowed: aeon:Walks, aeon:ecg; choose"):
        package_data.folder_of("aeon", "UnitTest", patterns)
