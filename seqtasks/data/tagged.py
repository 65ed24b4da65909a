"""Sentences with a label for each word, from any source."""

from __future__ import annotations

import ast
import io
import keyword
import platform
import sysconfig
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqtasks.data import conll, prepared
from seqtasks.data.cache import fingerprint
from seqtasks.data.conll import COLUMNS, NONE, Sentence
from seqtasks.data.sources import Source
from seqtasks.errors import DataError
from seqtasks.layers.bio import span_scheme

PARTS = ("train", "validation", "test")
NEWLINE = "\n"
_CLASSES = {tokenize.COMMENT: "comment", tokenize.STRING: "string", tokenize.NUMBER: "number", tokenize.OP: "operator"}
_STRINGS = {"FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END"}


@dataclass(frozen=True)
class Tagged:
    """Sentences by split.

    Attributes:
        parts: `train`, `validation` and `test`.
        source: its name, for result rows.
        fingerprint: of all words and labels.
    """

    parts: dict[str, list[Sentence]]
    source: str
    fingerprint: str


def load(source: Source, column: str) -> Tagged:
    """All sentences of a source; those without a word are left out.

    Args:
        source: a treebank of tfds, a folder of CoNLL-U or CoNLL files, or Python's own library.
        column: of CoNLL-U: `upos`, `xpos`, or the name of a feature, such as `Number`.

    Raises:
        DataError: missing or broken data; a split without a sentence; labels of spans that
            cannot be scored.
    """
    name = str(source)
    if source.kind == "tfds":
        found = _treebank(source, column)
    elif source.kind == "files":
        assert source.folder is not None
        paths = conll.splits_of(source.folder)
        found = {part: list(conll.read(paths[part], column)) for part in PARTS}
    else:
        found, name = _python(), f"{source} of Python {platform.python_version()}"
    parts = {part: [(words, labels) for words, labels in rows if words] for part, rows in found.items()}
    for part, rows in parts.items():
        if not rows:
            raise DataError(f"{source}: the {part} split has no sentence; give more data")
    if span_scheme(label for rows in parts.values() for _, labels in rows for label in labels) is not None:
        for part, rows in parts.items():
            _check_spans(f"{source}: the {part} split", rows)
    kinds = {label for _, labels in parts["train"] for label in labels}
    if len(kinds) == 1:
        raise DataError(
            f"{source}: every word of the training split is labelled {kinds.pop()!r}; "
            f"is the column {column!r} the right one?"
        )
    return Tagged(parts, name, fingerprint({part: _bytes(rows) for part, rows in parts.items()}))


def _check_spans(where: str, rows: list[Sentence]) -> None:
    """Refuses IOB1, whose spans begin with I-: scored as BIO most of them would be lost."""
    for number, (words, labels) in enumerate(rows, 1):
        for before, word, label in zip(["O", *labels], words, labels, strict=False):
            if label.startswith(("I-", "E-")) and before not in (f"B-{label[2:]}", f"I-{label[2:]}"):
                raise DataError(
                    f"{where}, sentence {number}: {word!r} is labelled {label} after {before}; a span begins with "
                    f"B-{label[2:]} (IOB2); convert IOB1 to IOB2"
                )


def _bytes(rows: list[Sentence]) -> np.ndarray:
    text = "\n\n".join("\n".join(f"{w}\t{t}" for w, t in zip(words, tags, strict=True)) for words, tags in rows)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)


def _treebank(source: Source, column: str) -> dict[str, list[Sentence]]:
    field = column if column in COLUMNS else "feats"
    arrays = prepared.load(source, ["train", "dev", "test"], ["tokens", "head", field])
    found = {}
    for part, split in zip(PARTS, ("train", "dev", "test"), strict=True):
        rows = zip(*(prepared.sequences(arrays, f"{split}/{key}") for key in ("tokens", "head", field)), strict=True)
        found[part] = [_words_only(words, heads, values, column) for words, heads, values in rows]
    return found


def _words_only(words: list[str], heads: list[str], values: list[str], column: str) -> Sentence:
    """Without rows of several words ("don't") and of words that are not there: they have no head."""
    kept = [i for i, head in enumerate(heads) if head != "None"]
    if column in COLUMNS:
        return [words[i] for i in kept], [values[i] for i in kept]
    return [words[i] for i in kept], [(ast.literal_eval(values[i]) or {}).get(column, NONE) for i in kept]


def _python() -> dict[str, list[Sentence]]:
    """Functions of the standard library, a character a word; each tenth module is held out for each split."""
    found: dict[str, list[Sentence]] = {part: [] for part in PARTS}
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    for number, path in enumerate(paths):
        part = {8: "validation", 9: "test"}.get(number % 10, "train")
        found[part] += _pieces(path.read_text(encoding="utf-8"))
    return found


def _pieces(code: str, most: int = 400) -> Iterator[Sentence]:
    """Some lines at a time, never cut inside a line."""
    classes, begin = syntax(code), 0
    if classes is None:
        return
    while begin < len(code):
        end = code.rfind(NEWLINE, begin, begin + most) + 1 or begin + most
        yield list(code[begin:end]), classes[begin:end]
        begin = end


def syntax(code: str) -> list[str] | None:
    """The class of each character of Python code, as `tokenize` has it; None where it cannot be read."""
    classes = ["space"] * len(code)
    starts = [0]
    for line in code.split(NEWLINE):  # as `tokenize` counts them: a form feed ends no line
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
    if token.type == tokenize.NAME:
        return "keyword" if keyword.iskeyword(token.string) else "name"
    return "string" if tokenize.tok_name[token.type] in _STRINGS else _CLASSES.get(token.type)
