"""Units that follow a property: chosen on one half, measured on the other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from seqtasks.views.units import correlations, following

RNG = np.random.default_rng(0)


def test_correlations_are_those_of_scipy():
    values, target = RNG.normal(size=(50, 4)), RNG.normal(size=50)
    values[:, 3] = 2.0
    expected = [stats.pearsonr(column, target).statistic for column in values.T[:3]]
    np.testing.assert_allclose(correlations(values, target), [*expected, 0])


def test_the_unit_is_chosen_on_the_first_half_only():
    target = RNG.normal(size=400)
    values = RNG.normal(size=(400, 3))
    values[:200, 0] = target[:200]  # follows in the first half only
    values[200:, 1] = target[200:]
    (row,) = following(values, {"x": target})
    assert row.unit == 0 and row.chosen == pytest.approx(1) and abs(row.correlation) < 0.3
    (row,) = following(values, {"x": target}, units=np.array([1, 2]))
    assert row.unit in (1, 2)


def test_undefined_steps_are_left_out_and_rare_properties_too():
    target = np.where(np.arange(400) % 2, 1.0, 0.0)
    target[::7] = np.nan
    rare = (np.arange(400) == 5).astype(float)
    values = np.stack([np.nan_to_num(target, nan=50.0), RNG.normal(size=400)], axis=1)
    rows = following(values, {"x": target, "rare": rare, "constant": np.ones(400), "unknown": np.full(400, np.nan)})
    assert [(row.property, row.unit) for row in rows] == [("x", 0)]
    assert rows[0].correlation == pytest.approx(1)


def test_what_the_symbol_alone_gives():
    symbols = RNG.integers(0, 5, size=2000)
    given = (symbols == 2).astype(float)
    clock = np.arange(2000) % 10.0
    values = np.stack([given, clock + RNG.normal(size=2000)], axis=1)
    rows = {row.property: row for row in following(values, {"given": given, "clock": clock}, symbols)}
    assert rows["given"].by_symbol == pytest.approx(1) and rows["given"].partial == pytest.approx(0)
    assert abs(rows["clock"].by_symbol) < 0.15 and rows["clock"].partial > 0.9
    assert following(values, {"clock": clock})[0].by_symbol is None
