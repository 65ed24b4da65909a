"""Fills the labels of tokenised files, and keeps everything else of the file byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from seqtasks.core.errors import DataError
from seqtasks.data.text.conll import COLUMNS, NONE, WIDTH

TOKENISED = (".conllu", ".conll", ".iob", ".bio", ".tsv")  # suffixes of files with a row for each word
SENTENCES = 1000  # sentences that are labelled at once


Label = str | tuple[str, float]  # a label, or a label and its confidence


def fill_labels(
    path: Path, column: str, label: Callable[[list[list[str]]], Sequence[Sequence[Label]]]
) -> Iterator[str]:
    r"""Yields the text of a tokenised file with predicted labels.

    In CoNLL-U (suffix `.conllu`) the labels replace the column; comments, multiword tokens (`1-2`), empty nodes
    (`1.1`) and all other columns stay as they are. In other files, where the first column is the word, the labels are
    appended as a last column; lines that begin with `# ` above a sentence and `-DOCSTART-` rows stay. Confidences
    are written beside the labels: in CoNLL-U as `Confidence=0.97` in the column MISC, else as one more column.

    Args:
        path: The file, in UTF-8.
        column: `upos`, `xpos`, or the name of a feature such as `Number`, whose label `_` means no such feature.
        label: Returns a label for each word of each sentence, or a pair of label and confidence.

    Raises:
        DataError: The file is not UTF-8, a row is malformed, or there is no word.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "words.conll")
        ...     _ = file.write_text("A\ncat\n\nIt\n")
        ...     "".join(fill_labels(file, "upos", lambda rows: [[w.upper() for w in row] for row in rows]))
        'A\tA\ncat\tCAT\n\nIt\tIT\n'
    """
    conllu = path.suffix.lower() == ".conllu"
    lines: list[str] = []
    sentences: list[list[tuple[int, str]]] = [[]]  # index of the line and word of each row
    any_word = False

    def filled() -> Iterator[str]:
        rows = [sentence for sentence in sentences if sentence]
        labels = label([[word for _, word in sentence] for sentence in rows]) if rows else []
        for sentence, predicted in zip(rows, labels, strict=True):
            for (index, _), one in zip(sentence, predicted, strict=True):
                name, confidence = (one, None) if isinstance(one, str) else one
                lines[index] = _with_label(lines[index], column, name, conllu)
                if confidence is not None:
                    lines[index] = _with_confidence(lines[index], confidence, conllu)
        yield "".join(lines)

    for number, line in enumerate(_lines(path), 1):
        text = line.rstrip("\r\n")
        if not text.strip(" \t\ufeff"):
            if sentences[-1]:
                sentences.append([])
            if len(sentences) > SENTENCES:
                lines.append(line)
                yield from filled()
                lines, sentences = [], [[]]
                continue
        elif word := _word(path, number, text, conllu, bool(sentences[-1])):
            any_word = True
            sentences[-1].append((len(lines), word))
        lines.append(line)
    if not any_word:
        allowed = "CoNLL-U" if conllu else "a row for each word and blank lines between sentences"
        raise DataError(f"{path} has no word; allowed: {allowed}; give such a file")
    yield from filled()


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends; only a line feed ends a line, because words may contain other separators."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}, line {number}: {error.reason} at byte {error.start + 1}; allowed: UTF-8; convert the file"
                ) from None


def _word(path: Path, number: int, text: str, conllu: bool, in_sentence: bool) -> str | None:
    """The word of a row; None for a comment and a row without a syntactic word."""
    if not conllu:
        word = re.split(r"\t| +", text.lstrip("\ufeff").strip(" "))[0]
        comment = not in_sentence and re.match(r"\ufeff?#[ \t]", text)
        return None if comment or word == "-DOCSTART-" else word
    if text.lstrip("\ufeff").startswith("#"):
        return None
    fields = text.split("\t")
    if len(fields) != WIDTH or not fields[1]:
        received = "no word in column 2" if len(fields) == WIDTH else f"{len(fields)} columns"
        raise DataError(
            f"{path}, line {number}: found {received}; allowed: {WIDTH} columns between tabs, the word is column 2; "
            "correct that line"
        )
    return None if re.fullmatch(r"[0-9]+[-.][0-9]+", fields[0]) else fields[1]


def _with_confidence(line: str, confidence: float, conllu: bool) -> str:
    """A row with the confidence of its label, which replaces an earlier one in CoNLL-U."""
    if not conllu:
        return _with_column(line, f"{confidence:.4f}")
    text = line.rstrip("\r\n")
    fields = text.split("\t")
    others = [part for part in fields[-1].split("|") if part not in ("", NONE) and not part.startswith("Confidence=")]
    fields[-1] = "|".join([*others, f"Confidence={confidence:.4f}"])
    return "\t".join(fields) + line[len(text) :]


def _with_column(line: str, value: str) -> str:
    """A row with one more column, after the separator that it has."""
    text = line.rstrip("\r\n")
    return f"{text}{' ' if ' ' in text and chr(9) not in text else chr(9)}{value}{line[len(text) :]}"


def _with_label(line: str, column: str, label: str, conllu: bool) -> str:
    if not conllu:
        return _with_column(line, label)
    text = line.rstrip("\r\n")
    end = line[len(text) :]
    fields = text.split("\t")
    if column in COLUMNS:
        fields[COLUMNS[column]] = label
    else:
        features = [feature for feature in fields[5].split("|") if feature not in ("", NONE)]
        others = [feature for feature in features if feature.split("=")[0] != column]
        if len(others) < len(features) or label != NONE:
            added = [f"{column}={label}"] if label != NONE else []
            # https://universaldependencies.org/format.html: features are sorted by name, whatever their case.
            names = sorted([*others, *added], key=lambda feature: feature.split("=")[0].lower())
            fields[5] = "|".join(names) or NONE
    return "\t".join(fields) + end
