"""Trials of a search: they never read the test split, keep no model, and are nothing but trials."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seqtasks.core.config import resolve
from seqtasks.core.errors import RunError
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results, run_folder
from seqtasks.training import inference, requests, resolution, train
from seqtasks.training.fit import monitor_mode

QUIET = Reporter(quiet=True)
SMALL = ["data.source=builtin", "data.limit=100", "encoder.units=4", "train.epochs=3", "options.augment=false"]


class Untouchable:
    """A test split that fails where it is read."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the test split was read: {name}")

    def __len__(self) -> int:
        return 10


def test_a_trial_never_reads_the_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = load_task("mnist_rows")
    resolved = resolution.resolve(resolve("mnist_rows", cls.Options, SMALL), cls, QUIET)
    hidden = dataclasses.replace(resolved, splits=dataclasses.replace(resolved.splits, test=Untouchable()))
    monkeypatch.setattr(cls, "refit_examples", Untouchable())  # nor is a model trained that nothing would score
    row, before = train.run_resolved(hidden, tmp_path, QUIET, trial=True)
    folder = run_folder.open_run(tmp_path / row.run)
    history = pd.read_csv(folder.path / "history.csv")
    assert not before and (row.kind, row.metric, row.higher_is_better) == ("trial", "val_accuracy", True)
    assert monitor_mode(resolved.task) == "max"
    assert row.value == history.val_accuracy.max() and row.scores == {} and row.test_examples is None
    assert row.epochs == 3 and row.validation["accuracy"] == row.value
    names = {path.name for path in folder.path.iterdir() if not path.name.startswith(".")}
    assert names == {"run.json", "config.yaml", "status.json", "history.csv", "result.json"}
    with pytest.raises(AssertionError, match="the test split was read"):
        train.run_resolved(hidden, tmp_path / "run", QUIET)
    # The same command answers at once; without --trial the folder is refused, and so is all that needs a test score.
    assert train.run_resolved(hidden, tmp_path, QUIET, trial=True) == (row, True)
    assert results.read(folder.path) == row
    for use in (
        lambda: train.run_resolved(resolved, tmp_path, QUIET),
        lambda: inference.evaluate(folder, QUIET),
        lambda: inference.predict(folder, []),
        lambda: inference.resume(folder, QUIET),
    ):
        with pytest.raises(RunError, match="is a trial of a search"):
            use()


def test_a_repeated_request_for_a_trial_or_a_run_is_not_answered_by_the_other(tmp_path: Path) -> None:
    trial, skipped = requests.train("mnist_rows", SMALL, None, tmp_path, QUIET, baselines=False, trial=True)
    assert trial.kind == "trial" and not skipped
    assert requests.train("mnist_rows", SMALL, None, tmp_path, QUIET, trial=True) == (trial, True)
    with pytest.raises(RunError, match="is a trial of a search; allowed: trials in folders of their own"):
        requests.train("mnist_rows", SMALL, None, tmp_path, QUIET)
