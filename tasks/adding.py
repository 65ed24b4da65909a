"""Adding problem: the sum of two marked numbers in a long sequence.

Each step has a number from 0 to 1 and a mark; one number of the first half and one of the second half are marked:

    0.32  0.85  0.11  0.64  0.90  0.27  0.43  0.71
      ·     ×     ·     ·     ·     ·     ×     ·     →  0.85 + 0.43 = 1.28

The constant prediction 1 has a mean squared error of 1/6. To do better, a network has to store a number for
`options.length / 2` steps on average (Hochreiter & Schmidhuber 1997,
https://doi.org/10.1162/neco.1997.9.8.1735; in this form Le, Jaitly & Hinton 2015, https://arxiv.org/abs/1504.00941).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqtasks import Baseline, Examples, Source, Splits, Task, register_task, setting
from seqtasks.layers import Encoder


@dataclass(frozen=True)
class Options:
    """Options of the adding problem."""

    length: int = setting(100, "number of time steps; the literature uses 100 to 1000", ge=2)
    examples: int = setting(10_000, "number of training examples", ge=1)


@register_task("adding")
class Adding(Task):
    """Adding problem: the sum of two marked numbers in a long sequence."""

    topology = "many-to-one"
    metric = "mse"
    higher_is_better = False
    builtin = "generated"
    Options = Options
    step_inputs = ("steps",)

    def load(self, source: Source, seed: int) -> Splits:
        counts = {"train": self.options.examples, "validation": 1000, "test": 1000}
        return Splits.generate(self._draw, counts, str(source), [self.options.length])

    def _draw(self, rng: np.random.Generator, count: int) -> Examples:
        length, half = self.options.length, self.options.length // 2
        x = np.zeros((count, length, 2), np.float32)
        x[..., 0] = rng.uniform(size=(count, length))
        rows = np.arange(count)
        x[rows, rng.integers(half, size=count), 1] = 1
        x[rows, rng.integers(half, length, size=count), 1] = 1
        return Examples({"steps": x}, (x[..., 0] * x[..., 1]).sum(axis=1))

    def build_model(self, encoder: Encoder) -> keras.Model:
        inputs = keras.Input((self.options.length, 2), name="steps")
        last, _ = encoder(inputs, return_sequences=False)
        return keras.Model(inputs, keras.layers.Dense(1, dtype="float32", name="sum")(last), name=self.name)

    def loss(self) -> Any:
        return keras.losses.MeanSquaredError()

    def metrics(self) -> list[Any]:
        return [keras.metrics.MeanSquaredError(name="mse")]

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        predicted = self.predict_logits(model, batches)[:, 0]
        errors = np.abs(predicted - batches.examples.targets)
        self.keep_outputs(errors**2, outputs=predicted)
        return {"mse": float(np.mean(errors**2)), "within_0.04": float(np.mean(errors < 0.04))}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        def mean() -> Baseline:
            errors = splits.test.targets - splits.train.targets.mean()
            return Baseline(
                {"mse": float(np.mean(errors**2)), "within_0.04": float(np.mean(np.abs(errors) < 0.04))}, 1, "NumPy"
            )

        return {"the mean": mean}
