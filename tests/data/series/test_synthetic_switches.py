"""The built-in switches: labels follow the last command, and the best score is that of the exact probabilities."""

import numpy as np

from seqtasks.data.series.synthetic_switches import NOISE, RATE, best, switches
from seqtasks.task_types.common.scores import label_scores

PART = switches("builtin:switches").parts["test"]


def test_labels_change_where_commands_are():
    x, y = PART.series.values.steps, PART.targets.steps
    starts = np.zeros(len(x), bool)
    starts[PART.targets.begins] = True
    on = np.diff(y, axis=0, prepend=0) > 0
    assert abs(x[on & ~starts[:, None]].mean() - 1) < 0.05  # a command of 1 in noise
    steady = (np.diff(y, axis=0, prepend=0) == 0) & ~starts[:, None]
    assert abs(x[steady].mean()) < 0.05 and NOISE < x[steady].std() < NOISE + RATE


def test_the_best_score_is_far_above_what_a_step_shows():
    p = np.concatenate([best(PART.series.values.row(i)) for i in range(len(PART.series))])
    logits = np.log(p / (1 - p))
    assert 0.91 < label_scores(logits, PART.targets.steps)["macro_f1"] < 0.94
    for q in (0.1, 0.9):  # they are probabilities
        near = abs(p - q) < 0.1
        assert abs(PART.targets.steps[near].mean() - p[near].mean()) < 0.02
    assert label_scores(PART.series.values.steps - 0.5, PART.targets.steps)["macro_f1"] < 0.4


def test_equal_calls_give_equal_data():
    again = switches("builtin:switches")
    np.testing.assert_array_equal(again.parts["test"].series.values.steps, PART.series.values.steps)
