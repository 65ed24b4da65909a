"""Induction heads: the symbol that followed the first mark, asked for by a second one.

    Input:   d  b  !  f  a  c  c  e  a  !
    Label:                              f

Random symbols, one mark `!` at a random place, and a second one at the end, whose label is the symbol after the first.
Transformers of two layers solve it by an attention head that looks for the earlier occurrence; a recurrent cell has to
notice the mark, and hold one symbol. Training sequences have up to 64 symbols, test sequences up to 500 (Olsson et al.
2022, https://arxiv.org/abs/2209.11895; in this form Gu & Dao 2023, https://arxiv.org/abs/2312.00752, to 2^20 symbols).

Chance is 1 / `options.kinds`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeOptions, ProbeTask

MARK = 1  # number of the symbol !


@dataclass(frozen=True)
class Options(ProbeOptions):
    """Options of induction heads."""

    test_length: int | None = setting(
        500, "maximum number of symbols of a test sequence; null: options.length", ge=2, le=100_000
    )
    kinds: int = setting(16, "number of different symbols beside the mark", ge=2, le=1000)


@register_task("induction_heads")
class InductionHeads(ProbeTask):
    """Induction heads: the symbol after an earlier mark."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True
    shortest = 3

    @property
    def labels(self) -> list[str]:
        return [f"s{n}" for n in range(self.options.kinds)]

    @property
    def symbols(self) -> list[str]:
        return ["!", *self.labels]

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        x = rng.integers(MARK + 1, MARK + 1 + self.options.kinds, size=(count, max(3, length)))
        x[np.arange(count), rng.integers(x.shape[1] - 2, size=count)] = MARK
        x[:, -1] = MARK
        return x

    def targets(self, x: np.ndarray) -> np.ndarray:
        first = (x == MARK).argmax(axis=1)
        after = np.take_along_axis(x, np.minimum(first + 1, x.shape[1] - 1)[:, None], axis=1) - MARK - 1
        second = (x == MARK) & (np.arange(x.shape[1]) > first[:, None])
        return np.where(second, after, -1)
