"""Modular arithmetic: the value of a sum of products so far, modulo five.

    Input:   3  -  4  *  2  +  1
    Label:   3     4     0     1

Numbers from 0 to `options.modulus` - 1 alternate with `+`, `-` and `*`, which is computed first. Each number has a
label: the value of the expression up to it. Training expressions have up to 40 symbols, test expressions up to 500.

Chance is about 1/5. Reference: Delétang et al. 2022, https://arxiv.org/abs/2207.02098, "modular arithmetic (simple)".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeTask, StateTrackingOptions

OPERATORS = ("+", "-", "*")


@dataclass(frozen=True)
class Options(StateTrackingOptions):
    """Options of modular arithmetic."""

    modulus: int = setting(5, "number of values, from 0", ge=2, le=10)


@register_task("modular_arithmetic")
class ModularArithmetic(ProbeTask):
    """Value of an expression with +, - and *, modulo five."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True

    @property
    def labels(self) -> list[str]:
        return [str(n) for n in range(self.options.modulus)]

    @property
    def symbols(self) -> list[str]:
        return [*self.labels, *OPERATORS]

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        modulus = self.options.modulus
        x = rng.integers(1, modulus + 1, size=(count, length - (length + 1) % 2))  # it ends with a number
        x[:, 1::2] = rng.integers(modulus + 1, modulus + len(OPERATORS) + 1, size=x[:, 1::2].shape)
        return x

    def targets(self, x: np.ndarray) -> np.ndarray:
        modulus = self.options.modulus
        plus, minus, times = range(modulus + 1, modulus + 4)
        total, term, y = np.zeros(len(x), int), np.zeros(len(x), int), np.full(x.shape, -1)
        valid = np.ones(len(x), bool)  # numbers at odd positions, operators at even ones
        for t in range(x.shape[1]):
            valid &= (x[:, t] <= modulus) == (t % 2 == 0)
            if t % 2:
                continue
            number, sign = x[:, t] - 1, x[:, t - 1] if t else np.full(len(x), plus)
            total = np.where(sign == times, total, total + term) % modulus
            term = np.select([sign == times, sign == minus], [term * number, -number], number) % modulus
            y[:, t] = np.where(valid, (total + term) % modulus, -1)
        return y
