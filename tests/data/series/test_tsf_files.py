import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.tsf_files import read_tsf

HEADER = "# a set\n@relation M\n@attribute series_name string\n@attribute start_timestamp date\n"


def write(tmp_path, text):
    path = tmp_path / "a.tsf"
    path.write_text(text)
    return path


def test_values_names_and_times_of_calendar_months(tmp_path):
    text = f"{HEADER}@frequency monthly\n@data\nT1:2020-01-31 00-00-00:1,?,3\nT2:1999-12-01 00-00-00:5.5,6\n"
    series, digest = read_tsf(write(tmp_path, text))
    assert series.ids == ["T1", "T2"] and series.dated and len(digest) == 16 and series.rows.tolist() == [7, 8]
    np.testing.assert_array_equal(series.values.row(0)[:, 0], [1, np.nan, 3])
    stamps = series.times.row(0).astype("int64").astype("datetime64[s]").astype("datetime64[D]").astype(str)
    assert stamps.tolist() == ["2020-01-31", "2020-02-29", "2020-03-31"]


def test_without_frequency_there_are_no_times(tmp_path):
    series, _ = read_tsf(write(tmp_path, f"{HEADER}@data\nT1:2020-01-01 00-00-00:1,2\n"))
    assert series.times is None and not series.dated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n@data\n", r"line 1: '1,2' comes before @data; allowed: facts that begin with @"),
        ("@data\n", r"has no line below @data; allowed: a line for each series"),
        ("@relation x\n", r"has no line @data"),
        ("@\n", r"has no line @data"),
        ("@data\n1,-1e39\n", r"line 2: -1e\+39 is no finite number of 32 bits; allowed: numbers up to 3e38"),
        ("@data\n1,b\n", r"line 2: 'b' is not a number; allowed: numbers, and \? where one is missing"),
        ("@attribute series_name string\n@data\n1,2\n", r"line 3: the line has 1 fields; allowed: 1 attributes and"),
        (f"{HEADER}@frequency daily\n@data\nT:soon:1,2\n", r"line 7: the start 'soon' is no date"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_tsf(write(tmp_path, text))
