"""Roles of columns: those that are named, those that are guessed, and what is refused."""

from pathlib import Path

import pandas as pd
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.columns import Columns, Roles, resolve

LONG = {
    "patient": ["a", "a", "b", "b"],
    "time": ["0", "1", "0", "1"],
    "pulse": ["60", "61", "80", ""],
    "note": ["x", "y", "z", "z"],
    "label": ["well", "well", "ill", "ill"],
}
WIDE = {"name": ["u", "v"], "x_0": ["1", "2"], "x_1": ["3", "4"], "y_0": ["5", "6"], "y_1": ["7", "8"]}


def roles(table, headed=True, **columns):
    return resolve(Columns(**columns), pd.DataFrame(table), Path("t.csv"), headed)


def test_roles_of_a_long_table_are_guessed_and_each_guess_is_named():
    got = roles(LONG, id="patient")
    assert (got.layout, got.time, got.target, got.channels) == ("long", "time", "label", ("pulse",))
    assert "options.target=label" in got.guessed and "not read, as they have no numbers: note" in got.guessed
    assert not any("options.id" in phrase for phrase in got.guessed)  # it was asked for
    assert not any("options.group" in phrase for phrase in got.guessed)  # each row has another note


def test_a_column_of_names_is_proposed_as_groups():
    table = LONG | {"note": ["anna", "anna", "bert", "bert"]}
    proposal = "if note names who or what was measured, options.group=note keeps all series of one in the same split"
    assert proposal in roles(table, id="patient").guessed
    assert proposal not in roles(table, id="patient", labels="none").guessed
    assert roles(table, id="patient", group="note").guessed == roles(LONG, id="patient", ignore=["note"]).guessed


def test_a_target_is_found_by_being_the_only_column_that_is_constant_within_each_series():
    table = {"id": [1, 1, 2, 2], "x": [0.1, 0.2, 0.3, 0.4], "kind of day": [4, 4, 9, 9]}
    assert roles(table).target == "kind of day"


def test_a_channel_named_y_is_not_the_target_as_it_changes_within_series():
    table = {"id": [1, 1, 2, 2], "x": [0.1, 0.2, 0.3, 0.4], "y": [1, 2, 1, 1], "z": [3, 4, 3, 4], "pose": list("uuvv")}
    assert (roles(table).target, roles(table).channels) == ("pose", ("x", "y", "z"))
    assert roles(table | {"y": [1, 1, 2, 2]}).target == "y"


def test_a_wide_table_with_several_channels():
    got = roles(WIDE, target="name")
    assert got.layout == "wide" and got.channels == ("x", "y")
    assert got.grid == (("x_0", "y_0"), ("x_1", "y_1"))
    assert roles(WIDE, target="name", channels=("y",)).grid == (("y_0",), ("y_1",))
    assert roles({"label": ["a"], "0": ["1"], "1": ["2"]}).channels == ("value",)


def test_without_a_header_the_first_column_is_the_target_as_in_the_archive():
    got = roles({"0": ["1", "2"], "1": ["0.1", "0.2"], "2": ["0.3", "0.4"]}, headed=False)
    assert got.target == "0" and got.grid == (("1",), ("2",))
    unlabelled = got.applied(["0", "1"], Path("new.tsv"), headed=False)
    assert unlabelled.target is None and unlabelled.grid == (("0",), ("1",))


def test_a_series_without_labels_and_ids_is_one_long_series():
    got = roles({"YEAR": ["1700", "1701"], "SPOTS": ["5", "11"]}, labels="none")
    assert (got.layout, got.id, got.time, got.target, got.channels) == ("long", None, "YEAR", None, ("SPOTS",))
    quarters = roles({"year": ["1959", "1959"], "gdp": ["1", "2"]}, labels="none")
    assert quarters.time is None and quarters.channels == ("year", "gdp")  # years that repeat are no times


def test_ids_are_a_column_within_which_times_increase_though_they_go_back_in_the_table():
    days = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    table = {"day": days * 3, "shop": ["A"] * 4 + ["B"] * 4 + ["C"] * 4, "sold": [*map(str, range(12))]}
    got = roles(table, labels="none")
    assert (got.id, got.time, got.channels) == ("shop", "day", ("sold",))
    # All shops of a day in turn; a kind of shop is constant, too, but has fewer values.
    turns = {"day": [day for day in days for _ in "ABC"], "kind": list("xxy") * 4, "shop": list("ABC") * 4}
    got = roles(turns | {"sold": [*map(str, range(12))]})
    assert (got.id, got.time, got.target) == ("shop", "day", "kind")
    # Times that increase in the whole table are those of one series.
    assert roles({"day": days, "kind": list("aabb"), "sold": list("1234")}, labels="none").id is None
    # No column divides the table so that times increase.
    assert roles({"t": list("00112233"), "kind": list("aabbaabb"), "x": list("12345678")}, labels="none").id is None


def test_columns_of_a_wide_table_without_a_number_of_a_step_are_not_read():
    table = {"Nr. of window": ["a1", "a2"], "state": ["on", "off"]}
    table |= {f"{name} [{i}]": ["1", "2"] for i in range(5) for name in ("left arm", "right arm")}
    got = roles(table, target="state")
    assert got.channels == ("left arm", "right arm") and got.grid[4] == ("left arm [4]", "right arm [4]")
    assert "not read, as their names have no number of a step: Nr. of window" in got.guessed
    assert roles(table, target="state", channels=("right arm",)).grid[0] == ("right arm [0]",)
    single = {"state": ["on", "off"], "note": ["1", "2"], **{f"s{i}": ["1", "2"] for i in range(9)}}
    assert roles(single, target="state").grid == tuple((f"s{i}",) for i in range(9))
    # Few numbered columns beside others: all are steps, as in a table whose header has names of months.
    months = {"state": ["on", "off"], "jan": ["1", "2"], "feb": ["3", "4"], "mar 1": ["5", "6"]}
    assert roles(months, target="state").grid == (("jan",), ("feb",), ("mar 1",))


def test_a_dash_says_that_there_is_no_such_column():
    assert roles(LONG, id="patient", time="-").time is None


def test_roles_are_stored_and_applied_to_another_table():
    got = roles(WIDE, target="name")
    assert Roles.from_dict(got.to_dict()) == got
    assert got.applied([*WIDE][1:], Path("new.csv")).target is None
    with pytest.raises(DataError, match=r"new\.csv lacks column 'y_1', which the training data has; it has: x_0"):
        got.applied(["x_0", "x_1", "y_0"], Path("new.csv"))


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (LONG, {"id": "patint"}, r"t\.csv has no column 'patint'; did you mean patient\?; choose one with options\.id"),
        ({"id": [1, 1, 2], "x": [1, 2, 3]}, {}, r"no column that is clearly the target; it has: id, x; name it with"),
        ({"id": [1, 1], "x": ["u", "v"], "y": ["w", "w"]}, {}, r"no column of measurements; it has: id, x, y; allowed"),
        (LONG, {"layout": "long", "id": "-", "target": "label"}, r"no column of series ids; it has: patient"),
        (WIDE, {"target": "name", "channels": ("z",)}, r"has no channel 'z'; allowed: x, y; choose channels"),
    ],
)
def test_what_cannot_be_resolved_is_one_line(table, columns, message):
    with pytest.raises(DataError, match=message) as error:
        roles(table, **columns)
    assert "\n" not in str(error.value)


def test_dates_before_1677_and_long_numbers_in_names():
    table = pd.DataFrame({"t": ["0001-01-03", "0001-01-04", "0001-01-05"], "x": [1.0, 2.0, 3.0]})
    assert resolve(Columns(labels="none"), table, Path("a.csv"), True).time == "t"
    wide = pd.DataFrame({"label": ["a", "b"], "x_0": [1.0, 2.0], "x_1": [1.0, 2.0], f"x_{'9' * 5000}": [1.0, 2.0]})
    assert resolve(Columns(), wide, Path("a.csv"), True).target == "label"
