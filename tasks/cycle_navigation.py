"""Cycle navigation: the place on a circle of five after all steps so far.

    Input:   +  +  -  0  +
    Label:   1  2  1  1  2

`+` is a step forward, `-` a step back, `0` none; the place after 4 is 0. Training sequences have up to 40 symbols, test
sequences up to 500.

Chance is about 1/5. Reference: Delétang et al. 2022, https://arxiv.org/abs/2207.02098
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeTask, StateTrackingOptions

STEPS = np.array([0, 0, 1, -1])  # of padding, 0, + and -


@dataclass(frozen=True)
class Options(StateTrackingOptions):
    """Options of cycle navigation."""

    places: int = setting(5, "number of places on the circle", ge=2, le=100)


@register_task("cycle_navigation")
class CycleNavigation(ProbeTask):
    """Place on a circle after steps forward and back."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True
    symbols = ("0", "+", "-")

    @property
    def labels(self) -> list[str]:
        return [str(n) for n in range(self.options.places)]

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        return rng.integers(1, len(self.symbols) + 1, size=(count, length))

    def targets(self, x: np.ndarray) -> np.ndarray:
        return STEPS[x].cumsum(axis=1) % self.options.places
