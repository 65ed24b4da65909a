"""Terms of detection scores for blocks of steps, by which tables compare models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.series.marked import ANOMALY, NORMAL
from seqtasks.data.series.segments import Segments
from seqtasks.task_types.anomaly_detection.scoring import is_marked, runs, touching

BLOCKS = 200  # number of blocks of all series together, about
LEAST_STEPS = 50  # minimum number of steps of a block
INTERVALS = 256  # number of intervals that the scores are counted in


def detection_terms(
    scores: list[FloatArray], marks: Segments, threshold: float, metric: str
) -> tuple[FloatArray, str] | None:
    """Computes the terms of a score of `detection_scores` for blocks of steps.

    Steps that follow each other depend on each other, so that the bootstrap draws them together (Künsch 1989,
    https://doi.org/10.1214/aos/1176347265): in blocks of a series of 50 steps or more that cut no event.

    Args:
        scores: Of each series, (time,).
        marks: Of each series, (time,).
        threshold: Steps with a higher score are anomalies.
        metric: Name of the score.

    Returns:
        The terms, (blocks, terms), and the name of their formula, see
        `seqtasks.experiments.example_outputs.ExampleOutputs`; None for a metric that sums over blocks do not determine.

    Example:
        >>> marks = Segments.stack([[-1, 0, 0, 1, 1, 0, 0, 0]], "int8")
        >>> scores = [np.array([9.0, 0.0, 0.0, 2.0, 0.5, 0.0, 2.0, 0.0])]
        >>> detection_terms(scores, marks, 1.0, "event_f1")[0].tolist()  # correct, alarms, events
        [[1.0, 2.0, 1.0]]
    """
    rows = [np.asarray(marks.row(i)) for i in range(len(scores))]
    blocks = [(i, begin, end) for i, row in enumerate(rows) for begin, end in _blocks(row, sum(map(len, rows)))]
    if metric == "false_alarms":
        normal = [(scores[i][a:b][rows[i][a:b] == NORMAL]) for i, a, b in blocks]
        return np.array([[1000.0 * (part > threshold).sum(), len(part)] for part in normal]), "mean"
    if metric == "roc_auc" and is_marked(marks):
        flat, labels = np.concatenate(scores), np.concatenate(rows)
        shares = np.linspace(0, 1, INTERVALS // 2)
        edges = np.sort(np.concatenate([np.quantile(flat[labels == label], shares) for label in (NORMAL, ANOMALY)]))
        counted = []
        for i, a, b in blocks:
            interval = np.searchsorted(edges, scores[i][a:b], side="left")
            parts = (interval[rows[i][a:b] == label] for label in (NORMAL, ANOMALY))
            counted.append(np.concatenate([np.bincount(part, minlength=len(edges) + 1) for part in parts]))
        return np.array(counted, np.float64), "roc_auc"
    if metric == "event_f1":
        return np.array([_events(scores[i], rows[i], a, b, threshold) for i, a, b in blocks], np.float64), "f1"
    return None


def _events(scores: FloatArray, marks: IntArray, begin: int, end: int, threshold: float) -> tuple[int, int, int]:
    """Events that were found in a block, those and false alarms that begin in it, and its events."""
    alarms, true = (scores > threshold) & (marks >= NORMAL), marks == ANOMALY
    correct = touching(true[begin:end], alarms[begin:end])
    first, after = runs(alarms)
    inside = (first >= begin) & (first < end)
    false = sum(not true[a:b].any() for a, b in zip(first[inside], after[inside], strict=True))
    return correct, correct + false, len(runs(true[begin:end])[0])


def _blocks(marks: IntArray, total: int) -> Iterator[tuple[int, int]]:
    """First step of each block of a series, and the step after its last.

    Args:
        marks: Marks of the series, (time,).
        total: Number of steps of all series.
    """
    size, begin = max(LEAST_STEPS, -(-total // BLOCKS)), 0
    while begin < len(marks):
        end = begin + size
        while end < len(marks) and marks[end] == marks[end - 1] == ANOMALY:
            end += 1
        end = len(marks) if len(marks) - end < LEAST_STEPS else end  # no short block at the end
        yield begin, min(end, len(marks))
        begin = end
