"""The contract of a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqtasks.core import config as configuration
from seqtasks.core.errors import ConfigError
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.core.settings import build
from seqtasks.experiments import results, run_folder
from seqtasks.task_types.base import Task
from seqtasks.training import inference
from seqtasks.training.train import run


def check_task(
    task: type[Task] | str,
    folder: Path,
    overrides: Sequence[str] | str = (),
    inputs: Sequence[str] = (),
    cell: str = "gru",
) -> results.Row:
    """Trains a task shortly and checks what every task promises.

    It trains on at most 200 examples a split, its scores contain its metric and are
    finite, its row is stored and read back, the saved model gives the same scores, a
    second run is skipped, a causal task refuses a bidirectional encoder.

    Args:
        task: the task, its name, or its file.
        folder: an empty folder, for the runs.
        overrides: settings, e.g. a small size. Without `data.source` among them the
            built-in set is read; a task that reads files only is given some, e.g.
            `"data.source=files:FOLDER"` for a few that the test writes.
        inputs: words for `predict`, if it shall be tried.
        cell: the cell to train.

    Raises:
        AssertionError: a promise is broken.
        ConfigError: no source is given, and the task has no built-in set.
    """
    cls = load_task(task) if isinstance(task, str) else task
    overrides = [overrides] if isinstance(overrides, str) else list(overrides)
    keys = {key for key, _ in (configuration.split_override(text) for text in overrides)}
    if cls.builtin is None and "data.source" not in keys:
        raise ConfigError(
            f"task {cls.name} has no built-in set; allowed: {', '.join(cls.sources()) or 'none'}; give check_task a "
            'source: ["data.source=…"]'
        )
    small = ["train.epochs=1", "data.limit=200", "encoder.units=8", "train.batch_size=32", "data.source=builtin"]
    small = [text for text in small if text.partition("=")[0] not in keys]
    chosen = [f"encoder.cell={cell}", *small, *overrides]
    task_file = cls.file.with_suffix(".yaml") if cls.file else None
    config = configuration.resolve(cls.name, cls.Options, chosen, task_file=task_file)
    row, skipped = run(config, cls, folder, Reporter(quiet=True))
    assert not skipped, "the folder was not empty"
    assert cls.metric in row.scores, f"score() gives no {cls.metric!r}"
    assert all(np.isfinite(value) for value in row.scores.values()), f"scores are not finite: {row.scores}"
    assert 0 < row.encoder_params <= row.params or cls.topology == "one-to-one"
    opened = run_folder.open_run(folder / row.run)
    assert results.read(opened.path) == row
    failures = opened.path / "plots" / "errors.txt"
    assert not failures.exists(), f"plots() failed: {failures.read_text(encoding='utf-8')}"
    again = {line["score"]: line["now"] for line in inference.evaluate(opened, Reporter(quiet=True), trust=True)}
    for name, value in row.scores.items():
        assert abs(again[name] - value) <= 1e-5 * max(1, abs(value)), f"{name}: the saved model scores otherwise"
    assert run(config, cls, folder, Reporter(quiet=True)) == (row, True), "a finished run was not skipped"
    if inputs:
        assert inference.predict(opened, inputs, trust=True), "predict() gives no rows"
    assert build(cls.PredictOptions, {}) == cls.PredictOptions()
    return row
