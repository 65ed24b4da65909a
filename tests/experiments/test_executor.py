"""The option --on, what a child answers, and the check that machines give equal results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from seqtasks.core.errors import ConfigError, RunError
from seqtasks.experiments import ray_worker
from seqtasks.experiments.executor import Ended, Point, history_in
from seqtasks.experiments.executor_choice import make_executor
from seqtasks.experiments.local_executor import LocalExecutor
from seqtasks.experiments.ray_executor import check_nodes

POINT = Point("seed=1", ("run", "t", "seed=1"), ("--json",), Path("runs"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on": "spark"}, "--on is 'spark'; allowed: local, ray, ray:auto, ray=ADDRESS; write"),
        ({"on": "ray="}, "--on is 'ray='; allowed"),
        ({"on": "ray:10.0.0.1"}, "allowed: local, ray, ray:auto, ray=ADDRESS"),
        ({"on": "local", "cpus": 2.0}, "--cpus 2 is for a cluster, and --on is local; allowed: --jobs"),
        ({"on": "local", "cpus": 0.5, "gpus": 1.0}, "--cpus 0.5 --gpus 1 is for a cluster"),
        ({"jobs": 0}, "--jobs is 0; allowed: ≥ 1"),
    ],
)
def test_wrong_options_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_executor(**arguments)
    assert message in str(caught.value)


def test_local_is_the_default_and_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = make_executor(jobs=3)
    assert isinstance(executor, LocalExecutor) and executor.slots == 3
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"needs Ray, which is not installed; run pip install 'seqtasks\[ray\]'"):
        make_executor("ray:auto")


def test_the_failure_of_a_child_is_its_answer_its_last_message_or_its_signal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\n\n")
    assert str(Ended(POINT, 2, 'x\n{"error": "no such cell"}\n').failure()) == "no such cell (exit code 2)"
    assert str(Ended(POINT, 1, "not JSON", log).failure()) == f"two (exit code 1, {log})"
    assert str(Ended(POINT, 1, "[1]").failure()) == "its message is above (exit code 1)"
    assert str(Ended(POINT, -9, "").failure()) == "killed by SIGKILL"


def test_the_history_is_that_of_the_run_that_was_begun_first(tmp_path: Path) -> None:
    assert history_in(tmp_path) == ""
    for age, name in enumerate(("pretrained", "main")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.json").touch()
        os.utime(folder / "run.json", (1000 - age, 1000 - age))
    (tmp_path / "pretrained" / "history.csv").write_text("not this")
    assert history_in(tmp_path) == ""
    (tmp_path / "main" / "history.csv").write_text("epoch\n1\n")
    assert history_in(tmp_path) == "epoch\n1\n"


def facts(**changes: Any) -> dict[str, Any]:
    data = {"version": 1, "source": "builtin:x", "fingerprint": "ab", "train": 9, "validation": 1, "test": 1}
    data |= {"versions": {"keras": "3.15", "python": "3.12"}, "commit": "c"}
    node = {"error": "", "free": 10**10, "data": [data]}
    return node | {"data": [data | changes]} if changes else node


def test_nodes_that_agree_pass() -> None:
    check_nodes({"a": facts(), "b": facts()})


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (facts(fingerprint="cd"), "the nodes differ: fingerprint is ab on a and cd on b; allowed: the same data"),
        (facts(versions={"keras": "3.14"}), "keras is 3.14 on b and 3.15 on a; python is 3.12 on a and missing on b"),
        (facts() | {"error": "there is no folder x"}, "node b: there is no folder x"),
        (facts() | {"free": 10**6}, "node b has 1 MB of free space; needed: 500 MB; free some, or set TMPDIR"),
    ],
)
def test_nodes_that_differ_are_named(node: dict[str, Any], message: str) -> None:
    with pytest.raises(RunError) as caught:
        check_nodes({"a": facts(), "b": node})
    assert message in str(caught.value)


def make_run(folder: Path, text: str, finished: bool = True) -> None:
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "a.csv").write_text(text)
    for name in ("run.json", *(["result.json"] if finished else []), ".lock", ".best-x1.npz"):
        (folder / name).write_text(text)


def test_runs_come_home_whole_and_replace_only_what_is_not_finished(tmp_path: Path) -> None:
    away, home = tmp_path / "away", tmp_path / "home"
    for name in ("new", "begun", "done"):
        make_run(away / name, "from the node")
    (away / "logs").mkdir()
    make_run(home / "begun", "older", finished=False)
    (home / "begun" / "checkpoint.npz").touch()
    make_run(home / "done", "older")
    arrived = ray_worker.unpack(ray_worker.pack(away), home)
    assert sorted(path.name for path in arrived) == ["begun", "new"]
    assert (home / "done" / "result.json").read_text() == "older"
    for name in ("begun", "new"):
        kept = sorted(str(path.relative_to(home / name)) for path in (home / name).rglob("*"))
        assert kept == ["plots", "plots/a.csv", "result.json", "run.json"]
        assert (home / name / "result.json").read_text() == "from the node"
    assert sorted(path.name for path in home.iterdir()) == ["begun", "done", "new"]


def test_the_desk_passes_each_signal_on_once_and_stops_what_begins_later() -> None:
    desk = ray_worker.Desk()
    assert (desk.begin(0, "n1"), desk.begin(1, "n2")) == (0, 0)
    assert desk.beat(0, "epoch\n1\n") == []
    desk.stop(15, 0)
    assert (desk.beat(0, ""), desk.beat(0, ""), desk.beat(1, "h")) == ([15], [], [])
    assert desk.look() == ([(0, "n1"), (1, "n2")], {0: "", 1: "h"})
    assert desk.begin(0, "n2") == 15  # its node was lost while it was being stopped
    assert desk.begin(2, "n2") == 0
    desk.stop(2, None)
    assert (desk.beat(1, ""), desk.beat(2, ""), desk.begin(3, "n1")) == ([2], [2], 2)
    assert [number for number, _ in desk.look()[0]] == [0, 2, 3]


def test_a_point_is_tried_four_times() -> None:
    desk = ray_worker.Desk()
    assert [desk.begin(0, "n") for _ in range(6)] == [0, 0, 0, 0, -1, -1]
    assert (desk.begin(1, "n"), len(desk.look()[0])) == (0, 5)


@pytest.mark.skipif(sys.platform != "linux", reason="the system call exists on Linux only")
def test_a_bound_child_ends_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    starter = "import json, os, subprocess, sys; subprocess.run(" + (
        "[sys.executable, '-P', '-m', 'seqtasks.experiments.bound_child', str(os.getpid()), *json.loads(sys.argv[1])])"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter, json.dumps(command)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the child has outlived its parent"
        time.sleep(0.01)
    # A parent that ended before is not waited for.
    late = [sys.executable, "-P", "-m", "seqtasks.experiments.bound_child", "1", sys.executable, "-c", "print(1)"]
    assert subprocess.run(late, capture_output=True, check=True).stdout == b""


@pytest.mark.skipif(sys.platform != "linux", reason="the system call exists on Linux only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_bound_child_hears_a_signal_that_its_parent_blocks(number: signal.Signals) -> None:
    command = [sys.executable, "-S", "-c", "import time; print('ready', flush=True); time.sleep(60)"]
    bound = [sys.executable, "-P", "-m", "seqtasks.experiments.bound_child", str(os.getpid()), *command]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        child = subprocess.Popen(bound, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    child.send_signal(number)
    assert child.wait(30) == -number
