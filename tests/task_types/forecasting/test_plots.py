import numpy as np

from seqtasks.task_types.forecasting.plots import error_by_step, fans
from seqtasks.task_types.forecasting.scores import Forecasts


def test_fans_have_history_median_intervals_and_targets():
    one = Forecasts(np.sort(np.random.default_rng(0).normal(size=(4, 9))), tuple(i / 10 for i in range(1, 10)))
    figure = fans(
        [np.zeros(10), np.ones(12), np.ones(5)], [one] * 3, ["a", "b", "c"], ["x", "y", "x"], [np.zeros(4)] * 3
    )
    shown = [panel for panel in figure.axes if panel.axison]
    assert [panel.get_title() for panel in shown] == ["a", "b", "c"]
    assert [panel.get_ylabel() for panel in shown] == ["x", "y", "x"]
    assert len(shown[0].collections) == 4 and len(shown[0].lines) == 3
    assert shown[0].lines[1].get_xdata().tolist() == [1, 2, 3, 4]
    assert len(fans([np.zeros(10)], [one], ["a"], ["x"]).axes[0].lines) == 2


def test_error_and_coverage_of_each_step():
    quantiles = np.tile([-1.0, 0.0, 1.0], (2, 3, 1, 1))
    targets = np.array([[0.5, 2.0, np.nan], [-0.5, 0.0, 4.0]])[..., None]
    figure = error_by_step(Forecasts(quantiles, (0.1, 0.5, 0.9)), targets, np.full((2, 1), 2.0))
    errors, covered = ([bar.get_height() for bar in axes.patches] for axes in figure.axes)
    np.testing.assert_allclose(errors, [0.25, 0.5, 2.0])
    np.testing.assert_allclose(covered, [100, 50, 0])
