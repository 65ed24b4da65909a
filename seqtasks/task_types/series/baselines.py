"""Baselines for series: constants; linear models, boosting on summary statistics; MiniRocket, 1-NN DTW of aeon."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.task_types.base import Baseline

STATISTICS = ("mean", "sd", "min", "max", "first", "last", "slope", "mean absolute change")
Score = Callable[[FloatArray], dict[str, float]]


def summary(series: SeriesSet) -> FloatArray:
    """Summary statistics of each channel over time, the length, and the static covariates.

    Args:
        series: In original units.

    Returns:
        float64 (rows, 8 · channels + 1 + statics): for each channel the `STATISTICS`, of the values that are not
        missing; 0 where there are too few values.
    """
    rows = [
        np.concatenate([*_statistics(series.values.row(i)), [len(series.values.row(i))]]) for i in range(len(series))
    ]
    table = np.array(rows, np.float64)
    if series.statics is not None:
        table = np.concatenate([table, np.nan_to_num(series.statics)], axis=1)
    return table


def _statistics(row: FloatArray) -> list[FloatArray]:
    made: list[FloatArray] = []
    for channel in np.asarray(row, np.float64).T:
        steps = np.flatnonzero(~np.isnan(channel))
        x = channel[steps]
        if not len(x):
            made.append(np.zeros(len(STATISTICS)))
            continue
        centred = steps - steps.mean()
        slope = float(centred @ x / (centred @ centred)) if len(x) > 1 else 0.0
        change = float(np.abs(np.diff(x)).mean()) if len(x) > 1 else 0.0
        made.append(np.array([x.mean(), x.std(), x.min(), x.max(), x[0], x[-1], slope, change]))
    return made


def constant_class(train: Any, count: int, classes: int, score: Score) -> Baseline:
    """The most frequent class, with the frequencies of the classes as probabilities.

    Args:
        train: Class numbers of the training split, (examples,).
        count: Number of test examples.
        classes: Number of classes.
        score: Scores of test logits, (examples, classes).
    """
    shares = np.bincount(train, minlength=classes) / len(train)
    return Baseline(score(np.tile(np.log(np.maximum(shares, 1e-12)), (count, 1))), classes, "NumPy")


def constant_number(train: FloatArray, count: int, score: Score) -> Baseline:
    """The mean of the training targets; arguments as for `constant_class`."""
    return Baseline(score(np.full((count, 1), train.mean())), 1, "NumPy")


def ridge(train: tuple[FloatArray, FloatArray], test: FloatArray, score: Score) -> Baseline:
    """Ridge regression on scaled features; its penalty is chosen on training examples.

    Args:
        train: Features (examples, features) and targets (examples,).
        test: Features of the test split.
        score: Scores of predicted numbers, (examples, 1).
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(*train)
    return Baseline(score(model.predict(test)[:, None]), train[0].shape[1] + 1)


def boosting(train: tuple[FloatArray, Any], test: FloatArray, classes: int, score: Score) -> Baseline:
    """Gradient boosting of trees on features.

    Args:
        train: Features (examples, features), and class numbers or numbers (examples,).
        test: Features of the test split.
        classes: Number of classes; 0: the targets are numbers.
        score: Scores of test logits (examples, classes), or of predicted numbers (examples, 1).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    # The default of 20 examples in a leaf leaves no split where a class has 20 examples.
    leaf = int(np.clip(len(train[1]) // 20, 1, 20))
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    model = kind(min_samples_leaf=leaf, random_state=0).fit(*train)
    nodes = sum(tree.get_n_leaf_nodes() for stage in model._predictors for tree in stage)
    if not classes:
        return Baseline(score(model.predict(test)[:, None]), nodes)
    logits = np.full((len(test), classes), -50.0)
    logits[:, model.classes_] = np.log(np.maximum(model.predict_proba(test), 1e-12))
    return Baseline(score(logits), nodes)


def aeon_reason() -> str | None:
    """Why aeon cannot be used; None: it can."""
    missing = [name for name in ("aeon", "numba") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} not installed" if missing else None


def minirocket(train: tuple[Segments, Any], test: Segments, classes: int, mean: list[float], score: Score) -> Baseline:
    """MiniRocket of aeon: random convolutions of fixed kernels, and a ridge classifier or ridge regression.

    Reference: Dempster et al. 2021, https://arxiv.org/abs/2012.08791

    Args:
        train: Series, and class numbers or numbers (examples,). All series, shorter ones padded with their last value.
        test: Series of the test split.
        classes: Number of classes; 0: the targets are numbers.
        mean: What stands for a missing value at the beginning, (channels,).
        score: As for `boosting`.
    """
    from aeon.transformations.collection.convolution_based import MiniRocket
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = max(9, train[0].shape[1], test.shape[1])  # a kernel has nine steps
    x, unseen = (_equal(part, steps, mean) for part in (train[0], test))
    rocket = MiniRocket(random_state=0).fit(x)
    linear = RidgeClassifierCV(np.logspace(-3, 3, 10)) if classes else RidgeCV(np.logspace(-3, 3, 10))
    model = make_pipeline(StandardScaler(with_mean=False), linear).fit(rocket.transform(x), train[1])
    params = int(np.size(linear.coef_) + np.size(linear.intercept_))
    if not classes:
        return Baseline(score(model.predict(rocket.transform(unseen))[:, None]), params, "aeon")
    from seqtasks.layers.metrics import linear_logits

    return Baseline(score(linear_logits(model, rocket.transform(unseen), classes)), params, "aeon")


def nearest_neighbour(
    train: tuple[Segments, Any], test: Segments, classes: int, scaling: Scaling, score: Score
) -> Baseline:
    """Target of the nearest training series by dynamic time warping (1-NN DTW), as aeon computes it.

    The warping path is free (no window). Channels are scaled by the standard deviation of training, and missing values
    are filled forward. Log-probabilities are those of an error rate of 1 / (number of training series + 1).

    Reference: Bagnall et al. 2017, https://arxiv.org/abs/1602.01711

    Args:
        train: Series, and class numbers or numbers (examples,).
        test: Series of the test split.
        classes: Number of classes; 0: the targets are numbers.
        scaling: Means and standard deviations of the channels.
        score: As for `boosting`.
    """
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
    from aeon.regression.distance_based import KNeighborsTimeSeriesRegressor

    sd = np.asarray(scaling.sd, np.float64)[:, None]
    x, unseen = (
        [_equal(part[i : i + 1], int(part.lengths[i]), list(scaling.mean))[0] / sd for i in range(len(part))]
        for part in (train[0], test)
    )
    kind = KNeighborsTimeSeriesClassifier if classes else KNeighborsTimeSeriesRegressor
    predicted = kind(distance="dtw", n_neighbors=1).fit(x, np.asarray(train[1])).predict(unseen)
    if not classes:
        return Baseline(score(np.asarray(predicted, np.float64)[:, None]), 0, "aeon")
    error = 1 / (len(x) + 1)
    logits = np.full((len(unseen), classes), np.log(error / max(1, classes - 1)))
    logits[np.arange(len(unseen)), predicted.astype(int)] = np.log1p(-error)
    return Baseline(score(logits), 0, "aeon")


def _equal(series: Segments, steps: int, mean: list[float]) -> FloatArray:
    """Series of equal length as aeon reads them, float32 (rows, channels, time)."""
    from seqtasks.data.series.scaling import forward_filled

    padded = series.padded(least=steps, fill=np.nan)[:, :steps]
    filled, _ = forward_filled(padded, mean, np.ones(padded.shape[:2], bool))
    return np.ascontiguousarray(filled.transpose(0, 2, 1), np.float32)
