"""Composition of permutations: where does each of three or five things lie after all moves so far?

    Input:   213  132  321
    Label:   213  312  132

A symbol is a permutation: `231` moves the thing at place 1 to place 2, that at place 2 to place 3, and that at place 3
to place 1. The label is the composition of all symbols so far: where the things that began at 1, 2 and 3 are now. This
is the word problem of the symmetric group, S3 for `options.size=3` and S5 for 5. S5 is complete for the class NC1:
cells that are linear in the state with diagonal or input-independent transitions, and transformers, cannot solve it at
every length with a fixed number of layers (Merrill, Petty & Sabharwal 2024, https://arxiv.org/abs/2404.08819).

Two options make it easier to learn: with `options.moves=two` the only symbols are the swap of the first two things and
the cycle of all, which generate every permutation; with `options.tracked=first` the label is the place of the first
thing only, five labels for S5 in place of 120.

Chance is about 1/6 for S3 and 1/120 for S5, and 1/3 and 1/5 for the place of the first thing.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeTask, StateTrackingOptions


@dataclass(frozen=True)
class Options(StateTrackingOptions):
    """Options of the composition of permutations."""

    size: Literal[3, 5] = setting(3, "number of things that are permuted")
    moves: Literal["all", "two"] = setting(
        "all", "symbols: every permutation, or a swap and a cycle that generate them"
    )
    tracked: Literal["all", "first"] = setting("all", "label: the permutation of all things, or the place of the first")


@functools.cache
def permutations(size: int) -> tuple[tuple[int, ...], ...]:
    """All permutations of the numbers from 0, in lexicographic order; the first one changes nothing."""
    return tuple(itertools.permutations(range(size)))


@functools.cache
def products(size: int) -> np.ndarray:
    """Number of the permutation that is one and then another, `(permutations, permutations)`."""
    table = np.array(permutations(size))
    places = size ** np.arange(size)
    numbers = np.zeros(size**size, int)
    numbers[table @ places] = np.arange(len(table))
    return np.asarray(numbers[table[:, table].swapaxes(0, 1) @ places])


@functools.cache
def names(size: int) -> tuple[str, ...]:
    """Names of all permutations, such as 213: where the things that were at 1, 2 and 3 are afterwards."""
    return tuple("".join(str(place + 1) for place in one) for one in permutations(size))


@register_task("permutations")
class Permutations(ProbeTask):
    """Composition of permutations of three or five things (state tracking)."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True

    @property
    def symbols(self) -> list[str]:
        return list(names(self.options.size)) if self.options.moves == "all" else self._two()

    @property
    def labels(self) -> list[str]:
        if self.options.tracked == "first":
            return [str(place + 1) for place in range(self.options.size)]
        return list(names(self.options.size))

    def _two(self) -> list[str]:
        """A swap and a cycle, which generate all permutations."""
        first, second, *others = list(names(self.options.size)[0])
        return ["".join([second, first, *others]), "".join([second, *others, first])]

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        return rng.integers(1, len(self.symbols) + 1, size=(count, length))

    def targets(self, x: np.ndarray) -> np.ndarray:
        table = products(self.options.size)[:, [names(self.options.size).index(symbol) for symbol in self.symbols]]
        state, states = np.zeros(len(x), int), []
        for symbols in x.T:
            state = table[state, np.maximum(symbols - 1, 0)]
            states.append(state)
        y = np.stack(states, axis=1)
        if self.options.tracked == "first":
            return np.array(permutations(self.options.size))[y, 0]
        return y
