"""Even pairs: is the number of changes between the two symbols even?

    Input:   a    b    b    a    b
    Label:  even odd  odd  even odd

The number of `ab` and `ba` is even if the first and the last symbol are equal, so that the state has to hold the first
symbol only. Training sequences have up to 40 symbols, test sequences up to 500.

Chance is 1/2. Reference: Delétang et al. 2022, https://arxiv.org/abs/2207.02098
"""

from __future__ import annotations

import numpy as np

from seqtasks import register_task
from seqtasks.task_types import ProbeTask, StateTrackingOptions


@register_task("even_pairs")
class EvenPairs(ProbeTask):
    """Whether first and last symbol are equal, tested at lengths beyond those of training."""

    topology = "synced"
    builtin = "generated"
    Options = StateTrackingOptions
    any_length = True
    symbols = ("a", "b")
    labels = ("even", "odd")

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        return rng.integers(1, 3, size=(count, length))

    def targets(self, x: np.ndarray) -> np.ndarray:
        return (x != x[:, :1]).astype(int)
