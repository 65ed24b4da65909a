"""Loads tagged sentences from any source in training, validation and test splits.

Sentences of files of more than `LARGE` bytes are converted once and kept in the cache, from where they are mapped into
memory.
"""

from __future__ import annotations

import ast
import io
import json
import keyword
import logging
import platform
import re
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.core.span_scheme import span_scheme
from seqtasks.data import tfds
from seqtasks.data.cache import digest_of, fingerprint
from seqtasks.data.source import Source
from seqtasks.data.splits import spread
from seqtasks.data.text import conll
from seqtasks.data.text.conll import COLUMNS, NONE, Sentence
from seqtasks.data.text.packed_sentences import PackedSentences

log = logging.getLogger(__name__)

LARGE = 16 << 20  # bytes of a file whose sentences are mapped
PARTS = ("train", "validation", "test")
NEWLINE = "\n"
_CLASSES = {tokenize.COMMENT: "comment", tokenize.STRING: "string", tokenize.NUMBER: "number", tokenize.OP: "operator"}
_STRINGS = {"FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END"}


@dataclass(frozen=True)
class Tagged:
    """Tagged sentences by split.

    Attributes:
        parts: Sentences of `train`, `validation` and `test`.
        source: Text of the data source for result rows.
        fingerprint: Fingerprint of all words and labels.
        large: Whether what is computed of the sentences should be kept in the cache and mapped.
    """

    parts: dict[str, PackedSentences]
    source: str
    fingerprint: str
    large: bool = False


def load(source: Source, column: str) -> Tagged:
    """Loads the tagged sentences of a source; sentences without words are left out.

    Of a single file, a tenth each is held out for test and validation, evenly spaced, without sentences
    that have a label which no other sentence has. `source.limit` cuts training and validation. Span labels in
    IOB1 are converted to IOB2.

    Args:
        source: A treebank of tfds, a folder of CoNLL-U or CoNLL files or one such file, or the Python standard
            library (built-in).
        column: Column of CoNLL-U with the labels: `upos`, `xpos`, or a feature such as `Number`.

    Raises:
        DataError: Data is missing or malformed, a split has no sentence, all words of the training split have
            the same label, or span labels mix several schemes.
    """
    name = str(source)
    if source.kind == "tfds":
        sentences = {part: PackedSentences.of(rows) for part, rows in _treebank(source, column).items()}
    elif source.kind == "files":
        assert source.folder is not None
        sentences = _files(source, source.folder, column)
    else:
        sentences = _python(sysconfig.get_path("stdlib"))
        name = f"{source} of Python {platform.python_version()}"
    parts = {part: _not_empty(rows)[: source.limits[part]] for part, rows in sentences.items()}
    for part, rows in parts.items():
        if not rows:
            raise DataError(f"{source}: the {part} split has no sentence; allowed: 1 or more; give more data")
    large = any(isinstance(rows.ends, np.memmap) for rows in parts.values())
    names = {label for rows in parts.values() for label in rows.occurrences("tags")}
    if _in_iob(names) and is_iob1(chain(*parts.values())):
        log.warning(
            "%s: the span labels are IOB1; they are converted to IOB2, in which every span begins with B-", source
        )
        before = fingerprint({part: rows.joined() for part, rows in parts.items()})
        parts = {
            part: PackedSentences.of(_InIob2(rows), f"iob2 {before} {part}" if large else None)
            for part, rows in parts.items()
        }
        names = {label for rows in parts.values() for label in rows.occurrences("tags")}
    if span_scheme(names) is not None:
        for part, rows in parts.items():
            _check_spans(f"{source}: the {part} split", rows)
    classes = parts["train"].occurrences("tags")
    if len(classes) == 1:
        raise DataError(
            f"{source}: every word of the training split has the label {next(iter(classes))!r} in column {column!r}; "
            "allowed: two or more labels; set options.column to another column, or give other data"
        )
    return Tagged(parts, name, fingerprint({part: rows.joined() for part, rows in parts.items()}), large)


def _not_empty(rows: PackedSentences) -> PackedSentences:
    full = rows.lengths > 0
    return rows if full.all() else rows[np.flatnonzero(full)]


def _read(path: Path, column: str) -> PackedSentences:
    """The sentences of a file, mapped if it is large."""
    key = None
    if path.is_file() and path.stat().st_size >= LARGE:
        key = json.dumps([digest_of(path), path.suffix.lower(), column])
    return PackedSentences.of(_File(path, column), key)


@dataclass(frozen=True)
class _File:
    """The sentences of a file, which can be read several times."""

    path: Path
    column: str

    def __iter__(self) -> Iterator[Sentence]:
        return conll.read(self.path, self.column)


@dataclass(frozen=True)
class _InIob2:
    """Sentences with labels in IOB1, converted to IOB2."""

    rows: PackedSentences

    def __iter__(self) -> Iterator[Sentence]:
        return ((words, iob2(labels)) for words, labels in self.rows)


def _files(source: Source, path: Path, column: str) -> dict[str, PackedSentences]:
    """The sentences of a folder or of a single file by split.

    Raises:
        DataError: A file is missing or malformed, or a single file has fewer than three sentences.
    """
    if path.is_dir():
        return {part: _read(file, column) for part, file in conll.splits_of(path).items()}
    remaining = _read(path, column)
    if len(remaining) < 3:
        raise DataError(
            f"{source}: {len(remaining)} sentences for training, validation and test; allowed: 3 or more; add sentences"
        )
    parts, tenth = {}, len(remaining) // 10
    for part in ("test", "validation"):
        kept, candidates = spread(len(remaining), tenth)
        kept_labels = set(remaining[np.array(kept, np.int64)].occurrences("tags"))
        held_out: dict[int, None] = {}
        for i in candidates:
            if kept_labels.issuperset(remaining[i][1]):
                held_out[i] = None
            else:
                kept_labels.update(remaining[i][1])
        indices = np.array(list(held_out), np.int64)
        parts[part] = remaining[indices]
        remaining = remaining[np.setdiff1d(np.arange(len(remaining)), indices)]
    return {"train": remaining, "validation": parts["validation"], "test": parts["test"]}


def is_iob1(rows: Iterable[Sentence]) -> bool:
    """Whether labels are IOB1.

    In IOB1 a span begins with I-, and with B- only directly after another span of its type. In IOB2 every
    span begins with B-.

    Args:
        rows: All sentences.
    """
    begins_with_i = False
    names: set[str] = set()
    for _, labels in rows:
        names.update(labels)
        for before, label in zip(["O", *labels], labels, strict=False):
            continues = before in (f"B-{label[2:]}", f"I-{label[2:]}")
            if label.startswith("B-") and not continues:
                return False
            begins_with_i = begins_with_i or (label.startswith("I-") and not continues)
    return begins_with_i and _in_iob(names)


def _in_iob(names: set[str]) -> bool:
    """Whether these are the labels of IOB1 or IOB2."""
    return "O" in names and all(name == "O" or re.match("[BI]-.", name) for name in names)


def iob2(labels: Sequence[str]) -> list[str]:
    """Converts the labels of a sentence from IOB1 to IOB2, in which every span begins with B-.

    Example:
        >>> from seqtasks.data.text.tagged_sentences import iob2
        >>> iob2(["O", "I-PER", "I-PER", "B-PER", "I-LOC"])
        ['O', 'B-PER', 'I-PER', 'B-PER', 'B-LOC']
    """
    pairs = zip(["O", *labels], labels, strict=False)
    return [
        f"B-{label[2:]}" if label.startswith("I-") and before[2:] != label[2:] else label for before, label in pairs
    ]


def _check_spans(name: str, rows: Iterable[Sentence]) -> None:
    """Checks that all spans begin with B-; scores of BIO would ignore the others.

    Raises:
        DataError: A span begins with I- or E-.
    """
    for number, (words, labels) in enumerate(rows, 1):
        for before, word, label in zip(["O", *labels], words, labels, strict=False):
            if label.startswith(("I-", "E-")) and before not in (f"B-{label[2:]}", f"I-{label[2:]}"):
                raise DataError(
                    f"{name}, sentence {number}: {word!r} begins a span with the label {label} after {before}; "
                    f"allowed: B-{label[2:]} in IOB2; write all spans in one scheme"
                )


def _treebank(source: Source, column: str) -> dict[str, list[Sentence]]:
    field = column if column in COLUMNS else "feats"
    arrays = tfds.load(source, ["train", "dev", "test"], ["tokens", "head", field])
    parts = {}
    for part, split in zip(PARTS, ("train", "dev", "test"), strict=True):
        rows = zip(*(tfds.sequences(arrays, f"{split}/{key}") for key in ("tokens", "head", field)), strict=True)
        parts[part] = [_words_only(words, heads, values, column) for words, heads, values in rows]
    return parts


def _words_only(words: list[str], heads: list[str], values: list[str], column: str) -> Sentence:
    """Removes rows without a head: multiword tokens ("don't") and empty nodes."""
    kept = [i for i, head in enumerate(heads) if head != "None"]
    if column in COLUMNS:
        return [words[i] for i in kept], [values[i] for i in kept]
    return [words[i] for i in kept], [(ast.literal_eval(values[i]) or {}).get(column, NONE) for i in kept]


@cache  # a second run in the same process would spend a second on tokenizing the same modules
def _python(library: str) -> dict[str, PackedSentences]:
    """Every sixth module of the standard library in its folder, with characters as words and syntax classes as labels.

    A tenth of the modules each is for validation and test. All modules have ten million characters; training
    on them takes half an hour and does not improve the score.
    """
    parts: dict[str, list[Sentence]] = {part: [] for part in PARTS}
    paths = sorted(Path(library).glob("*.py"))[::6]
    for number, path in enumerate(paths):
        part = {8: "validation", 9: "test"}.get(number % 10, "train")
        parts[part] += _pieces(path.read_text(encoding="utf-8"))
    return {part: PackedSentences.of(rows) for part, rows in parts.items()}


def _pieces(code: str, maximum: int = 400) -> Iterator[Sentence]:
    """Yields code in pieces of whole lines with a maximum number of characters; longer lines are cut."""
    classes, begin = syntax(code), 0
    if classes is None:
        return
    while begin < len(code):
        end = code.rfind(NEWLINE, begin, begin + maximum) + 1 or begin + maximum
        yield list(code[begin:end]), classes[begin:end]
        begin = end


def syntax(code: str) -> list[str] | None:
    """The syntax class of each character of Python code by `tokenize`; None: the code cannot be tokenized.

    Example:
        >>> from seqtasks.data.text.tagged_sentences import syntax
        >>> syntax("x = 1")
        ['name', 'space', 'operator', 'space', 'number']
    """
    classes = ["space"] * len(code)
    starts = [0]
    for line in code.split(NEWLINE):  # `tokenize` counts lines in this way: a form feed does not end a line
        starts.append(starts[-1] + len(line) + 1)
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            name = _class_of(token)
            if name is not None:
                begin = starts[token.start[0] - 1] + token.start[1]
                end = starts[token.end[0] - 1] + token.end[1]
                classes[begin:end] = [name] * (end - begin)
    except (tokenize.TokenError, SyntaxError, IndexError):
        return None
    return classes


def _class_of(token: tokenize.TokenInfo) -> str | None:
    """The syntax class of a token; None: white space."""
    if token.type == tokenize.NAME:
        return "keyword" if keyword.iskeyword(token.string) else "name"
    return "string" if tokenize.tok_name[token.type] in _STRINGS else _CLASSES.get(token.type)
