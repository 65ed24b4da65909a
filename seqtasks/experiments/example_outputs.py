"""Outputs of a model for each test example, stored as `outputs.npz` in the run folder.

The file has the terms that the score of a run is computed from, for each example, so that models can be compared
example by example, see `significance`. This module imports NumPy, but no Keras.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError, DamagedRunError
from seqtasks.core.files import write_atomic

FILE = "outputs.npz"
MOST_BYTES = 2_000_000  # of the file; above it the outputs are left out, then examples are joined to blocks
TOLERANCE = 1e-4  # relative difference of the stored score and the one computed from the terms, which are float32
TOLERANCES = {"roc_auc": 2e-3}  # of formulas whose terms are counts in intervals of the model's output


def _bleu(total: FloatArray) -> FloatArray:
    """BLEU of sacrebleu with its default smoothing, from lengths, matches of 1- to 4-grams, and their numbers."""
    system, reference, matches, counts = total[..., 0], total[..., 1], total[..., 2:6], total[..., 6:10]
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.where(system < reference, np.exp(1 - reference / np.maximum(system, 1)), 1.0)
        halvings = np.cumsum(matches == 0, axis=-1)  # sacrebleu's "exp": 1/2, 1/4, … for orders without a match
        matches = np.where(matches == 0, 0.5**halvings, matches)
        log_precision = np.log(matches / counts).mean(axis=-1)
    valid = (total[..., 2:6].sum(axis=-1) > 0) & (counts > 0).all(axis=-1)
    return np.where(valid, 100 * brevity * np.exp(np.where(valid, log_precision, 0.0)), 0.0)


def _f1(total: FloatArray) -> FloatArray:
    return np.asarray(2 * total[..., 0] / np.maximum(total[..., 1] + total[..., 2], 1e-300))


def _macro_f1(total: FloatArray) -> FloatArray:
    return np.asarray(_f1(total.reshape(*total.shape[:-1], -1, 3)).mean(axis=-1))


def _r2(total: FloatArray) -> FloatArray:
    error, first, second, count = np.moveaxis(total.reshape(*total.shape[:-1], -1, 4), -1, 0)
    around = second - first**2 / np.maximum(count, 1)
    return np.asarray(np.where(around > 0, 1 - error / np.where(around > 0, around, 1), 0.0).mean(axis=-1))


def _chrf(total: FloatArray) -> FloatArray:
    """chrF of sacrebleu (Popović 2015, beta 2) from numbers of character n-grams: output, reference, matches."""
    output, reference, matches = np.moveaxis(total.reshape(*total.shape[:-1], -1, 3), -1, 0)
    used = (output > 0) & (reference > 0)
    count = np.maximum(used.sum(axis=-1), 1)
    precision = np.where(used, matches / np.maximum(output, 1), 0.0).sum(axis=-1) / count
    recall = np.where(used, matches / np.maximum(reference, 1), 0.0).sum(axis=-1) / count
    return np.asarray(100 * 5 * precision * recall / np.maximum(4 * precision + recall, 1e-300))


def _roc_auc(total: FloatArray) -> FloatArray:
    """Area under the ROC curve from numbers of negative and of positive steps in intervals of rising score."""
    negative, positive = np.split(total, 2, axis=-1)
    below = np.cumsum(negative, axis=-1) - negative / 2  # of equal scores one half
    pairs = negative.sum(axis=-1) * positive.sum(axis=-1)
    ordered = (positive * below).sum(axis=-1)
    return np.asarray(np.where(pairs > 0, ordered / np.maximum(pairs, 1), 0.5))


def _mean(total: FloatArray) -> FloatArray:
    return np.asarray(total[..., 0] / np.maximum(total[..., 1], 1e-300))


# Score from the sums of the terms over all examples, (..., terms).
FORMULAS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "mean": _mean,  # sum, number
    "root_mean": lambda total: np.sqrt(_mean(total)),
    "exp_mean": lambda total: np.exp(np.minimum(_mean(total), 700.0)),
    "f1": _f1,  # correct, predicted, true
    "macro_f1": _macro_f1,  # correct, predicted, true of each label
    "r2": _r2,  # squared error, sum of targets, of their squares, number; of each number that is predicted
    "chrf": _chrf,  # character n-grams of the output, of the reference, matches; of each n from 1 to 6
    "roc_auc": _roc_auc,  # negative examples in intervals of the score, then positive ones
    "bleu": _bleu,  # length of the output, of the reference, matches of 1- to 4-grams, numbers of 1- to 4-grams
}


@dataclass(frozen=True)
class ExampleOutputs:
    """Outputs of a model for each test example, and the terms that its score is computed from.

    Attributes:
        terms: `(examples, terms)`; their sums over the examples determine the score.
        formula: Name of the function from these sums to the score: "mean" (of sums and numbers), "root_mean",
            "exp_mean", "f1" (correct, predicted, true), "macro_f1", "r2", "bleu", "chrf" or "roc_auc", see `FORMULAS`.
        outputs: What the model predicted, such as logits, in the order of the examples; None: not kept.

    Example:
        >>> import numpy as np
        >>> kept = ExampleOutputs.of(np.array([True, False, True, True]))
        >>> kept.terms.shape, kept.score
        ((4, 2), 0.75)
    """

    terms: FloatArray
    formula: str = "mean"
    outputs: Any = None

    @classmethod
    def of(cls, terms: Any, formula: str = "mean", outputs: Any = None) -> ExampleOutputs:
        """Makes the outputs of a split.

        Args:
            terms: `(examples, terms)`; or `(examples,)`, one value for each example, which is a sum over 1.
            formula: See `ExampleOutputs`.
            outputs: See `ExampleOutputs`.

        Raises:
            ConfigError: Unknown formula.
        """
        if formula not in FORMULAS:
            raise ConfigError(f"unknown formula {formula!r} of outputs; allowed: {', '.join(FORMULAS)}; name one")
        values = np.asarray(terms, np.float64)
        if values.ndim == 1:
            values = np.stack([values, np.ones_like(values)], axis=-1)
        return cls(values, formula, outputs)

    @property
    def score(self) -> float:
        """The score that the terms determine."""
        return float(FORMULAS[self.formula](self.terms.sum(axis=0, dtype=np.float64)))

    def determines(self, value: float) -> bool:
        """Whether the terms determine a score.

        Args:
            value: Score of the run.
        """
        return bool(np.isclose(self.score, value, rtol=TOLERANCES.get(self.formula, TOLERANCE), atol=1e-9))


def write(kept: ExampleOutputs, folder: Path) -> None:
    """Writes `folder/outputs.npz`, of at most 2 MB.

    Outputs that make it larger are left out; if the terms alone do, neighbouring examples are joined.

    Raises:
        OSError: The folder cannot be written.
    """
    terms, outputs = kept.terms.astype(np.float32), _small(kept.outputs)
    data = _packed(terms, kept.formula, outputs)
    if len(data) > MOST_BYTES:
        data = _packed(terms, kept.formula, None)
    while len(data) > MOST_BYTES:
        terms = np.add.reduceat(terms, np.arange(0, len(terms), 2), axis=0)
        data = _packed(terms, kept.formula, None)
    write_atomic(folder / FILE, lambda path: path.write_bytes(data))


def read(folder: Path) -> ExampleOutputs | None:
    """Loads the outputs of a run folder; None if there are none.

    Raises:
        DamagedRunError: The file is damaged.
    """
    path = folder / FILE
    try:
        with np.load(path) as arrays:
            formula = str(arrays["formula"])
            terms = np.asarray(arrays["terms"], np.float64)
            outputs = arrays.get("outputs")
    except FileNotFoundError:
        return None
    except Exception as error:  # numpy raises errors of several modules for a damaged archive
        reason = " ".join(str(error).split())
        raise DamagedRunError(
            f"cannot read {path}: {reason}; remove it, and write it again with seqtasks evaluate {folder}"
        ) from error
    if formula not in FORMULAS or terms.ndim != 2 or not len(terms):
        raise DamagedRunError(
            f"{path} has the formula {formula!r} and terms of shape {terms.shape}; remove it, and write it again with "
            f"seqtasks evaluate {folder}"
        )
    return ExampleOutputs(terms, formula, outputs)


def _packed(terms: Any, formula: str, outputs: Any) -> bytes:
    arrays: dict[str, Any] = {"terms": terms, "formula": np.array(formula)}
    if outputs is not None:
        arrays["outputs"] = outputs
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _small(outputs: Any) -> Any:
    """Outputs in a small type: half-precision numbers, short integers, or texts."""
    if outputs is None:
        return None
    array = np.asarray(outputs)
    if array.dtype.kind == "f":
        return array.astype(np.float16)
    if array.dtype.kind in "iu" and array.min(initial=0) >= 0:
        return array.astype(np.min_scalar_type(int(array.max(initial=0))))
    return array
