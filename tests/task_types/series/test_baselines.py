"""Baselines of series: statistics of short and incomplete series, constants, linear models, boosting."""

import numpy as np
import pytest

from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.task_types.common.scores import class_scores, number_scores
from seqtasks.task_types.series import baselines

RNG = np.random.default_rng(0)


def test_statistics_are_those_of_the_values_that_there_are():
    rows = [np.array([[1.0, 7], [3, np.nan], [5, 9]]), np.array([[4.0, np.nan]])]
    series = SeriesSet(Segments.stack(rows), ["x", "y"], statics=np.array([[30], [np.nan]]), static_names=["age"])
    table = baselines.summary(series)
    sd = float(np.std([1, 3, 5]))
    assert table.shape == (2, 2 * len(baselines.STATISTICS) + 2)
    np.testing.assert_allclose(table[0], [3, sd, 1, 5, 1, 5, 2, 2, 8, 1, 7, 9, 7, 9, 1, 2, 3, 30], rtol=1e-6)
    np.testing.assert_allclose(table[1], [4, 0, 4, 4, 4, 4, 0, 0, *[0] * 8, 1, 0])


def test_constants_are_the_most_frequent_class_and_the_mean():
    targets = np.array([1, 1, 0])
    scores = baselines.constant_class(targets, 3, 3, lambda logits: class_scores(logits, targets)).scores
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["nll"] == pytest.approx(-(2 * np.log(2 / 3) + np.log(1 / 3)) / 3)
    numbers = np.array([1.0, 3.0])
    made = baselines.constant_number(numbers, 2, lambda logits: number_scores(logits[:, 0], numbers))
    assert made.scores == {"rmse": 1, "mae": 1, "r2": 0}


@pytest.mark.parametrize("kind", ["ridge", "boosting"])
def test_numbers_are_fitted(kind):
    x = RNG.normal(size=(400, 3))
    y = 100 + 5 * x[:, 0]
    fit = {"ridge": baselines.ridge, "boosting": lambda *a: baselines.boosting(*a[:2], 0, a[2])}[kind]
    made = fit((x[:300], y[:300]), x[300:], lambda logits: number_scores(logits[:, 0], y[300:]))
    assert made.scores["r2"] > 0.95 and made.params > 3


def test_boosting_splits_few_examples_and_knows_of_classes_without_one():
    x = RNG.normal(size=(40, 2))
    y = (x[:, 0] > 0).astype(int) * 2  # of three classes the middle one has no example
    made = baselines.boosting((x, y), x, 3, lambda logits: class_scores(logits, y))
    assert made.scores["accuracy"] > 0.9


def test_minirocket_reads_series_of_unequal_length():
    if reason := baselines.aeon_reason():
        pytest.skip(f"{reason}: pip install 'seqtasks[series-aeon]'")
    rows = [np.sin(np.arange(n) * (0.3 + 0.5 * (n % 2)))[:, None] for n in RNG.integers(20, 40, 60)]
    rows[0][:3] = np.nan
    y = np.array([len(row) % 2 for row in rows])
    segments = Segments.stack(rows)
    made = baselines.minirocket((segments, y), segments, 2, [0.0], lambda logits: class_scores(logits, y))
    assert made.scores["accuracy"] > 0.9 and made.by == "aeon"
    made = baselines.minirocket((segments, y * 3.0), segments, 0, [0.0], lambda out: number_scores(out[:, 0], y * 3.0))
    assert made.scores["r2"] > 0.5


def test_the_nearest_neighbour_by_dynamic_time_warping():
    if reason := baselines.aeon_reason():
        pytest.skip(f"{reason}: pip install 'seqtasks[series-aeon]'")
    late = [np.eye(30)[5 + i] * (1 + i % 2) for i in range(20)]  # one peak, anywhere; its height is the class
    rows = [np.stack([row, 1000 * np.ones(30)], axis=1)[: 25 + i % 5] for i, row in enumerate(late)]
    y = np.arange(20) % 2
    segments, scaling = Segments.stack(rows), Scaling([0.0, 0.0], [1.0, 1000.0], [0.0, 0.0])
    train, test = segments[:10], segments[10:]
    made = baselines.nearest_neighbour((train, y[:10]), test, 2, scaling, lambda logits: class_scores(logits, y[10:]))
    assert made.scores["accuracy"] == 1 and made.scores["nll"] == pytest.approx(-np.log(10 / 11))
    made = baselines.nearest_neighbour(
        (train, y[:10] * 3.0), test, 0, scaling, lambda o: number_scores(o[:, 0], y[10:] * 3.0)
    )
    assert made.scores["rmse"] == 0
