"""Facts about the data: JSON, errors for wrong names, and deprecated access as a dictionary."""

import dataclasses
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.spec import Spec, UntypedSpec, as_spec
from seqtasks.data.splits import Examples, Splits


@dataclass(frozen=True, kw_only=True)
class SeriesSpec(Spec):
    mean: float
    classes: Sequence[str]
    table: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, kw_only=True)
class LongSeriesSpec(SeriesSpec):
    counts: Mapping[str, int]
    length: int
    mean: float


SPEC = SeriesSpec(mean=0.1, classes=["no", "yes"], table=[[1, 2], [3]], tokens={"train": 5})


def splits(spec):
    part = Examples({"x": np.zeros((3, 1))}, np.arange(3))
    return Splits(part, part, part, "builtin:x", "0" * 16, spec)


def test_the_same_facts_come_back_from_json():
    stored = json.dumps(SPEC.to_dict())
    assert stored == '{"mean": 0.1, "classes": ["no", "yes"], "table": [[1, 2], [3]], "tokens": {"train": 5}}'
    assert SeriesSpec.from_dict(json.loads(stored)) == SPEC and Spec().to_dict() == {}


def test_a_field_that_is_declared_again_moves_and_can_become_required():
    spec = LongSeriesSpec(mean=0.1, classes=["a"], counts={"train": 1}, length=2)
    assert list(spec.to_dict()) == ["classes", "table", "counts", "length", "mean"]
    with pytest.raises(TypeError, match="counts"):
        LongSeriesSpec(mean=0.1, classes=["a"], length=2)


def test_nothing_of_it_can_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPEC.mean = 0.2
    names, counts = ["no", "yes"], {"train": 5}
    spec = SeriesSpec(mean=0.1, classes=names, counts=counts)
    names.append("maybe")
    counts["train"] = 6
    assert spec.classes == ("no", "yes") and spec.counts == {"train": 5}
    SPEC.to_dict()["classes"].append("maybe")
    assert SPEC.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"length": 3}, "have the unknown 'length'"),
        ({"mean": None}, "lack 'mean'"),
        (
            {"mean": None, "classes": None, "length": 3, "of": 1},
            "have the unknown 'length', 'of' and lack 'mean', 'classes'",
        ),
    ],
)
def test_wrong_names_give_one_line_that_lists_the_right_ones(change, expected):
    values = {name: value for name, value in {**SPEC.to_dict(), **change}.items() if value is not None}
    with pytest.raises(DataError) as error:
        SeriesSpec.from_dict(values)
    received, allowed, advice = str(error.value).split("; ")
    assert received.endswith(expected) and advice and "\n" not in str(error.value)
    assert allowed == "SeriesSpec has mean, classes, table, tokens, counts"


def test_reading_it_as_a_dictionary_warns_and_names_the_attribute():
    with pytest.warns(DeprecationWarning, match=r"spec\['mean'\] is now spec\.mean") as caught:
        assert SPEC["mean"] == 0.1
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"spec\.get\('classes'\) is now spec\.classes"):
        assert SPEC.get("classes") == ["no", "yes"]
    with pytest.warns(DeprecationWarning):
        assert SPEC.get("counts") is None and SPEC.get("counts", 3) == 3
        assert "tokens" in SPEC and "counts" not in SPEC
        assert {**SPEC.to_dict(), "mean": 1} == {**SPEC, "mean": 1}
    with pytest.warns(DeprecationWarning), pytest.raises(KeyError):
        SPEC["length"]


def test_a_dictionary_becomes_the_class_that_has_its_names():
    assert as_spec(SPEC.to_dict(), SeriesSpec) == SPEC and as_spec(SPEC, SeriesSpec) is SPEC
    assert as_spec({"classes": ["a"]}) == Spec(classes=["a"])
    assert as_spec(Spec(classes=["a"]), SeriesSpec) == Spec(classes=["a"])  # it lacks a mean
    assert as_spec(UntypedSpec.from_dict(SPEC.to_dict()), SeriesSpec) == SPEC


def test_a_dictionary_of_other_names_is_kept():
    values = {"sd": 2.0, "counts": {"train": 3}, "names": ["a"]}
    spec = splits(values).spec
    assert isinstance(spec, UntypedSpec) and json.dumps(spec.to_dict()) == json.dumps(values)
    assert (spec.sd, spec.names, spec.counts, spec.classes) == (2.0, ("a",), {"train": 3}, None)
    with pytest.warns(DeprecationWarning, match=r"spec\.sd"):
        assert spec["sd"] == 2.0
    changed = dataclasses.replace(spec, counts={"train": 1})
    assert list(changed.to_dict().items()) == [("sd", 2.0), ("counts", {"train": 1}), ("names", ["a"])]
    with pytest.raises(AttributeError, match="have no 'mean'; they have sd, counts, names"):
        spec.mean  # noqa: B018
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_splits_keep_an_instance():
    assert splits(SPEC).spec is SPEC and splits({}).spec == Spec()
