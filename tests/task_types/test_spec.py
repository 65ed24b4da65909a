"""`Task.spec`: facts about the data of every registered task, and of tasks that return a dictionary."""

import dataclasses
import json
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pytest

from seqtasks import Examples, Spec, Splits, Task, register_task
from seqtasks.core import plugins
from seqtasks.core.errors import DataError, RunError
from seqtasks.data.spec import UntypedSpec
from seqtasks.experiments import run_folder
from seqtasks.task_types import TextTask
from seqtasks.testing import check_task
from seqtasks.training.saved_model import open_trained

BUNDLED = [entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")]


@pytest.fixture(autouse=True)
def forget():
    """Removes the tasks that a test registers."""
    yield
    plugins.tasks.forget(__name__)


EXAMPLES = {str: "a", int: 3, float: 0.1, bool: True, typing.Any: "b"}


def example(hint):
    """Returns a value of the type of a field."""
    if hint in EXAMPLES:
        return EXAMPLES[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return inner[0]
    if origin is Sequence:
        return [example(inner[0])] * 2
    if origin is Mapping:
        return dict.fromkeys(("train", "validation", "test"), example(inner[1]))
    return example(inner[0])  # a type or None


@pytest.mark.parametrize("name", BUNDLED)
class TestContract:
    def values(self, name):
        kind = plugins.load_task(name).Spec
        hints = typing.get_type_hints(kind)
        required = {part.name for part in dataclasses.fields(kind) if part.default_factory is dataclasses.MISSING}
        return kind, {part: example(hints[part]) for part in hints}, required

    def test_it_is_restored_from_json(self, name):
        kind, values, required = self.values(name)
        for names in (required, values.keys()):
            facts = {part: values[part] for part in names}
            spec = kind.from_dict(json.loads(json.dumps(facts)))
            assert spec.to_dict() == facts and kind.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec

    def test_it_is_frozen_and_every_field_is_described(self, name):
        kind, values, _ = self.values(name)
        spec = kind.from_dict(values)
        for part in values:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(spec, part, None)
        declared = vars(kind)["__annotations__"]
        assert all(f"    {part}: " in kind.__doc__ for part in declared)
        bases = plugins.load_task(name).__mro__
        annotations = [vars(base).get("__annotations__", {}).get("spec") for base in bases]
        assert next(filter(None, annotations), "Spec") == kind.__name__  # for type checkers

    def test_wrong_names_are_one_error_line(self, name):
        kind, values, required = self.values(name)
        with pytest.raises(DataError, match=f"unknown 'nonsense'; {kind.__name__} has .*; "):
            kind.from_dict({**values, "nonsense": 1})
        for part in required:
            with pytest.raises(DataError, match=f"lack '{part}'; {kind.__name__} has .*; "):
                kind.from_dict({key: value for key, value in values.items() if key != part})

    def test_the_task_makes_it_of_a_dictionary(self, name):
        kind, values, _ = self.values(name)
        assert type(plugins.load_task(name)(spec=values).spec) is kind


def small(spec):
    part = Examples({"x": np.zeros((40, 3, 1), np.float32)}, np.arange(40) % 2)
    return Splits(part, part, part, "builtin:x", "0" * 16, spec)


class Small(Task):
    topology = "many-to-one"
    builtin = "x"

    def build_model(self, encoder):
        inputs = keras.Input((None, 1))
        return keras.Model(inputs, keras.layers.Dense(2, dtype="float32")(encoder(inputs, return_sequences=False)[0]))


def test_a_plugin_that_returns_and_reads_a_dictionary_runs(tmp_path):
    scales = []

    @register_task("with_dictionary")
    class WithDictionary(Small):
        """Scaled."""

        def load(self, source, seed):
            self.spec = {"scale": 2.0, "classes": ["no", "yes"]}
            return small({"scale": self.spec["scale"], "classes": ["no", "yes"]})

        def score(self, model, batches):
            scales.append(self.spec["scale"])
            return super().score(model, batches)

    with pytest.warns(DeprecationWarning, match=r"spec\['scale'\] is now spec\.scale"):
        row = check_task(WithDictionary, tmp_path)
    folder = run_folder.open_run(tmp_path / row.run)
    assert folder.facts["spec"] == {
        "scale": 2.0,
        "classes": ["no", "yes"],
        "counts": {"train": 40, "validation": 40, "test": 40},
    }
    task = open_trained(folder)[0]
    assert isinstance(task.spec, UntypedSpec) and task.spec.scale == 2.0 and task.classes == ["no", "yes"]
    assert set(scales) == {2.0} and len(scales) >= 2  # of the run, and of the saved model


@dataclass(frozen=True, kw_only=True)
class ScaledSpec(Spec):
    scale: float


def test_a_stored_spec_with_other_names_is_one_error_line(tmp_path):
    @register_task("with_spec")
    class WithSpec(Small):
        """Scaled."""

        Spec = ScaledSpec

        def load(self, source, seed):
            return small(ScaledSpec(scale=2.0))

    row = check_task(WithSpec, tmp_path)
    file = tmp_path / row.run / "run.json"
    facts = json.loads(file.read_text())
    assert open_trained(run_folder.open_run(file.parent))[0].spec.scale == 2.0
    for change, expected in (({"size": 3}, "unknown 'size'"), ({"scale": None}, "lack 'scale'")):
        values = {key: value for key, value in {**facts["spec"], **change}.items() if value is not None}
        file.write_text(json.dumps({**facts, "spec": values}))
        line = f"run.json: .*{expected}; ScaledSpec has scale, .*; train it again"
        with pytest.raises(RunError, match=line) as error:
            open_trained(run_folder.open_run(file.parent))
        assert "\n" not in str(error.value)


def test_a_task_type_with_another_load_keeps_its_dictionary():
    class Mine(TextTask):
        def load(self, source, seed):
            raise NotImplementedError

    assert isinstance(Mine.stored_spec({"scale": 2.0}), UntypedSpec)
    with pytest.raises(DataError, match="unknown 'scale' and lack 'vocabulary'"):
        TextTask.stored_spec({"scale": 2.0})


def test_without_data_there_are_no_facts():
    task = plugins.load_task("mnist_rows")()
    assert task.spec == Spec() and task.classes == []
