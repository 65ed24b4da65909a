"""Span labels (BIO, BIOES): their scheme, their spans and legal transitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from seqtasks.core.errors import DataError

Legal = tuple[list[list[bool]], list[bool], list[bool]]


def span_scheme(labels: Iterable[str]) -> Literal["IOB2", "IOBES"] | None:
    """How labels write spans: B- begins one, I- goes on, O is outside; in IOBES E- ends one, S- is a whole one.

    Args:
        labels: of all data; a part of it may lack some.

    Returns:
        None where no label is a B- and a name: those label words.

    Raises:
        DataError: such a B- and O beside labels of another kind.
    """
    distinct = set(labels)
    if not any(re.match("B-.", label) for label in distinct):
        return None
    if odd := sorted(label for label in distinct if label != "O" and not re.match("[BIES]-.", label)):
        if "O" not in distinct:
            return None  # a tag set of words in which B- happens to occur
        raise DataError(f"found the label {odd[0]!r} among those of spans; allowed: O, B-…, I-…, E-…, S-…; repair it")
    return "IOBES" if any(label.startswith(("E-", "S-")) for label in distinct) else "IOB2"


def spans_of(labels: Sequence[str], scheme: Literal["IOB2", "IOBES"]) -> set[tuple[str, int, int]]:
    """The spans of a sentence: kind, begin and end (exclusive) of each.

    Labels that the scheme does not allow where they stand make no span: an I- after an O, a span of IOBES that
    is never ended by E-.

    Args:
        labels: Labels of the words.
        scheme: See `span_scheme`.

    Example:
        >>> sorted(spans_of(["B-PER", "I-PER", "O", "I-LOC"], "IOB2"))
        [('PER', 0, 2)]
    """
    spans: set[tuple[str, int, int]] = set()
    begin, open_kind = 0, ""
    for i, label in enumerate([*labels, "O"]):
        prefix, _, kind = label.partition("-")
        if open_kind and prefix == "I" and kind == open_kind:
            continue
        if open_kind and (scheme == "IOB2" or (prefix == "E" and kind == open_kind)):
            spans.add((open_kind, begin, i + (scheme == "IOBES")))
        open_kind = ""
        if prefix == "B":
            begin, open_kind = i, kind
        elif prefix == "S" and scheme == "IOBES":
            spans.add((kind, i, i + 1))
    return spans


def transitions_of(labels: Sequence[str]) -> Legal | None:
    """The legal transitions, first and last labels of BIO (IOB2) or BIOES, each true or false.

    Args:
        labels: such as `O`, `B-PER`, `I-PER`; `E-PER` and `S-PER` make it BIOES.

    Returns:
        (labels, labels), (labels,) and (labels,); None where the labels are of no such scheme.

    Raises:
        DataError: as `span_scheme`.
    """
    scheme = span_scheme(labels)
    if scheme is None:
        return None
    kinds, _, names = zip(*(label.partition("-") for label in labels), strict=True)
    closed = scheme == "IOBES"  # then a span of several words has to end with E

    def inside(i: int) -> bool:
        return str(kinds[i]) in ("B", "I")

    def may_follow(i: int, j: int) -> bool:
        if kinds[j] in ("I", "E"):
            return inside(i) and names[i] == names[j]
        return not (closed and inside(i))

    every = range(len(labels))
    return (
        [[may_follow(i, j) for j in every] for i in every],
        [kind not in ("I", "E") for kind in kinds],
        [not (closed and inside(i)) for i in every],
    )
