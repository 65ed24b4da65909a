"""Plots of series with the targets of their steps."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from seqtasks.task_types.common.scores import label_report
from seqtasks.task_types.series_labeling import plots

RNG = np.random.default_rng(0)


def shown(true, predicted):
    return plots.Shown(RNG.normal(size=(len(true), 2)), np.array(true), np.array(predicted), "pump 1")


def drawn(figure):
    figure.savefig(io.BytesIO(), format="png")
    return figure


def test_bands_of_labels_say_what_was_right_wrong_and_missed():
    true = [[1.0, 0.0], [1.0, 0.0], [0.0, np.nan], [0.0, 1.0]]
    predicted = [[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    figure = drawn(plots.example_steps([shown(true, predicted)] * 2, ["x", "y"], ["pump", "valve"], False))
    panel = figure.axes[1]
    image = np.asarray(panel.images[0].get_array())
    assert image.shape[:2] == (4, 4)
    colours = {"T": plots.TRUE, "R": plots.RIGHT, "W": plots.WRONG, "M": plots.MISSED, ".": "white"}
    for band, text in zip(image, ["TT..", "RMW.", "...T", "..TR"], strict=True):
        np.testing.assert_allclose(band, [to_rgb(colours[letter]) for letter in text])
    assert [text.get_text() for text in panel.get_yticklabels()] == [
        "pump, true",
        "predicted",
        "valve, true",
        "predicted",
    ]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["holds", "predicted, right", "predicted, wrong", "missed"]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["x", "y"]


def test_bands_of_classes_have_the_colours_of_the_legend_and_unknown_steps_are_white():
    figure = drawn(plots.example_steps([shown([0, 2, -1], [0, 1, 1])], ["x", "y"], ["a", "b", "c"], False))
    image = np.asarray(figure.axes[1].images[0].get_array())
    colours = [patch.get_facecolor() for patch in figure.legends[0].get_patches()]
    np.testing.assert_allclose(image[1], [colours[0], colours[1], colours[1]])
    np.testing.assert_allclose(image[0], [colours[0], colours[2], [1, 1, 1, 1]])


def test_numbers_are_lines():
    figure = drawn(plots.example_steps([shown([[1.0], [2.0]], [[1.5], [2.5]])], ["x", "y"], ["level"], True))
    lines = figure.axes[1].lines
    assert [line.get_label() for line in lines] == ["level, true", "level, predicted"]
    np.testing.assert_array_equal(lines[1].get_ydata(), [1.5, 2.5])


def test_bars_have_the_scores_of_the_report():
    logits, labels = RNG.normal(size=(50, 2)), RNG.integers(0, 2, (50, 2)).astype(float)
    report = label_report(logits, labels, ["pump", "valve"])
    figure = drawn(plots.label_bars(report, "states"))
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx([*report["precision"], *report["recall"], *report["f1"]])
