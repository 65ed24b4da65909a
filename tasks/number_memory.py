"""Memory of a number over a gap: repeat the digits of a number after symbols that say nothing.

    Input:   4 0 7 c a a d b c d : : :
    Label:                       4 0 7

A number of `options.digits` digits, a gap of random letters (blanks for `options.noise=false`), and a sign `:` for each
digit. The gap has every length up to that of the training sequences, so that the end cannot be counted; in the test it
is also longer, and the score by length says how long the number is kept. Problems with long time lags go back to
Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; with a gap of one length it is the copying
problem of Arjovsky et al. 2016, https://arxiv.org/abs/1511.06464.

Chance is 1/10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeOptions, ProbeTask, recalled_in_order

GO, BLANK = 11, 12  # numbers of the symbols : and ·; the digit d is d + 1
LETTERS = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Options(ProbeOptions):
    """Options of the memory of a number."""

    length: int = setting(40, "maximum number of symbols of a training sequence", ge=2, le=100_000)
    test_length: int | None = setting(
        500, "maximum number of symbols of a test sequence; null: options.length", ge=2, le=100_000
    )
    digits: int = setting(3, "number of digits", ge=1, le=1000)
    noise: bool = setting(True, "random letters in the gap; false: blanks")


@register_task("number_memory")
class NumberMemory(ProbeTask):
    """Memory of the digits of a number over a gap of any length."""

    topology = "synced"
    builtin = "generated"
    Options = Options
    any_length = True
    labels = tuple("0123456789")
    symbols = (*labels, ":", "·", *LETTERS)

    @property
    def shortest(self) -> int:  # type: ignore[override]
        return 2 * self.options.digits

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        digits = self.options.digits
        x = np.full((count, length), BLANK)
        if self.options.noise:
            x = rng.integers(BLANK + 1, BLANK + 1 + len(LETTERS), size=x.shape)
        x[:, :digits] = rng.integers(1, 11, size=(count, digits))
        x[:, length - digits :] = GO
        return x

    def targets(self, x: np.ndarray) -> np.ndarray:
        is_digit = (x > 0) & (x < GO)
        return recalled_in_order(np.where(is_digit, x - 1, -1), x == GO)
