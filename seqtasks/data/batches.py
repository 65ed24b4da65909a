"""Batches whose order depends on seed, epoch and position only, so that training can resume.

A resumed run continues with the batch that would have been next before the interruption.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np

from seqtasks.data.block_files import release
from seqtasks.data.splits import Examples


class ResumableBatches(keras.utils.PyDataset, ABC):
    """Base class of batches for `keras.Model.fit` that can start at any batch of any epoch.

    Pass `shuffle=False` to `fit`, because this class decides the order. A subclass calls `seek(0, 0)`
    at the end of its `__init__`, and its `__getitem__` counts from `start`.

    Attributes:
        epoch: Number of the epoch.
        start: Number of the first batch that is read in this epoch.
    """

    def seek(self, epoch: int, batch: int) -> None:
        """Moves to a batch of an epoch; the remaining batches of that epoch count as one epoch.

        Args:
            epoch: Number of the epoch, from 0.
            batch: Number of the batch in it, from 0.
        """
        self.epoch, self.start, self._begun = epoch, batch, False
        self._draw()

    @property
    @abstractmethod
    def batches_per_epoch(self) -> int:
        """Number of batches in a whole epoch."""

    def __len__(self) -> int:
        return self.batches_per_epoch - self.start

    def done(self, batch: int) -> int:
        """Number of batches of the epoch that are finished after a batch of `fit`.

        Args:
            batch: Number of the batch as Keras counts it, from 0. It may be beyond the end of the epoch:
                with several steps in one call, Keras passes the last step that the call could have made.
        """
        return min(self.start + batch + 1, self.batches_per_epoch)

    def on_epoch_begin(self) -> None:
        self._begun = True

    def on_epoch_end(self) -> None:
        if self._begun:  # Keras also calls this before the first epoch of a fit, to reset its iterator.
            self.seek(self.epoch + 1, 0)

    @abstractmethod
    def _draw(self) -> None:
        """Draws the order of `epoch` from the seed and the epoch only."""


class ArrayBatches(ResumableBatches):
    """Batches of examples of equal shape for `keras.Model.fit`, `evaluate` and `predict`.

    A batch is `(inputs, targets)`, each `(batch, ...)`; a single input is an array, several are a
    dictionary. The last batch may be smaller; no example is left out.

    Args:
        examples: The examples.
        batch_size: Number of rows in a batch.
        shuffle: Whether each epoch has a new order; false keeps the order of the examples.
        seed: Seed of the orders.
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
        """Number of batches in a whole epoch."""
        return math.ceil(len(self.examples) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        begin = (self.start + index) * self.batch_size
        rows = self._order[begin : begin + self.batch_size]
        inputs = {name: array[rows] for name, array in self.examples.inputs.items()}
        for array in self.examples.inputs.values():
            release(array)
        return single(inputs), self.examples.targets[rows]

    def _draw(self) -> None:
        n = len(self.examples)
        self._order = np.random.default_rng((self.seed, self.epoch)).permutation(n) if self.shuffle else np.arange(n)


def single(inputs: dict[str, Any]) -> Any:
    """The array of a single input, as a Keras model with one input expects, or else the dictionary."""
    return next(iter(inputs.values())) if len(inputs) == 1 else inputs
