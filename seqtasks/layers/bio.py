"""Which labels of spans may follow which."""

from __future__ import annotations

from collections.abc import Sequence

Legal = tuple[list[list[bool]], list[bool], list[bool]]


def transitions_of(labels: Sequence[str]) -> Legal | None:
    """The legal transitions, first and last labels of BIO (IOB2) or BIOES, each true or false.

    Args:
        labels: such as `O`, `B-PER`, `I-PER`; `E-PER` and `S-PER` make it BIOES.

    Returns:
        (labels, labels), (labels,) and (labels,); None where the labels are of no such scheme.
    """
    kinds = [label.split("-", 1)[0] if "-" in label else label for label in labels]
    names = [label.split("-", 1)[1] if "-" in label else "" for label in labels]
    spans = all(kind in tuple("BIES") and name for kind, name in zip(kinds, names, strict=True) if kind != "O" or name)
    if not spans or "B" not in kinds:
        return None
    closed = "E" in kinds or "S" in kinds  # then a span of several words has to end with E

    def inside(i: int) -> bool:
        return kinds[i] == "B" or kinds[i] == "I"

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
