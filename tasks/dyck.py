"""Dyck languages: which bracket may be closed next?

    Input:   (   [   ]   (   )   )   [   ]
    Label:           )       )   –       –

A sequence is the beginning of a well-formed one with one or two kinds of brackets (`options.kinds`), nested to at most
`options.depth`. Each closing bracket has a label: the bracket that may be closed next, or – if none is open. With
unlimited depth, Dyck-1 needs a counter and Dyck-2 a stack; with a limit both are regular languages (Hewitt et al. 2020,
https://arxiv.org/abs/2010.07515). Training sequences have up to 40 symbols, test sequences up to 500.

Chance is the share of the most frequent label. References: Suzgun et al. 2019, https://arxiv.org/abs/1911.03329;
Delétang et al. 2022, https://arxiv.org/abs/2207.02098
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeTask, StateTrackingOptions


@dataclass(frozen=True)
class Options(StateTrackingOptions):
    """Options of Dyck languages."""

    kinds: Literal[1, 2] = setting(2, "number of kinds of brackets")
    depth: int = setting(8, "maximum number of open brackets", ge=1, le=1000)


@register_task("dyck")
class Dyck(ProbeTask):
    """Bracket that may be closed next, in sequences of one or two kinds of brackets."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True
    shortest = 2

    @property
    def symbols(self) -> list[str]:
        return ["(", ")", "[", "]"][: 2 * self.options.kinds]

    @property
    def labels(self) -> list[str]:
        return ["–", ")", "]"][: 1 + self.options.kinds]

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        kinds, rows = self.options.kinds, np.arange(count)
        stack, depth = np.zeros((count, length + 1), int), np.zeros(count, int)
        x = np.zeros((count, length), int)
        for t in range(length):
            opens = np.where(depth == 0, True, rng.random(count) < 0.5) & (depth < self.options.depth)
            if t == length - 1:  # the last one closes a bracket, and so has a label
                opens &= depth == 0
            kind = rng.integers(kinds, size=count)
            top = stack[rows, np.maximum(depth - 1, 0)]
            x[:, t] = np.where(opens, 2 * kind + 1, 2 * top + 2)
            stack[rows[opens], depth[opens]] = kind[opens]
            depth += np.where(opens, 1, -1)
        return x

    def targets(self, x: np.ndarray) -> np.ndarray:
        rows = np.arange(len(x))
        stack, depth = np.zeros((len(x), x.shape[1] + 1), int), np.zeros(len(x), int)
        valid, y = np.ones(len(x), bool), np.full(x.shape, -1)
        for t, symbols in enumerate(x.T):
            opens, kind = symbols % 2 == 1, (symbols - 1) // 2
            top = stack[rows, np.maximum(depth - 1, 0)]
            valid &= opens | ((depth > 0) & (top == kind))  # no label after a bracket that closes another one
            stack[rows[opens], depth[opens]] = kind[opens]
            depth = np.maximum(depth + np.where(opens, 1, -1), 0)
            following = np.where(depth > 0, stack[rows, np.maximum(depth - 1, 0)] + 1, 0)
            y[:, t] = np.where(opens | ~valid, -1, following)
        return y
