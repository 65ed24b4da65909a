"""Heads of each step: scores against scikit-learn, constants, columns of predictions."""

import keras
import numpy as np
import pytest
from sklearn import metrics

from seqtasks.task_types.common.scores import label_report, label_scores
from seqtasks.task_types.common.step_heads import ClassHead, LabelsHead, NumbersHead

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(200, 3))
LABELS = (LOGITS + RNG.normal(0, 1, (200, 3)) > 0.3).astype(float)


def test_scores_of_labels_are_those_of_scikit_learn():
    scores = label_scores(LOGITS, LABELS)
    predicted = LOGITS > 0
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(LABELS, predicted, average="macro"))
    assert scores["micro_f1"] == pytest.approx(metrics.f1_score(LABELS, predicted, average="micro"))
    assert scores["map"] == pytest.approx(metrics.average_precision_score(LABELS, LOGITS, average="macro"))
    assert scores["exact"] == pytest.approx(metrics.accuracy_score(LABELS, predicted))
    p = 1 / (1 + np.exp(-LOGITS))
    assert scores["nll"] == pytest.approx(np.mean([metrics.log_loss(LABELS[:, k], p[:, k]) for k in range(3)]))


def test_unknown_labels_are_left_out_of_every_score():
    known = RNG.random(LABELS.shape) < 0.7
    targets = np.where(known, LABELS, np.nan)
    report = label_report(LOGITS, targets, ["a", "b", "c"])
    for k, name in enumerate(report.index):
        true, logits = LABELS[known[:, k], k], LOGITS[known[:, k], k]
        assert report.loc[name, "f1"] == pytest.approx(metrics.f1_score(true, logits > 0))
        assert report.loc[name, "roc_auc"] == pytest.approx(metrics.roc_auc_score(true, logits))
        assert report.loc[name, "support"] == true.sum()
    right = ((LOGITS > 0) == LABELS) | ~known
    assert label_scores(LOGITS, targets)["exact"] == pytest.approx(right[known.any(axis=1)].all(axis=1).mean())


def test_a_label_that_never_holds_has_no_precision_and_no_error():
    scores = label_scores(LOGITS, np.zeros_like(LABELS))
    assert scores["macro_f1"] == scores["map"] == 0 and all(np.isfinite(value) for value in scores.values())
    assert label_report(LOGITS, np.zeros_like(LABELS), list("abc"))["roc_auc"].isna().all()


def test_numbers_have_scores_over_what_is_known():
    predicted, targets = RNG.normal(size=(50, 2)), RNG.normal(size=(50, 2))
    targets[:20, 1] = np.nan
    head = NumbersHead(["flow", "level"], [0, 0], [1, 1])
    report = head.report(predicted, targets)
    assert report.loc["level", "rmse"] == pytest.approx(
        metrics.root_mean_squared_error(targets[20:, 1], predicted[20:, 1])
    )
    assert report.loc["flow", "r2"] == pytest.approx(metrics.r2_score(targets[:, 0], predicted[:, 0]))
    assert report["steps"].tolist() == [50, 30]
    assert head.scores(predicted, targets)["r2"] == pytest.approx(report["r2"].mean())
    assert (head.metric, head.higher_is_better) == ("r2", True)
    assert (NumbersHead(["flow"], [0], [1]).metric, NumbersHead(["flow"], [0], [1]).higher_is_better) == ("rmse", False)


@pytest.mark.parametrize(
    ("head", "targets", "best"),
    [
        (ClassHead(["a", "b"]), np.array([0, 1, 1, 1]), [np.log(0.25), np.log(0.75)]),
        (LabelsHead(["a", "b"]), np.array([[0, 1], [0, np.nan], [1, 1], [0, 0]]), [np.log(1 / 3), np.log(2)]),
        (NumbersHead(["a"], [0], [1]), np.array([[1.0], [np.nan], [5.0]]), [3.0]),
    ],
)
def test_a_constant_is_the_share_or_the_mean_of_known_targets(head, targets, best):
    np.testing.assert_allclose(head.constant(targets), best)


def test_outputs_of_numbers_are_in_their_units():
    head = NumbersHead(["flow", "level"], [100.0, -5.0], [10.0, 2.0])
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, head.outputs(inputs))
    x = RNG.normal(size=(2, 3, 4)).astype("float32")
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(model(x), (x @ kernel + bias) * [10, 2] + [100, -5], rtol=1e-5)


def test_rows_of_predictions_have_the_true_targets_where_they_are_known():
    row = ClassHead(["off", "on"]).row({"step": 3}, np.array([0.0, 2.0]), 0)
    assert list(row) == ["step", "answer", "true", "P(off)", "P(on)"] and (row["answer"], row["true"]) == ("on", "off")
    assert ClassHead(["off", "on"]).row({}, np.array([0.0, 2.0]), -1)["true"] == ""
    assert LabelsHead(["a", "b"]).row({}, np.array([-1.0, -2.0]))["answer"] == "none"
    row = NumbersHead(["flow"], [0], [1]).row({}, np.array([1.23456789]), np.array([np.nan]))
    assert row == {"flow": 1.23457, "true flow": None}
