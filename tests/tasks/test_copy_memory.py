"""Copy-memory problem: data against the definition, scores computed by hand, learning."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples
from seqtasks.task_types.base import Task
from seqtasks.training import train
from seqtasks.training.baselines import run_baselines
from seqtasks.training.compiled_model import build

QUIET = Reporter(quiet=True)
SOURCE = Source("builtin", "generated")
PARTS = ("train", "validation", "test")
SMALL = ("options.length=1", "options.examples=10", "encoder.units=2", "train.epochs=1")


def make(**options) -> Task:
    cls = plugins.load_task("copy_memory")
    return cls(cls.Options(**options))


def configuration(*words: str):
    return resolve("copy_memory", plugins.load_task("copy_memory").Options, words)


@pytest.mark.parametrize("length", [1, 2, 100])
def test_ten_symbols_a_wait_a_sign_and_ten_answers(length: int) -> None:
    splits = make(length=length, examples=300).load(SOURCE, 0)
    assert [len(getattr(splits, name)) for name in PARTS] == [300, 500, 500]
    for name in PARTS:
        part = getattr(splits, name)
        x, y = part.inputs["symbols"], part.targets
        assert x.shape == y.shape == (len(part), length + 20)
        symbols, delay, start, blanks = np.split(x, [10, length + 9, length + 10], axis=1)
        assert set(np.unique(symbols)) == set(range(1, 9))
        assert not delay.any() and delay.shape[1] == length - 1
        assert np.all(start == 9) and start.shape[1] == 1
        assert not blanks.any() and blanks.shape[1] == 10
        assert not y[:, : length + 10].any()
        np.testing.assert_array_equal(y[:, length + 10 :], symbols)


def test_symbols_are_uniform() -> None:
    symbols = make(length=1, examples=5000).load(SOURCE, 0).train.inputs["symbols"][:, :10]
    shares = np.stack([(symbols == symbol).mean(axis=0) for symbol in range(1, 9)])
    np.testing.assert_allclose(shares, 1 / 8, atol=5 * np.sqrt(7 / 64 / 5000))


def test_the_data_does_not_depend_on_the_seed() -> None:
    first, second = (make(length=5, examples=50).load(SOURCE, seed) for seed in (0, 7))
    for name in PARTS:
        np.testing.assert_array_equal(getattr(first, name).inputs["symbols"], getattr(second, name).inputs["symbols"])
        np.testing.assert_array_equal(getattr(first, name).targets, getattr(second, name).targets)
    assert first.fingerprint == second.fingerprint
    others = [make(length=6, examples=50), make(length=5, examples=51)]
    assert len({first.fingerprint, *(task.load(SOURCE, 0).fingerprint for task in others)}) == 3


def test_no_sequence_is_in_two_splits() -> None:
    splits = make(length=5, examples=1000).load(SOURCE, 0)
    rows = [row.tobytes() for name in PARTS for row in getattr(splits, name).inputs["symbols"]]
    assert len(set(rows)) == len(rows) == 2000


@pytest.mark.parametrize("length", [5, 100])
def test_constant_baseline(tmp_path, length: int) -> None:
    config = configuration(f"options.length={length}", "options.examples=20")
    (row,) = run_baselines(config, plugins.load_task("copy_memory"), tmp_path, QUIET)
    # Blanks for certain, then each of the eight symbols with probability 1/8.
    steps = [0.0] * (length + 10) + [-np.log(1 / 8)] * 10
    assert row.scores == pytest.approx({"accuracy": 1 / 8, "loss": np.mean(steps), "exact": 8**-10})
    assert row.scores["loss"] == pytest.approx(10 * np.log(8) / (length + 20))
    assert (row.value, row.params) == (1 / 8, 0)


class Fixed(keras.Model):
    """Model that returns fixed logits for each sequence, selected by its first symbol."""

    def __init__(self, logits):
        super().__init__()
        self.logits = keras.ops.convert_to_tensor(logits)

    def call(self, x):
        return keras.ops.take(self.logits, keras.ops.cast(x[:, 0], "int32") - 1, axis=0)


def test_scores_of_predictions_by_hand() -> None:
    task, length = make(length=2), 2
    rng = np.random.default_rng(0)
    x = np.zeros((4, length + 20), np.uint8)
    x[:, :10] = rng.integers(1, 9, size=(4, 10))
    x[:, 0] = [1, 2, 3, 4]
    x[:, length + 9] = 9
    y = np.zeros_like(x)
    y[:, -10:] = x[:, :10]
    predicted = y.astype(int)
    predicted[1, -1] = predicted[1, -1] % 8 + 1  # one of ten wrong
    predicted[2, -10:] = 0  # all wrong
    predicted[3, 0] = 5  # wrong before the answer: not in the accuracy
    logits = np.full((4, length + 20, 9), -1.0, np.float32)
    np.put_along_axis(logits, predicted[..., None], 2.0, axis=-1)
    scores = task.score(Fixed(logits), task.batches(Examples({"symbols": x}, y), 3))
    assert scores["accuracy"] == pytest.approx((1 + 0.9 + 0 + 1) / 4)
    assert scores["exact"] == 0.5
    right = predicted == y
    total = np.log(np.exp(2) + 8 * np.exp(-1))
    assert scores["loss"] == pytest.approx(np.where(right, total - 2, total + 1).mean(), rel=1e-5)

    (metric,) = task.metrics()
    metric.update_state(y, logits)
    assert metric.name == "accuracy" and float(metric.result()) == pytest.approx(scores["accuracy"])


def test_a_bidirectional_encoder_would_read_the_answer(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"would read the targets; set encoder\.bidirectional="):
        train.run(
            configuration("encoder.bidirectional=true", *SMALL), plugins.load_task("copy_memory"), tmp_path, QUIET
        )
    assert not list(tmp_path.iterdir())


def test_each_step_sees_no_later_one() -> None:
    task = make(length=3)
    model, _ = build(task, configuration("options.length=3", "encoder.units=8"))
    x = task.load(SOURCE, 0).test.inputs["symbols"][:2]
    later = x.copy()
    later[:, 12:] = 5
    outputs, changed = np.asarray(model(x)), np.asarray(model(later))
    assert outputs.shape == (2, 23, 9)
    np.testing.assert_array_equal(outputs[:, :12], changed[:, :12])
    assert np.abs(outputs[:, 12:] - changed[:, 12:]).max() > 1e-4


@pytest.mark.slow
def test_it_is_learnt(tmp_path) -> None:
    words = ["options.length=3", "options.examples=2000", "encoder.cell=gru", "encoder.units=64", "train.epochs=15",
             "train.learning_rate=2e-2", "train.batch_size=50"]  # fmt: skip
    row, _ = train.run(configuration(*words), plugins.load_task("copy_memory"), tmp_path, QUIET)
    assert row.value > 0.25  # guessing reaches 0.125
    assert row.scores["loss"] < 0.8 * 10 * np.log(8) / 23
