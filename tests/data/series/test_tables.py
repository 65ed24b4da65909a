"""Tables of series: long, wide, in chunks, mapped from disk, and what is wrong in them by file, row and column."""

import numpy as np
import pandas as pd
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data import cache
from seqtasks.data.series import table_file, tables
from seqtasks.data.series.columns import Columns
from seqtasks.data.series.tables import read_table

LONG = "id,t,x,y,label\na,0,1,2,up\na,1,3,,up\nb,0,5,6,down\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def read(tmp_path, text, name="t.csv", **columns):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_table(path, Columns(**columns))


def same(one, other):
    np.testing.assert_array_equal(one.values.padded(fill=-9), other.values.padded(fill=-9))
    assert (one.times is None) == (other.times is None)
    if one.times is not None:
        np.testing.assert_array_equal(one.times.padded(), other.times.padded())
    assert list(one.ids) == list(other.ids) and list(one.targets) == list(other.targets)


def test_a_long_table(tmp_path):
    series, roles, _ = read(tmp_path, LONG)
    assert series.ids == ["a", "b"] and series.targets == ["up", "down"] and series.channels == ["x", "y"]
    assert series.rows.tolist() == [1, 3] and roles.time == "t" and not series.irregular
    np.testing.assert_array_equal(series.values.row(0), np.array([[1, 2], [3, np.nan]], np.float32))
    np.testing.assert_array_equal(series.times.row(0), [0, 1])


def test_rows_of_several_series_may_come_by_turns(tmp_path):
    turns = "id,t,x,y,label\na,0,1,2,up\nb,0,5,6,down\na,1,3,,up\n"
    same(read(tmp_path, turns, "turns.csv")[0], read(tmp_path, LONG)[0])


@pytest.mark.parametrize("turns", [False, True])
def test_chunks_and_mapped_files_change_nothing(tmp_path, monkeypatch, folder, turns):
    rng = np.random.default_rng(0)
    rows = [f"{i},{t},{rng.normal():.3f},{rng.normal():.3f},{'ab'[i % 2]}" for i in range(20) for t in range(i % 5 + 1)]
    rows.sort(key=(lambda row: row.split(",")[1]) if turns else (lambda row: 0))
    text = "\n".join(["id,t,x,y,label", *rows])
    whole = read(tmp_path, text)[0]
    monkeypatch.setattr(table_file, "CHUNK", 35)  # seven rows
    same(read(tmp_path, text)[0], whole)
    monkeypatch.setattr(tables, "LARGE", 1)
    large = read(tmp_path, text)[0]
    assert isinstance(large.values.steps, np.memmap) and isinstance(large.times.steps, np.memmap)
    same(large, whole)
    monkeypatch.setattr(table_file.Table, "chunks", lambda *_: pytest.fail("converted again"))
    again = read(tmp_path, text)[0]
    same(again, whole)
    assert again.rows.tolist() == whole.rows.tolist() and len(list(folder.iterdir())) == 3
    assert cache.clear() == 3


def test_conversions_are_cached_by_content(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LARGE", 1)
    read(tmp_path, LONG)
    assert read(tmp_path, LONG.replace("5,6", "7,8"))[0].values.row(1).tolist() == [[7, 8]]
    assert read(tmp_path, LONG, channels=("y",))[0].channels == ["y"]


def test_where_nothing_can_be_written_it_stays_in_memory(tmp_path, monkeypatch, folder, caplog):
    monkeypatch.setattr(tables, "LARGE", 1)
    folder.write_text("a file where the folder would be")
    assert read(tmp_path, LONG)[0].ids == ["a", "b"] and "stay in memory" in caplog.text


def test_a_wide_table_and_series_that_end_early(tmp_path):
    series, roles, _ = read(tmp_path, "label,0,1,2\nup,1,2,3\ndown,4,,\nup,,5,6\n")
    assert roles.layout == "wide" and series.values.lengths.tolist() == [3, 1, 3]
    assert np.isnan(series.values.row(2)[0, 0]) and series.targets == ["up", "down", "up"]


def test_semicolons_and_decimal_commas(tmp_path, monkeypatch, caplog):
    text = "id;t;x;y;label\na;0;1,5;2;up\na;1;3;;up\nb;0;5;6,25;down\n"
    points = text.replace(",", ".").replace(";", ",")
    same(read(tmp_path, text)[0], read(tmp_path, points, "points.csv")[0])
    same(read(tmp_path, text.replace(",", "."), "both.csv")[0], read(tmp_path, points, "points.csv")[0])
    assert "t.csv: the header has no comma, so that fields are read as separated by semicolons" in caplog.text
    monkeypatch.setattr(tables, "LARGE", 1)
    same(read(tmp_path, text, "large.csv")[0], read(tmp_path, points, "points.csv")[0])

    numbers = text.replace("up", "0,5").replace("down", "2,5")
    assert read(tmp_path, numbers, "numbers.csv", target="label")[0].targets == ["0.5", "2.5"]


def test_a_tsv_file_of_the_archive_has_no_header(tmp_path):
    series, _, _ = read(tmp_path, "1\t0.5\t0.25\n-1\t1.5\tNaN\n", "X_TRAIN.tsv")
    assert series.targets == ["1", "-1"] and series.values.lengths.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("days", "irregular"),
    [
        (["2026-01-31", "2026-02-28", "2026-03-31"], False),
        (["2026-01-31", "2026-02-01", "2026-03-31"], True),
        (["20260131", "20260207", "20260214"], False),
        (["Jan-1-1995", "Feb-1-1995", "Mar-1-1995"], False),
        (["2026-01-31T10:00:00Z", "2026-01-31T10:00:01.5Z", "2026-01-31T10:00:03Z"], False),
    ],
)
def test_dates_are_seconds_and_months_are_regular(tmp_path, days, irregular):
    text = "\n".join(["id,date,x,label", *(f"{name},{day},1,{name}" for name in "ab" for day in days)])
    series = read(tmp_path, text)[0]
    assert series.dated and series.irregular == irregular
    first = pd.Timestamp(days[0])
    first = first if first.tzinfo else first.tz_localize("UTC")
    assert series.times.row(1)[0] == first.timestamp()


def test_groups_and_static_covariates_belong_to_a_series(tmp_path):
    text = "id,x,ward,age,label\na,1,north,30,0\na,2,north,30,0\nb,3,south,,1\n"
    series = read(tmp_path, text, group="ward", statics=("age",))[0]
    assert series.groups == ["north", "south"] and series.channels == ["x"]
    np.testing.assert_array_equal(series.statics, np.array([[30], [np.nan]], np.float32))


def test_parquet_is_read_as_csv_is(tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet files need pyarrow: pip install 'seqtasks[series]'")
    frame = pd.read_csv(pd.io.common.StringIO(LONG))
    frame.to_parquet(tmp_path / "t.parquet")
    same(read_table(tmp_path / "t.parquet", Columns())[0], read(tmp_path, LONG)[0])
    frame["t"] = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-01"])
    frame.to_parquet(tmp_path / "d.parquet")
    assert read_table(tmp_path / "d.parquet", Columns())[0].times.row(0)[0] == 1767225600
    (tmp_path / "b.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"b\.parquet cannot be read: .*; allowed: a table"):
        read_table(tmp_path / "b.parquet", Columns())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,t,x,label\na,1,1,u\na,0,2,u\nb,0,1,v\n",
            r"t\.csv, row 2, column t: the time 0 of series a goes back by 1;",
        ),
        ("id,t,x,label\na,1,1,u\nb,0,1,v\na,1,2,u\n", r"t\.csv, row 3, column t: the time 1 of series a comes twice; "),
        (
            "id,t,x,label\na,2026-01-02,1,u\na,2026-01-01,2,u\nb,2026-01-01,1,v\n",
            r"2026-01-01T00:00:00 .* back by 86400 s",
        ),
        (
            "id,t,x,label\na,,1,u\na,1,2,u\nb,0,1,v\n",
            r"row 1, column t: the time is missing; allowed: numbers or dates",
        ),
        (
            "id,t,x,label\na,0,1,u\na,1,low,u\nb,0,1,v\n",
            r"row 2, column x: 'low' is not a number; allowed: numbers, and",
        ),
        ("id,t,x,label\na,0,1,u\na,1,1e99,u\nb,0,1,v\n", r"row 2, column x: 1e\+99 is no finite number of 32 bits;"),
        (
            "id,t,x,label\na,0,1,u\na,1,2,v\nb,0,1,v\n",
            r"row 2, column label: the target 'v' of series a was 'u' before;",
        ),
        (
            "id,t,x,label\na,0,1,u\na,1,2,\nb,0,1,v\n",
            r"row 2, column label: the field is empty; allowed: one target for",
        ),
        ("id,t,x,label\na,0,1,u\n,1,2,u\na,2,1,u\n", r"row 2, column id: the id of the series is missing; allowed"),
        ("id,t,x,label\na,0,1,u\na,1,2,u,5\n", r"t\.csv cannot be read: .*Expected 4 fields in line 3, saw 5; allowed"),
        ("id,t,x,label\na,0,1,u,5\n", r"t\.csv, row 1: 5 fields, but the header has 4; allowed: as many fields"),
        ("id,x,x,label\na,0,1,u\n", r"t\.csv, row 0: the header has 2 columns named 'x'; allowed: each name once"),
        ("id,t,x,label\n", r"t\.csv has no row below its header id, t, x, label; add some"),
        ("", r"t\.csv is empty; allowed: a header and rows of numbers; fill it"),
        ("label,0,1\nu,1,2\nv,,\n", r"t\.csv, row 2, column 0: the series has no value; allowed: one value at least"),
        ("label,0,1\nu,1,2\n,1,2\n", r"t\.csv, row 2, column label: the field is empty; allowed: a target for each"),
        ("label,0,1\nu,1,2\nv,x,2\n", r"t\.csv, row 2, column 0: 'x' is not a number"),
    ],
)
@pytest.mark.parametrize("chunk", [1 << 21, 5])
def test_what_is_wrong_is_named_by_file_row_and_column(tmp_path, monkeypatch, text, message, chunk):
    monkeypatch.setattr(table_file, "CHUNK", chunk)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, text, time=None if ",t," in text else "-")
    assert "\n" not in str(error.value)


def test_a_static_covariate_that_changes(tmp_path):
    with pytest.raises(DataError, match=r"row 2, column age: 31 of series a was 30 before; allowed: one value"):
        read(tmp_path, "id,x,age,label\na,1,30,u\na,2,31,u\nb,3,5,v\n", statics=("age",))


def test_bytes_that_are_no_utf_8(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"id,x,label\na,1,\xff\n")
    with pytest.raises(DataError, match=r"t\.csv cannot be read: .*utf-8.*; allowed: a table in UTF-8"):
        read_table(tmp_path / "t.csv", Columns())
    with pytest.raises(DataError, match=r"ends in '\.xls'; allowed: \.csv, \.tsv, \.parquet"):
        read_table(tmp_path / "t.xls", Columns())


@pytest.mark.filterwarnings("error")
def test_dates_of_an_unusual_form_give_no_warning_of_pandas(tmp_path):
    rows = "".join(f"2020-{month:02}-01;{month}\n" for month in range(2, 13))
    series = read(tmp_path, f"time;value\n2020-01-01-01-01-01-01;0\n{rows}", labels="none")
    assert series[0].values.lengths.tolist() == [12]
