"""Flip-flop language: read the bit that was written last, over long stretches that have to be ignored.

    Input:   w 1  i 0  i 1  r 1  w 0  i 1  r 0
    Label:                  1              0

Instructions alternate with bits: `w` writes its bit, `i` is to be ignored, `r` is followed by the bit that was written
last, which is the label of `r`. Most instructions are `i` (`options.ignored`). A single bit of memory suffices, yet
attention makes sporadic errors on it (Liu et al. 2023, https://arxiv.org/abs/2306.00946). Training sequences have 64
symbols, test sequences up to 500.

Chance is 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeOptions, ProbeTask

ZERO, WRITE, IGNORE, READ = 1, 3, 4, 5  # numbers of symbols; that of the bit 1 is 2


@dataclass(frozen=True)
class Options(ProbeOptions):
    """Options of the flip-flop language."""

    test_length: int | None = setting(
        500, "maximum number of symbols of a test sequence; null: options.length", ge=2, le=100_000
    )
    ignored: float = setting(0.8, "share of instructions that are to be ignored", ge=0, lt=1)


@register_task("flip_flop")
class FlipFlop(ProbeTask):
    """Flip-flop language: the bit that was written last."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    shortest = 4
    symbols = ("0", "1", "w", "i", "r")
    labels = ("0", "1")

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        steps, rare = length // 2, (1 - self.options.ignored) / 2
        kinds = rng.choice([IGNORE, WRITE, READ], size=(count, steps), p=[self.options.ignored, rare, rare])
        kinds[:, 0], kinds[:, -1] = WRITE, READ
        bits = rng.integers(2, size=(count, steps))
        latest = np.maximum.accumulate(np.where(kinds == WRITE, np.arange(steps), 0), axis=1)
        bits = np.where(kinds == READ, np.take_along_axis(bits, latest, axis=1), bits)
        return np.stack([kinds, bits + ZERO], axis=-1).reshape(count, 2 * steps)

    def targets(self, x: np.ndarray) -> np.ndarray:
        written = np.zeros_like(x, bool)
        written[:, 1:] = (x[:, :-1] == WRITE) & (x[:, 1:] < WRITE)
        latest = np.maximum.accumulate(np.where(written, np.arange(x.shape[1]), -1), axis=1)
        bits = np.take_along_axis(x, np.maximum(latest, 0), axis=1) - ZERO
        return np.where((x == READ) & (latest >= 0), bits, -1)
