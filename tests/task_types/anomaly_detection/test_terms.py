"""Terms of blocks: their sums determine the scores, and no event is cut."""

from __future__ import annotations

import numpy as np
import pytest

from seqtasks.data.series.segments import Segments
from seqtasks.experiments import bootstrap
from seqtasks.experiments.example_outputs import ExampleOutputs
from seqtasks.task_types.anomaly_detection.scoring import detection_scores
from seqtasks.task_types.anomaly_detection.terms import _blocks, detection_terms


def series(noise: float, seed: int = 0, marked: bool = True) -> tuple[list[np.ndarray], Segments]:
    """Scores and marks of two series, in which marked steps have scores that are larger by 2 on average."""
    rng = np.random.default_rng(0)
    marks = []
    for length in (3000, 1300):
        row = np.zeros(length, "int8")
        row[:30] = -1
        for begin in rng.integers(40, length - 60, size=length // 150) if marked else ():
            row[begin : begin + rng.integers(1, 60)] = 1
        marks.append(row)
    drawn = np.random.default_rng(seed)
    return [2.0 * (row == 1) + noise * drawn.normal(size=len(row)) for row in marks], Segments.stack(marks, "int8")


@pytest.mark.parametrize("metric", ["roc_auc", "event_f1", "false_alarms"])
@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_the_sums_determine_the_score(metric: str, noise: float) -> None:
    scores, marks = series(noise)
    terms = detection_terms(scores, marks, 2.5, metric)
    assert terms is not None
    expected = detection_scores(scores, marks, 2.5)[metric]
    kept = ExampleOutputs.of(*terms)
    assert kept.determines(expected)
    if metric != "roc_auc":  # counted in intervals of the score
        assert kept.score == pytest.approx(expected, rel=1e-12)


def test_without_marks_false_alarms_are_counted() -> None:
    scores, marks = series(1.0, marked=False)
    kept = ExampleOutputs.of(*detection_terms(scores, marks, 1.5, "false_alarms"))  # type: ignore[misc]
    assert kept.determines(detection_scores(scores, marks, 1.5)["false_alarms"])


def test_other_metrics_have_no_terms() -> None:
    scores, marks = series(1.0)
    assert detection_terms(scores, marks, 1.5, "pr_auc") is None
    unmarked = Segments.stack([np.zeros(9, "int8")], "int8")
    assert detection_terms([np.zeros(9)], unmarked, 1.5, "roc_auc") is None


def test_blocks_cover_a_series_and_cut_no_event() -> None:
    marks = np.zeros(1000, "int8")
    marks[45:160] = 1
    marks[990:] = 1
    blocks = list(_blocks(marks, 1000))
    assert [begin for begin, _ in blocks] == [0, *(end for _, end in blocks[:-1])] and blocks[-1][1] == 1000
    assert blocks[0] == (0, 160) and all(end - begin >= 50 for begin, end in blocks)
    assert list(_blocks(np.zeros(20, "int8"), 20)) == [(0, 20)]


def test_the_bootstrap_tells_a_better_model_from_a_worse_one_only() -> None:
    kept = []
    for noise, seed in ((1.0, 1), (1.0, 2), (3.0, 3)):
        scores, marks = series(noise, seed)
        kept.append(ExampleOutputs.of(*detection_terms(scores, marks, 2.5, "roc_auc")))  # type: ignore[misc]
    same, worse = bootstrap.p_values([kept[0]], [[kept[1]], [kept[2]]], resamples=500)
    assert same > 0.05 > worse
