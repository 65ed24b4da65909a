"""Span labels in BIO (IOB2) or BIOES: scheme, spans, and legal transitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from seqtasks.core.errors import DataError

Legal = tuple[list[list[bool]], list[bool], list[bool]]


def span_scheme(labels: Iterable[str]) -> Literal["IOB2", "IOBES"] | None:
    """Detects the scheme of span labels.

    In IOB2, B- begins a span, I- continues it and O is outside of spans. IOBES also has E- for the last
    word of a span and S- for a span of one word.

    Args:
        labels: Labels of the whole data set; a part of it may lack some labels.

    Returns:
        The scheme; None if no label begins with B-, so that labels are of words and not of spans.

    Raises:
        DataError: Both span labels (B-…, O) and labels of another form.

    Example:
        >>> span_scheme(["O", "B-PER", "I-PER"]), span_scheme(["NOUN", "VERB"])
        ('IOB2', None)
    """
    distinct = set(labels)
    if not any(re.match("B-.", label) for label in distinct):
        return None
    if odd := sorted(label for label in distinct if label != "O" and not re.match("[BIES]-.", label)):
        if "O" not in distinct:
            return None  # a tag set of words in which B- happens to occur
        raise DataError(f"label {odd[0]!r} among span labels; allowed: O, B-…, I-…, E-…, S-…; correct the data")
    return "IOBES" if any(label.startswith(("E-", "S-")) for label in distinct) else "IOB2"


def spans_of(labels: Sequence[str], scheme: Literal["IOB2", "IOBES"]) -> set[tuple[str, int, int]]:
    """The spans of a sentence: kind, first word and end (exclusive) of each.

    Labels at illegal positions make no span: an I- after an O, or in IOBES a span without its E-.

    Args:
        labels: Labels of the words.
        scheme: The scheme, see `span_scheme`.

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
    """Which transitions, first labels and last labels are legal in BIO (IOB2) or BIOES.

    Args:
        labels: All labels, such as `O`, `B-PER`, `I-PER`; `E-PER` or `S-PER` make it BIOES.

    Returns:
        Booleans for transitions, (labels, labels), from row to column; for the first label of a sentence,
        (labels,); for its last label, (labels,). None if the labels are not of such a scheme.

    Raises:
        DataError: As for `span_scheme`.

    Example:
        >>> transitions, first, last = transitions_of(["O", "B-X", "I-X"])
        >>> transitions[0], first
        ([True, True, False], [True, True, False])
    """
    scheme = span_scheme(labels)
    if scheme is None:
        return None
    kinds, _, names = zip(*(label.partition("-") for label in labels), strict=True)
    closed = scheme == "IOBES"  # a span of several words has to end with E-

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
