"""What a person sees: a bar in a terminal, plain lines elsewhere, and why training stopped."""

from __future__ import annotations

import io
import sys
import types
from typing import Any

import keras
import numpy as np
import pytest
from rich.console import Console

from seqtasks.core.errors import TrainingDiverged
from seqtasks.core.reporter import Reporter
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.splits import Examples
from seqtasks.training.progress_bars import (
    StopOnNaN,
    TrainingBar,
    TrainingDisplay,
    TrainingLines,
    describe,
    progress_callbacks,
)


def train(*callbacks: keras.callbacks.Callback, batches: ArrayBatches, epochs: int = 2) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    model.fit(batches, epochs=epochs, callbacks=list(callbacks), verbose=0, shuffle=False)


def some(value: float = 1.0) -> ArrayBatches:
    return ArrayBatches(Examples({"x": np.full((10, 2), value, "float32")}, np.zeros(10, "int64")), 2)


def test_lines_without_a_terminal() -> None:
    text = io.StringIO()
    train(TrainingLines(Console(file=text, width=200), 2, 5), batches=some())
    lines = text.getvalue().splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert "accuracy" in lines[0]
    assert "loss" in lines[0]


def test_a_notebook_has_one_line_that_each_epoch_replaces(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, str]] = []

    def put(how: str, data: dict[str, str], **options: Any) -> Any:
        assert options.pop("raw") and (how == "update" or options == {"display_id": True})
        shown.append((how, data["text/plain"]))
        return types.SimpleNamespace(update=lambda data, **options: put("update", data, **options))

    module = types.SimpleNamespace(display=lambda data, **options: put("display", data, **options))
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    (callback,) = progress_callbacks(Reporter(), 3, 5)
    assert isinstance(callback, TrainingDisplay) and not progress_callbacks(Reporter(quiet=True), 3, 5)
    train(callback, batches=some(), epochs=3)
    assert [how for how, _ in shown] == ["display", "update", "update", "update"]
    assert [line.split()[:2] for _, line in shown] == [["epoch", f"{number}/3"] for number in (1, 1, 2, 3)]
    assert ["compiling …" in line for _, line in shown] == [True, False, False, False]


def test_a_bar_in_a_terminal_leaves_the_epoch_lines() -> None:
    text = io.StringIO()
    train(TrainingBar(Console(file=text, width=160, force_terminal=True), 2, 5), batches=some())
    assert "epoch 2/2" in text.getvalue()
    assert "5/5" in text.getvalue()
    assert "\x1b[" in text.getvalue()


def test_the_bar_says_that_the_first_step_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Watching(TrainingBar):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_begin(epoch, logs)
            shown.append(self.progress.tasks[0].fields["values"])

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            super().on_train_batch_end(batch, logs)
            shown.append(self.progress.tasks[0].fields["values"])

    train(Watching(Console(file=io.StringIO(), force_terminal=True), 2, 5), batches=some())
    assert shown[0] == "compiling …" and "loss" in shown[1]
    assert shown[6] == "" and not any("compiling" in text for text in shown[1:])
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    assert TrainingBar(Console(), 1, 1)._first == ""


def test_after_a_resume_the_bar_starts_where_training_does() -> None:
    batches = some()
    batches.seek(0, 3)
    bar = TrainingBar(Console(file=io.StringIO(), width=160, force_terminal=True), 1, 5)
    train(bar, batches=batches, epochs=1)
    assert bar.progress.tasks[0].completed == 5


def test_nan_names_epoch_and_step_also_after_a_resume() -> None:
    batches = some(np.nan)
    batches.seek(0, 3)
    with pytest.raises(
        TrainingDiverged, match=r"the loss became nan at step 4 of epoch 1.*train.learning_rate=0.001 \(it is 0.01\)"
    ):
        train(StopOnNaN(0.01, batches), batches=batches)


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(quiet=True)
    reporter.say("hello")
    assert progress_callbacks(reporter, 1, 1) == []
    assert capsys.readouterr() == ("", "")


def test_numbers_are_for_people() -> None:
    assert describe({"accuracy": 0.98765, "loss": 0.04321, "learning_rate": 1e-3}) == "accuracy 98.77 %  loss 0.0432"
