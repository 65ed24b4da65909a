"""Anomaly scores of series, the threshold, and how well scores agree with marked steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import BoolArray, FloatArray, IntArray
from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.marked import ANOMALY, NORMAL
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples
from seqtasks.layers.calibration import NEVER
from seqtasks.task_types.anomaly_detection.batches import ends_first, scaled_values, windows
from seqtasks.task_types.anomaly_detection.model import with_states

CHUNK = 512  # steps that are read in one call
ROWS = 64  # series, or windows, of one call
LEAST_SCALE = 1e-3  # of the scaled values: an output without any error in validation does not divide by zero


@dataclass(frozen=True)
class Errors:
    """Differences between scaled values and those that a model expects, for some steps.

    Attributes:
        steps: Number of the step among all steps of all series, (n,).
        values: Differences, (n, outputs of the slice); NaN where a value is missing.
        outputs: Which outputs of the model they are.
    """

    steps: IntArray
    values: FloatArray
    outputs: slice


ErrorSource = Callable[[Examples], Iterator[Errors]]


class PredictionErrors:
    """Errors of predicted next steps, chunk by chunk with carried states: the same as of whole series at once.

    Args:
        model: Of `prediction_model`; later changes of its weights count.
        inputs: Makes the arrays.
        horizon: Number of next steps that are predicted at each step.
        chunk: Steps that are read in one call.
    """

    def __init__(self, model: keras.Model, inputs: Inputs, horizon: int, chunk: int = CHUNK):
        self.model, self.shapes = with_states(model)
        self.initial = model.get_layer("encoder").initial_state
        self.inputs, self.horizon, self.chunk = inputs, horizon, chunk

    def __call__(self, examples: Examples) -> Iterator[Errors]:
        lengths = np.asarray(examples.inputs["steps"].lengths)
        starts, order = np.cumsum(lengths) - lengths, np.argsort(-lengths, kind="stable")
        for begin in range(0, len(order), ROWS):
            rows = order[begin : begin + ROWS]
            yield from self._errors(examples.take(rows), starts[rows], lengths[rows])

    def _errors(self, examples: Examples, starts: IntArray, lengths: IntArray) -> Iterator[Errors]:
        longest = int(lengths.max())
        chunk = min(self.chunk, longest)
        padded = -(-longest // chunk) * chunk  # one shape of all calls
        arrays = self.inputs.arrays(examples.inputs, padded)
        values = scaled_values(examples.inputs["steps"], self.inputs, padded)
        channels = values.shape[2]
        states = [np.array(state) for layer in self.initial(len(lengths)) for state in layer]
        for begin in range(0, padded, chunk):
            part = [arrays[tensor.name][:, begin : begin + chunk] for tensor in self.model.inputs[: len(arrays)]]
            made = self.model.predict_on_batch([*part, *states])
            predicted, states = np.asarray(made[0]), [np.asarray(state) for state in made[1:]]
            for ahead in range(self.horizon):
                first = begin + ahead + 1
                true = values[:, first : first + chunk]
                here = first + np.arange(true.shape[1])
                valid = here[None] < lengths[:, None]
                outputs = slice(ahead * channels, (ahead + 1) * channels)
                differences = true - predicted[:, : true.shape[1], outputs]
                yield Errors((starts[:, None] + here[None])[valid], differences[valid], outputs)


class RebuildingErrors:
    """Errors of rebuilt windows that overlap by half; a step has those of every window around it.

    Args:
        model: Of `rebuilding_model`.
        inputs: Makes the arrays.
        size: Steps of a window.
    """

    def __init__(self, model: keras.Model, inputs: Inputs, size: int):
        self.model, self.inputs, self.size = model, inputs, size

    def __call__(self, examples: Examples) -> Iterator[Errors]:
        steps: Segments = examples.inputs["steps"]
        starts = np.cumsum(steps.lengths) - steps.lengths
        rows, begins = windows(steps.lengths, self.size, max(1, self.size // 2))
        lengths = np.minimum(self.size, steps.lengths[rows])
        names = [tensor.name for tensor in self.model.inputs]
        for first in range(0, len(rows), ROWS):
            part = slice(first, first + ROWS)
            inputs = {
                name: Segments(array.steps, array.begins[rows[part]] + begins[part], lengths[part])
                for name, array in examples.inputs.items()
            }
            arrays = self.inputs.arrays(inputs, self.size)
            values = scaled_values(inputs["steps"], self.inputs, self.size)
            rebuilt = np.asarray(self.model.predict_on_batch([arrays[name] for name in names]))
            differences = values - ends_first(rebuilt, lengths[part])
            here = begins[part, None] + np.arange(self.size)[None]
            valid = np.arange(self.size)[None] < lengths[part, None]
            yield Errors((starts[rows[part]][:, None] + here)[valid], differences[valid], slice(0, values.shape[2]))


def normal_scale(errors: ErrorSource, examples: Examples, outputs: int) -> FloatArray:
    """Root mean square of the errors of each output (outputs,), over judged normal steps."""
    normal = _flat(examples.targets) == NORMAL
    squares, counts = np.zeros(outputs), np.zeros(outputs)
    for part in errors(examples):
        chosen = part.values[normal[part.steps]].astype(np.float64)
        squares[part.outputs] += np.nansum(chosen**2, axis=0)
        counts[part.outputs] += (~np.isnan(chosen)).sum(axis=0)
    size = np.sqrt(squares / np.maximum(counts, 1))
    return np.where(counts > 0, np.maximum(size, LEAST_SCALE), 1.0)


def step_scores(errors: ErrorSource, examples: Examples, scale: FloatArray, smooth: int) -> list[FloatArray]:
    """The anomaly score of each step of each series (time,): root mean square of all scaled errors of a step.

    Args:
        errors: Of a model.
        examples: Series.
        scale: Of `normal_scale`, (outputs,): a score of 1 is normal on average.
        smooth: Number of steps, this one and those before it, whose scores are averaged.
    """
    lengths = np.asarray(examples.inputs["steps"].lengths)
    squares, counts = np.zeros(int(lengths.sum())), np.zeros(int(lengths.sum()))
    for part in errors(examples):
        scaled = part.values / scale[part.outputs]
        np.add.at(squares, part.steps, np.nansum(scaled**2, axis=1))
        np.add.at(counts, part.steps, (~np.isnan(scaled)).sum(axis=1))
    scores = np.sqrt(squares / np.maximum(counts, 1))
    return [trailing_mean(row, smooth) for row in np.split(scores, np.cumsum(lengths)[:-1])]


def trailing_mean(values: FloatArray, size: int) -> FloatArray:
    """Mean of each value (time,) and those before it, `size` together; of fewer at the beginning.

    Example:
        >>> trailing_mean(np.array([2.0, 4.0, 6.0]), 2).tolist()
        [2.0, 3.0, 5.0]
    """
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - size, 0)
    return np.asarray((sums[ends] - sums[begins]) / (ends - begins))


def threshold_of(scores: list[FloatArray], marks: Segments, quantile: float) -> float:
    """The quantile of the scores of judged normal steps."""
    judged = np.concatenate(scores)[_flat(marks) == NORMAL]
    return float(np.quantile(judged, quantile)) if len(judged) else NEVER


def runs(flags: BoolArray) -> tuple[IntArray, IntArray]:
    """First step of each stretch of true flags (time,), and the step after its last.

    Example:
        >>> begins, ends = runs(np.array([False, True, True, False, True]))
        >>> begins.tolist(), ends.tolist()
        ([1, 4], [3, 5])
    """
    changes = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)


def detection_scores(scores: list[FloatArray], marks: Segments, threshold: float) -> dict[str, float]:
    """How well scores agree with marked steps; steps that are not judged count nowhere.

    - `false_alarms`: normal steps above the threshold, for each 1,000 normal steps.
    - `roc_auc`, `pr_auc` (average precision): of the scores of single steps; they need no threshold.
    - `event_f1`: 2·TP / (2·TP + FP + FN). An event is a stretch of consecutive marked steps. TP: events in which one
      step at least is above the threshold; FN: the other events; FP: stretches of consecutive steps above the
      threshold that touch no event.
    - `peak_distance`: steps between the highest score and the nearest marked step of its series; 0: it is marked.
      Where its series has none: the steps of the series.

    Args:
        scores: Of each series, (time,).
        marks: Of each series, (time,).
        threshold: Steps with a higher score are anomalies.

    Returns:
        All of them; only `false_alarms` and `alarms`, the number of stretches above the threshold, where no step that
        is judged is marked.

    Example:
        >>> marks = Segments.stack([[-1, 0, 0, 1, 1, 0, 0, 0]], "int8")
        >>> scores = [np.array([9.0, 0.0, 0.0, 2.0, 0.5, 0.0, 2.0, 0.0])]
        >>> measured = detection_scores(scores, marks, threshold=1.0)
        >>> round(measured["event_f1"], 3), round(measured["roc_auc"], 3), measured["false_alarms"]
        (0.667, 0.85, 200.0)
    """
    flat, labels = np.concatenate(scores), _flat(marks)
    normal, marked = labels == NORMAL, labels == ANOMALY
    alarms = [(row > threshold) & (marks.row(i) >= NORMAL) for i, row in enumerate(scores)]
    stretches = sum(len(runs(row)[0]) for row in alarms)
    false = 1000 * float((flat[normal] > threshold).mean()) if normal.any() else 0.0
    if not is_marked(marks):
        return {"false_alarms": false, "alarms": float(stretches)}
    from sklearn.metrics import average_precision_score, roc_auc_score  # takes a second to import

    judged = normal | marked
    events = hits = wrong = 0
    for i, flags in enumerate(alarms):
        true = np.asarray(marks.row(i) == ANOMALY)
        events += len(runs(true)[0])
        hits += touching(true, flags)
        wrong += len(runs(flags)[0]) - touching(flags, true)
    return {
        "roc_auc": float(roc_auc_score(marked[judged], flat[judged])),
        "pr_auc": float(average_precision_score(marked[judged], flat[judged])),
        "event_f1": 2 * hits / (2 * hits + wrong + events - hits),
        "event_recall": hits / events,
        "false_alarms": false,
        "peak_distance": _peak_distance(scores, marks),
    }


def is_marked(marks: Segments) -> bool:
    """Whether some judged steps are marked and some are normal."""
    labels = _flat(marks)
    return bool((labels == ANOMALY).any() and (labels == NORMAL).any())


def touching(stretches: BoolArray, flags: BoolArray) -> int:
    """How many stretches of true flags have a step where others are true."""
    begins, ends = runs(stretches)
    total = np.concatenate([[0], np.cumsum(flags)])
    return int((total[ends] > total[begins]).sum())


def _peak_distance(scores: list[FloatArray], marks: Segments) -> float:
    judged = [np.where(marks.row(i) >= NORMAL, row, -np.inf) for i, row in enumerate(scores)]
    series = int(np.argmax([row.max() for row in judged]))
    true = np.flatnonzero(marks.row(series) == ANOMALY)
    if not len(true):
        return float(len(judged[series]))
    return float(np.abs(true - int(np.argmax(judged[series]))).min())


def _flat(marks: Segments) -> Any:
    """The marks of all series, one after the other."""
    return np.concatenate([marks.row(i) for i in range(len(marks))])
