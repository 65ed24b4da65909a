"""Contract test of a task."""

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
    """Trains a task for one epoch on at most 200 examples and checks the contract of tasks.

    The scores are finite and include the metric; the result row is stored and loaded again; plots are
    drawn; the saved model has the same scores; a second run is skipped.

    Args:
        task: Class, name or file of the task.
        folder: Empty folder for the runs.
        overrides: Settings, e.g. of a small size. The default source is the built-in set; a task that
            only reads files needs a setting such as `"data.source=files:FOLDER"`.
        inputs: Inputs of `predict`; empty: prediction is not tested.
        cell: Cell to train.

    Returns:
        The result row.

    Raises:
        AssertionError: The task breaks a rule.
        ConfigError: The task has no built-in set, and no source is given.

    Example:
        >>> from seqtasks.testing import check_task
        >>> check_task("./my_task.py", Path("/tmp/runs"))  # doctest: +SKIP
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
    assert row.metric in row.scores, f"score() does not return {row.metric!r}"
    assert all(np.isfinite(value) for value in row.scores.values()), f"scores are not finite: {row.scores}"
    assert 0 < row.encoder_params <= row.params or cls.topology == "one-to-one"
    opened = run_folder.open_run(folder / row.run)
    assert results.read(opened.path) == row
    failures = opened.path / "plots" / "errors.txt"
    assert not failures.exists(), f"plots() failed: {failures.read_text(encoding='utf-8')}"
    again = {line["score"]: line["now"] for line in inference.evaluate(opened, Reporter(quiet=True), trust=True)}
    for name, value in row.scores.items():
        assert abs(again[name] - value) <= 1e-5 * max(1, abs(value)), f"{name}: the saved model has another score"
    assert run(config, cls, folder, Reporter(quiet=True)) == (row, True), "a finished run was not skipped"
    if inputs:
        assert inference.predict(opened, inputs, trust=True), "predict() returns no rows"
    assert build(cls.PredictOptions, {}) == cls.PredictOptions()
    return row
