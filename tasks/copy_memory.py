"""Copy-memory problem: repeat ten symbols after a long delay.

    Input:   3 7 1 1 8 2 5 4 4 6 · · · … · · : · · · · · · · · · ·
    Target:  · · · · · · · · · · · · · … · · · 3 7 1 1 8 2 5 4 4 6

The input is ten symbols of eight kinds, a delay of `options.length` steps that ends with a start symbol (`:`), and ten
blanks, at which the ten symbols have to be repeated in order. The score is the accuracy over these ten steps; chance
is 1/8.

References: Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; in this form Arjovsky, Shah &
Bengio 2015, https://arxiv.org/abs/1511.06464
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
    """Options of the copy-memory problem."""

    length: int = setting(100, "number of time steps of the delay; the literature uses 100 to 1000", ge=1)
    examples: int = setting(10_000, "number of training examples", ge=1)


@register_task("copy_memory")
class CopyMemory(Task):
    """Copy-memory problem: repeat ten symbols after a long delay."""

    topology = "synced"
    metric = "accuracy"
    causal = True
    builtin = "generated"
    Options = Options
    step_inputs = ("symbols",)

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
        # One-hot vectors, as usual for this problem: there are no trained weights before the recurrent layer.
        x = keras.ops.one_hot(keras.ops.cast(inputs, "int32"), GO + 1)
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
        self.keep_outputs(right.mean(axis=1))
        return {"accuracy": float(right.mean()), "loss": float(loss), "exact": float(right.all(axis=1).mean())}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        steps = self.options.length + 2 * COPIED
        loss = float(COPIED * np.log(SYMBOLS) / steps)
        return {
            "no memory": lambda: Baseline(
                {"accuracy": 1 / SYMBOLS, "loss": loss, "exact": SYMBOLS**-COPIED}, 0, "NumPy"
            )
        }
