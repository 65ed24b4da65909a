"""Reads CSV and TSV files as rows of text fields, all at once or one by one."""

from __future__ import annotations

import contextlib
import csv
import functools
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtasks.core.errors import DataError, listed, suggest
from seqtasks.core.files import shown
from seqtasks.data.text.reader import iter_lines, read_pieces

SUFFIXES = {".csv": ",", ".tsv": "\t"}
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
_ADVICE = "or give a table in UTF-8 with a header"
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Table:
    """The rows of a table below its header.

    Attributes:
        path: The file.
        header: Names of the columns.
        rows: Fields of each row, as many as the header has.
        lines: Number of the line that each row begins in; the header is line 1.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str, advice: str) -> list[str]:
        """The fields of a column.

        Args:
            name: Name of the column.
            advice: End of the error message: what to do if the column is missing.

        Raises:
            DataError: No column or several columns have this name.
        """
        index = _index(self.path, self.header, name, advice)
        return [row[index] for row in self.rows]


class TableRows:
    """The rows of a table, read one by one; iterating again reads the file again.

    `read_table` describes the format. Wrong rows raise where they are reached; the number of rows with a wrong number
    of fields is part of the message, so that these raise at the end of the file.

    Args:
        path: The file; its suffix, `.csv` or `.tsv`, selects the format.
        trim: Whether to ignore spaces at the beginning of a field, also before its quotation mark.

    Attributes:
        header: Names of the columns.

    Raises:
        DataError: The file has another suffix, cannot be read, is empty, or all its lines are empty.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from seqtasks.data.tables import TableRows
        >>> path = Path(tempfile.mkdtemp()) / "reviews.csv"
        >>> _ = path.write_text('text,label\\n"a, b",up\\n\\nc,down\\n')
        >>> rows = TableRows(path)
        >>> rows.header, list(rows)
        (['text', 'label'], [(2, ['a, b', 'up']), (4, ['c', 'down'])])
    """

    def __init__(self, path: Path, trim: bool = False):
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"{path} ends in {path.suffix!r}; allowed: {', '.join(SUFFIXES)}; convert or rename the file"
            )
        if path.is_file() and not path.stat().st_size:
            raise DataError(f"{path} is empty; give a table in UTF-8 with a header and rows")
        self.path, self.trim = path, trim
        self.separator = separator_of(path, next((line for _, line in _numbered_lines(path) if line.strip(" ")), ""))
        self._has_quotes = path.suffix.lower() == ".csv" or self._fits_only_with_quotes()
        first = next(self._fields(), None)
        if first is None:
            raise DataError(f"cannot read {path}: every line is empty; fill it, {_ADVICE}")
        self.header = first[1]

    def index(self, name: str, advice: str) -> int:
        """Index of a column among the fields of a row.

        Arguments and errors are those of `Table.column`.
        """
        return _index(self.path, self.header, name, advice)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yields the rows below the header, each with the number of the line that it begins in."""
        return _checked(self.path, self._fields(), self.separator)

    def _fields(self) -> Iterator[tuple[int, list[str]]]:
        """The fields of all rows, of the header, too."""
        return self._quoted() if self._has_quotes else self._lines()

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        return ((number, line.split("\t")) for number, line in _numbered_lines(self.path) if line.strip(" "))

    def _quoted(self) -> Iterator[tuple[int, list[str]]]:
        return _quoted(self.path, _pieces(self.path), self.separator, self.trim)

    def _fits_only_with_quotes(self) -> bool:
        """Whether all rows of a TSV file have as many fields as the header with the rules of CSV, and not without."""
        counts = (len(fields) for _, fields in self._lines())
        header = next(counts, 0)
        if all(count == header for count in counts):
            return False
        try:
            for _ in _checked(self.path, self._quoted(), self.separator):
                pass
        except DataError:
            return False  # the error for the rows without quotes is the one to show
        return True


def separator_of(path: Path, header: str) -> str:
    """The separator of the fields of a CSV or TSV file; a warning states one that its suffix does not promise.

    Excel writes CSV files with semicolons in countries whose decimal sign is a comma.

    Args:
        path: The file.
        header: Its first line that is not empty.

    Returns:
        A tab for `.tsv`; for `.csv` a comma, or a semicolon or tab if the header has such and no comma
        outside quotation marks.

    Example:
        >>> from pathlib import Path
        >>> from seqtasks.data.tables import separator_of
        >>> separator_of(Path("reviews.csv"), "text,label"), separator_of(Path("reviews.tsv"), "text")
        (',', '\\t')
    """
    separator, promised = _separator(path, header)
    if separator != promised:
        _warn_of_separator(path, _NAMES[separator])
    return separator


def _separator(path: Path, header: str) -> tuple[str, str]:
    """The separator of the fields, and the one that the suffix promises."""
    promised = SUFFIXES[path.suffix.lower()]
    bare = _QUOTED.sub("", header)
    if promised == "," and "," not in bare:
        return next((other for other in (";", "\t") if other in bare), promised), promised
    return promised, promised


@functools.cache  # warn once, although the data of a run may be read several times
def _warn_of_separator(path: Path, name: str) -> None:
    _log.warning("%s: the header has no comma, so that fields are read as separated by %ss", path, name)


def read_table(path: Path, trim: bool = False) -> Table:
    """Reads a CSV or TSV file in UTF-8 with a header line; empty lines are skipped.

    In CSV (RFC 4180) a quoted field may contain commas and line breaks, and `""` for a quotation mark. In
    TSV a line is a row and quotation marks are text
    (https://www.iana.org/assignments/media-types/text/tab-separated-values). If a line of a TSV file does not
    have as many fields as the header, the file is read with the quotation rules of CSV instead. A CSV file may
    also have semicolons, see `separator_of`.

    Args:
        path: The file; its suffix, `.csv` or `.tsv`, selects the format.
        trim: Whether to ignore spaces at the beginning of a field, also before its quotation mark.

    Raises:
        DataError: The file has another suffix, is not UTF-8 or has no row; a row does not have as many
            fields as the header; or a quotation mark is not closed, or closed before the end of its field.
    """
    rows = TableRows(path, trim)
    numbered = list(rows)
    return Table(path, rows.header, [fields for _, fields in numbered], [number for number, _ in numbered])


def _pieces(path: Path) -> Iterator[str]:
    with _readable():
        yield from read_pieces(path)


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    with _readable():
        yield from enumerate(iter_lines(path), 1)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """States in the error of a file that is no text that a table was to be read."""
    try:
        yield
    except DataError as error:
        raise DataError(f"cannot read the table: {error}") from error


def check_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Checks that a table has the columns that settings name, by its header alone.

    Args:
        path: A table, or a folder with the table `train.csv` or `train.tsv`; nothing else is checked.
        columns: Names of columns, by setting.

    Raises:
        DataError: The header lacks a column.
    """
    tables = [path]
    if path.is_dir():
        tables = [path / f"{name}{suffix}" for name in ("train", "training") for suffix in SUFFIXES]
    table = next((one for one in tables if one.suffix.lower() in SUFFIXES and one.is_file()), None)
    if table is None:
        return
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip()), "")
    except (OSError, ValueError):  # reading it in full raises the error
        return
    header = [name.strip() for name in next(csv.reader([first], delimiter=_separator(table, first)[0]), [])]
    if first.count('"') % 2 or all(_NUMBER.fullmatch(name) for name in header):  # a name of two lines, or no header
        return
    for key, names in columns.items():
        for name in names:
            steps = re.compile(rf"{re.escape(name)}[^A-Za-z0-9]*\d+")  # columns of a wide table, such as x_1, x_2
            if name not in header and not any(map(steps.fullmatch, header)):
                hint = suggest(name, header)
                raise DataError(f"{table} has no column {name!r}; {hint}; choose one with {key}")


def _index(path: Path, header: list[str], name: str, advice: str) -> int:
    indices = [i for i, title in enumerate(header) if title == name]
    if len(indices) != 1:
        problem = f"{len(indices)} columns named {name!r}" if indices else f"no column {name!r}"
        raise DataError(f"{path} has {problem}; it has: {_names(header)}; {advice}")
    return indices[0]


def _checked(path: Path, rows: Iterator[tuple[int, list[str]]], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows below the header.

    Raises:
        DataError: There is none, or rows do not have as many fields as the header.
    """
    _, header = next(rows, (0, []))
    first: tuple[int, int] | None = None
    number, wrong = 0, 0
    for number, fields in rows:
        if len(fields) != len(header):
            first = first or (number, len(fields))
            wrong += 1
        elif first is None:
            yield number, fields
    if not number:
        raise DataError(f"{path} has no row below its header {_names(header)}; add rows")
    if first is not None:
        others = f" (and {wrong - 1} more such rows)" if wrong > 1 else ""
        advice = {
            ".csv": f"put a text that contains a {_NAMES[separator]} between quotation marks",
            ".tsv": "put one tab between two fields and none inside",
        }[path.suffix.lower()]
        raise DataError(
            f"{path}, line {first[0]}: {first[1]} fields{others}, but the header has {len(header)} "
            f"({_names(header)}); {advice}"
        )


def _names(header: list[str]) -> str:
    """Names of columns for messages."""
    return listed([shown(name) for name in header])


def _quoted(path: Path, pieces: Iterable[str], separator: str, trim: bool) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of a text with quoted fields, each with the number of its first line.

    Args:
        path: The file, for messages.
        pieces: The text in pieces, which may end anywhere.
        separator: Separator of the fields.
        trim: Whether to ignore spaces at the beginning of a field.

    Raises:
        DataError: A quotation mark is not closed, or closed before the end of its field.
    """
    unread = iter(pieces)
    text, position, number, final = "", 0, 1, False
    blanks = " *" if trim else ""
    plain = re.compile(rf"{blanks}([^{separator}\n]*)")
    quoted = re.compile(rf'{blanks}"((?:[^"]++|"")*+)("?)')
    while position <= len(text):
        fields, begin, complete = [], position, True
        while True:
            if match := quoted.match(text, position):
                complete = final or (bool(match[2]) and match.end() < len(text))
                if not complete:
                    break
                fields.append(match[1].replace('""', '"'))
                if not match[2] or text[match.end() : match.end() + 1] not in (separator, "\n", ""):
                    raise _open_quote(path, number + text.count("\n", begin, position), match)
            else:
                match = plain.match(text, position)
                assert match is not None  # the pattern matches the empty string, too
                complete = final or match.end() < len(text)
                if not complete:
                    break
                fields.append(match[1])
            position = match.end() + 1
            if text[match.end() : position] != separator:
                break
        if not complete:  # the row may go on in the next piece; the text doubles, so that a long row is not slow
            parts, missing = [text[begin:]], len(text) - begin
            while missing >= 0 and not final:
                piece = next(unread, None)
                final = piece is None
                parts.append(piece or "")
                missing -= len(parts[-1])
            text, position = "".join(parts), 0
            continue
        if text[begin : position - 1].strip(" "):
            yield number, fields
        number += text.count("\n", begin, position)


def _open_quote(path: Path, number: int, match: re.Match[str]) -> DataError:
    shown = match[0].strip().partition("\n")[0][:40]
    problem = "closed before the end of the field" if match[2] else "never closed"
    return DataError(
        f"cannot read {path}, line {number}: the quotation mark at the beginning of {shown} is {problem}; put the text "
        f'between two quotation marks and double those inside (""), {_ADVICE}'
    )
