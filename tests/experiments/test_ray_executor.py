"""A grid on a real Ray cluster of three nodes on this machine: equal to the local one, also if a node is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seqtasks.core.errors import RunError
from seqtasks.experiments import compare, results
from seqtasks.experiments.executor_choice import make_executor
from seqtasks.experiments.results import Row
from seqtasks.training import api

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="needs the extra ray")

GRID = ["encoder.cell=gru,lstm", "seed=0,1", "data.limit=500", "train.epochs=10", "encoder.units=8"]
GRID += ["train.checkpoint_seconds=0.2"]
TIMES = ("seconds", "seconds_per_epoch", "examples_per_second", "started", "finished")


def cluster_class() -> Any:
    from ray.cluster_utils import Cluster

    return Cluster


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    started = cluster_class()(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield started
    if ray.is_initialized():
        ray.shutdown()
    started.shutdown()


def run(runs: Path, on: str, announce: Any = lambda _: None, grid: list[str] = GRID) -> compare.Grid:
    executor = make_executor(on, announce=announce)
    return api.run_grid("adding", grid, None, runs, executor, baseline=False)


def same(one: Row, other: Row, runs: Path, other_runs: Path) -> None:
    facts, other_facts = vars(one).copy(), vars(other).copy()
    for name in TIMES:
        facts.pop(name), other_facts.pop(name)
    assert facts == other_facts
    histories = [pd.read_csv(folder / one.run / "history.csv") for folder in (runs, other_runs)]
    numbers = [history.drop(columns=["seconds", "validation_seconds"]) for history in histories]
    assert len(numbers[0]) == one.epochs
    pd.testing.assert_frame_equal(*numbers, check_exact=True)


def commands() -> dict[int, str]:
    """Command lines of all processes, by process id."""
    lines = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has ended
            continue
    return lines


def test_a_lost_node_changes_no_row_and_leaves_no_process(cluster: Any, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    nodes = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
    lines: list[str] = []
    killed = threading.Event()

    def kill_in_the_middle(text: str) -> None:
        """Kills the node of the second point that starts, after a checkpoint of it was written."""
        lines.append(text)
        begun = [line for line in lines if "starts on" in line]
        if len(begun) == 2 and not killed.is_set():
            killed.set()
            threading.Thread(target=kill, args=(begun[1].split("/")[-1],)).start()

    def kill(node_id: str) -> None:
        deadline = time.monotonic() + 400
        while len(list(there.glob("*/checkpoint.npz"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        (lost,) = [node for node in nodes if node.node_id.startswith(node_id)]
        cluster.remove_node(lost, allow_graceful=False)

    away = run(there, f"ray={cluster.address}", kill_in_the_middle)
    away.check()
    assert killed.is_set() and len(away.rows) == 4 and not away.skipped
    assert [line for line in lines if line.endswith("attempt 2")], lines
    assert "they share the folder of all runs" in lines[0]
    assert not [line for line in commands().values() if str(there) in line]
    assert not list(there.glob(".shared-*"))
    local = run(here, "local")
    for one, other in zip(local.rows, away.rows, strict=True):
        assert one.threads == 1 and one.machine
        same(one, other, here, there)
    again = run(there, f"ray={cluster.address}")
    assert len(again.skipped) == 4 and again.rows == away.rows


def test_runs_of_nodes_with_folders_of_their_own_come_home(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqtasks.experiments.ray_executor import RayExecutor

    monkeypatch.setattr(RayExecutor, "_share", lambda self, runs: runs.mkdir(exist_ok=True))
    cluster.add_node(num_cpus=1)
    grid, lines = ["data.limit=100", "train.epochs=2", "encoder.units=4", "seed=0,1"], list[str]()
    home = run(tmp_path / "home", f"ray={cluster.address}", lines.append, grid)
    home.check()
    assert "finished runs are sent to this machine" in lines[0]
    assert [results.read(tmp_path / "home" / row.run) for row in home.rows] == home.rows
    first, second = sorted(home.rows, key=lambda row: row.started)
    assert first.finished <= second.started  # the node has one core
    assert (tmp_path / "home" / home.rows[0].run / "plots" / "learning_curves.png").is_file()
    same(run(tmp_path / "here", "local", grid=grid).rows[0], home.rows[0], tmp_path / "here", tmp_path / "home")
    again = run(tmp_path / "home", f"ray={cluster.address}", grid=grid)
    assert len(again.skipped) == 2
    with pytest.raises(RunError, match=r"no node has the 64 CPUs that a point needs; the nodes have 0, 1 CPUs"):
        api.run_grid("adding", grid, None, tmp_path, make_executor(f"ray={cluster.address}", cpus=64), baseline=False)


def test_ctrl_c_stops_all_and_the_same_command_goes_on(cluster: Any, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=1)
    command = [sys.executable, "-P", "-m", "seqtasks", "compare", "adding", "seed=0,1", "data.limit=50"]
    command += ["train.epochs=150", "train.checkpoint_seconds=0.2", "encoder.units=4", "--no-baseline"]
    command += ["--runs", str(tmp_path), "--on", f"ray={cluster.address}", "--format", "json"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A job in the background of a shell ignores SIGINT, and so would this command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 400
        while not list(tmp_path.glob("*/checkpoint.npz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 130, errors
    assert "stopped with 0 of 2 runs finished; run the same command again" in errors
    assert not [line for line in commands().values() if str(tmp_path) in line]
    (folder,) = [path.parent for path in tmp_path.glob("*/checkpoint.npz")]
    assert '"interrupted"' in (folder / "status.json").read_text()
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "logs" / "adding_seed=0.log").read_text() + (tmp_path / "logs" / "adding_seed=1.log").read_text()
    assert log.count("continuing in epoch") == 1
    (group,) = json.loads(done.stdout)
    assert group["seeds"] == [0, 1]
