"""Plots of series: a panel for each, titles by whether the answer is right, a shade for each step."""

import numpy as np

from seqtasks.task_types.common import style
from seqtasks.task_types.series.plots import example_series, predicted_against_true


def test_each_series_has_a_panel_with_lines_title_and_shades():
    series = [np.ones((5, 2)), np.zeros((3, 2)), np.ones((4, 2)), np.ones((2, 2))]
    weights = [np.ones_like(values) for values in series]
    figure = example_series(series, list("abcd"), [True, False, None, True], weights, ["x", "y"])
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [panel.get_title() for panel in panels] == list("abcd")
    assert [panel.title.get_color() for panel in panels] == [style.RIGHT, style.WRONG, "black", style.RIGHT]
    assert all(len(panel.lines) == 2 for panel in panels)
    assert [panel.images[0].get_array().shape for panel in panels] == [(1, len(values)) for values in series]
    assert [text.get_text() for text in panels[0].get_legend().get_texts()] == ["x", "y"]
    assert not example_series(series[:1], ["a"], [None]).axes[0].images


def test_a_point_for_each_example():
    figure = predicted_against_true(np.array([1.0, 2.0]), np.array([1.5, 5.0]), "numbers")
    points = figure.axes[0].collections[0].get_offsets()
    assert np.asarray(points).tolist() == [[1.5, 1.0], [5.0, 2.0]] and figure.axes[0].get_title() == "numbers"
