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
    """Batches of a long text for truncated backpropagation through time (BPTT).

    The text is cut into equal contiguous streams. A batch has one window of each of some streams; the next
    batch has the next window of the same streams. It is `(inputs, targets, weights)`:

    - inputs: `tokens`, `(batch, time)`; `reset`, `(batch,)`, true for rows that start from the initial state
      instead of the final state of the window before; and `targets`.
    - targets: the next token of each token, `(batch, time)`, also across the borders of windows.
    - weights: `(batch, time)`, 0 at padded steps and at steps that were scored before, else 1.

    Every token is a target once. The score of a text depends on the number of streams, because each starts
    from the initial state, but not on the number of streams in a batch. Each batch reads only its part of the
    text, which may be a memory-mapped array.

    Args:
        examples: Input `tokens`, `(tokens,)`, and the targets, the same tokens one step later.
        lanes: Number of streams.
        batch_size: Maximum number of streams in a batch. All windows of these streams come before those of
            the next streams.
        window: Number of tokens in a window.
        carry: Whether the state is carried from window to window; false: every row starts from the initial state.
        starts: Sorted indices of examples that start from the initial state, such as the beginnings of
            documents; the window before ends there. None: only the beginnings of streams.
        back: Number of windows in a row. The last window is new; those before it are read again without a
            weight, so that gradients flow back over all of them. The first row of a stream is all new.
        vary: Whether to draw the length of each window around `window` (with a probability of 5 % around half
            of it), as in Merity et al. 2017 (https://arxiv.org/abs/1708.02182); for training.
        seed: Seed of the lengths.

    Raises:
        DataError: The streams are shorter than `back` windows.
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
        self.length = math.ceil(len(examples) / self.lanes)  # of a stream; the last ones may be shorter
        self.window = min(window, self.length)
        if back > 1 and self.length < back * window:
            raise DataError(
                f"{len(examples):,} tokens in {self.lanes} streams are {self.length} per stream; allowed: at least "
                f"{back} windows of {window}; set train.batch_size, options.bptt or options.bptt_windows lower"
            )
        self.seek(0, 0)

    def _draw(self) -> None:
        self._borders = self._draw_borders()
        self._cut_streams: dict[int, IntArray] = {}  # windows of the streams of a batch, if cut at `starts`
        begins, ends = np.array(self._borders[:-1]), np.array(self._borders[1:])
        resets = np.arange(len(begins)) == 0 if self.carry else np.ones(len(begins), bool)
        self._windows_of_all = np.stack(
            [np.maximum(0, begins - (self.back - 1) * self.window), begins, ends, resets], 1
        )
        if self.back > 1:  # all windows of the first row are new
            self._windows_of_all = self._windows_of_all[self.back - 1 :]
            self._windows_of_all[0, [1, 3]] = [0, True]
        firsts = range(0, self.lanes, self.batch_size)
        counts = [max(len(self._windows(stream)) for stream in self._streams(first)) for first in firsts]
        self._ends = np.cumsum(counts)  # number of the batch after the last of each group of streams

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in a whole epoch."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> tuple[Inputs, IntArray, FloatArray]:
        number = self.start + index
        group = int(np.searchsorted(self._ends, number, side="right"))
        window = number - (int(self._ends[group - 1]) if group else 0)
        streams = self._streams(group * self.batch_size)
        size = self._borders[window + 1] - self._borders[window] if self.vary else self.back * self.window
        tokens, targets = np.zeros((len(streams), size), np.int32), np.zeros((len(streams), size), np.int32)
        weights, reset = np.zeros((len(streams), size), np.float32), np.zeros(len(streams), bool)
        for i, stream in enumerate(streams):
            windows = self._windows(stream)
            if window >= len(windows):
                continue
            begin, new, end, is_reset = windows[window]
            offset = stream * self.length
            span = slice(offset + begin, min(offset + end, len(self.examples)))
            count = max(0, span.stop - span.start)
            tokens[i, :count] = self.examples.inputs["tokens"][span]
            targets[i, :count] = self.examples.targets[span]
            weights[i, new - begin : count] = 1
            reset[i] = is_reset
        return {"tokens": tokens, "reset": reset, "targets": targets}, targets, weights

    def streams(self, index: int) -> range:
        """Numbers of the streams of a batch.

        Args:
            index: Number of the batch, from the current start on.
        """
        return self._streams(int(np.searchsorted(self._ends, self.start + index, side="right")) * self.batch_size)

    def _streams(self, first: int) -> range:
        """Numbers of the streams of a batch that begins with a stream."""
        return range(first, min(first + self.batch_size, self.lanes))

    def _windows(self, stream: int) -> IntArray:
        """The windows of a stream, `(windows, 4)`: begin, first new token, end, whether the state is reset."""
        if self.starts is None:
            return self._windows_of_all
        if stream not in self._cut_streams:
            if len(self._cut_streams) >= self.batch_size:
                self._cut_streams.clear()
            self._cut_streams[stream] = self._cut(self.starts, stream)
        return self._cut_streams[stream]

    def _cut(self, starts: IntArray, stream: int) -> IntArray:
        """Cuts a stream into windows that end before each of some examples, see `_windows`."""
        low, high = stream * self.length, (stream + 1) * self.length
        inside = starts[np.searchsorted(starts, low) : np.searchsorted(starts, high)] - low
        edges = np.unique([0, *inside.tolist(), self.length])
        pieces = [np.arange(a, b, self.window) for a, b in pairwise(edges.tolist())]
        begins = np.concatenate(pieces)
        ends = np.append(begins[1:], self.length)
        return np.stack([begins, begins, ends, np.isin(begins, edges)], 1)

    def _draw_borders(self) -> list[int]:
        """Positions in a stream at which windows begin, and its length."""
        if not self.vary:
            return [*range(0, self.length, self.window), self.length]
        rng, borders = np.random.default_rng((self.seed, self.epoch)), [0]
        while borders[-1] < self.length:
            mean = self.window if rng.random() < 0.95 else self.window / 2
            size = max(5, int(rng.normal(mean, 5)))
            # Keras infers a static length if the first two batches have equal lengths.
            borders.append(borders[-1] + size + (len(borders) > 1 and size == borders[-1] - borders[-2]))
        return [*borders[:-1], self.length]


def next_tokens(tokens: IntArray) -> Examples:
    """Examples for language modeling: each token but the last, and the next token as its target.

    Args:
        tokens: Token numbers, `(tokens,)`; the examples are views of it.
    """
    return Examples({"tokens": tokens[:-1]}, tokens[1:])


def document_starts(examples: Examples, vocabulary: Vocabulary, after: Literal["lines", "paragraphs"]) -> IntArray:
    """Indices of the examples that begin a document, for `BPTTBatches`.

    The input of such an example is the last token of the document before; its target is the first token of
    the document.

    Args:
        examples: Examples of a text, see `next_tokens`.
        vocabulary: Vocabulary of the tokens.
        after: End of a document: the end of a line, or the empty lines after a paragraph.
    """
    units = [vocabulary.decode([number]) for number in range(len(vocabulary))]
    line_breaks = np.array([len(unit) - len(unit.rstrip("\n")) for unit in units])
    only_breaks = np.array([unit != "" and not unit.strip("\n") for unit in units])
    starts, last = [], np.zeros(1, bool)
    piece = 1 << 22  # in pieces, because the text may be larger than the memory
    for begin in range(0, len(examples), piece):
        tokens = np.asarray(examples.inputs["tokens"][begin : begin + piece])
        ends = line_breaks[tokens] > 0
        if after == "paragraphs":
            before = np.concatenate([last, ends[:-1]])
            last, ends = ends[-1:], (line_breaks[tokens] > 1) | (before & only_breaks[tokens])
        # A document begins after the last of several empty lines.
        ends &= ~only_breaks[np.asarray(examples.targets[begin : begin + piece])]
        starts.append(begin + np.flatnonzero(ends))
    return np.concatenate(starts)
