"""The paired bootstrap, against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from seqtasks.experiments import bootstrap
from seqtasks.experiments.example_outputs import ExampleOutputs


def runs(values: np.ndarray, formula: str = "mean") -> list[ExampleOutputs]:
    """Outputs of runs from `(runs, examples)`."""
    return [ExampleOutputs.of(row, formula) for row in values]


def pair(rng: np.random.Generator, count: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Errors of two models on the same examples, which are correlated."""
    shared = rng.normal(size=count)
    return shared + 0.5 * rng.normal(size=count), shared + shift + 0.5 * rng.normal(size=count)


@pytest.mark.parametrize("shift", [0.01, 0.04, 0.08])
def test_p_of_single_runs_is_that_of_the_paired_normal_test(shift: float) -> None:
    first, second = pair(np.random.default_rng(1), 800, shift)
    (p,) = bootstrap.p_values(runs(first[None]), [runs(second[None])])
    difference = first - second
    z = abs(difference.mean()) / (difference.std() / np.sqrt(len(difference)))
    assert p == pytest.approx(2 * stats.norm.sf(z), abs=0.02)
    # Unpaired, the same difference is far from significant: the pairing counts.
    assert stats.ttest_ind(first, second).pvalue > p


def test_the_draws_of_examples_are_those_of_scipy() -> None:
    """The standard error of a ratio of sums equals that of `scipy.stats.bootstrap`."""
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 30, size=(2, 300))
    terms = np.stack([rng.binomial(counts, 0.8), counts], axis=-1).astype(float)
    kept = [[ExampleOutputs.of(one)] for one in terms]
    scores, observed = bootstrap._scores(kept, 4000, np.random.default_rng(3))
    oracle = stats.bootstrap(
        (np.arange(300),),
        lambda rows, axis=-1: terms[0][rows, 0].sum(axis=-1) / terms[0][rows, 1].sum(axis=-1),
        n_resamples=4000,
        vectorized=True,
        random_state=np.random.default_rng(4),  # `rng` in SciPy 1.15 and newer
    )
    assert observed[0][0] == pytest.approx(terms[0, :, 0].sum() / terms[0, :, 1].sum())
    assert scores[0].std() == pytest.approx(oracle.standard_error, rel=0.05)


def test_seeds_widen_the_draws_as_theory_says() -> None:
    """Variance of a mean of n runs: s²/n of the seeds plus that of the examples."""
    rng = np.random.default_rng(5)
    effects = rng.normal(scale=0.1, size=6)
    values = effects[:, None] + rng.normal(size=400)  # the same examples in all runs
    scores, _ = bootstrap._scores([runs(values)], 20_000, rng)
    draws = bootstrap._mean_of_seeds(scores[0], rng, widen=1.0)
    expected = effects.var(ddof=1) / 6 + values.mean(axis=0).var() / 400
    assert draws.var() == pytest.approx(expected, rel=0.05)
    assert bootstrap._widening(3, 3) == pytest.approx(stats.t.ppf(0.975, 4) / stats.norm.ppf(0.975))
    assert bootstrap._widening(1, 1) == 1.0


def test_equal_models_are_rarely_told_apart() -> None:
    """The rate of false alarms at 0.05, with three seeds each, where the seeds differ as much as the examples."""
    rng, alarms, trials = np.random.default_rng(6), 0, 120
    for trial in range(trials):
        shared = rng.normal(size=100)
        values = shared + rng.normal(scale=0.1, size=(6, 1)) + 0.3 * rng.normal(size=(6, 100))
        (p,) = bootstrap.p_values(runs(values[:3]), [runs(values[3:])], resamples=500, seed=trial)
        alarms += p < 0.05
    assert alarms / trials < 0.1


def test_the_same_outputs_cannot_be_told_apart_and_others_can() -> None:
    rng = np.random.default_rng(7)
    right = rng.random(500) < 0.9
    same, worse = runs(right[None]), runs((right & (rng.random(500) < 0.8))[None])
    p = bootstrap.p_values(runs(right[None]), [same, worse])
    assert p[0] == 1.0 and p[1] == pytest.approx(1 / (1 + bootstrap.RESAMPLES))
    assert p == bootstrap.p_values(runs(right[None]), [same, worse])


def test_outputs_of_different_examples_are_not_comparable() -> None:
    one, other = runs(np.ones((1, 5))), runs(np.ones((1, 6)))
    assert bootstrap.comparable([one, one]) and not bootstrap.comparable([one, other])
    assert not bootstrap.comparable([one, runs(np.ones((1, 5)), "root_mean")])
