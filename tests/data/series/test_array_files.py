"""`.npz` files: shapes, masks, names of splits, and what is refused."""

import zipfile

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.array_files import read_npz

X, Y = np.arange(24.0).reshape(3, 4, 2) + 1, np.array(["u", "v", "u"])


def read(tmp_path, labelled=True, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return read_npz(tmp_path / "a.npz", labelled)[0]


def test_lengths_come_from_lengths_from_a_mask_or_from_the_values(tmp_path):
    padded = X.copy()
    padded[1, 3:] = np.nan
    mask = np.arange(4)[None] < np.array([4, 3, 4])[:, None]
    for arrays in ({"x": X, "lengths": [4, 3, 4]}, {"x": X, "mask": mask}, {"x": padded}):
        series = read(tmp_path, y=Y, **arrays)["train"]
        assert series.values.lengths.tolist() == [4, 3, 4] and series.targets == ["u", "v", "u"]
        np.testing.assert_array_equal(series.values.row(1), X[1, :3])
    assert read(tmp_path, x=X[..., 0], y=Y)["train"].values.shape == (3, 4, 1)


def test_splits_times_statics_and_names(tmp_path):
    times = np.array([[0, 1, 2, 9]] * 3)
    facts = {"times_train": times, "statics_train": np.ones((3, 2)), "groups_train": Y, "channels": ["a", "b"]}
    parts = read(tmp_path, x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2], **facts)
    train = parts["train"]
    assert list(parts) == ["train", "test"] and train.channels == ["a", "b"] and train.groups == ["u", "v", "u"]
    assert train.irregular and train.times.row(2).tolist() == [0, 1, 2, 9] and train.statics.shape == (3, 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": X}, r"a\.npz has z; needed: x, or x_train; save it so"),
        ({"x": X[0, 0], "y": Y}, r"a\.npz, x: its shape is \(2,\) of float64; allowed: numbers \(rows, time\)"),
        ({"x": X}, r"a\.npz has no y; needed: a target for each of the 3 rows of x; add it"),
        ({"x": X, "y": Y[:2]}, r"a\.npz, y: its shape is \(2,\); allowed: \(3,\), as x has 3 rows of 4 steps"),
        ({"x": X, "y": Y, "lengths": [4, 0, 4]}, r"a\.npz, row 1: the series has 0 valid steps; allowed: 1 to 4"),
        ({"x": X, "y": Y, "mask": [[0, 1, 1, 1]] * 3}, r"mask: a valid step follows a masked one; allowed: padding at"),
        ({"x": X * 1e39, "y": Y}, r"x, row 0, step 0, channel 0: inf is no finite number"),
        ({"x": X * np.array([1, np.inf]), "y": Y}, r"x, row 0, step 0, channel 1: inf is no finite number"),
        ({"x": X, "y": Y, "times": [[0, 1, 1, 2]] * 3}, r"row 0, column times: the time 1 of series 0 comes twice;"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, **arrays)


def test_a_file_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x", b"1,2")
    with pytest.raises(DataError, match=r"a\.npz, x: its shape is \(\) of \|S3; allowed: numbers"):
        read_npz(tmp_path / "a.npz")


def test_a_damaged_file(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no")
    with pytest.raises(DataError, match=r"a\.npz cannot be read: .*; allowed: arrays of numbers or text"):
        read_npz(tmp_path / "a.npz")
