"""Heads with an output at every step: a class, several labels, or numbers; with their losses and scores.

A synced task chooses one head and asks it for the outputs of its model, the loss, the scores, and the columns of
predictions. Targets are `(steps, targets)`; those of a class `(steps,)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.layers.losses import MultiLabelCrossentropy, ScaledSquaredError
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.common.columns import class_row, probabilities
from seqtasks.task_types.common.plots import class_report
from seqtasks.task_types.common.scores import class_scores, label_report, label_scores, number_scores

if TYPE_CHECKING:
    from pandas import DataFrame

LOGITS = "logits"  # name of the layer
NONE = "none"  # the answer where no label holds


class StepHead(ABC):
    """Output of a model at every step.

    Args:
        names: Names of the classes, labels or numbers.

    Attributes:
        metric: Score that results are compared by.
        higher_is_better: Whether higher values of it are better.
    """

    metric: str
    higher_is_better: bool = True

    def __init__(self, names: Sequence[str]):
        self.names = list(names)

    def outputs(self, x: Any) -> Any:
        """The outputs of a model, `(batch, time, names)`, from the outputs of an encoder, `(batch, time, units)`."""
        return keras.layers.Dense(len(self.names), dtype="float32", name=LOGITS)(x)

    @abstractmethod
    def loss(self) -> keras.losses.Loss:
        """The loss to minimise; sample weights `(batch, time)` exclude padding."""

    @abstractmethod
    def scores(self, outputs: FloatArray, targets: Any) -> dict[str, float]:
        """Scores of all steps.

        Args:
            outputs: `(steps, names)`.
            targets: Class numbers `(steps,)`, or `(steps, names)`; NaN where a label or number is unknown.
        """

    @abstractmethod
    def terms(self, outputs: FloatArray, targets: Any) -> tuple[list[float], str]:
        """Terms of the primary metric for one series, and the name of their formula, see `ExampleOutputs`.

        Args:
            outputs: `(steps, names)`.
            targets: As for `scores`.
        """

    @abstractmethod
    def report(self, outputs: FloatArray, targets: Any) -> DataFrame:
        """Scores of each class, label or number: a row for each; arguments as those of `scores`."""

    @abstractmethod
    def constant(self, targets: Any) -> FloatArray:
        """The outputs of a model that knows the training targets only, `(names,)`."""

    @abstractmethod
    def answers(self, outputs: FloatArray) -> Any:
        """Converts outputs `(steps, names)` to class numbers `(steps,)`, 0 or 1 of each label, or numbers."""

    @abstractmethod
    def row(self, step: Mapping[str, Any], output: FloatArray, target: Any = None) -> dict[str, Any]:
        """Columns of the prediction of a step.

        Args:
            step: Columns that name the step.
            output: `(names,)`.
            target: The true target of the step; None: it is unknown.
        """


class ClassHead(StepHead):
    """One class at every step: a softmax.

    Example:
        >>> import numpy as np
        >>> ClassHead(["off", "on"]).row({"step": 0}, np.array([0.0, np.log(3)]))
        {'step': 0, 'answer': 'on', 'P(off)': 0.25, 'P(on)': 0.75}
    """

    metric = "accuracy"

    def loss(self) -> keras.losses.Loss:
        # Keras's default reduction divides by the number of all positions, padding included.
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")

    def scores(self, outputs: FloatArray, targets: Any) -> dict[str, float]:
        return class_scores(outputs, targets)

    def terms(self, outputs: FloatArray, targets: Any) -> tuple[list[float], str]:
        return [float((self.answers(outputs) == targets).sum()), float(len(targets))], "mean"

    def report(self, outputs: FloatArray, targets: Any) -> DataFrame:
        return class_report(*([self.names[n] for n in numbers] for numbers in (targets, self.answers(outputs))))

    def constant(self, targets: Any) -> FloatArray:
        shares = np.bincount(targets, minlength=len(self.names)) / len(targets)
        return np.asarray(np.log(np.maximum(shares, 1e-12)))

    def answers(self, outputs: FloatArray) -> Any:
        return outputs.argmax(axis=-1)

    def row(self, step: Mapping[str, Any], output: FloatArray, target: Any = None) -> dict[str, Any]:
        true = None if target is None else {"true": "" if target < 0 else self.names[int(target)]}
        return class_row(step, self.names, np.exp(log_softmax(output)), true)


class LabelsHead(StepHead):
    """Several labels at every step, of which any number may hold: a sigmoid for each.

    Example:
        >>> import numpy as np
        >>> LabelsHead(["pump", "valve"]).row({"step": 0}, np.array([0.0, np.log(3)]), np.array([0.0, np.nan]))
        {'step': 0, 'answer': 'valve', 'P(pump)': 0.5, 'P(valve)': 0.75, 'true pump': 0, 'true valve': None}
    """

    metric = "macro_f1"

    def loss(self) -> keras.losses.Loss:
        return MultiLabelCrossentropy()

    def scores(self, outputs: FloatArray, targets: Any) -> dict[str, float]:
        return label_scores(outputs, targets)

    def terms(self, outputs: FloatArray, targets: Any) -> tuple[list[float], str]:
        known = ~np.isnan(targets)
        predicted, true = (outputs > 0) & known, np.nan_to_num(targets) > 0.5
        counts = np.stack([(predicted & true).sum(axis=0), predicted.sum(axis=0), true.sum(axis=0)], axis=-1)
        return counts.astype(float).ravel().tolist(), "macro_f1"

    def report(self, outputs: FloatArray, targets: Any) -> DataFrame:
        return label_report(outputs, targets, self.names)

    def constant(self, targets: Any) -> FloatArray:
        shares = np.clip(np.nanmean(targets, axis=0), 1e-6, 1 - 1e-6)
        return np.asarray(np.log(shares / (1 - shares)))

    def answers(self, outputs: FloatArray) -> Any:
        return (outputs > 0).astype(np.float64)

    def row(self, step: Mapping[str, Any], output: FloatArray, target: Any = None) -> dict[str, Any]:
        active = [name for name, logit in zip(self.names, output, strict=True) if logit > 0]
        p = 1 / (1 + np.exp(-np.asarray(output, np.float64)))
        true = {} if target is None else {
            f"true {name}": None if np.isnan(value) else int(value)
            for name, value in zip(self.names, target, strict=True)
        }  # fmt: skip
        return {**step, "answer": ", ".join(active) or NONE, **probabilities(self.names, p), **true}


class NumbersHead(StepHead):
    """One or several numbers at every step, in original units.

    With one number the score of a run is `rmse`, of which lower is better; of several numbers, whose units may differ,
    it is the mean of their `r2`.

    Args:
        names: Names of the numbers.
        mean: Mean of each in training.
        sd: Standard deviation of each in training.

    Example:
        >>> import numpy as np
        >>> NumbersHead(["level"], [10.0], [2.0]).row({"step": 0}, np.array([9.5]), np.array([9.0]))
        {'step': 0, 'level': 9.5, 'true level': 9.0}
    """

    def __init__(self, names: Sequence[str], mean: Sequence[float], sd: Sequence[float]):
        super().__init__(names)
        self.mean, self.sd = list(mean), list(sd)
        self.metric, self.higher_is_better = ("rmse", False) if len(self.names) == 1 else ("r2", True)

    def outputs(self, x: Any) -> Any:
        return keras.layers.Rescaling(self.sd, self.mean, dtype="float32", name="numbers")(super().outputs(x))

    def loss(self) -> keras.losses.Loss:
        return ScaledSquaredError([sd**2 for sd in self.sd])

    def scores(self, outputs: FloatArray, targets: Any) -> dict[str, float]:
        table = self.report(outputs, targets)
        return {str(name): float(values.mean()) for name, values in table.items() if name != "steps"}

    def terms(self, outputs: FloatArray, targets: Any) -> tuple[list[float], str]:
        known = ~np.isnan(targets)
        errors = np.where(known, outputs - np.nan_to_num(targets), 0.0)
        # Less the mean of training, which changes nothing: the squares of large numbers would lose their last digits.
        away = np.where(known, np.nan_to_num(targets) - np.array(self.mean), 0.0)
        sums = [(errors**2).sum(axis=0), away.sum(axis=0), (away**2).sum(axis=0), known.sum(axis=0)]
        if self.metric == "rmse":
            return [float(sums[0][0]), float(sums[3][0])], "root_mean"
        return np.stack(sums, axis=-1).astype(float).ravel().tolist(), "r2"

    def report(self, outputs: FloatArray, targets: Any) -> DataFrame:
        import pandas as pd

        rows = []
        for predicted, true in zip(outputs.T, np.asarray(targets, np.float64).T, strict=True):
            known = ~np.isnan(true)
            scores = (
                number_scores(predicted[known], true[known])
                if known.any()
                else dict.fromkeys(("rmse", "mae", "r2"), 0.0)
            )
            rows.append({**scores, "steps": int(known.sum())})
        return pd.DataFrame(rows, index=pd.Index(self.names, name="number"))

    def constant(self, targets: Any) -> FloatArray:
        return np.asarray(np.nanmean(targets, axis=0))

    def answers(self, outputs: FloatArray) -> Any:
        return outputs

    def row(self, step: Mapping[str, Any], output: FloatArray, target: Any = None) -> dict[str, Any]:
        row = {**step, **{name: float(f"{value:.6g}") for name, value in zip(self.names, output, strict=True)}}
        if target is not None:
            row |= {f"true {name}": None if np.isnan(value) else float(f"{value:.6g}")
                    for name, value in zip(self.names, target, strict=True)}  # fmt: skip
        return row
