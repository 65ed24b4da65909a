"""Processes that run one point after another: equal results, memory, refusals and signals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from seqtasks.cli import worker
from seqtasks.core import keras_import
from seqtasks.experiments.compare import run_grid
from seqtasks.experiments.local_executor import LocalExecutor

SMALL = ["data.limit=64", "data.limit_test=40", "encoder.units=4", "encoder.dropout=0.2", "options.length=8"]
OBJECTS = re.compile(rb'"shared_object_id": \d+')  # addresses
TIMES = ("commit", "seconds", "seconds_per_epoch", "examples_per_second", "started", "finished")


def contents(run: Path) -> dict[str, Any]:
    """Row and history without times and commit, and all bytes of the weights."""
    row = {key: value for key, value in json.loads((run / "result.json").read_text()).items() if key not in TIMES}
    history = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    kept = [place for place, name in enumerate(history[0]) if not name.endswith("seconds")]
    with zipfile.ZipFile(run / "model.keras") as model:
        names = [name for name in model.namelist() if name != "metadata.json"]  # it has the time
        files = {name: OBJECTS.sub(b"", model.read(name)) for name in names}
    outputs = {path.name: path.read_bytes() for path in run.glob("*outputs*")}
    return {"row": row, "history": [[line[place] for place in kept] for line in history], "outputs": outputs} | files


def separately(words: Sequence[str], runs: Path) -> None:
    """Trains a run in a process of its own, with the threads that a grid has with one job."""
    command = [sys.executable, "-P", "-m", "seqtasks", "run", *words, "--json", "--runs", str(runs)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.slow
def test_a_run_after_another_one_in_a_process_equals_a_run_in_a_process_of_its_own(tmp_path: Path) -> None:
    words = ["encoder.cell=lstm,gru", "train.epochs=2", *SMALL]
    grid = run_grid("adding", words, runs_dir=tmp_path / "together", announce=lambda _: None)
    grid.check()
    assert [row.cell for row in grid.rows] == ["lstm", "gru"]
    separately(["adding", "encoder.cell=gru", *words[1:]], tmp_path / "alone")
    (alone,) = (tmp_path / "alone").glob("adding-*")
    assert grid.rows[1].run == alone.name
    expected, actual = contents(alone), contents(tmp_path / "together" / alone.name)
    assert expected.keys() == actual.keys() and {"row", "model.weights.h5"} <= actual.keys()
    for name, value in expected.items():
        assert actual[name] == value, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("char_lm", ["data.limit=20000", "train.batch_size=4", "encoder.weight_drop=0.2"]),
        ("tagging", ["data.limit=64", "encoder.bidirectional=true"]),
        ("translation", ["data.limit=64"]),
        ("adding", ["data.limit=64", "options.length=8", "train.precision=mixed_bfloat16"]),
    ],
)
def test_runs_of_each_kind_of_task_equal_those_of_separate_processes(
    task: str, settings: list[str], tmp_path: Path
) -> None:
    words = ["data.source=builtin", "train.epochs=1", "encoder.units=4", *settings]
    grid = run_grid(task, [*words, "seed=0,1"], runs_dir=tmp_path / "together", announce=lambda _: None)
    grid.check()
    for row in grid.rows:
        separately([task, *words, f"seed={row.seed}"], tmp_path / "alone")
        expected, actual = contents(tmp_path / "alone" / row.run), contents(tmp_path / "together" / row.run)
        for name, value in expected.items():
            assert actual[name] == value, (row.seed, name)


def test_a_process_that_grows_runs_no_further_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_import, "free_memory", lambda: None)
    monkeypatch.setattr(worker.gc, "freeze", lambda: None)
    sizes = iter([100, 100 + worker.GROWTH - 1, 100 + worker.GROWTH])
    stays = worker.stays(lambda: next(sizes))
    assert [stays() for _ in range(3)] == [True, True, False]
    unknown = worker.stays(lambda: 0)
    assert [unknown() for _ in range(worker.COMMANDS)] == [True] * (worker.COMMANDS - 1) + [False]


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read on Linux only")
def test_the_size_of_this_process_is_known() -> None:
    before = worker.resident()
    block = bytearray(os.urandom(1)) * (64 * 2**20)
    assert worker.resident() - before > 50 * 2**20 and len(block)


def test_a_point_that_is_refused_is_reported_with_its_log(tmp_path: Path) -> None:
    executor = LocalExecutor(2)
    grid = run_grid("no_such_task", ["seed=1,2"], runs_dir=tmp_path, executor=executor, announce=lambda _: None)
    assert len(grid.failed) == 2 and not grid.rows
    for label, message in grid.failed.items():
        log = tmp_path / "logs" / f"no_such_task_{label}.log"
        assert message.startswith("unknown task 'no_such_task'; ") and message.endswith(f"(exit code 2, {log})")
        assert log.read_text().count("seqtasks: unknown task") == 1


def test_a_command_gets_its_exit_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pytest"])
    assert (worker.run(["--version"]), worker.run(["run", "no_such"]), worker.run(["run", "--no-such"])) == (0, 2, 2)
    assert "seqtasks: no such option: --no-such" in capsys.readouterr().err
