"""CSV and TSV files: quotes, line numbers, and rows with another number of fields than the header."""

import csv
import random
from pathlib import Path

import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.tables import TableRows, check_columns, read_table
from seqtasks.data.text import reader


def write(folder, content, name="a.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\nx,y\n", [["x", "y"]]),
        ('a,b\n"x, ""y""\nz",w\n', [['x, "y"\nz', "w"]]),
        ('a,b\n"",\n,""\n', [["", ""], ["", ""]]),
        ('a,b\r\n"x\r\nz",y\r\n\r\nv,w', [["x\nz", "y"], ["v", "w"]]),
        ("a,b\nx\ry,\u2028z\x0c\x85\n", [["x\ry", "\u2028z\x0c\x85"]]),
        ('a,b\nx "y" z, "w"\n', [['x "y" z', ' "w"']]),
        ("\ufeffa,b\n\n  \nNA,null\n", [["NA", "null"]]),
        ("a\nx\n\ny\n", [["x"], ["y"]]),
        ('a,b\n"' + "x" * 300_000 + '",y\n', [["x" * 300_000, "y"]]),
    ],
)
def test_csv(tmp_path, content, rows):
    assert read_table(write(tmp_path, content)).rows == rows


def test_spaces_before_a_field_may_be_ignored(tmp_path):
    path = write(tmp_path, 'a, b\nx, "y, z"\nv,  w \n')
    assert read_table(path, trim=True).rows == [["x", "y, z"], ["v", "w "]]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('a\tb\n"so it began\tx\nfine\ty\n"and on\tx\n', [['"so it began', "x"], ["fine", "y"], ['"and on', "x"]]),
        ('a\tb\n"good"\tx\nhe said "\ty\n', [['"good"', "x"], ['he said "', "y"]]),
        ('a\tb\n"two\nlines"\tx\n"a ""tab""\there"\ty\n', [["two\nlines", "x"], ['a "tab"\there', "y"]]),
        ("a\tb\n\t\nx\t\n", [["", ""], ["x", ""]]),
    ],
)  # fmt: skip
def test_quotation_marks_are_text_in_tsv_unless_lines_do_not_fit_without(tmp_path, content, rows):
    assert read_table(write(tmp_path, content, "a.tsv")).rows == rows


@pytest.mark.parametrize(
    ("content", "name", "separator", "rows"),
    [
        ("a;b\nx, y;z\n", "a.csv", "semicolons", [["x, y", "z"]]),
        ('"a, b";c\n"x; y";z\n', "a.csv", "semicolons", [["x; y", "z"]]),
        ("a\tb\nx, y\tz\n", "a.csv", "tabs", [["x, y", "z"]]),
        ("a,b;c\nx,y;z\n", "a.csv", None, [["x", "y;z"]]),
        ("a\nx;y\n", "a.csv", None, [["x;y"]]),
        ("a;b\tc\nx;y\tz\n", "a.tsv", None, [["x;y", "z"]]),
    ],
)  # fmt: skip
def test_another_separator_in_the_header_is_used_and_stated(tmp_path, caplog, content, name, separator, rows):
    path = write(tmp_path, content, name)
    assert read_table(path).rows == rows and read_table(path).rows == rows
    notes = [f"{path}: the header has no comma, so that fields are read as separated by {separator}"]
    assert caplog.messages == (notes if separator else [])


def test_rows_know_their_lines(tmp_path):
    assert read_table(write(tmp_path, 'a,b\n"x\n\nx",y\n\nz,w\n')).lines == [2, 6]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            "text,label\nfine, but dull,x\n\na, b,x\n",
            "a.csv",
            r"a\.csv, line 2: 3 fields \(and 1 more such rows\), but the header has 2 \(text, label\); put a text that "
            "contains a comma between quotation marks",
        ),
        ("a,b,c\nx,y,z\nx,y\n", "a.csv", r"line 3: 2 fields, but the header has 3 \(a, b, c\)"),
        ('a,b\n"x\ny",z,w\n', "a.csv", "line 2: 3 fields, but the header has 2"),
        ('a\tb\n"x\ty\tz\n', "a.tsv", "line 2: 3 fields, but the header has 2 .*; put one tab between two fields"),
        ('a,b\nx,y\n"z,w\nv,u\n', "a.csv", 'cannot read .*csv, line 3: the quotation mark at the beginning of "z,w is'),
        ('a,b\n"x\n" y,z\n', "a.csv", "line 2: .* closed before the end of the field; put the text between two"),
        ("", "a.csv", r"/a\.csv is empty; give a table in UTF-8 with a header and rows$"),
        ("a;b\nx;y;z\n", "a.csv", "line 2: 3 fields, but .*; put a text that contains a semicolon between quotation"),
        ("\n\n", "a.csv", "every line is empty"),
        ("a,b\n", "a.tsv", "has no row below its header"),
        (b"a,b\n\xe9,x\n", "a.csv", "cannot read the table: .*not UTF-8: byte 0xe9 at position 4; convert it"),
        ("x", "a.txt", r"ends in '\.txt'; allowed: \.csv, \.tsv"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path, content, name, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(tmp_path, content, name))
    assert "\n" not in str(caught.value)


def test_a_column_by_its_name(tmp_path):
    table = read_table(write(tmp_path, "a,b,b\nx,y,z\n"))
    assert table.column("a", "choose") == ["x"]
    with pytest.raises(DataError, match="has no column 'c'; it has: a, b, b; choose"):
        table.column("c", "choose")
    with pytest.raises(DataError, match="has 2 columns named 'b'"):
        table.column("b", "choose")


@pytest.mark.parametrize(
    ("text", "names", "problem"),
    [
        ("text,label\na,b\n", ["text", "label"], None),
        ("text,label\na,b\n", ["txt"], "t.csv has no column 'txt'; did you mean text?; choose one with options.name"),
        ("a;b\n1;2\n", ["c"], "no column 'c'; allowed: a, b; choose"),
        ('"a, b", c\n1,2\n', ["a, b", "c"], None),
        ("x_1,x_2,label\n1,2,u\n", ["x", "label"], None),  # a wide table: x is a channel
        ("1,2\n3,4\n", ["a"], None),  # no header
        ('"two\nlines",b\n1,2\n', ["a"], None),  # only reading it in full would show
        ("", ["a"], None),
    ],
)
def test_the_header_alone_shows_a_wrong_column(
    tmp_path: Path, text: str, names: list[str], problem: str | None
) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "t.csv", tmp_path / "folder" / "train.csv"):
        path.write_text(text, encoding="utf-8")
    if problem is None:
        check_columns(tmp_path / "t.csv", {"options.name": names})
        check_columns(tmp_path / "folder", {"options.name": names})
        return
    with pytest.raises(DataError) as caught:
        check_columns(tmp_path / "t.csv", {"options.other": [], "options.name": names})
    assert problem in str(caught.value)
    with pytest.raises(DataError, match=r"train\.csv has no column"):
        check_columns(tmp_path / "folder", {"options.name": names})


def test_other_data_has_no_header_to_check(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    for path in (tmp_path, tmp_path / "a.txt", tmp_path / "nowhere.csv"):
        check_columns(path, {"options.name": ["a"]})


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 7, 1 << 18])
def test_wherever_the_pieces_that_are_read_end(tmp_path, monkeypatch, piece):
    """Rows are those that Python's `csv` reads in strict mode from the same text."""
    monkeypatch.setattr(reader, "PIECE", piece)
    rng = random.Random(piece)
    for number in range(40):
        rows = [
            ["".join(rng.choices('ab",\n ;é', k=rng.randrange(6))) for _ in range(3)]
            for _ in range(rng.randrange(1, 6))
        ]
        path = tmp_path / f"{number}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            quoting = rng.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
            csv.writer(file, quoting=quoting, lineterminator=rng.choice(["\n", "\r\n"])).writerows(
                [["a", "b", "c"], *rows]
            )
        with path.open(newline="", encoding="utf-8") as file:
            expected = list(csv.reader(file, strict=True))[1:]
        table = read_table(path)
        assert (table.header, table.rows) == (["a", "b", "c"], expected)
        assert [fields for _, fields in TableRows(path)] == expected
        assert table.lines == [
            2 + sum(field.count("\n") for row in rows[:i] for field in row) + i for i in range(len(rows))
        ]


def test_a_quotation_mark_that_is_never_closed_takes_no_square_of_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "PIECE", 16)
    path = write(tmp_path, 'a,b\nx,"' + "y" * 500_000)
    with pytest.raises(DataError, match=r"line 2: the quotation mark .* never closed"):
        read_table(path)


def test_wrong_rows_raise_after_the_right_ones_before_them(tmp_path):
    rows = iter(TableRows(write(tmp_path, "a,b\nx,y\nz\nv,w\nu\n")))
    assert next(rows) == (2, ["x", "y"])
    with pytest.raises(DataError, match=r"line 3: 1 fields \(and 1 more such rows\)"):
        next(rows)
