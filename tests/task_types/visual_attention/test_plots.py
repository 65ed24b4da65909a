"""Plots of glimpse paths: squares around the locations, in pixels of the image."""

import numpy as np

from seqtasks.task_types.visual_attention.plots import glimpse_paths


def test_a_square_is_drawn_around_each_location():
    images = np.zeros((3, 10, 20), np.uint8)
    locations = np.zeros((3, 2, 2))
    locations[1, 1] = [-1, 1]  # the upper right corner
    figure = glimpse_paths(images, locations, ["a", "b", "c"], 4, columns=2)
    assert len(figure.axes) == 4 and [axes.get_title() for axes in figure.axes] == ["a", "b", "c", ""]
    first, second = figure.axes[1].patches
    # matplotlib puts the centre of the first pixel at 0, so its edge, where the image begins, is at -0.5.
    assert (first.get_xy(), first.get_width()) == ((20 / 2 - 0.5 - 2, 10 / 2 - 0.5 - 2), 4)
    assert second.get_xy() == (20 - 0.5 - 2, -0.5 - 2)
    assert [text.get_text() for text in figure.axes[1].texts] == ["1", "2"]
