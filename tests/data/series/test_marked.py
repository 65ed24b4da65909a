"""Series with marked steps: where training ends, which steps are judged, columns of marks, files that do not fit."""

import numpy as np
import pandas as pd
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.columns import Columns, Roles
from seqtasks.data.series.marked import Cuts, _numbers, load_marked, read_marked
from seqtasks.data.source import Source

CUTS = Cuts(context=10, warm_up=4)


def table(steps, marks=(), start=0):
    frame = pd.DataFrame({"time": np.arange(start, start + steps), "x": np.arange(start, start + steps) % 7 + 0.5})
    frame["y"] = frame["x"] * 2
    frame["is_anomaly"] = 0
    frame.loc[list(marks), "is_anomaly"] = 1
    return frame


def load(path, cuts=CUTS, label=None, **columns):
    return load_marked(Source("files", str(path), path), Columns(labels="none", **columns), label, cuts)


def write(frame, path, leave_out=()):
    frame.drop(columns=list(leave_out)).to_csv(path, index=False)
    return path


def marks_of(part, row=0):
    return part.marks.row(row).tolist()


def test_half_of_a_single_file_is_for_training(tmp_path):
    data = load(write(table(100, [80, 81]), tmp_path / "a.csv"))
    assert [part.series.values.lengths.tolist() for part in (data.train, data.validation, data.test)] == [
        [40], [20], [60],
    ]  # fmt: skip
    assert data.train.series.channels == ["x", "y"] and data.label == "is_anomaly" and data.labelled
    # The ten steps before a part are read with it, but not judged.
    assert data.test.series.values.row(0)[10, 0] == 50 % 7 + 0.5
    assert marks_of(data.test) == [-1] * 10 + [0] * 30 + [1, 1] + [0] * 18
    assert marks_of(data.validation) == [-1] * 10 + [0] * 10
    assert marks_of(data.train) == [0] * 40
    assert "the first 50 steps are for training" in data.notes


@pytest.mark.parametrize(("train_end", "steps"), [(0.3, 30), (70, 70)])
def test_the_end_of_training_can_be_chosen(tmp_path, train_end, steps):
    data = load(write(table(100), tmp_path / "a.csv"), Cuts(train_end, context=0, warm_up=0))
    assert len(data.test.series.values.row(0)) == 100 - steps


def test_the_name_of_a_file_of_the_archive_has_the_end_of_training_and_the_anomaly(tmp_path):
    path = tmp_path / "007_UCR_Anomaly_pump_60_81_83.txt"
    path.write_text("\n".join(str(t % 7) for t in range(100)))
    data = load(path)
    assert data.roles is None and data.train.series.channels == ["value"]
    assert len(data.test.marks.row(0)) == 50
    assert np.flatnonzero(data.test.marks.row(0) == 1).tolist() == [30, 31, 32]  # steps 81 to 83, counted from 1
    assert not load(path, label="-").labelled


def test_a_folder_has_a_normal_file_and_one_to_score(tmp_path):
    write(table(50), tmp_path / "pump_train.csv", ["is_anomaly"])
    write(table(30, [20]), tmp_path / "pump_test.csv")
    data = load(tmp_path)
    assert [len(part.series.values.row(0)) for part in (data.train, data.validation, data.test)] == [40, 20, 30]
    assert marks_of(data.test) == [-1] * 4 + [0] * 16 + [1] + [0] * 9  # nothing is known before it: a warm-up
    assert load(tmp_path, label="is_anomaly").label == "is_anomaly"  # that the normal file lacks


def test_training_steps_in_the_test_file_are_not_scored(tmp_path):
    write(table(50), tmp_path / "train.csv")
    write(table(80, [60]), tmp_path / "test.csv")
    data = load(tmp_path)
    assert marks_of(data.test) == [-1] * 10 + [0] * 10 + [1] + [0] * 19
    changed = table(80)
    changed.loc[3, "x"] = 9
    write(changed, tmp_path / "test.csv")
    assert len(load(tmp_path).test.marks.row(0)) == 80


def test_normal_files_without_anomalies_are_preferred(tmp_path):
    write(table(60, [5]), tmp_path / "ecg_TRAIN_A.csv")
    write(table(50), tmp_path / "ecg_TRAIN_NA.csv")
    write(table(30), tmp_path / "ecg_TEST.csv")
    assert load(tmp_path).train.series.path.name == "ecg_TRAIN_NA.csv"


def test_marked_training_steps_are_noted(tmp_path):
    data = load(write(table(100, [10, 45]), tmp_path / "a.csv"))
    assert "2 training steps are marked as anomalies and are not trained on" in data.notes
    assert data.train.marks.row(0)[10] == 1 and data.validation.marks.row(0)[15] == 1


def test_several_series_are_cut_one_by_one(tmp_path):
    frame = pd.concat([table(100).assign(id="a"), table(60).assign(id="b")])
    data = load(write(frame, tmp_path / "a.csv"))
    assert data.test.series.ids == ["a", "b"] and data.test.series.values.lengths.tolist() == [60, 40]


def test_names_of_columns_and_no_marks(tmp_path):
    path = write(table(100, [90]).rename(columns={"is_anomaly": "fault"}), tmp_path / "a.csv")
    data = load(path, label="fault", channels=("y",))
    assert data.train.series.channels == ["y"] and data.roles.channels == ("y",) and (data.test.marks.steps == 1).any()
    assert load(path, label="-", ignore=("fault",)).train.series.channels == ["x", "y"]
    with pytest.raises(DataError, match=r"no column 'fualt'; did you mean fault\?"):
        load(path, label="fualt")


def test_the_name_of_the_column_of_marks_may_lack_its_prefix(tmp_path):
    path = write(table(100, [90]).rename(columns={"is_anomaly": "Outlier"}), tmp_path / "a.csv")
    assert load(path).label == "Outlier"


def test_a_file_to_score_may_lack_the_marks(tmp_path):
    data = load(write(table(100), tmp_path / "a.csv"))
    roles = Roles.from_dict(data.roles.to_dict())
    series, marks = read_marked(write(table(20), tmp_path / "b.csv", ["is_anomaly"]), roles, data.label)
    assert marks is None and series.channels == ["x", "y"] and len(series.values.row(0)) == 20
    series, marks = read_marked(write(table(20, [3]), tmp_path / "c.csv"), roles, data.label)
    assert np.flatnonzero(marks.row(0)).tolist() == [3] and series.values.steps.shape == (20, 2)


@pytest.mark.parametrize(
    ("files", "cuts", "message"),
    [
        ({"a.csv": 5}, CUTS, "has 2 training steps in a series; allowed: 10 or more"),
        ({"a.csv": 100}, Cuts(100), "the series has 100 steps, and training ends at 100; allowed: an end before"),
        ({"a.csv": 100, "b.csv": 100}, CUTS, "has a.csv, b.csv; needed: train.csv with normal series and test.csv"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, files, cuts, message):
    for name, steps in files.items():
        write(table(steps), tmp_path / name)
    with pytest.raises(DataError, match=message):
        load(tmp_path if len(files) > 1 else tmp_path / "a.csv", cuts)


def test_both_files_have_the_same_channels(tmp_path):
    write(table(50), tmp_path / "train.csv")
    write(table(50), tmp_path / "test.csv", ["y"])
    with pytest.raises(DataError, match="lacks column 'y', which the training data has"):
        load(tmp_path)


def test_a_column_of_marks_without_a_number(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,flow,is_anomaly\n0,0.2,\n1,0.3,\n")
    with pytest.raises(DataError, match="the column of marks 'is_anomaly' has no number; allowed: 0 and 1"):
        load(path)


@pytest.mark.parametrize("text", ["1 2.5\n\n 1_0 nan\n", "1\n2.5\n1_0\nnan"])
def test_numbers_of_a_text(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text(text)
    np.testing.assert_array_equal(_numbers(path).values.steps[:, 0], [1, 2.5, 10, np.nan])


def test_what_is_no_number_of_a_text_is_named_before_the_rest_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("1 2\n3 x\n4 5\n")
    with pytest.raises(DataError, match=r"a\.txt, number 4: 'x' is not a number"):
        _numbers(path)
    path.write_text("1\n1e999\n")
    with pytest.raises(DataError, match=r"a\.txt, number 2: inf is no finite number of 32 bits"):
        _numbers(path)
