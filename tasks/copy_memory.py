"""The copy-memory problem: repeat ten symbols after a long wait, synced.

    seen    3 7 1 1 8 2 5 4 4 6 · · · … · · : · · · · · · · · ·
    wanted  · · · · · · · · · · · · · … · · · 3 7 1 1 8 2 5 4 4 6

Ten symbols of eight kinds, `options.length` blanks, a sign to begin (`:`), and then the
ten symbols have to be given back in order. The score is the accuracy over those ten;
guessing reaches 1/8. (Hochreiter & Schmidhuber 1997; in this form Arjovsky, Shah & Bengio
2015, arXiv:1511.06464.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqtasks import Baseline, Examples, Source, Splits, Task, register_task, setting
from seqtasks.layers import Encoder

SYMBOLS, COPIED = 8, 10
BLANK, GO = 0, SYMBOLS + 1


@dataclass(frozen=True)
class Options:
    """The size of the problem."""

    length: int = setting(100, "number of time steps of the delay; the literature uses 100 to 1000", ge=1)
    examples: int = setting(10_000, "number of training examples", ge=1)


@register_task("copy_memory")
class CopyMemory(Task):
    """Ten symbols repeated after a long wait."""

    topology = "synced"
    metric = "accuracy"
    causal = True
    builtin = "generated"
    Options = Options

    def load(self, source: Source, seed: int) -> Splits:
        counts = {"train": self.options.examples, "validation": 500, "test": 500}
        return Splits.generate(self._draw, counts, str(source), [self.options.length])

    def _draw(self, rng: np.random.Generator, count: int) -> Examples:
        symbols = rng.integers(1, SYMBOLS + 1, size=(count, COPIED))
        x = np.full((count, self.options.length + 2 * COPIED), BLANK, np.uint8)
        y = x.copy()
        x[:, :COPIED], y[:, -COPIED:] = symbols, symbols
        x[:, -COPIED - 1] = GO
        return Examples({"symbols": x}, y)

    def build_model(self, encoder: Encoder) -> keras.Model:
        inputs = keras.Input((self.options.length + 2 * COPIED,), name="symbols", dtype="uint8")
        # One-hot vectors, as usual for this problem: nothing is learnt before the recurrence.
        x = keras.layers.CategoryEncoding(GO + 1, output_mode="one_hot")(inputs)
        outputs, _ = encoder(x)
        logits = keras.layers.Dense(GO, dtype="float32", name="logits")(outputs)
        return keras.Model(inputs, logits, name=self.name)

    def metrics(self) -> list[Any]:
        def accuracy(targets: Any, logits: Any) -> Any:
            right = keras.metrics.sparse_categorical_accuracy(targets, logits)
            return keras.ops.mean(right[:, -COPIED:], axis=-1)

        return [keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")]

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        logits, targets = self.predict_logits(model, batches), batches.examples.targets.astype(np.int64)
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True))
        right = logits.argmax(axis=-1)[:, -COPIED:] == targets[:, -COPIED:]
        return {"accuracy": float(right.mean()), "loss": float(loss), "exact": float(right.all(axis=1).mean())}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        steps = self.options.length + 2 * COPIED
        loss = float(COPIED * np.log(SYMBOLS) / steps)
        return {
            "no memory": lambda: Baseline(
                {"accuracy": 1 / SYMBOLS, "loss": loss, "exact": SYMBOLS**-COPIED}, 0, "NumPy"
            )
        }
