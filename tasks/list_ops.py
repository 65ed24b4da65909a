"""ListOps: the value of nested lists of digits with operators.

    Input:   [max  2  [min  4  7  ]  [sm  8  5  ]  0  ]
    Label:                        4             3     4

`[max`, `[min`, `[med` (median, rounded down) and `[sm` (sum modulo 10) open a list of two to `options.arguments` digits
or lists, `]` closes it. A closing bracket has a label, the value of its list; by default only the last one, that of the
whole expression (`options.labels=each`: all of them). A cell needs a stack of operators and partial values as deep as
the nesting, at most `options.depth`.

Chance is about 1/10. References: Nangia & Bowman 2018,
https://arxiv.org/abs/1804.06028; in Long Range Arena, Tay et al. 2020, https://arxiv.org/abs/2011.04006
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeTask, StateTrackingOptions

OPENINGS = ("[max", "[min", "[med", "[sm")
OPEN, CLOSE = 11, 15  # numbers of the first opening symbol and of ]; the digit d is d + 1


@dataclass(frozen=True)
class Options(StateTrackingOptions):
    """Options of ListOps."""

    test_length: int | None = setting(
        128, "maximum number of symbols of a test sequence; null: options.length", ge=2, le=100_000
    )
    labels: Literal["each", "last"] = setting("last", "closing brackets with a label: each, or the last one")
    depth: int = setting(4, "maximum number of open lists", ge=1, le=50)
    arguments: int = setting(5, "maximum number of arguments of a list", ge=2, le=50)


@register_task("list_ops")
class ListOps(ProbeTask):
    """ListOps: the value of nested lists of digits with max, min, median and sum."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True
    shortest = 4
    labels = tuple("0123456789")
    symbols = (*labels, *OPENINGS, "]")

    @property
    def longest(self) -> int:  # type: ignore[override]
        return longest(self.options.depth, self.options.arguments)

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        x = np.zeros((count, length), int)
        for row in x:
            written = self._expression(rng, length, self.options.depth)
            row[: len(written)] = written
        return x

    def _expression(self, rng: np.random.Generator, length: int, depth: int) -> list[int]:
        """Draws an expression of `length` symbols; a few less where no expression has as many."""
        if length < self.shortest or depth == 0:
            return [int(rng.integers(1, 11))]
        inner, most = length - 2, longest(depth - 1, self.options.arguments)
        least = max(2, -(-inner // most))
        parts = int(rng.integers(least, max(least, min(self.options.arguments, inner)) + 1))
        written = [OPEN + int(rng.integers(len(OPENINGS)))]
        for later in range(parts - 1, -1, -1):
            left = inner - later  # each later part has one symbol or more
            low = max(1, inner - later * most)
            size = left if later == 0 else int(rng.integers(low, max(low, min(left, most)) + 1))
            part = self._expression(rng, min(size, most), depth - 1)
            written += part
            inner -= len(part)
        return [*written, CLOSE]

    def targets(self, x: np.ndarray) -> np.ndarray:
        y = np.full(x.shape, -1)
        for row, labels in zip(x.tolist(), y, strict=True):
            stack: list[list[int]] = []
            for t, symbol in enumerate(row):
                if OPEN <= symbol < CLOSE:
                    stack.append([symbol - OPEN])
                    continue
                if symbol == CLOSE and stack and len(stack[-1]) > 1:
                    operator, *values = stack.pop()
                    value = labels[t] = apply(operator, values)
                elif 0 < symbol < OPEN:
                    value = symbol - 1
                else:
                    break  # padding, or no expression
                if stack:
                    stack[-1].append(value)
        return y


def apply(operator: int, values: Sequence[int]) -> int:
    """The value of a list, with operators in the order of `OPENINGS`."""
    if operator == 2:
        return int(np.median(values))
    return (max, min, None, lambda values: sum(values) % 10)[operator](values)  # type: ignore[misc]


def longest(depth: int, arguments: int) -> int:
    """Number of symbols of the longest expression.

    Example:
        >>> [longest(depth, 5) for depth in (0, 1, 2)]
        [1, 7, 37]
    """
    symbols = 1
    for _ in range(depth):
        symbols = 2 + arguments * symbols
    return symbols
