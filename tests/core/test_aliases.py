"""Former names of settings: each leads to one that exists."""

import dataclasses

from seqtasks.core import plugins
from seqtasks.core.aliases import (
    FAMILIES,
    TRAIN,
    VALUES,
    former_of_present,
    present_name,
    with_present_names,
    with_present_train,
)
from seqtasks.core.config import TrainConfig

OPTIONS = [set(plugins.declared(entry.name).get("options", ())) for entry in plugins.tasks.entries()]


def test_every_present_name_is_an_option():
    for mark, names in FAMILIES:
        present = {names.get(name, name) for name in mark}
        fitting = [options for options in OPTIONS if present <= options]
        assert fitting, mark
        for new in names.values():
            assert any(new in options for options in fitting), new


def test_a_stored_configuration_is_found_by_its_marks():
    stored = {"back": 1, "carry": True, "vary": False, "window": 32, "loss": "window"}
    present = with_present_names(stored)
    assert present == {"bptt_windows": 1, "carry_state": True, "variable_bptt": False, "bptt": 32, "loss": "window"}
    assert former_of_present(present)["options.bptt"] == "options.window"
    assert with_present_names({"window": 25.0, "hop": 10.0}) == {"window": 25.0, "hop": 10.0}  # of sound, in ms


def test_a_name_of_several_meanings_is_found_by_the_fields():
    assert present_name("size", {"glimpse_size"}) == "glimpse_size"
    assert present_name("size", {"vocab_size"}) == "vocab_size"
    assert present_name("size", {"units"}) is None


def test_settings_of_training_have_present_names_and_values():
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    assert set(TRAIN.values()) <= names and not TRAIN.keys() & names and TRAIN.keys() == VALUES.keys()
    assert present_name("tensorboard", names) == "trackers"
    assert with_present_train({"jit": True, "tensorboard": True}) == {"jit": True, "trackers": ["tensorboard"]}
    assert with_present_train({"tensorboard": False}) == {"trackers": []}
    assert with_present_train({"tensorboard": True, "trackers": ["mlflow"]}) == {"trackers": ["mlflow"]}
