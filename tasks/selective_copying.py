"""Selective copying: repeat eight symbols that lie at random places between noise.

    Input:   · 3 · · 7 1 · · 1 · · 8 · : : : : :
    Label:                               3 7 1 1 8

`options.copied` symbols of `options.kinds` kinds lie at random places among blanks; then as many signs `:` ask for them
in order. The places differ from sequence to sequence, so that a cell whose transitions do not depend on its input
cannot select the symbols (Gu & Dao 2023, https://arxiv.org/abs/2312.00752; with equal distances it is the copy-memory
problem).

Chance is 1 / `options.kinds`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeOptions, ProbeTask, recalled_in_order

BLANK, GO = 1, 2  # numbers of the symbols · and :


@dataclass(frozen=True)
class Options(ProbeOptions):
    """Options of selective copying."""

    copied: int = setting(8, "number of symbols to copy", ge=1, le=1000)
    kinds: int = setting(8, "number of different symbols to copy", ge=2, le=1000)


@register_task("selective_copying")
class SelectiveCopying(ProbeTask):
    """Selective copying: symbols at random places, repeated in order."""

    topology = "synced"
    builtin = "generated"
    Options = Options

    @property
    def shortest(self) -> int:  # type: ignore[override]
        return 2 * self.options.copied

    @property
    def labels(self) -> list[str]:
        return [str(n) for n in range(1, self.options.kinds + 1)]

    @property
    def symbols(self) -> list[str]:
        return ["·", ":", *self.labels]

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        o = self.options
        read = length - o.copied
        x = np.full((count, length), BLANK)
        x[:, read:] = GO
        shuffled: np.ndarray = rng.permuted(np.tile(np.arange(read), (count, 1)), axis=1)
        places = shuffled[:, : o.copied]
        np.put_along_axis(x, places, rng.integers(o.kinds, size=places.shape) + GO + 1, axis=1)
        return x

    def targets(self, x: np.ndarray) -> np.ndarray:
        return recalled_in_order(np.where(x > GO, x - GO - 1, -1), x == GO)
