"""Boolean formulas: the value of nested formulas, whose operands lie far apart.

    Input:   (  1  &  (  (  0  |  1  )  ^  !  1  )  )
    Label:                             1           1  1

Formulas have the operators `&`, `|`, `^` (exclusive or) and `!` (not), and brackets around each of the first three. A
closing bracket has a label, the value of its formula; by default only the last one, that of the whole formula
(`options.labels=each`: all of them). The left operand and the operator have to be kept until the right operand ends,
which may itself be long, for as many formulas as are nested, at most `options.depth`. Without a limit of the depth, the
problem is complete for the class NC1 (Buss 1987, https://doi.org/10.1145/28395.28409), as are permutations of five.

Chance is about 1/2. Reference for recurrent networks and transformers: Merrill, Petty & Sabharwal 2024,
https://arxiv.org/abs/2404.08819
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeTask, StateTrackingOptions

AND, OR, XOR, NOT, LEFT, RIGHT = range(3, 9)  # numbers of symbols; 0 is 1, and 1 is 2


@dataclass(frozen=True)
class Options(StateTrackingOptions):
    """Options of Boolean formulas."""

    test_length: int | None = setting(
        256, "maximum number of symbols of a test sequence; null: options.length", ge=2, le=100_000
    )
    labels: Literal["each", "last"] = setting("last", "closing brackets with a label: each, or the last one")
    depth: int = setting(7, "maximum number of open brackets", ge=1, le=50)


@register_task("boolean_formulas")
class BooleanFormulas(ProbeTask):
    """Value of nested Boolean formulas, whose operands lie far apart."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True
    shortest = 5
    labels = ("0", "1")
    symbols = ("0", "1", "&", "|", "^", "!", "(", ")")

    @property
    def longest(self) -> int:  # type: ignore[override]
        return longest(self.options.depth)

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        x = np.zeros((count, length), int)
        for row in x:
            written = self._formula(rng, length, self.options.depth)
            row[: len(written)] = written
        return x

    def _formula(self, rng: np.random.Generator, length: int, depth: int) -> list[int]:
        """Draws a formula of `length` symbols; one or two less where no formula has as many."""
        if length < self.shortest or depth == 0:
            leaf = [int(rng.integers(1, 3))]
            return [NOT, *leaf] if length > 1 else leaf
        most, inner = longest(depth - 1), length - 3
        low, high = max(1, inner - most), min(inner - 1, most)
        left = self._formula(rng, int(rng.integers(low, max(low, high) + 1)), depth - 1)
        right = self._formula(rng, min(inner - len(left), most), depth - 1)
        return [LEFT, *left, int(rng.integers(AND, XOR + 1)), *right, RIGHT]

    def targets(self, x: np.ndarray) -> np.ndarray:
        y = np.full(x.shape, -1)
        for row, labels in zip(x.tolist(), y, strict=True):
            stack: list[int] = []  # values, operators and opening brackets of what is not closed
            for t, symbol in enumerate(row):
                operand = bool(stack) and stack[-1] in (1, 2)
                opened = len(stack) > 1 and stack[-2] == LEFT  # of the formula whose left operand is complete
                if (symbol in (NOT, LEFT) and not operand) or (symbol in (AND, OR, XOR) and opened and operand):
                    stack.append(symbol)
                    continue
                if symbol in (1, 2) and not operand:
                    value = symbol - 1
                elif symbol == RIGHT and operand and len(stack) > 3 and stack[-2] in (AND, OR, XOR):
                    *stack, _, first, operator, second = stack
                    value = labels[t] = apply(operator, first - 1, second - 1)
                else:
                    break  # padding, or no formula
                while stack and stack[-1] == NOT:
                    value, stack = 1 - value, stack[:-1]
                stack.append(value + 1)
        return y


def apply(operator: int, first: int, second: int) -> int:
    """The value of `(first operator second)`."""
    return {AND: first & second, OR: first | second, XOR: first ^ second}[operator]


def longest(depth: int) -> int:
    """Number of symbols of the longest formula.

    Example:
        >>> [longest(depth) for depth in (0, 1, 2)]
        [2, 7, 17]
    """
    symbols = 2  # ! and a value
    for _ in range(depth):
        symbols = 3 + 2 * symbols
    return symbols
