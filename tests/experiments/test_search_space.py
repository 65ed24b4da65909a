"""Ranges and choices of a search, as a user types them."""

from __future__ import annotations

from typing import Any

import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.experiments.search_space import Choice, Range, Space, parse_space


class Draws:
    """Stands for an Optuna trial: records what is asked for and returns given values."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)
        self.asked: list[tuple[Any, ...]] = []

    def suggest_int(self, key: str, low: int, high: int, step: int, log: bool) -> Any:
        self.asked.append(("int", key, low, high, step, log))
        return self.values.pop(0)

    def suggest_float(self, key: str, low: float, high: float, step: float | None, log: bool) -> Any:
        self.asked.append(("float", key, low, high, step, log))
        return self.values.pop(0)

    def suggest_categorical(self, key: str, values: tuple[str, ...]) -> Any:
        self.asked.append(("choice", key, values))
        return self.values.pop(0)


def test_each_kind_of_axis_and_what_is_drawn_from_it() -> None:
    words = ["encoder.units=32..512:log", "encoder.layers=1..5:step=2", "encoder.dropout=0..1", "data.limit=1e2..1e3"]
    space = parse_space([*words, "options.x=1..3", "options.y=1..2.5", "encoder.cell=gru,lstm", "train.epochs=5"])
    assert space.axes == (
        Range("encoder.units", 32, 512, True, None, True),
        Range("encoder.layers", 1, 5, False, 2, True),
        Range("encoder.dropout", 0, 1, False, None, False),  # a number, although both ends are integers
        Range("data.limit", 100, 1000, False, None, True),
        Range("options.x", 1, 3, False, None, True),  # its type is not known: as it is typed
        Range("options.y", 1, 2.5, False, None, False),
        Choice("encoder.cell", ("gru", "lstm")),
    )
    assert space.fixed == ("train.epochs=5",)
    draws = Draws(64, 3, 0.123456, 500, 2, 2.4999999, "lstm")
    assert space.draw(draws) == [
        "train.epochs=5",
        "encoder.units=64",
        "encoder.layers=3",
        "encoder.dropout=0.1235",
        "data.limit=500",
        "options.x=2",
        "options.y=2.5",
        "encoder.cell=lstm",
    ]
    assert draws.asked[:3] == [
        ("int", "encoder.units", 32, 512, 1, True),
        ("int", "encoder.layers", 1, 5, 2, False),
        ("float", "encoder.dropout", 0.0, 1.0, None, False),
    ]


def test_a_rounded_value_stays_in_its_range() -> None:
    axis = Range("options.y", 0.123449, 0.987651, False, None, False)
    assert (axis.text(0.123449), axis.text(0.987651)) == ("0.123449", "0.987651")
    assert axis.text(0.5) == "0.5"


def test_every_end_of_every_axis_is_in_one_corner() -> None:
    space = parse_space(["encoder.units=8..64", "encoder.cell=gru,lstm,mgu", "seed=3"])
    corners = list(space.corners())
    assert corners[:2] == [
        ["seed=3", "encoder.units=8", "encoder.cell=gru"],
        ["seed=3", "encoder.units=64", "encoder.cell=gru"],
    ]
    assert [corner[2] for corner in corners] == [f"encoder.cell={x}" for x in ("gru", "gru", "gru", "lstm", "mgu")]


def test_a_space_is_split_by_a_choice() -> None:
    space = parse_space(["encoder.units=8..64", "encoder.cell=gru,lstm", "seed=3"])
    parts = space.split("encoder.cell")
    assert parts["lstm"] == Space(space.axes[:1], ("seed=3", "encoder.cell=lstm"))
    assert list(parts) == ["gru", "lstm"]
    for key in ("encoder.units", "encoder.cel", "seed"):
        with pytest.raises(ConfigError, match=r"allowed: a setting with several values \(encoder.cell\); give"):
            space.split(key)


def test_defaults_as_parameters() -> None:
    units = Range("encoder.units", 8, 64, True, None, True)
    assert [units.parameter(value) for value in (8, 64.0, 7, 65, None, True, "9")] == [8, 64, *[None] * 5]
    dropout = Range("encoder.dropout", 0, 0.5, False, 0.1, False)
    assert (dropout.parameter(0.3), dropout.parameter(0.25)) == (0.3, None)
    flag = Choice("encoder.bidirectional", ("true", "false"))
    assert (flag.parameter(True), flag.parameter("true"), flag.parameter(None)) == ("true", None, None)
    assert Choice("encoder.cell", ("gru", "lstm")).parameter("lstm") == "lstm"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no setting varies; allowed: ranges and several values; write such as encoder.units=32..512:log"),
        (["train.epochs=5"], "no setting varies"),
        (["encoder.units=64..8"], "encoder.units=64..8 goes from 64 to 8; allowed: a smaller number first; correct"),
        (["encoder.units=8..8"], "goes from 8 to 8"),
        (["encoder.units=8..64.5"], "has a fraction; allowed: integers"),
        (["encoder.units=8..64:step=0.5"], "has a fraction"),
        (["encoder.units=8..64:lg"], "ends in :lg; allowed: :log, :step=N with N > 0"),
        (["encoder.units=8..64:step=0"], "ends in :step=0; allowed"),
        (["encoder.units=8..64:step=x"], "ends in :step=x; allowed"),
        (["train.learning_rate=0..1:log"], "is logarithmic from 0; allowed: a range above 0"),
        (["encoder.units=8..64:log:step=2"], "is logarithmic with a step; allowed: one of them"),
        (["encoder.units=8.."], "encoder.units=8.. is not a range; allowed: LOW..HIGH, LOW..HIGH:log"),
        (["encoder.units=8..x"], "is not a range"),
        (["seed=0..9"], "seed varies; allowed: one seed for all trials"),
        (["seed=0,1", "encoder.units=1..2"], "seed varies"),
        (["encoder.units=1..2", "encoder.units=3..4"], "encoder.units is given twice"),
        (["encoder.cell=gru,,lstm"], "has an empty value"),
        (["encoder.units"], "is not a setting; allowed: key=value"),
    ],
)
def test_what_is_no_space_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_space(words)
    assert message in str(caught.value)


def test_a_path_is_not_a_range() -> None:
    space = parse_space(["data.source=files:../a", "encoder.units=1..2"])
    assert space.fixed == ("data.source=files:../a",)
