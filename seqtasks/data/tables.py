"""Reads CSV and TSV files as rows of text fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqtasks.core.errors import DataError
from seqtasks.data.text.reader import read_lines

SUFFIXES = {".csv": ",", ".tsv": "\t"}
_ADVICE = "or give a table in UTF-8 with a header"


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
            name: Of the column.
            advice: What to do where it is missing; the end of the error.

        Raises:
            DataError: No column has this name, or several have.
        """
        places = [i for i, title in enumerate(self.header) if title == name]
        if len(places) != 1:
            problem = f"{len(places)} columns named {name!r}" if places else f"no column {name!r}"
            raise DataError(f"{self.path} has {problem}; it has: {', '.join(self.header)}; {advice}")
        return [row[places[0]] for row in self.rows]


def read_table(path: Path, trim: bool = False) -> Table:
    """Reads a CSV or TSV file in UTF-8, whose first line is its header; empty lines are skipped.

    In CSV (RFC 4180) a field that begins with a quotation mark ends at the next single one; inside,
    `""` stands for one mark, and commas and line breaks are text. In TSV a line is a row and quotation
    marks are text (https://www.iana.org/assignments/media-types/text/tab-separated-values), unless a
    line has another number of fields than the header: then the quotes of CSV are tried.

    Args:
        path: The file; its suffix decides.
        trim: Ignore spaces at the beginning of a field, before its quotation mark too.

    Raises:
        DataError: Another suffix; not UTF-8; no row; a row with another number of fields than the header;
            a quotation mark that is not closed, or closed before the end of its field.
    """
    separator = SUFFIXES.get(path.suffix.lower())
    if separator is None:
        raise DataError(f"{path} ends in {path.suffix!r}; allowed: {', '.join(SUFFIXES)}")
    try:
        lines = read_lines(path)
    except DataError as error:
        raise DataError(f"cannot read the table: {error}, {_ADVICE}") from error
    if separator == "\t":
        rows = [(number, line.split("\t")) for number, line in enumerate(lines, 1) if line.strip(" ")]
        if any(len(fields) != len(rows[0][1]) for _, fields in rows):
            try:
                return _checked(path, list(_quoted(path, lines, separator, trim)))
            except DataError:
                pass  # The error of the plain reading is the one to show.
    else:
        rows = list(_quoted(path, lines, separator, trim))
    return _checked(path, rows)


def _checked(path: Path, rows: list[tuple[int, list[str]]]) -> Table:
    if not rows:
        raise DataError(f"cannot read {path}: every line is empty; fill it, {_ADVICE}")
    (_, header), *below = rows
    if not below:
        raise DataError(f"{path} has no row below its header {', '.join(header)}; give some")
    wrong = [(number, fields) for number, fields in below if len(fields) != len(header)]
    if wrong:
        number, fields = wrong[0]
        others = f", as have {len(wrong) - 1} more rows" if len(wrong) > 1 else ""
        how = {
            ".csv": "put a text that holds a comma between quotation marks",
            ".tsv": "put one tab between two fields and none inside",
        }[path.suffix.lower()]
        raise DataError(
            f"{path}, line {number}: {len(fields)} fields{others}, but the header has {len(header)} "
            f"({', '.join(header)}); {how}"
        )
    return Table(path, header, [fields for _, fields in below], [number for number, _ in below])


def _quoted(path: Path, lines: list[str], separator: str, trim: bool) -> Iterator[tuple[int, list[str]]]:
    """Rows with the quotes of CSV, and the number of the line that each begins in."""
    text, position, number = "\n".join(lines), 0, 1
    blanks = " *" if trim else ""
    plain = re.compile(rf"{blanks}([^{separator}\n]*)")
    quoted = re.compile(rf'{blanks}"((?:[^"]++|"")*+)("?)')
    while position <= len(text):
        fields, begin = [], position
        while True:
            if match := quoted.match(text, position):
                fields.append(match[1].replace('""', '"'))
                if not match[2] or text[match.end() : match.end() + 1] not in (separator, "\n", ""):
                    raise _open_quote(path, number + text.count("\n", begin, position), match)
            else:
                match = plain.match(text, position)
                assert match is not None  # it may be empty
                fields.append(match[1])
            position = match.end() + 1
            if text[match.end() : position] != separator:
                break
        if text[begin : position - 1].strip(" "):
            yield number, fields
        number += text.count("\n", begin, position)


def _open_quote(path: Path, number: int, match: re.Match[str]) -> DataError:
    shown = match[0].strip().partition("\n")[0][:40]
    problem = "closed before the end of the field" if match[2] else "never closed"
    return DataError(
        f"cannot read {path}, line {number}: the quotation mark at the beginning of {shown} is {problem}; put such a "
        f'text between two of them and double those inside (""), {_ADVICE}'
    )
