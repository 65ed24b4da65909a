"""Former names of settings, to read configurations and rows of older versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

SEQ2SEQ = {
    "embedding": "embedding_dim",
    "tied": "tie_embeddings",
    "feeding": "input_feeding",
    "smoothing": "label_smoothing",
    "sampling": "scheduled_sampling",
    "beams": "num_beams",
    "size": "vocab_size",
    "longest": "max_length",
    "tokens": "max_tokens_per_batch",
}
# For each task type: former options that identify it, and its renamed options, former name to present name.
FAMILIES: list[tuple[set[str], dict[str, str]]] = [
    (
        {"back", "carry", "vary"},
        {
            "window": "bptt",
            "back": "bptt_windows",
            "carry": "carry_state",
            "vary": "variable_bptt",
            "eval_lanes": "eval_streams",
            "embedding": "embedding_dim",
            "tied": "tie_embeddings",
            "size": "vocab_size",
        },
    ),
    (
        {"recurrence", "pooling", "adversarial"},
        {"size": "vocab_size", "embedding": "embedding_dim", "tokens": "max_tokens_per_batch"},
    ),
    ({"feeding", "sampling_steps"}, SEQ2SEQ),
    ({"characters", "character_cell"}, {"words": "embedding_dim", "tokens": "max_tokens_per_batch"}),
    ({"scales", "deviation"}, {"size": "glimpse_size", "deviation": "location_std"}),
    ({"shortest", "canvas"}, {"size": "frame_dim", "shortest": "min_length", "longest": "max_length"}),
    ({"strings", "voices"}, {"longest": "max_length", "beams": "num_beams"}),
]
# Renamed settings of the group `train`, and the present value for each former one.
TRAIN = {"tensorboard": "trackers"}
VALUES: dict[str, dict[Any, list[str]]] = {"tensorboard": {True: ["tensorboard"], False: []}}


def present_name(name: str, fields: Collection[str]) -> str | None:
    """The present name of a renamed setting; None if there is no such setting.

    Args:
        name: Name that is not one of `fields`.
        fields: Present names of the settings of a group, such as the task's options.

    Example:
        >>> present_name("beams", ["num_beams", "max_length"])
        'num_beams'
    """
    candidates = {names[name] for names in (TRAIN, *(names for _, names in FAMILIES)) if names.get(name) in fields}
    return candidates.pop() if len(candidates) == 1 else None


def former_names(fields: Collection[str]) -> dict[str, str]:
    """Former names of the settings of a group, former to present.

    Args:
        fields: Present names of the settings, such as the task's options.

    Example:
        >>> former_names(["num_beams", "max_length"])
        {'beams': 'num_beams', 'longest': 'max_length'}
    """
    every = (TRAIN, *(names for _, names in FAMILIES))
    formers = dict.fromkeys(former for names in every for former in names if former not in fields)
    present = {former: present_name(former, fields) for former in formers}
    return {former: name for former, name in present.items() if name is not None}


def former_options(options: Mapping[str, Any]) -> dict[str, str]:
    """Renamed options of a stored configuration of seqtasks 0.1, former to present name.

    Args:
        options: All options of the run, by their former names.
    """
    return next((names for mark, names in FAMILIES if mark <= options.keys()), {})


def former_of_present(options: Mapping[str, Any]) -> dict[str, str]:
    """Keys of renamed options, present to former, such as `options.bptt` to `options.window`.

    Args:
        options: All options of the run, by their present names.
    """
    for mark, names in FAMILIES:
        if {names.get(name, name) for name in mark} <= options.keys():
            return {f"options.{new}": f"options.{old}" for old, new in names.items()}
    return {}


def with_present_names(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a stored configuration, with former names replaced by present ones."""
    names = former_options(options)
    return {names.get(name, name): value for name, value in options.items()}


def with_present_train(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings `train.*` of a stored configuration, with former names and their values replaced by present ones.

    Example:
        >>> with_present_train({"epochs": 3, "tensorboard": True})
        {'epochs': 3, 'trackers': ['tensorboard']}
    """
    present = {name: value for name, value in values.items() if name not in TRAIN}
    for former in TRAIN.keys() & values.keys():
        present.setdefault(TRAIN[former], VALUES[former].get(values[former], []))
    return present
