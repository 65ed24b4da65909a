"""Shapes of benchmark models: their sizes and random data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from seqtasks.core.settings import setting

if TYPE_CHECKING:
    import numpy as np

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}

# Lengths in words of IMDB's training reviews, cut at 1,000 words: medians of twelve parts of equal size.
REVIEWS = (72, 122, 144, 159, 176, 196, 222, 258, 307, 379, 494, 760)


@dataclass(frozen=True)
class Shape:
    """Sizes of a model of recurrent layers and of its batches.

    Example:
        >>> shape = Shape(units=64, batch=8, time=20, features=16)
        >>> x, y, lengths = shape.batches()[0]
        >>> x.shape, y.shape
        ((8, 20, 16), (8,))
    """

    cell: Literal["lstm", "gru", "simple_rnn"] = setting("lstm", "recurrent cell that Keras and PyTorch also have")
    units: int = setting(128, "number of hidden units of each recurrent layer", ge=1)
    layers: int = setting(1, "number of recurrent layers", ge=1)
    bidirectional: bool = setting(False, "read the sequence in both directions")
    batch: int = setting(32, "number of sequences of a batch", ge=1)
    time: int = setting(64, "number of time steps", ge=1)
    features: int = setting(128, "number of input features", ge=1)
    vocabulary: int = setting(0, "vocabulary size of an embedding below the first layer; 0: numeric input", ge=0)
    outputs: int = setting(10, "number of classes of the output layer", ge=1)
    sequences: bool = setting(False, "predict at each time step instead of once for each sequence")
    lengths: tuple[int, ...] = setting(
        (), "typical number of time steps in each of several batches that make up a step, in place of time"
    )

    def batches(self, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Random batches of one training step.

        Returns:
            For each batch: inputs, (batch, time) tokens or (batch, time, features); targets, (batch,) or
            (batch, time); and lengths, (batch,), or None if no sequence is padded.
        """
        import numpy as np  # completion of shell commands reads the shapes, but makes no data

        rng = np.random.default_rng(seed)
        batches = []
        for middle in self.lengths or (self.time,):
            lengths, longest = None, middle
            if self.lengths:  # lengths that differ by up to 15 %: about 6 % of padding, as with bucketing
                drawn = np.maximum(1, middle * rng.uniform(0.9, 1.05, self.batch)).astype("int64")
                lengths = np.sort(drawn)[::-1].copy()
                longest = int(lengths[0])
            if self.vocabulary:
                x = rng.integers(1, self.vocabulary, (self.batch, longest)).astype("int32")
                if lengths is not None:
                    x[np.arange(longest) >= lengths[:, None]] = 0
            else:
                x = rng.normal(size=(self.batch, longest, self.features)).astype("float32")
            y = rng.integers(self.outputs, size=x.shape[:2] if self.sequences else self.batch).astype("int32")
            batches.append((x, y, lengths))
        return batches

    def flops(self) -> float:
        """Floating-point operations of the matrix products of a step, without padding."""
        steps = float(sum(self.lengths) or self.time) * self.batch
        directions = 2 if self.bidirectional else 1
        total, width = 0.0, self.features
        for layer in range(self.layers):
            backward = 2 if layer or self.vocabulary else 1  # numeric inputs of the model need no gradient
            gates = 2.0 * GATES[self.cell] * self.units
            total += directions * steps * gates * (width * (1 + backward) + self.units * 3)
            width = directions * self.units
        answers = steps if self.sequences else self.batch * max(1, len(self.lengths))
        return total + 3 * answers * 2.0 * width * self.outputs

    def of(self, **changes: Any) -> Shape:
        """A copy of the shape with some fields changed."""
        return dataclasses.replace(self, **changes)


SHAPES = {
    "mnist": Shape(batch=128, time=28, features=28, units=128),
    "char": Shape(batch=64, time=64, features=256, units=256, layers=2, outputs=65, sequences=True, vocabulary=65),
    "imdb": Shape(batch=32, time=256, features=128, units=64, outputs=2, vocabulary=10_000),
    "imdb_lengths": Shape(batch=32, features=128, units=64, outputs=2, vocabulary=10_000, lengths=REVIEWS),
    "ptb": Shape(
        batch=20, time=35, features=650, units=650, layers=2, outputs=10_000, sequences=True, vocabulary=10_000
    ),
}
