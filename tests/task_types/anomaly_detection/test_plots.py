"""The plot of scores: marked stretches are shaded, the threshold is drawn, unjudged scores are not."""

import numpy as np

from seqtasks.task_types.anomaly_detection.plots import score_figure


def test_marked_stretches_and_the_threshold():
    marks = np.array([-1, 0, 1, 1, 0, 1])
    figure = score_figure(np.zeros((6, 2)), np.arange(6.0), marks, 2.5, ["flow", "pressure"], "pump", first=10)
    above, below = figure.axes
    shades = [patch.get_extents().width > 0 for patch in below.patches]
    assert len(shades) == 2 and len(above.patches) == 2 and all(shades)
    scores, threshold = below.lines
    assert np.isnan(scores.get_ydata()[0]) and scores.get_xdata()[0] == 10 and threshold.get_ydata()[0] == 2.5
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["flow", "pressure"]


def test_a_threshold_that_is_not_set_is_not_drawn():
    figure = score_figure(np.zeros((3, 1)), np.ones(3), np.zeros(3), np.inf, ["x"], "pump")
    assert len(figure.axes[1].lines) == 1 and figure.axes[0].get_legend() is None
