"""Batches whose order depends on seed, epoch and position only, so that training can resume.

So a run that was killed goes on with the very batch that would have come next.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np

from seqtasks.data.splits import Examples


class ResumableBatches(keras.utils.PyDataset, ABC):
    """Batches that can begin anywhere: what `keras.Model.fit` reads, and a killed run goes on with.

    Pass `shuffle=False` to `fit`: the order is decided here. A subclass calls `seek(0, 0)` at the
    end of its `__init__`; its `__getitem__` counts from `start`.
    """

    def seek(self, epoch: int, batch: int) -> None:
        """Goes to a batch of an epoch; the rest of that epoch then counts as one epoch."""
        self.epoch, self.start, self._begun = epoch, batch, False
        self._draw()

    @property
    @abstractmethod
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch."""

    def __len__(self) -> int:
        return self.batches_per_epoch - self.start

    def done(self, batch: int) -> int:
        """How many batches of the epoch are done after that one of a fit, which may lie beyond the end.

        With several steps in one call Keras names the last that it could have made.
        """
        return min(self.start + batch + 1, self.batches_per_epoch)

    def on_epoch_begin(self) -> None:
        self._begun = True

    def on_epoch_end(self) -> None:
        if self._begun:  # Keras also calls this before the first epoch of a fit, to reset its iterator
            self.seek(self.epoch + 1, 0)

    @abstractmethod
    def _draw(self) -> None:
        """Makes the order of `epoch`, from the seed and the epoch alone."""


class ArrayBatches(ResumableBatches):
    """Batches of equal-shaped examples for `keras.Model.fit`, `evaluate` and `predict`.

    The last batch may be smaller; no example is left out.

    Args:
        examples: what to read.
        batch_size: rows a batch.
        shuffle: a new order each epoch; false keeps the order of the examples.
        seed: of the orders.
    """

    def __init__(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0):
        super().__init__()
        self.examples = examples
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.seek(0, 0)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch."""
        return math.ceil(len(self.examples) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        begin = (self.start + index) * self.batch_size
        chosen = self._order[begin : begin + self.batch_size]
        inputs = {name: array[chosen] for name, array in self.examples.inputs.items()}
        return single(inputs), self.examples.targets[chosen]

    def _draw(self) -> None:
        n = len(self.examples)
        self._order = np.random.default_rng((self.seed, self.epoch)).permutation(n) if self.shuffle else np.arange(n)


def single(inputs: dict[str, Any]) -> Any:
    """The only input, as a Keras model of one input takes it, or all of them by name."""
    return next(iter(inputs.values())) if len(inputs) == 1 else inputs
