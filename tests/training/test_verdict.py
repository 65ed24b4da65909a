"""What is told of a result that cannot be trusted."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.splits import Examples
from seqtasks.experiments import results
from seqtasks.training import verdict

from ..experiments.test_results import make


def task(unpredicted=()):
    return SimpleNamespace(name="some_task", unpredicted=list(unpredicted))


def test_too_few_updates():
    assert verdict.of_training(task(), 500, 1000) == []
    (line,) = verdict.of_training(task(), 499, 1000)
    assert line.startswith("trained for 499 weight updates, fewer than the 1,000 of train.min_updates: raise")


def test_labels_that_are_never_predicted():
    (line,) = verdict.of_training(task("abcde"), 9, 1)
    assert line == "labels of the test split that the model never predicts: 'a', 'b', 'c' and 2 more"


def test_a_classifier_notices_labels_that_it_never_predicts(monkeypatch):
    made = plugins.load_task("mnist_rows")(spec={"classes": ["zero", "one", "two"]})
    monkeypatch.setattr(made, "predict_logits", lambda model, batches: np.eye(3)[[0, 0, 1]])
    made.score(None, ArrayBatches(Examples({"x": np.zeros(3)}, np.array([0, 2, 1])), 3))
    assert made.unpredicted == ["two"]


def baseline(value, cell="simple", **changes):
    return make(kind="baseline", cell=cell, value=value, **changes)


@pytest.mark.parametrize(
    ("value", "up", "other", "expected"),
    [
        (0.90, True, 0.95, "is worse than that of the baseline simple, 0.9500: try more epochs"),
        (0.96, True, 0.95, None),
        (0.951, True, 0.95, "is hardly better than that of the baseline simple"),
        (0.1666, False, 0.1667, "is hardly better than that of the baseline simple"),
        (0.20, False, 0.1667, "is worse than that of the baseline simple, 0.1667"),
        (0.01, False, 0.1667, None),
        (20.0, True, 8.0, None),
    ],
)
def test_a_score_beside_its_baseline(value, up, other, expected):
    lines = verdict.of_baselines(make(value=value, higher_is_better=up), [baseline(other, higher_is_better=up)])
    assert lines[0] == f"baselines: simple {other:.4f}"
    assert len(lines) == 1 if expected is None else expected in lines[1]


def test_baselines_are_ranked_and_another_cell_is_named():
    rows = [baseline(0.5, "weak"), baseline(0.9, "strong")]
    lines = verdict.of_baselines(make(value=0.6, cell="lstm", epochs=4), rows)
    assert lines[0] == "baselines: strong 0.9000, weak 0.5000"
    assert "train.epochs=8" in lines[1] and "encoder.cell=gru" in lines[1]
    assert "encoder.cell=lstm" in verdict.of_baselines(make(value=0.6, cell="gru"), rows)[1]
    assert verdict.of_baselines(make(), []) == []


def test_a_baseline_that_learns_from_the_test_text_is_compared_with_dynamic_evaluation():
    row = make(value=2.2, metric="nats", higher_is_better=False, scores={"nats": 2.2, "dynamic_nats": 1.9})
    facts = {"metric": "nats", "higher_is_better": False, "scores": {"nats": 2.0, "dynamic_nats": 2.0}}
    lines = verdict.of_baselines(row, [baseline(2.0, "xz", **facts)])
    assert "compared with dynamic_nats of the model" in lines[1]
    assert len(lines) == 2
    static = make(value=2.2, metric="nats", higher_is_better=False, scores={"nats": 2.2})
    compared = verdict.of_baselines(static, [baseline(2.0, "xz", **facts)])[1]
    assert "nats 2.2000 is worse than that of the baseline xz, 2.0000" in compared


def test_a_row_without_notes_is_read():
    values = json.loads(results.to_json(make(notes=["doubtful"])))
    assert results.from_json(json.dumps(values)).notes == ["doubtful"]
    del values["notes"]
    assert results.from_json(json.dumps(values)).notes == []
