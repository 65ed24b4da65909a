"""Parity: is the number of ones so far odd?

    Input:   1    0    1    1    0    1
    Label:  odd  odd even odd  odd  even

Training sequences have up to 40 symbols, test sequences up to 500, and `accuracy` is that of the labels after more than
40 symbols. A cell needs a state that changes its sign, or toggles, at each one: cells that are linear in the state
with eigenvalues from 0 to 1 cannot do it at every length (Sarrof, Veitsman & Hahn 2024,
https://arxiv.org/abs/2405.17394; Grazzi et al. 2024, https://arxiv.org/abs/2411.12537).

Chance is 1/2. References: Minsky & Papert 1969; Delétang et al. 2022, https://arxiv.org/abs/2207.02098
"""

from __future__ import annotations

import numpy as np

from seqtasks import register_task
from seqtasks.task_types import ProbeTask, StateTrackingOptions


@register_task("parity")
class Parity(ProbeTask):
    """Parity of the number of ones, tested at lengths beyond those of training."""

    topology = "synced"
    builtin = "generated"
    Options = StateTrackingOptions
    any_length = True
    symbols = ("0", "1")
    labels = ("even", "odd")

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        return rng.integers(1, 3, size=(count, length))

    def targets(self, x: np.ndarray) -> np.ndarray:
        return (x == 2).cumsum(axis=1) % 2
