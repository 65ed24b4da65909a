"""Paired bootstrap of score differences, over test examples and seeds.

Each resample draws test examples with replacement, the same ones for all models, and for each model runs with
replacement among its seeds. The two-sided p-value of a difference d is the share of resamples whose difference
departs from d by at least abs(d).

References: Efron & Tibshirani 1993, An introduction to the bootstrap, ch. 16; Koehn 2004,
https://aclanthology.org/W04-3250/; Hesterberg 2015, https://doi.org/10.1080/00031305.2015.1089789
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.experiments.example_outputs import FORMULAS, ExampleOutputs

RESAMPLES = 5_000
_ENTRIES = 4_000_000  # weights of examples, or sums of terms, that are held at a time


def comparable(groups: Sequence[Sequence[ExampleOutputs]]) -> bool:
    """Whether all outputs have the same formula and as many examples."""
    shapes = {(kept.formula, kept.terms.shape) for group in groups for kept in group}
    return len(shapes) == 1


def p_values(
    best: Sequence[ExampleOutputs],
    others: Sequence[Sequence[ExampleOutputs]],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[float]:
    """Two-sided p-values of the differences between mean scores of models and of the best one.

    Args:
        best: Outputs of the runs of the best model, one for each seed.
        others: Outputs of the runs of each other model.
        resamples: Number of resamples.
        seed: Random seed.

    Returns:
        A p-value for each other model, not corrected for their number.
    """
    groups = [best, *others]
    rng = np.random.default_rng(seed)
    scores, observed = _scores(groups, resamples, rng)
    lead, leads = scores[0], observed[0]
    p = []
    for runs, values in zip(scores[1:], observed[1:], strict=True):
        widen = _widening(len(leads), len(values))
        draws = _mean_of_seeds(lead, rng, widen) - _mean_of_seeds(runs, rng, widen)
        difference = float(leads.mean() - values.mean())
        departs = np.abs(draws - difference) >= abs(difference) - 1e-12 * max(1.0, abs(difference))
        p.append((1 + int(departs.sum())) / (1 + resamples))
    return p


def _scores(
    groups: Sequence[Sequence[ExampleOutputs]], resamples: int, rng: np.random.Generator
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Scores of all runs in each resample of examples, `(resamples, runs)`, and of all examples, `(runs,)`."""
    runs = [kept for group in groups for kept in group]
    formula, (count, width) = FORMULAS[runs[0].formula], runs[0].terms.shape
    terms = np.concatenate([kept.terms for kept in runs], axis=1)  # (examples, runs * terms)
    resampled = np.empty((resamples, len(runs)))
    step = max(1, _ENTRIES // max(count, terms.shape[1]))
    for begin in range(0, resamples, step):
        rows = min(step, resamples - begin)
        drawn = rng.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        totals = weights.astype(np.float64) @ terms
        resampled[begin : begin + rows] = formula(totals.reshape(rows, len(runs), width))
    observed = formula(terms.sum(axis=0).reshape(len(runs), width))
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return np.split(resampled, ends, axis=1), np.split(observed, ends)


def _mean_of_seeds(scores: FloatArray, rng: np.random.Generator, widen: float) -> FloatArray:
    """Mean score of runs drawn with replacement in each resample, `(resamples,)`.

    Args:
        scores: Scores of the runs in each resample of examples, `(resamples, runs)`.
        rng: Random generator.
        widen: Factor of the departures that the draw of runs causes, see `_widening`.
    """
    resamples, count = scores.shape
    mean = np.asarray(scores.mean(axis=1))
    if count == 1:
        return mean
    drawn = np.take_along_axis(scores, rng.integers(count, size=(resamples, count)), axis=1)
    return mean + widen * math.sqrt(count / (count - 1)) * (drawn.mean(axis=1) - mean)


def _widening(first: int, second: int) -> float:
    """Ratio of the quantiles of Student's t and the normal distribution for the seeds of two models.

    A bootstrap of n seeds is too narrow: by √((n-1)/n), and because it does not know that the spread itself was
    estimated from few runs. Hesterberg (2015) corrects both.
    """
    freedom = first + second - 2
    if freedom < 1:
        return 1.0
    from scipy.stats import norm, t

    return float(t.ppf(0.975, freedom) / norm.ppf(0.975))
