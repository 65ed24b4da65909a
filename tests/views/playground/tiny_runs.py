"""Small runs for the tests of the playground."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

from seqtasks.core.config import resolve
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.training import train
from seqtasks.views.playground.opened import OpenedRun

OLD = Path(__file__).parents[2] / "old_runs" / "runs.tar.xz"
SMALL = ("encoder.units=8", "train.batch_size=16", "train.epochs=1")
TABLES = {  # settings of the runs on tables
    "series": ("options.id=id", "options.target=kind"),
    "step_labels": ("options.id=id", "options.target=[high]"),
    "forecast": ("options.horizon=4",),
    "anomaly": ("options.window=20", "options.horizon=3"),
}


def unpack(folder: Path) -> Path:
    """Unpacks the runs of version 0.1 and their inputs; returns the folder of runs."""
    with tarfile.open(OLD) as archive:
        archive.extractall(folder, filter="data")
    return folder / "runs"


def opened(runs: Path, task: str) -> OpenedRun:
    """Opens the run of a task."""
    return OpenedRun.open(run_folder.open_run(next(runs.glob(f"{task}-*"))))


def tables(folder: Path) -> dict[str, Path]:
    """Writes a table for each task of `TABLES`; returns the files."""
    rng = np.random.default_rng(0)
    steps = np.arange(400)
    sine = 50 + 5 * np.sin(2 * np.pi * steps / 8) + rng.normal(0, 0.1, len(steps))
    dates = pd.date_range("2024-01-01", periods=len(steps), freq="D").strftime("%Y-%m-%d")
    walks = [(f"s{i}", t, x, int(x > 0), "up" if i % 2 else "down")
             for i in range(60) for t, x in enumerate(rng.normal(size=12).cumsum() * (1 if i % 2 else -1))]  # fmt: skip
    frame = pd.DataFrame(walks, columns=["id", "time", "x", "high", "kind"])
    frames = {
        "series": frame.drop(columns="high"),
        "step_labels": frame.drop(columns="kind"),
        "forecast": pd.DataFrame({"date": dates, "x": sine}),
        "anomaly": pd.DataFrame({"time": steps, "x": sine}),
    }
    files = {name: folder / f"{name}.csv" for name in frames}
    for name, table in frames.items():
        table.to_csv(files[name], index=False)
    return files


def train_on(file: Path, task: str, runs: Path) -> Path:
    """Trains a task of `TABLES` on its file; returns the run folder."""
    return train_with(task, runs, f"data.source=files:{file}", *TABLES[task])


def train_with(task: str, runs: Path, *settings: str) -> Path:
    """Trains a task with few units for an epoch; returns the run folder."""
    cls = load_task(task)
    config = resolve(task, cls.Options, [*SMALL, *settings])
    row, _ = train.run(config, cls, runs, Reporter(quiet=True))
    return runs / row.run
