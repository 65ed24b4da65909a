"""Reads sentences of labelled words from CoNLL-U files and files of columns."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.text.reader import iter_lines

log = logging.getLogger(__name__)

Sentence = tuple[list[str], list[str]]  # words, and the label of each

NONE = "_"  # label of a word without the feature
COLUMNS = {"upos": 3, "xpos": 4}  # index of a column of CoNLL-U
WIDTH = 10  # number of columns of CoNLL-U
SUFFIXES = (".conllu", ".conll", ".iob", ".bio", ".tsv", ".txt")
ROLES = {
    "train": ("train", "training"),
    "validation": ("dev", "valid", "validation", "val", "devel", "testa"),  # testa, testb: files of CoNLL-2003
    "test": ("test", "testb"),
}


def read(path: Path, column: str = "upos") -> Iterator[Sentence]:
    """Reads the sentences of a file, see `read_conllu` and `read_columns`.

    The format is CoNLL-U if the name ends in `.conllu` or the first row has the columns of CoNLL-U, else
    columns.

    Args:
        path: The file.
        column: Column of CoNLL-U with the labels, see `read_conllu`.

    Raises:
        ConfigError: The column is unknown.
        DataError: The file is empty, not UTF-8 or malformed; raised where the file is read, during iteration.
    """
    _check(column)
    return read_conllu(path, column) if _is_conllu(path) else read_columns(path)


def read_conllu(path: Path, column: str) -> Iterator[Sentence]:
    """Reads the sentences of a CoNLL-U file: syntactic words and their labels.

    Rows of multiword tokens (`1-2`) and empty nodes (`1.1`) are left out. Format:
    https://universaldependencies.org/format.html

    Args:
        path: The file.
        column: `upos`, `xpos`, or a feature such as `Number`; a word without the feature has the label `_`.

    Raises:
        ConfigError: The column is unknown.
        DataError: The file is empty, not UTF-8 or malformed; raised where the file is read, during iteration.
    """
    _check(column)
    return _sentences(path, _conllu(path, column))


def read_columns(path: Path) -> Iterator[Sentence]:
    """Reads the sentences of a file with a row for each word and blank lines between sentences.

    Columns are separated by tabs or spaces; with tabs, a word may contain spaces. The first column is the
    word, the last its label. `-DOCSTART-` rows are left out. A line above a sentence that begins with `#` and
    a blank is a comment, unless it has as many columns as the rows and its last column is the label of
    another word; a warning names comments with as many columns as the rows.

    Args:
        path: The file.

    Raises:
        DataError: The file is empty, not UTF-8 or malformed; raised where the file is read, during iteration.
    """
    return _sentences(path, _columns(path))


def splits_of(folder: Path) -> dict[str, Path]:
    """The files of a folder for `train`, `validation` and `test`, chosen by their names.

    The last word of a name that means a split decides: `en_ewt-ud-train.conllu`, `dev.conll`, `valid.txt`,
    `eng.testb`. If there are `.conllu` files, other files are ignored, because treebanks have plain text in
    `.txt` files beside them.

    Raises:
        DataError: A split has no file or several files.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give a folder with a file for each of {', '.join(ROLES)}")
    ends = (*SUFFIXES, *(f".{word}" for words in ROLES.values() for word in words))
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ends and path.is_file())
    by_role: dict[str, list[Path]] = {role: [] for role in ROLES}
    for path in [path for path in files if path.suffix.lower() == ".conllu"] or files:
        words = re.split(r"[\W\d_]+", path.name.lower())
        roles = [role for word in words for role, names in ROLES.items() if word in names]
        if roles:
            by_role[roles[-1]].append(path)
    for role, paths in by_role.items():
        if not paths:
            listing = ", ".join(path.name for path in files) or "no such file"
            raise DataError(
                f"{folder} has no file for {role}, but {listing}; allowed: a name with {' or '.join(ROLES[role])} "
                f"that ends in {', '.join(SUFFIXES)}; add or rename it"
            )
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise DataError(f"{folder} has {len(paths)} files for {role}: {names}; allowed: one; move the others away")
    return {role: path for role, (path,) in by_role.items()}


def _check(column: str) -> None:
    # https://universaldependencies.org/u/overview/feat-layers.html: Number[psor]
    if column not in COLUMNS and not re.fullmatch(r"[A-Z0-9][A-Za-z0-9]*(\[[a-z0-9]+\])?", column):
        raise ConfigError(
            f"unknown column {column!r}; allowed: {', '.join(COLUMNS)}, or a feature such as Number; "
            "set options.column to one of them"
        )


def _sentences(path: Path, rows: Iterator[tuple[str, str] | None]) -> Iterator[Sentence]:
    """Groups pairs of word and label into sentences, which are separated by None.

    Raises:
        DataError: There is no sentence.
    """
    words: list[str] = []
    labels: list[str] = []
    any_sentence = False
    for row in chain(rows, [None]):
        if row is not None:
            words.append(row[0])
            labels.append(row[1])
        elif words:
            any_sentence = True
            yield words, labels
            words, labels = [], []
    if not any_sentence:
        raise DataError(f"{path} has no sentence; allowed: CoNLL-U, or rows of word and label; give such a file")


def _conllu(path: Path, column: str) -> Iterator[tuple[str, str] | None]:
    """Yields the words and labels of a CoNLL-U file, and None between sentences."""
    count = 0
    for number, line in _lines(path):
        if not line:
            count = 0
            yield None
        elif line[0] != "#":
            fields = line.split("\t")
            if len(fields) != WIDTH:
                raise _malformed(path, number, f"{len(fields)} columns", f"{WIDTH} between tabs")
            if re.fullmatch(r"[0-9]+[-.][0-9]+", fields[0]):
                continue
            count += 1
            if fields[0] != str(count):
                raise _malformed(path, number, f"id {fields[0]!r}", f"{count} here, 1 after a blank line")
            if not fields[1]:
                raise _malformed(path, number, "no word", "one in column 2")
            yield fields[1], _label(path, number, fields, column)


def _label(path: Path, number: int, fields: list[str], column: str) -> str:
    """The label in a row of CoNLL-U."""
    if index := COLUMNS.get(column):
        if fields[index] in ("", NONE):
            raise _malformed(
                path, number, f"no {column} of {fields[1]!r}", f"one in column {index + 1}, or another column"
            )
        return fields[index]
    for feature in fields[5].split("|"):
        name, equals, value = feature.partition("=")
        if feature != NONE and not (name and equals and value):
            raise _malformed(path, number, f"feature {feature!r}", "Name=Value, and | between them, or _")
        if name == column:
            return value
    return NONE


def _columns(path: Path) -> Iterator[tuple[str, str] | None]:
    """Yields the words and labels of a file of columns, and None between sentences."""
    first: tuple[int, int] | None = None
    in_sentence, width_and_labels = False, None
    comments: list[tuple[int, str]] = []
    for number, line in _lines(path):
        fields = _fields(line)
        if not line or fields[0] == "-DOCSTART-":
            in_sentence = False
            yield None
            continue
        if not in_sentence and re.match(r"#[ \t]", line):
            width_and_labels = width_and_labels or _width_and_labels(path)
            if len(fields) != width_and_labels[0] or fields[-1] not in width_and_labels[1]:
                comments += [(number, line)] * (len(fields) == width_and_labels[0])
                continue
        in_sentence = True
        if len(fields) < 2:
            raise _malformed(path, number, f"only {line!r}", "a word and a label")
        first = first or (number, len(fields))
        if len(fields) != first[1]:
            raise _malformed(path, number, f"{len(fields)} columns", f"{first[1]}, as in line {first[0]}")
        yield fields[0], fields[-1]
    if comments:
        log.warning(
            "%s: %d lines above sentences are read as comments, the first is line %d, %r: their last column is not "
            "the label of another word",
            *(path, len(comments), *comments[0]),
        )


def _fields(line: str) -> list[str]:
    return [field.strip(" ") for field in re.split("\t+" if "\t" in line else " +", line)]


def _width_and_labels(path: Path) -> tuple[int, set[str]]:
    """Number of columns and set of labels, without lines above a sentence that may be comments."""
    width, labels, in_sentence = 0, set(), False
    for _, line in _lines(path):
        if in_sentence or not re.match(r"#[ \t]", line):
            fields = _fields(line)
            in_sentence = bool(line) and fields[0] != "-DOCSTART-"
            if in_sentence:
                width = width or len(fields)
                labels.add(fields[-1])
    return width, labels


def _is_conllu(path: Path) -> bool:
    if path.suffix.lower() == ".conllu":
        return True
    for _, line in _lines(path):
        if line and line[0] != "#":
            return line.count("\t") == WIDTH - 1 and re.fullmatch(r"1(-[0-9]+)?|0\.1", line.split("\t")[0]) is not None
    return False


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and their numbers, from 1, without blanks at their ends.

    Only a line feed ends a line, because words may contain all other separators.
    """
    for number, line in enumerate(iter_lines(path), 1):
        yield number, line.strip(" \t")


def _malformed(path: Path, number: int, received: str, allowed: str) -> DataError:
    received = received if len(received) <= 100 else received[:100] + "…"
    return DataError(f"{path}, line {number}: found {received}; allowed: {allowed}; correct that line")
