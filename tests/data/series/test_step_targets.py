"""Series with targets at each step: kinds, columns that are guessed, splits, windows, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.columns import Columns
from seqtasks.data.series.step_targets import load_stepwise, read_stepwise, split_stepwise, windows
from seqtasks.data.source import Source


def table(series=6, steps=10):
    rng = np.random.default_rng(0)
    rows = []
    for name in range(series):
        for t in range(steps):
            state = "" if t == 3 else "on" if t % 4 > 1 else "off"
            level = round(float(rng.normal()), 2)
            rows.append([f"s{name}", t, round(float(rng.normal()), 2), state, t % 2, int(t > 5), level, name // 2])
    columns = ["id", "t", "x", "state", "label_pump", "label_valve", "level", "plant"]
    return pd.DataFrame(rows, columns=columns)


def load(frame, folder, name="t.csv", targets=(), kind=None, **columns):
    frame.to_csv(folder / name, index=False)
    source = Source("files", name, folder / name)
    return load_stepwise(source, Columns(labels="none", **columns), targets, kind)


def test_a_class_at_each_step_is_guessed_by_its_name(tmp_path):
    data = load(table()[["id", "t", "x", "state"]], tmp_path)
    assert (data.kind, data.targets, list(data.classes)) == ("classes", ["state"], ["off", "on"])
    part = data.parts["train"]
    assert part.series.channels == ["x"] and data.roles.channels == ("x",) and data.roles.coded == ()
    expected = [np.nan if t == 3 else float(t % 4 > 1) for t in range(10)]
    np.testing.assert_array_equal(part.targets.row(5)[:, 0], expected)
    assert "options.target=state" in data.notes and "options.id=id" in data.notes


def test_columns_of_0_and_1_are_labels_and_others_numbers(tmp_path):
    frame = table()[["id", "t", "x", "level", "label_pump", "label_valve"]]
    data = load(frame, tmp_path)
    assert (data.kind, data.targets) == ("labels", ["label_pump", "label_valve"])
    assert data.parts["train"].series.channels == ["x", "level"]
    np.testing.assert_array_equal(data.parts["train"].targets.row(0)[:, 0], np.arange(10) % 2)
    data = load(frame, tmp_path, targets=["level"])
    assert data.kind == "numbers" and data.parts["train"].series.channels == ["x", "label_pump", "label_valve"]
    data = load(frame, tmp_path, targets=["level", "label_pump"], channels=("x",))
    assert data.kind == "numbers" and data.targets == ["level", "label_pump"]
    assert load(frame, tmp_path, targets=["label_pump"]).classes == ["0", "1"]
    assert load(frame, tmp_path, targets=["label_pump"], kind="labels").kind == "labels"
    assert load(frame, tmp_path, targets=["label_pump"], kind="numbers").kind == "numbers"


@pytest.mark.parametrize("texts", [False, True])
def test_numpy_files_have_targets_of_each_step(tmp_path, texts):
    x, y = np.zeros((4, 6, 2)), np.arange(24).reshape(4, 6) % 3
    x[:, :, 0] = y
    x[2, 4:] = np.nan  # padding
    names = np.array(["low", "mid", "top"])
    np.savez(tmp_path / "a.npz", x=x, y=names[y] if texts else y)
    source = Source("files", "a", tmp_path / "a.npz")
    data = load_stepwise(source, Columns(labels="none"))
    part = data.parts["train"]
    assert data.kind == "classes" and list(data.classes) == (list(names) if texts else ["0", "1", "2"])
    assert part.series.channels == ["1", "2"] and part.series.values.lengths.tolist() == [6, 6, 4, 6]
    np.testing.assert_array_equal(part.targets.row(2)[:, 0], y[2, :4])
    read = read_stepwise(tmp_path / "a.npz", None, data.targets, data.kind, data.classes)
    np.testing.assert_array_equal(read.targets.steps, part.targets.steps)
    np.savez(tmp_path / "new.npz", x=x)
    assert np.isnan(
        read_stepwise(tmp_path / "new.npz", None, data.targets, data.kind, data.classes).targets.steps
    ).all()
    np.savez(tmp_path / "b.npz", x=x, y=np.stack([y > 0, y > 1], axis=2), targets=np.array(["some", "many"]))
    data = load_stepwise(Source("files", "b", tmp_path / "b.npz"), Columns(labels="none"))
    assert (data.kind, data.targets) == ("labels", ["some", "many"])


def test_a_folder_has_its_splits_and_classes_are_numbered_by_those_of_training(tmp_path):
    frame = table()[["id", "t", "x", "state"]]
    (tmp_path / "d").mkdir()
    frame.to_csv(tmp_path / "d" / "train.csv", index=False)
    turned = frame.iloc[::-1].sort_values("id", kind="stable").assign(t=frame["t"].to_numpy())  # on comes first
    turned.to_csv(tmp_path / "d" / "test.csv", index=False)
    data = load_stepwise(Source("files", "d", tmp_path / "d"), Columns(labels="none"))
    true = turned["state"].map({"off": 0.0, "on": 1.0}).to_numpy(np.float32)
    np.testing.assert_array_equal(data.parts["test"].targets.steps[:, 0], true)
    turned.assign(state="idle").to_csv(tmp_path / "d" / "test.csv", index=False)
    with pytest.raises(DataError, match=r"test\.csv, series s0, step 1, column state: no training step has the label"):
        load_stepwise(Source("files", "d", tmp_path / "d"), Columns(labels="none"))
    # In prediction an unknown class is no error.
    roles = data.roles
    part = read_stepwise(tmp_path / "d" / "test.csv", roles, data.targets, "classes", data.classes)
    assert np.isnan(part.targets.steps).all()
    frame.drop(columns="state").to_csv(tmp_path / "new.csv", index=False)
    part = read_stepwise(tmp_path / "new.csv", roles, data.targets, "classes", data.classes)
    assert len(part.series) == 6 and np.isnan(part.targets.steps).all() and part.targets.shape == (6, 10, 1)


def test_whole_series_are_held_out_or_the_last_steps_of_each(tmp_path):
    data = load(table(20)[["id", "t", "x", "state"]], tmp_path)
    parts, notes = split_stepwise(data, "auto", {"train": 5})
    ids = [set(part.series.ids) for part in parts.values()]
    assert len(set.union(*ids)) == sum(map(len, ids)) and len(ids[0]) == 5 and not notes
    for part in parts.values():
        for i, name in enumerate(part.series.ids):
            row = data.parts["train"].series.ids.index(name)
            np.testing.assert_array_equal(part.targets.row(i), data.parts["train"].targets.row(row))
    data = load(table(2, steps=50)[["id", "t", "x", "state"]], tmp_path)
    parts, notes = split_stepwise(data, "auto", {})
    assert [part.series.values.lengths.tolist() for part in parts.values()] == [[40, 40], [5, 5], [5, 5]]
    whole = data.parts["train"].targets.row(1)
    np.testing.assert_array_equal(np.concatenate([part.targets.row(1) for part in parts.values()]), whole)
    assert notes == ["the last 20 % of the steps of each series are held out"]


def test_no_group_is_on_two_sides(tmp_path):
    data = load(table(20)[["id", "t", "x", "state", "plant"]], tmp_path, group="plant")
    parts, _ = split_stepwise(data, "whole", {})
    groups = [set(part.series.groups) for part in parts.values()]
    assert all(groups) and len(set.union(*groups)) == sum(map(len, groups))


def test_windows_have_each_step_once_or_overlap(tmp_path):
    part = load(table(3, steps=25)[["id", "t", "x", "state"]], tmp_path).parts["train"]
    cut = windows(part, 10)
    assert cut.series.values.lengths.tolist() == [10, 10, 5] * 3
    np.testing.assert_array_equal(np.concatenate([cut.targets.row(i) for i in range(9)]), part.targets.steps)
    overlapping = windows(part, 10, 5)
    begins = (overlapping.series.values.begins - 25 * np.repeat([0, 1, 2], 4)).tolist()
    assert begins == [0, 5, 10, 15] * 3 and set(overlapping.series.values.lengths.tolist()) == {10}
    assert windows(part, 100, 50).series.values.lengths.tolist() == [25, 25, 25]
    np.testing.assert_array_equal(cut.series.times.row(4), np.arange(10, 20))


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            {},
            {"targets": ["stat"]},
            r"t\.csv has no column 'stat'; did you mean state\?; choose one with options\.target",
        ),
        (
            {"drop": ["state", "label_pump", "label_valve"]},
            {},
            r"no column that is clearly the target of a step; it has",
        ),
        (
            {},
            {"targets": ["state", "level"]},
            r"column state: the targets of several columns are texts; allowed: 0 and 1",
        ),
        (
            {},
            {"targets": ["level", "x"], "kind": "classes"},
            r"options\.kind=classes with the targets level, x; allowed",
        ),
        (
            {"label_pump": 2},
            {"kind": "labels"},
            r"series s0, step 1, column label_pump: the label is 2; allowed: 0 and 1",
        ),
        ({"state": "on"}, {"targets": ["state"]}, r"column state has only the label 'on'; allowed: two or more for cl"),
        ({"state": ""}, {"targets": ["state"], "kind": "classes"}, r"column state: no training step has a target; add"),
        ({}, {"layout": "wide", "targets": ["state"]}, r"is a wide table, which has one target for a series; allowed"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, change, arguments, message):
    frame = table().drop(columns=change.pop("drop", [])).assign(**change)
    with pytest.raises(DataError, match=message) as error:
        load(frame, tmp_path, **arguments)
    assert "\n" not in str(error.value)


def test_other_formats_have_no_targets_of_steps(tmp_path):
    Path(tmp_path / "a.ts").write_text("@data\n1,2\n")
    with pytest.raises(
        DataError, match=r"a\.ts ends in '\.ts'; allowed: \.csv, \.tsv, \.parquet, \.npz, which have tar"
    ):
        load_stepwise(Source("files", "a", tmp_path / "a.ts"), Columns(labels="none"))
