"""Contiguous streams of a long text for truncated backpropagation through time."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import DataError
from seqtasks.data.batches import ResumableBatches
from seqtasks.data.splits import Examples
from seqtasks.data.text.vocabulary import Vocabulary

Inputs = dict[str, np.ndarray]


class BPTTBatches(ResumableBatches):
    """Windows of lanes for `keras.Model.fit`, `evaluate` and `predict`; reads no more of the text than a batch.

    The text is cut into equal lanes. A batch holds one window of some of them: inputs
    `tokens` (rows, window), `reset` (rows,), which is true where the row starts afresh, and
    `targets`; targets (rows, window), the tokens that follow, across borders of windows; and
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
        starts: examples whose row starts afresh, rising; the window before ends there.
        back: windows in a row: the last one is new, and those before it are read again
            without being scored, so that gradients flow back over all of them; at the
            beginning of a lane all are new.
        vary: with each window, draw its length around the given one (half of that once in
            twenty times), as Merity et al. 2017 (arXiv:1708.02182); for training.
        seed: of the lengths.

    Raises:
        DataError: the lanes are shorter than `back` windows.
    """

    def __init__(
        self,
        examples: Examples,
        lanes: int,
        batch_size: int,
        window: int,
        carry: bool = True,
        starts: IntArray | None = None,
        back: int = 1,
        vary: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.examples = examples
        self.lanes = min(lanes, len(examples))
        self.batch_size = min(batch_size, self.lanes)
        self.carry = carry
        self.starts = starts
        self.back = back
        self.vary = vary
        self.seed = seed
        self.length = math.ceil(len(examples) / self.lanes)  # of a lane; the last ones may be shorter
        self.window = min(window, self.length)
        if back > 1 and self.length < back * window:
            raise DataError(
                f"{len(examples):,} tokens in {self.lanes} lanes are {self.length} a lane, fewer than {back} windows "
                f"of {window}; set train.batch_size, options.bptt or options.bptt_windows lower"
            )
        self.seek(0, 0)

    def _draw(self) -> None:
        self._borders = self._draw_borders()
        self._known: dict[int, IntArray] = {}  # the windows of the lanes of a batch
        news, ends = np.array(self._borders[:-1]), np.array(self._borders[1:])
        fresh = np.arange(len(news)) == 0 if self.carry else np.ones(len(news), bool)
        self._same = np.stack([np.maximum(0, news - (self.back - 1) * self.window), news, ends, fresh], 1)
        if self.back > 1:  # the first batch scores all of its windows
            self._same = self._same[self.back - 1 :]
            self._same[0, [1, 3]] = [0, True]
        firsts = range(0, self.lanes, self.batch_size)
        turns = [max(len(self._windows(row)) for row in self._rows(first)) for first in firsts]
        self._ends = np.cumsum(turns)  # the number of the batch after each group of lanes

    @property
    def batches_per_epoch(self) -> int:
        """Batches in a whole epoch."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> tuple[Inputs, IntArray, FloatArray]:
        number = self.start + index
        group = int(np.searchsorted(self._ends, number, side="right"))
        turn = number - (int(self._ends[group - 1]) if group else 0)
        rows = self._rows(group * self.batch_size)
        size = self._borders[turn + 1] - self._borders[turn] if self.vary else self.back * self.window
        tokens, targets = np.zeros((len(rows), size), np.int32), np.zeros((len(rows), size), np.int32)
        weights, reset = np.zeros((len(rows), size), np.float32), np.zeros(len(rows), bool)
        for i, row in enumerate(rows):
            windows = self._windows(row)
            if turn >= len(windows):
                continue
            begin, new, end, fresh = windows[turn]
            at = row * self.length
            here = slice(at + begin, min(at + end, len(self.examples)))
            count = max(0, here.stop - here.start)
            tokens[i, :count] = self.examples.inputs["tokens"][here]
            targets[i, :count] = self.examples.targets[here]
            weights[i, new - begin : count] = 1
            reset[i] = fresh
        return {"tokens": tokens, "reset": reset, "targets": targets}, targets, weights

    def _rows(self, first: int) -> range:
        """The lanes of a batch from the first on."""
        return range(first, min(first + self.batch_size, self.lanes))

    def _windows(self, row: int) -> IntArray:
        """The windows of a lane, (windows, 4): begin, first new token, end, whether it starts afresh."""
        if self.starts is None:
            return self._same
        if row not in self._known:
            if len(self._known) >= self.batch_size:
                self._known.clear()
            self._known[row] = self._cut(self.starts, row)
        return self._known[row]

    def _cut(self, starts: IntArray, row: int) -> IntArray:
        low, high = row * self.length, (row + 1) * self.length
        inside = starts[np.searchsorted(starts, low) : np.searchsorted(starts, high)] - low
        edges = np.unique([0, *inside.tolist(), self.length])
        pieces = [np.arange(a, b, self.window) for a, b in pairwise(edges.tolist())]
        begins = np.concatenate(pieces)
        ends = np.append(begins[1:], self.length)
        return np.stack([begins, begins, ends, np.isin(begins, edges)], 1)

    def _draw_borders(self) -> list[int]:
        """Where the windows of all lanes begin, and their end."""
        if not self.vary:
            return [*range(0, self.length, self.window), self.length]
        rng, borders = np.random.default_rng((self.seed, self.epoch)), [0]
        while borders[-1] < self.length:
            mean = self.window if rng.random() < 0.95 else self.window / 2
            size = max(5, int(rng.normal(mean, 5)))
            # Keras takes a length for fixed that the first two batches share.
            borders.append(borders[-1] + size + (len(borders) > 1 and size == borders[-1] - borders[-2]))
        return [*borders[:-1], self.length]


def next_tokens(tokens: IntArray) -> Examples:
    """Each token but the last, and what follows it: views of `tokens`."""
    return Examples({"tokens": tokens[:-1]}, tokens[1:])


def document_starts(examples: Examples, vocabulary: Vocabulary, after: Literal["lines", "paragraphs"]) -> IntArray:
    """The examples that begin a document: their input is the last token of the document before.

    Args:
        examples: of a text.
        vocabulary: of its tokens.
        after: a document ends with each line, or with empty lines after it.
    """
    shown = [vocabulary.decode([number]) for number in range(len(vocabulary))]
    breaks = np.array([len(text) - len(text.rstrip("\n")) for text in shown])
    only = np.array([text != "" and not text.strip("\n") for text in shown])
    starts, last = [], np.zeros(1, bool)
    piece = 1 << 22  # the text may be larger than the memory
    for begin in range(0, len(examples), piece):
        tokens = np.asarray(examples.inputs["tokens"][begin : begin + piece])
        ends = breaks[tokens] > 0
        if after == "paragraphs":
            before = np.concatenate([last, ends[:-1]])
            last, ends = ends[-1:], (breaks[tokens] > 1) | (before & only[tokens])
        ends &= ~only[np.asarray(examples.targets[begin : begin + piece])]  # more empty lines may follow
        starts.append(begin + np.flatnonzero(ends))
    return np.concatenate(starts)
