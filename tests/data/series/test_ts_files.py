"""`.ts` files: several channels, unequal lengths, missing values, times, targets, and what is refused."""

import time

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.ts_files import read_ts

CLASSES = "# a comment\n@problemName X\n@classLabel true up down\n@data\n"


def read(tmp_path, text):
    path = tmp_path / "X_TRAIN.ts"
    path.write_text(text)
    return read_ts(path)


def test_channels_of_unequal_lengths_and_missing_values(tmp_path):
    series, kind, _ = read(tmp_path, CLASSES + "\n1,2,3:4,5,6:up\n%remark\n7,?:8,NaN:down\n")
    assert kind == "classes" and series.targets == ["up", "down"] and series.rows.tolist() == [6, 8]
    np.testing.assert_array_equal(series.values.row(0), [[1, 4], [2, 5], [3, 6]])
    assert series.values.row(1).tolist() == [[7, 8]]  # a step without a value at the end is no step
    inside = read(tmp_path, CLASSES + "1,?,3:up\n")[0].values.row(0)[:, 0]
    np.testing.assert_array_equal(inside, [1, np.nan, 3])


def test_numbers_to_predict(tmp_path):
    series, kind, _ = read(tmp_path, "@targetlabel true\n@data\n1,2:0.5\n3,4:-1e3\n")
    assert kind == "number" and series.targets == ["0.5", "-1e3"]
    assert read(tmp_path, "@classLabel false\n@data\n1,2\n")[1] is None


def test_many_colons_take_no_square_of_their_number(tmp_path):
    began = time.process_time()
    with pytest.raises(DataError, match="has no value"):
        read(tmp_path, "@timeStamps true\n@data\n" + "1:" * 20_000 + "1\n")
    assert time.process_time() - began < 4  # 8 s with a look-ahead to the next parenthesis, 0.3 s without
    series = read(tmp_path, "@timeStamps true\n@data\n(2026-01-01 10:00:00,5):(2026-01-01 10:00:00,6)\n")[0]
    assert series.values.row(0).tolist() == [[5, 6]]


def test_times_of_steps(tmp_path):
    series, _, _ = read(tmp_path, "@timeStamps true\n@classLabel true 1\n@data\n(0,5),(1,6),(5,7):1\n")
    assert series.times.row(0).tolist() == [0, 1, 5] and series.irregular
    assert series.values.row(0)[:, 0].tolist() == [5, 6, 7]
    dated = read(tmp_path, "@timeStamps true\n@data\n(2026-01-01 10:00:00,5),(2026-01-01 10:01:00,6)\n")[0]
    assert np.diff(dated.times.row(0)) == [60]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CLASSES, r"X_TRAIN\.ts has no line below @data; allowed: a line for each series below it; add some"),
        ("@classLabel true a\n", r"has no line @data"),
        ("1,2:up\n", r"line 1: '1,2:up' comes before @data; allowed: facts that begin with @; correct the file"),
        (
            CLASSES + "1,2:up\n1,2:left\n",
            r"line 6: the target is 'left'; allowed: one of up, down after the last colon",
        ),
        (CLASSES + "1,two:up\n", r"line 5: channel 1: 'two' is not a number; allowed: numbers, and \? where one"),
        (CLASSES + "1,2:3:up\n", r"line 5: channels of 1, 2 steps; allowed: channels of one length, as many in each"),
        (
            CLASSES + "1:3:up\n1:up\n",
            r"line 6: 1 channels, but the first series has 2; allowed: channels of one length",
        ),
        (CLASSES + "?,?:up\n", r"line 5: the series has no value; allowed: one value at least"),
        (CLASSES + "1,1e39:up\n", r"line 5: channel 1: 1e\+39 is no finite number of 32 bits; allowed: numbers up to"),
        (CLASSES + "1,-inf:up\n", r"line 5: channel 1: -inf is no finite number"),
        ("@\n@relation\n", r"has no line @data"),
        ("@timeStamps true\n@data\n(1e999,5),(1e999,6)\n", r"line 3: channel 1: the time '1e999' is not finite;"),
        ("@timeStamps true\n@data\n(nan,5),(1,6)\n", r"line 3: channel 1: the time 'nan' is not finite;"),
        ("@timeStamps true\n@data\n(2020-01-01,5),(NaT,6)\n", r"line 3: channel 1: the time 'NaT' is not finite;"),
        ("@timeStamps true\n@data\n(1,5),(0,6)\n", r"row 3, column time: the time 0 goes back by 1;"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)
