"""Logged gradient norms: those of the updates, the same after an interruption, and without effect on training."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from seqtasks.core.config import resolve
from seqtasks.core.errors import Interrupted, RunError
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results
from seqtasks.layers import Embedding, Encoder
from seqtasks.training import fit, gradient_log, train
from seqtasks.training.gradient_log import GradientLog, read_log, weight_groups

QUIET = Reporter(quiet=True)
CLIP = 0.3
SMALL = ["data.source=builtin", "data.limit=100", "encoder.units=4", "train.epochs=2", "train.batch_size=20"]
SMALL += ["options.augment=false", f"train.clip_norm={CLIP}", "train.checkpoint_seconds=1000"]


def go(folder: Path, *overrides: str, force: bool = False) -> results.Row:
    task = load_task("mnist_rows")
    return train.run(resolve("mnist_rows", task.Options, [*SMALL, *overrides]), task, folder, QUIET, force)[0]


def model_of_tokens() -> keras.Model:
    keras.utils.set_random_seed(0)
    tokens = keras.Input((None,), dtype="int32")
    x = Embedding(7, 3, name="embedding")(tokens)
    outputs, _ = Encoder(cell="gru", units=4, layers=2, name="encoder")(x, return_sequences=False)
    return keras.Model(tokens, keras.layers.Dense(1, name="head")(outputs))


def test_norms_are_those_of_the_changes_of_plain_gradient_descent(tmp_path: Path) -> None:
    model = model_of_tokens()
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.optimizer.build(model.trainable_variables)
    log = GradientLog(model, 1, clip=1e-6, folder=tmp_path)
    tokens = np.array([[1, 2, 1, 1], [3, 1, 2, 2]], "int32")  # rows of the embedding occur several times
    for epoch in range(2):
        before = model.get_weights()
        history = model.fit(tokens, np.ones(2), epochs=1, initial_epoch=0, verbose=0, callbacks=[log])
        changes = [np.square(a - b).sum() for a, b in zip(model.get_weights(), before, strict=True)]
        groups = weight_groups(model)
        assert list(groups) == ["encoder layer 1", "encoder layer 2", "embedding", "head"]
        expected = {"all": np.sqrt(sum(changes))}
        expected |= {name: np.sqrt(sum(changes[i] for i in numbers)) for name, numbers in groups.items()}
        row = read_log(tmp_path).iloc[-1]
        for name, norm in expected.items():
            assert row[name] == pytest.approx(norm, rel=1e-4), (epoch, name)
        assert history.history["grad_norm"] == pytest.approx([expected["all"]], rel=1e-4)
        assert history.history["grad_norm/head"] == pytest.approx([expected["head"]], rel=1e-4)
        assert history.history["clipped"] == [1.0] and row["clipped"] == 1


def test_a_run_writes_both_files_and_trains_as_without(tmp_path: Path) -> None:
    row = go(tmp_path / "logged", "train.log_gradients=true")
    assert row.scores == go(tmp_path / "plain").scores
    assert row.run == go(tmp_path / "logged").run  # the setting does not change the identity of the run
    folder = tmp_path / "logged" / row.run
    table, history = read_log(folder), pd.read_csv(folder / "history.csv")
    count = len(table) // 2
    assert count > 2 and table["epoch"].tolist() == [1] * count + [2] * count
    assert table["step"].tolist() == [*range(1, count + 1)] * 2
    assert list(table.columns) == ["epoch", "step", "all", "encoder layer 1", "logits", "clipped"]
    np.testing.assert_allclose(table["all"] ** 2, table["encoder layer 1"] ** 2 + table["logits"] ** 2, rtol=1e-3)
    by_epoch = table.groupby("epoch")
    np.testing.assert_allclose(history["grad_norm"], by_epoch["all"].mean(), rtol=1e-4)
    np.testing.assert_allclose(history["grad_norm_max"], by_epoch["all"].max(), rtol=1e-4)
    np.testing.assert_allclose(history["clipped"], by_epoch["clipped"].mean())
    assert (table["clipped"] == (table["all"] > CLIP)).all() and 0 < table["clipped"].mean() < 1


def test_an_interruption_leaves_no_trace_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = go(tmp_path / "whole", "train.log_gradients=true")
    count = len(read_log(tmp_path / "whole" / row.run)) // 2
    stop_after(count + 3, monkeypatch)  # after the second update of the second epoch; a validation also asks
    with pytest.raises(Interrupted, match="in epoch 2 after step 2"):
        go(tmp_path / "cut", "train.log_gradients=true", "train.steps_per_execution=1")
    monkeypatch.undo()
    assert go(tmp_path / "cut", "train.log_gradients=true").run == row.run
    whole, cut = ((tmp_path / name / row.run / "gradients.csv").read_text() for name in ("whole", "cut"))
    assert whole == cut


def test_it_can_be_switched_off_for_the_rest_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(2, monkeypatch)
    with pytest.raises(Interrupted):
        go(tmp_path, "train.log_gradients=true")
    monkeypatch.undo()
    assert go(tmp_path).epochs == 2


def stop_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training stops when it asks for the n-th time whether it should, after an update or an epoch."""
    calls = iter(range(1, 1000))

    class Request(fit.StopRequest):
        received = property(lambda self: next(calls) == count, lambda self, value: None)

    monkeypatch.setattr(fit, "StopRequest", Request)


def test_long_epochs_are_thinned_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_log, "MOST_ROWS", 2)
    row = go(tmp_path, "train.log_gradients=true", "train.epochs=1")
    first, second = read_log(tmp_path / row.run)["step"].tolist()
    assert first == 1 and second > 2


def test_a_damaged_log_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read .*gradients\.csv"):
        read_log(tmp_path)
    (tmp_path / "gradients.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RunError, match="columns are missing; remove the file"):
        read_log(tmp_path)
