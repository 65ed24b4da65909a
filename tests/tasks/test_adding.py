"""Adding problem: data against the definition, scores computed by hand, learning."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.reporter import Reporter
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples
from seqtasks.experiments import results
from seqtasks.task_types.base import Task
from seqtasks.training import train
from seqtasks.training.baselines import run_baselines

QUIET = Reporter(quiet=True)
SOURCE = Source("builtin", "generated")
PARTS = ("train", "validation", "test")


def make(**options) -> Task:
    cls = plugins.load_task("adding")
    return cls(cls.Options(**options))


def configuration(*words: str):
    return resolve("adding", plugins.load_task("adding").Options, words)


@pytest.mark.parametrize("length", [2, 7, 100])
def test_target_is_the_sum_of_one_marked_number_in_each_half(length: int) -> None:
    splits = make(length=length, examples=300).load(SOURCE, 0)
    assert [len(getattr(splits, name)) for name in PARTS] == [300, 1000, 1000]
    for name in PARTS:
        part = getattr(splits, name)
        x = part.inputs["steps"]
        assert x.shape == (len(part), length, 2) and x.dtype == np.float32
        assert np.all((x[..., 0] >= 0) & (x[..., 0] < 1))
        half = length // 2
        for row, target in zip(x[:100], part.targets[:100], strict=True):
            first, second = np.flatnonzero(row[:, 1])
            assert first < half <= second
            assert row[first, 1] == row[second, 1] == 1
            assert target == pytest.approx(row[first, 0] + row[second, 0], abs=1e-6)


def test_numbers_and_locations_are_uniform() -> None:
    x = make(length=10, examples=20_000).load(SOURCE, 0).train.inputs["steps"]
    shares = x[..., 1].mean(axis=0)
    np.testing.assert_allclose(shares, 0.2, atol=5 * math.sqrt(0.16 / 20_000))
    counts, _ = np.histogram(x[..., 0], bins=10, range=(0, 1))
    np.testing.assert_allclose(counts / x[..., 0].size, 0.1, atol=5 * math.sqrt(0.09 / 200_000))
    assert abs(np.corrcoef(x[:, 0, 0], x[:, 1, 0])[0, 1]) < 5 / math.sqrt(20_000)


def test_the_data_does_not_depend_on_the_seed() -> None:
    first, second = (make(length=20, examples=50).load(SOURCE, seed) for seed in (0, 7))
    for name in PARTS:
        np.testing.assert_array_equal(getattr(first, name).inputs["steps"], getattr(second, name).inputs["steps"])
        np.testing.assert_array_equal(getattr(first, name).targets, getattr(second, name).targets)
    assert first.fingerprint == second.fingerprint
    assert str(first.source) == "builtin:generated"
    others = [make(length=21, examples=50), make(length=20, examples=51)]
    assert len({first.fingerprint, *(task.load(SOURCE, 0).fingerprint for task in others)}) == 3


def test_no_sequence_is_in_two_splits() -> None:
    splits = make(length=20, examples=1000).load(SOURCE, 0)
    rows = [row.tobytes() for name in PARTS for row in getattr(splits, name).inputs["steps"]]
    assert len(set(rows)) == len(rows) == 3000


def test_the_mean_has_an_error_of_a_sixth(tmp_path) -> None:
    config = configuration("options.length=20", "options.examples=5000")
    (row,) = run_baselines(config, plugins.load_task("adding"), tmp_path, QUIET)
    splits = make(length=20, examples=5000).load(SOURCE, 0)
    errors = splits.test.targets - splits.train.targets.mean()
    assert row.scores["mse"] == row.value == pytest.approx(np.square(errors).mean(), rel=1e-5)
    assert row.value == pytest.approx(1 / 6, abs=0.02)  # the variance of the sum of two uniform numbers
    # Two uniform numbers have the density 1 at 1, so 0.08 of the sums are within 0.04 of it.
    assert row.scores["within_0.04"] == pytest.approx(0.08, abs=0.04)
    assert (row.cell, row.params, row.encoder_params, row.kind) == ("the mean", 1, 0, "baseline")
    assert results.read(tmp_path / row.run) == row


def test_scores_of_predictions_by_hand() -> None:
    targets = np.array([1.0, 0.5, 1.5, 0.2], np.float32)
    predicted = np.array([1.0, 0.53, 1.45, 0.6], np.float32)

    class Fixed(keras.Model):
        def call(self, x):
            return x[:, 0, :1]

    task = make(length=2)
    x = np.zeros((4, 2, 2), np.float32)
    x[:, 0, 0] = predicted
    batches = task.batches(Examples({"steps": x}, targets), 3)
    scores = task.score(Fixed(), batches)
    assert scores["mse"] == pytest.approx((0 + 0.03**2 + 0.05**2 + 0.4**2) / 4, rel=1e-5)
    assert scores["within_0.04"] == 0.5
    assert not task.higher_is_better and task.metric == "mse"
    loss = task.loss()(targets[:, None], predicted[:, None])
    assert float(loss) == pytest.approx(scores["mse"], rel=1e-5)


def test_lengths_below_two_are_refused() -> None:
    for word in ("options.length=1", "options.examples=0"):
        with pytest.raises(ValueError, match=r"allowed: ≥"):
            configuration(word)


def test_it_is_learnt(tmp_path) -> None:
    words = ["options.length=10", "options.examples=2000", "encoder.cell=gru", "encoder.units=32", "train.epochs=8",
             "train.learning_rate=2e-2", "train.batch_size=50"]  # fmt: skip
    row, _ = train.run(configuration(*words), plugins.load_task("adding"), tmp_path, QUIET)
    assert row.value < 0.05
    assert row.scores["within_0.04"] > 0.1
    assert row.validation["mse"] < 0.05


def test_look_compares_units_with_both_inputs_and_their_means() -> None:
    task = make(length=4, examples=2)
    steps = np.array([[[0.5, 0], [0.25, 1], [0.75, 0], [0.1, 1]]], np.float32)
    described = task.describe_steps(steps)
    assert described.signal.shape == (1, 4, 2)
    np.testing.assert_allclose(described.properties["input 2"], [[0, 1, 0, 1]])
    np.testing.assert_allclose(described.properties["input 1, mean so far"][0, 1:3], [0.375, 0.5], rtol=1e-6)
