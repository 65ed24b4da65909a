"""Trackers: numbers of each epoch once, whatever happens to the run or to the tracker, and the same training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, Interrupted, UnknownNameError
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results
from seqtasks.training import requests, tracking, train
from seqtasks.training.tracker import Tracker, check

from .test_gradient_log import stop_after

QUIET = Reporter(quiet=True)
IMAGES = ["data.source=builtin", "data.limit=100", "encoder.units=4", "train.epochs=5", "train.batch_size=50"]
IMAGES += ["options.augment=false", "train.checkpoint_seconds=1000"]
TEXT = ["data.source=builtin", "data.limit=2000", "encoder.units=4", "train.epochs=3", "train.batch_size=8"]
TEXT += ["options.dynamic_rate=null", "options.bptt=32"]


class Memory(Tracker):
    """Records calls; can fail before a method is executed."""

    calls: ClassVar[list[tuple[Any, ...]]] = []
    fails: ClassVar[str | None] = None

    def _record(self, method: str, *values: Any) -> None:
        if self.fails == method:
            raise ConnectionError("no answer from\nhttp://me:secret@host/path")
        self.calls.append((method, *values))

    def start(self) -> int:
        self._record("start", dict(self.state))
        self.state.setdefault("id", len(self.calls))
        return int(self.state.get("epochs", 0))

    def log(self, epochs: Sequence[Mapping[str, float]]) -> None:
        self._record("log", [int(row["epoch"]) for row in epochs])
        assert all("val_loss" in row and "seconds" in row for row in epochs)
        self.state["epochs"] = int(epochs[-1]["epoch"])

    def log_text(self, epoch: int, name: str, text: str) -> None:
        self._record("text", epoch, name, text)

    def log_histogram(self, epoch: int, name: str, values: np.ndarray) -> None:
        self._record("histogram", epoch, name, values)

    def log_result(self, row: results.Row) -> None:
        self._record("result", row.value)

    def close(self, status: str) -> None:
        self._record("close", status)


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> type[Memory]:
    monkeypatch.setattr(Memory, "calls", [])
    monkeypatch.setattr(Memory, "fails", None)
    monkeypatch.setattr(Memory, "name", "memory")
    monkeypatch.setattr(tracking, "SECONDS", 0.0)
    plugins.trackers.names()  # fills the registry
    monkeypatch.setattr(plugins.trackers, "_entries", dict(plugins.trackers._entries))
    plugins.trackers.add("memory", Memory, __name__)
    return Memory


def go(folder: Path, *overrides: str, task: str = "mnist_rows", force: bool = False) -> results.Row:
    cls = load_task(task)
    settings = IMAGES if task == "mnist_rows" else TEXT
    return train.run(resolve(task, cls.Options, [*settings, *overrides]), cls, folder, QUIET, force)[0]


TRACKED = "train.trackers=[memory]"


def logged(memory: type[Memory]) -> list[int]:
    """Numbers of all epochs that were sent."""
    return [epoch for call in memory.calls if call[0] == "log" for epoch in call[1]]


def test_a_tracked_run_is_the_same_run_and_each_epoch_is_sent_once(tmp_path: Path, memory: type[Memory]) -> None:
    plain, row = go(tmp_path / "plain"), go(tmp_path / "tracked", TRACKED)
    assert (row.run, row.scores, row.validation, row.notes) == (plain.run, plain.scores, plain.validation, plain.notes)
    assert logged(memory) == [1, 2, 3, 4, 5]
    assert [call[0] for call in memory.calls] == ["start", *["log"] * 5, "result", "close"]
    assert memory.calls[-2:] == [("result", row.value), ("close", "finished")]
    columns = "epoch,seconds,validation_seconds"
    assert (tmp_path / "tracked" / row.run / "history.csv").read_text().startswith(columns)


@pytest.mark.slow
def test_texts_leave_kept_states_and_random_numbers_alone(tmp_path: Path, memory: type[Memory]) -> None:
    dropout = ["encoder.dropout=0.3", "train.average=ema"]
    plain = go(tmp_path / "plain", *dropout, task="char_lm")
    row = go(tmp_path / "tracked", *dropout, TRACKED, "train.log_gradients=true", task="char_lm")
    assert row.scores == plain.scores and row.validation == plain.validation
    texts = {(epoch, name): text for method, epoch, name, text in (c for c in memory.calls if c[0] == "text")}
    assert texts.keys() == {(epoch, f"temperature {t}") for epoch in (1, 2, 3) for t in (0.5, 1.0)}
    assert all(len(text) > 100 for text in texts.values()) and len(set(texts.values())) == 6


def test_histograms_are_of_the_gradients_of_the_last_update(tmp_path: Path, memory: type[Memory]) -> None:
    row = go(tmp_path, TRACKED, "train.log_gradients=true", "train.epochs=2")
    table = np.genfromtxt(tmp_path / row.run / "gradients.csv", delimiter=",", names=True)
    calls = [call for call in memory.calls if call[0] == "histogram"]
    assert [(call[1], call[2]) for call in calls] == [(e, n) for e in (1, 2) for n in ("encoder layer 1", "logits")]
    for _, epoch, name, values in calls:
        last = table[table["epoch"] == epoch][-1]
        assert np.linalg.norm(values) == pytest.approx(last[name.replace(" ", "_")], rel=1e-4)


def test_a_stopped_run_goes_on_in_the_same_record(
    tmp_path: Path, memory: type[Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stop_after(4, patch)  # in the second epoch
        go(tmp_path, TRACKED, "train.steps_per_execution=1")
    assert logged(memory) == [1] and memory.calls[-1] == ("close", "interrupted")
    identifier = json.loads(next(tmp_path.glob("*/trackers.json")).read_text())["memory"]["state"]["id"]
    row = go(tmp_path, TRACKED, "train.steps_per_execution=1")
    assert logged(memory) == [1, 2, 3, 4, 5]
    assert [call[1] for call in memory.calls if call[0] == "start"] == [{}, {"id": identifier, "epochs": 1}]
    stored = json.loads((tmp_path / row.run / "trackers.json").read_text())
    assert stored == {"memory": {"state": {"id": identifier, "epochs": 5}, "finished": True}}


def test_a_run_that_was_begun_without_a_tracker_sends_all_epochs(
    tmp_path: Path, memory: type[Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stop_after(7, patch)
        go(tmp_path, "train.steps_per_execution=1")
    go(tmp_path, TRACKED)
    assert logged(memory) == [1, 2, 3, 4, 5]


@pytest.mark.a_third
@pytest.mark.parametrize(
    ("method", "when"),
    [
        ("start", "at its start"),
        ("log", "after epoch 0"),
        ("result", "after epoch 5"),
        ("close", "after epoch 5"),
    ],
)
def test_training_goes_on_without_a_tracker_that_fails(
    method: str, when: str, tmp_path: Path, memory: type[Memory], caplog: pytest.LogCaptureFixture
) -> None:
    memory.fails = method
    row = go(tmp_path, TRACKED)
    assert row.epochs == 5
    (note,) = [note for note in row.notes if "tracker" in note]
    assert note.startswith(f"tracker memory failed {when} and lacks what followed (no answer from http://host/path)")
    assert [record.message for record in caplog.records if "tracker" in record.message] == [
        note.partition(";")[0] + "; training goes on without it"
    ]
    assert results.read(tmp_path / row.run).notes == row.notes
    memory.fails = None  # the same command again sends what is missing
    sent = go(tmp_path, TRACKED)
    assert logged(memory) == [1, 2, 3, 4, 5] and memory.calls[-1] == ("close", "finished")
    assert results.read(tmp_path / row.run).notes == sent.notes == [one for one in row.notes if one != note]
    count = len(memory.calls)
    go(tmp_path, TRACKED)
    assert len(memory.calls) == count  # it has all


@pytest.mark.slow
def test_training_from_the_beginning_begins_a_new_record(tmp_path: Path, memory: type[Memory]) -> None:
    go(tmp_path, TRACKED, "train.epochs=1")
    go(tmp_path, TRACKED, "train.epochs=1", force=True)
    assert [call[1] for call in memory.calls if call[0] == "start"] == [{}, {}]


def test_a_diverged_run_is_a_failed_one(tmp_path: Path, memory: type[Memory]) -> None:
    with pytest.raises(ArithmeticError):
        go(tmp_path, TRACKED, "train.optimizer=sgd", "train.learning_rate=1e38", "train.clip_norm=null")
    assert memory.calls[-1] == ("close", "failed")


def test_a_damaged_state_begins_a_new_record(tmp_path: Path, memory: type[Memory]) -> None:
    row = go(tmp_path, "train.epochs=1")
    (tmp_path / row.run / "trackers.json").write_text('{"memory": [')
    go(tmp_path, TRACKED, "train.epochs=1")
    assert memory.calls[0] == ("start", {}) and logged(memory) == [1]


def test_names_are_checked_before_anything_else() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown tracker 'mlflw'; did you mean mlflow\?$"):
        requests.check("mnist_rows", ["train.trackers=[mlflw]"], None)
    assert check(["memory", "memory"]) == [Memory]


def test_a_missing_module_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "modules", ("not_installed_at_all",))
    monkeypatch.setattr(Memory, "package", "my-package")
    message = (
        r"^train\.trackers has memory, but its module not_installed_at_all is not installed; run pip install "
        r"'my-package', or leave memory out of train\.trackers$"
    )
    with pytest.raises(ConfigError, match=message):
        requests.check("mnist_rows", [TRACKED], None)


def test_another_class_is_no_tracker() -> None:
    plugins.trackers.add("other", dict, "a_package")
    with pytest.raises(ConfigError, match=r"tracker other is builtins\.dict; allowed: a subclass of seqtasks\.Tracker"):
        check(["other"])
