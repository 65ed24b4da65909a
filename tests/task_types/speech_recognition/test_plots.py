"""Plots and tables of label sequences."""

import numpy as np
from matplotlib.figure import Figure

from seqtasks.task_types.speech_recognition.plots import by_length, mistakes, posteriors

TRUE, PREDICTED = [(1, 2), (1,), (2, 2)], [(1, 2), (), (2, 1, 2)]


def test_edit_operations_are_counted_and_aligned():
    figure = mistakes(TRUE, PREDICTED, ["one", "two"], "task")
    (axes,) = figure.axes
    assert axes.get_title() == "task: 2 edits to 5 labels"
    shown = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    assert shown == {(0, 1): "1", (1, 0): "1", (1, 1): "1", (2, 2): "3"}  # rows are true, 0 is nothing


def test_scores_of_each_length():
    table = by_length(TRUE, PREDICTED)
    assert table.index.tolist() == [1, 2] and table["strings"].tolist() == [1, 2]
    assert table["error rate"].tolist() == [1, 0.25] and table["exact"].tolist() == [0, 0.5]


def test_probabilities_over_time_are_drawn_without_labels_too():
    log_p = np.log(np.full((5, 3), 1 / 3))
    for true in ((1, 2), ()):
        figure = posteriors(log_p, true, ["one", "two"], 0.03)
        assert isinstance(figure, Figure)
        assert figure.axes[0].get_legend().get_texts()[0].get_text() == "blank"
