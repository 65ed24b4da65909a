"""Confidence intervals of scores of few test examples."""

from __future__ import annotations

from typing import Any

import pytest

from seqtasks.experiments import uncertainty
from tests.experiments.test_results import make


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),  # prop.test(hits, count, correct = FALSE) of R
    [(15, 30, 0.3315, 0.6685), (12, 12, 0.7575, 1.0), (0, 10, 0.0, 0.2775), (296, 299, 0.9709, 0.9966)],
)
def test_wilson_interval(hits: int, count: int, low: float, high: float) -> None:
    assert uncertainty.wilson(hits / count, count) == pytest.approx((low, high), abs=1e-4)


def test_the_interval_contains_the_fraction() -> None:
    for count in (1, 2, 7, 500):
        for hits in range(count + 1):
            low, high = uncertainty.wilson(hits / count, count)
            assert 0 <= low <= hits / count <= high <= 1


@pytest.mark.parametrize(
    ("changes", "has_interval"),
    [
        ({}, True),
        ({"topology": "one-to-one"}, True),
        ({"metric": "exact", "topology": "one-to-many"}, True),
        ({"topology": "synced"}, False),  # counts steps, which are not independent
        ({"metric": "span_f1"}, False),
        ({"value": 98.0}, False),
        ({"test_examples": None}, False),
    ],
)
def test_only_fractions_of_examples_have_an_interval(changes: dict[str, Any], has_interval: bool) -> None:
    row = make(**{"test_examples": 12, **changes})
    assert (uncertainty.interval(row) is not None) == has_interval
    assert (uncertainty.deviation(row) > 0) == has_interval
