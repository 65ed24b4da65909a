"""Contiguous lanes of a long text: row i of a batch continues row i of the batch before."""

from __future__ import annotations

import math

import keras
import numpy as np

from seqtasks.data.splits import Examples

Inputs = dict[str, np.ndarray]


class Lanes(keras.utils.PyDataset):
    """Windows of lanes for `keras.Model.fit`, `evaluate` and `predict`; reads no more of the text than a batch.

    The text is cut into equal lanes. A batch holds one window of some of them: inputs
    `tokens` (rows, window) and `reset` (rows,), which is true where the row starts
    afresh; targets (rows, window), the tokens that follow, across borders of windows; and
    weights (rows, window), zero at the padding of the last window.

    Every token is a target once. The score of a text depends on how many lanes it is cut
    into, as each starts without a past, but not on how many of them a batch holds.

    Args:
        examples: `tokens`, and the targets, which are the same one step later.
        lanes: of the text.
        batch_size: the most lanes in a batch. All windows of some lanes come before those
            of the next.
        window: tokens of a row.
        carry: false starts every window afresh.
        vary: with each window, draw its length around the given one (half of that once in
            twenty times), as Merity et al. 2017 (arXiv:1708.02182); for training.
        seed: of the lengths.
    """

    def __init__(
        self,
        examples: Examples,
        lanes: int,
        batch_size: int,
        window: int,
        carry: bool = True,
        vary: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.examples = examples
        self.lanes = min(lanes, len(examples))
        self.batch_size = min(batch_size, self.lanes)
        self.carry = carry
        self.vary = vary
        self.seed = seed
        self.length = math.ceil(len(examples) / self.lanes)  # of a lane; the last ones may be shorter
        self.window = min(window, self.length)
        self.seek(0, 0)

    def seek(self, epoch: int, batch: int) -> None:
        """Goes to a batch of an epoch; the rest of that epoch then counts as one epoch."""
        self.epoch, self.start, self._begun = epoch, batch, False
        self._borders = self._draw_borders()

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch."""
        return math.ceil(self.lanes / self.batch_size) * (len(self._borders) - 1)

    def __len__(self) -> int:
        return self.batches_per_epoch - self.start

    def __getitem__(self, index: int) -> tuple[Inputs, np.ndarray, np.ndarray]:
        group, turn = divmod(self.start + index, len(self._borders) - 1)
        begin, end = self._borders[turn : turn + 2]
        first = group * self.batch_size
        rows = np.arange(first, min(first + self.batch_size, self.lanes))
        shape = (len(rows), self.window if not self.vary else end - begin)
        tokens, targets = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        weights = np.zeros(shape, np.float32)
        for i, row in enumerate(rows):
            at = row * self.length + begin
            here = slice(at, min(row * self.length + end, len(self.examples)))
            count = max(0, here.stop - at)
            tokens[i, :count] = self.examples.inputs["tokens"][here]
            targets[i, :count] = self.examples.targets[here]
            weights[i, :count] = 1
        reset = np.full(len(rows), turn == 0 or not self.carry)
        return {"tokens": tokens, "reset": reset}, targets, weights

    def on_epoch_begin(self) -> None:
        self._begun = True

    def on_epoch_end(self) -> None:
        if self._begun:  # Keras also calls this before the first epoch of a fit, to reset its iterator
            self.seek(self.epoch + 1, 0)

    def _draw_borders(self) -> list[int]:
        """Where the windows of a lane begin, and its end."""
        if not self.vary:
            return [*range(0, self.length, self.window), self.length]
        rng, borders = np.random.default_rng((self.seed, self.epoch)), [0]
        while borders[-1] < self.length:
            mean = self.window if rng.random() < 0.95 else self.window / 2
            borders.append(borders[-1] + max(5, int(rng.normal(mean, 5))))
        return [*borders[:-1], self.length]


def next_tokens(tokens: np.ndarray) -> Examples:
    """Each token but the last, and what follows it: views of `tokens`."""
    return Examples({"tokens": tokens[:-1]}, tokens[1:])
