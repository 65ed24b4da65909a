"""Tagged sentences from any source."""

from __future__ import annotations

import ast
import io
import keyword
import logging
import platform
import re
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.core.span_scheme import span_scheme
from seqtasks.data import tfds
from seqtasks.data.cache import fingerprint
from seqtasks.data.source import Source
from seqtasks.data.splits import spread
from seqtasks.data.text import conll
from seqtasks.data.text.conll import COLUMNS, NONE, Sentence

log = logging.getLogger(__name__)

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
    """All sentences of a source; those without a word are left out. `source.limit` cuts training and validation.

    Of one file a tenth of the sentences each is held out for test and validation, spread evenly, but
    none with a label that the others do not have. Labels of spans in IOB1 become IOB2.

    Args:
        source: a treebank of tfds, a folder of CoNLL-U or CoNLL files or one such file, or Python's own library.
        column: of CoNLL-U: `upos`, `xpos`, or the name of a feature, such as `Number`.

    Raises:
        DataError: missing or broken data; a split without a sentence; labels of spans that
            cannot be scored.
    """
    name = str(source)
    if source.kind == "tfds":
        sentences = _treebank(source, column)
    elif source.kind == "files":
        assert source.folder is not None
        sentences = _files(source, source.folder, column)
    else:
        sentences, name = _python(), f"{source} of Python {platform.python_version()}"
    parts = {
        part: [(words, labels) for words, labels in rows if words][: source.limits[part]]
        for part, rows in sentences.items()
    }
    for part, rows in parts.items():
        if not rows:
            raise DataError(f"{source}: the {part} split has no sentence; give more data")
    if is_iob1(chain(*parts.values())):
        log.warning("%s: its labels of spans are IOB1; they are read as IOB2, where each span begins with B-", source)
        parts = {part: [(words, iob2(labels)) for words, labels in rows] for part, rows in parts.items()}
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


def _files(source: Source, path: Path, column: str) -> dict[str, list[Sentence]]:
    if path.is_dir():
        return {part: list(conll.read(file, column)) for part, file in conll.splits_of(path).items()}
    remaining = list(conll.read(path, column))
    if len(remaining) < 3:
        raise DataError(f"{source}: {len(remaining)} sentences for training, validation and test; give 3 or more")
    parts, tenth = {}, len(remaining) // 10
    for part in ("test", "validation"):
        kept, held = spread(len(remaining), tenth)
        known = {label for i in kept for label in remaining[i][1]}
        chosen: dict[int, None] = {}
        for i in held:
            if known.issuperset(remaining[i][1]):
                chosen[i] = None
            else:
                known.update(remaining[i][1])
        parts[part] = [remaining[i] for i in chosen]
        remaining = [sentence for i, sentence in enumerate(remaining) if i not in chosen]
    return {"train": remaining, "validation": parts["validation"], "test": parts["test"]}


def is_iob1(rows: Iterable[Sentence]) -> bool:
    """Whether labels are IOB1: spans begin with I-, and with B- only right after another of their kind.

    Args:
        rows: all sentences; IOB2 and IOB1 differ only where spans begin.
    """
    begun = False
    names: set[str] = set()
    for _, labels in rows:
        names.update(labels)
        for before, label in zip(["O", *labels], labels, strict=False):
            goes_on = before in (f"B-{label[2:]}", f"I-{label[2:]}")
            if label.startswith("B-") and not goes_on:
                return False
            begun = begun or (label.startswith("I-") and not goes_on)
    return begun and "O" in names and all(name == "O" or re.match("[BI]-.", name) for name in names)


def iob2(labels: Sequence[str]) -> list[str]:
    """IOB1 as IOB2: every span begins with B-."""
    pairs = zip(["O", *labels], labels, strict=False)
    return [
        f"B-{label[2:]}" if label.startswith("I-") and before[2:] != label[2:] else label for before, label in pairs
    ]


def _check_spans(where: str, rows: list[Sentence]) -> None:
    """Refuses spans that begin with I- beside others that begin with B-: scored as BIO they would be lost."""
    for number, (words, labels) in enumerate(rows, 1):
        for before, word, label in zip(["O", *labels], words, labels, strict=False):
            if label.startswith(("I-", "E-")) and before not in (f"B-{label[2:]}", f"I-{label[2:]}"):
                raise DataError(
                    f"{where}, sentence {number}: {word!r} is labelled {label} after {before}; a span begins with "
                    f"B-{label[2:]} in IOB2, and in IOB1 no other does; write all of them in one scheme"
                )


def _bytes(rows: list[Sentence]) -> np.ndarray:
    text = "\n\n".join("\n".join(f"{w}\t{t}" for w, t in zip(words, tags, strict=True)) for words, tags in rows)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)


def _treebank(source: Source, column: str) -> dict[str, list[Sentence]]:
    field = column if column in COLUMNS else "feats"
    arrays = tfds.load(source, ["train", "dev", "test"], ["tokens", "head", field])
    parts = {}
    for part, split in zip(PARTS, ("train", "dev", "test"), strict=True):
        rows = zip(*(tfds.sequences(arrays, f"{split}/{key}") for key in ("tokens", "head", field)), strict=True)
        parts[part] = [_words_only(words, heads, values, column) for words, heads, values in rows]
    return parts


def _words_only(words: list[str], heads: list[str], values: list[str], column: str) -> Sentence:
    """Without rows of several words ("don't") and of words that are not there: they have no head."""
    kept = [i for i, head in enumerate(heads) if head != "None"]
    if column in COLUMNS:
        return [words[i] for i in kept], [values[i] for i in kept]
    return [words[i] for i in kept], [(ast.literal_eval(values[i]) or {}).get(column, NONE) for i in kept]


def _python() -> dict[str, list[Sentence]]:
    """Every sixth module of the standard library, a character a word; of these a tenth each for validation and test.

    All modules have ten million characters, which take half an hour for no better a lesson.
    """
    parts: dict[str, list[Sentence]] = {part: [] for part in PARTS}
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[::6]
    for number, path in enumerate(paths):
        part = {8: "validation", 9: "test"}.get(number % 10, "train")
        parts[part] += _pieces(path.read_text(encoding="utf-8"))
    return parts


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
