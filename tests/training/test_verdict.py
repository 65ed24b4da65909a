"""What is told of a result that cannot be trusted."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import TrainConfig
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.splits import Examples
from seqtasks.experiments import doubts, results
from seqtasks.training import verdict
from seqtasks.training.resolution import with_epochs

from ..experiments.test_results import make


def task(unpredicted=()):
    return SimpleNamespace(name="some_task", unpredicted=list(unpredicted))


def few(epochs, batches, minimum=4000, unpredicted=()):
    train = TrainConfig(epochs=epochs, min_updates=minimum)
    computed = with_epochs(TrainConfig(min_updates=minimum), batches).epochs
    return verdict.of_training(task(unpredicted), train, batches, computed)


def test_too_few_updates():
    assert few(500, 1, minimum=1000) == []
    (line,) = few(8, 43)
    assert line == (
        "trained for 344 weight updates, fewer than the 4,000 of train.min_updates: leave train.epochs unset "
        "(94 epochs)"
    )


def test_too_few_updates_although_the_epochs_are_computed():
    (line,) = few(300, 4)
    assert line.endswith(": set train.epochs=1000, or a smaller train.batch_size")
    assert few(1000, 4) == []
    assert few(3, 4) == [line.replace("1,200", "12")]


def test_the_advice_on_epochs_has_no_contradiction():
    notes = few(8, 43)
    row = make(value=0.3, epochs=8, notes=notes)
    lines = verdict.of_result(row, [baseline(0.95)])
    assert lines[0] == notes[0] and lines[-1] == "accuracy 0.3000 is worse than that of the baseline simple, 0.9500"
    assert sum("epochs" in line for line in lines) == 1
    assert doubts.has_few_updates(row) and not doubts.has_few_updates(make())


def test_a_run_that_stopped_early_needs_no_more_epochs():
    row = make(value=0.3, epochs=8, config={"train.epochs": 94})
    assert verdict.of_baselines(row, [baseline(0.95)])[1].endswith("0.9500: try another cell (encoder.cell=lstm)")
    row = make(value=0.3, epochs=8, config={"train.epochs": 8})
    assert "0.9500: try more epochs (train.epochs=16)" in verdict.of_baselines(row, [baseline(0.95)])[1]


def test_few_test_examples_are_named_once():
    row = make(value=1.0, test_examples=12)
    line = "accuracy 1.0000 of 12 test examples is uncertain: 95 % confidence interval 0.76 to 1.00"
    assert verdict.of_result(row, [baseline(0.5)]) == [line, "baselines: simple 0.5000"]
    for changes in ({"test_examples": 300}, {"topology": "synced"}, {"metric": "bleu"}, {"test_examples": None}):
        assert verdict.of_test_size(make(**{"value": 0.99, "test_examples": 12, **changes})) == []


@pytest.mark.parametrize("other", [7 / 12, 0.4, 0.8])
def test_a_difference_within_the_uncertainty_gets_no_advice(other):
    row = make(value=7 / 12, test_examples=12)
    (line,) = verdict.of_baselines(row, [baseline(other)])[1:]
    assert line == (
        f"accuracy 0.5833 is not distinguishable from that of the baseline simple, {other:.4f}, with 12 test examples"
    )
    assert "is worse than" in verdict.of_baselines(row, [baseline(0.9)])[1]


def test_a_difference_is_distinguishable_with_many_test_examples():
    row = make(value=0.58, test_examples=25_000)
    assert "is worse than that of the baseline simple, 0.6000: try" in verdict.of_baselines(row, [baseline(0.6)])[1]
    assert "is hardly better than" in verdict.of_baselines(row, [baseline(0.57)])[1]


def test_labels_that_are_never_predicted():
    (line,) = few(9, 1, minimum=1, unpredicted="abcde")
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
        (0.95, True, 0.95, "0.9500 is not better than that of the baseline simple: try more epochs"),
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
    del values["notes"], values["test_examples"]
    row = results.from_json(json.dumps(values))
    assert row.notes == [] and row.test_examples is None
