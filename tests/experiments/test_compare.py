"""Grids: parsing, processes that run one point after another, failures, logs and signals; the children are scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from seqtasks.core.errors import ConfigError, RunError
from seqtasks.experiments import results
from seqtasks.experiments.compare import Grid, data_of, expand, plan, run_grid
from seqtasks.experiments.local_executor import LocalExecutor
from tests.experiments.test_results import make

# Stands for `python -m seqtasks.cli.worker`; its commands are `run TASK key=value… --runs DIR --json`.
CHILD = """
import json, os, signal, sys, time
from pathlib import Path
from seqtasks.experiments.lasting_process import serve
did = []
def run(words):
    task, *rest = words[1:]
    settings = dict(text.split("=", 1) for text in rest[:rest.index("--runs")])
    runs = Path(rest[rest.index("--runs") + 1])
    row = json.loads(os.environ["ROW"])
    row |= {"cell": settings.get("encoder.cell", "gru"), "seed": int(settings.get("seed", 0))}
    print("training", *rest, file=sys.stderr)
    print("some library talks on stdout")
    what = row["cell"]
    did.append(what)
    if what == "broken":
        print("sentence one", file=sys.stderr)
        print("unknown thing; did you mean another?\\n", file=sys.stderr)
        return 1
    if what == "told":
        print(json.dumps({"error": "no such cell"}))
        return 2
    if what == "raises":
        raise RuntimeError("an error of our own")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "silent":
        return 0
    if what == "old":
        row["skipped"] = True
    if what == "slow":
        got = []
        def stop(number, frame):
            got.append(number)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        (runs / f"ready-{row['seed']}").touch()
        while not got:
            time.sleep(0.01)
        time.sleep(0.2)
        (runs / f"stopped-{row['seed']}").write_text(" ".join(signal.Signals(n).name for n in got))
        return 130
    row["versions"] = {name: os.environ.get(name, "unset") for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
    row["versions"] |= {"process": str(os.getpid()), "before": " ".join(did[:-1])}
    print(json.dumps(row))
    return 0
serve(run, lambda: did[-1] != "large")
"""
ROOT = Path(__file__).parents[2]


def start(env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env={**env, "ROW": results.to_json(make()), "PYTHONPATH": path_of_tests()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def path_of_tests() -> str:
    return os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def local(jobs: int = 1, announce: Callable[[str], None] = lambda _: None) -> LocalExecutor:
    return LocalExecutor(jobs, start, announce)


@pytest.fixture
def lines() -> list[str]:
    return []


def test_the_first_key_is_the_slowest() -> None:
    assert expand(["encoder.cell=a,b", "train.epochs=5", "seed=0,1"]) == [
        ["encoder.cell=a", "train.epochs=5", "seed=0"],
        ["encoder.cell=a", "train.epochs=5", "seed=1"],
        ["encoder.cell=b", "train.epochs=5", "seed=0"],
        ["encoder.cell=b", "train.epochs=5", "seed=1"],
    ]
    assert expand([]) == [[]]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[1,2]", ["[1,2]"]),
        ("[1,2],[3],4", ["[1,2]", "[3]", "4"]),
        ("{a: [1, 2], b: 3},{}", ["{a: [1, 2], b: 3}", "{}"]),
        ('"files:/a,b",auto', ["files:/a,b", "auto"]),
        ("'a,b'", ["a,b"]),
        ("don't,stop", ["don't", "stop"]),
        ('["a,]b",c]', ['["a,]b",c]']),
        (" a , b ", ["a", "b"]),
        ("a=b,c", ["a=b", "c"]),
        ("null,none,''", None),
        ("true,1", ["true", "1"]),
    ],
)
def test_commas_separate_at_the_top_level_only(text: str, values: list[str] | None) -> None:
    if values is None:
        with pytest.raises(ConfigError, match="twice"):
            expand([f"key={text}"])
    else:
        assert expand([f"key={text}"]) == [[f"key={value}"] for value in values]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seed=0,1,0"], "seed has the value 0 twice"),
        (["encoder.units=64,64.0"], "encoder.units has the value 64.0 twice"),
        (["seed=0", "seed=1"], "seed is given twice; separate its values by commas"),
        (["encoder.cell=a,,b"], "encoder.cell=a,,b has an empty value"),
        (["encoder.cell=a,"], "has an empty value"),
        (["encoder.cell="], "has an empty value"),
        (["key=[1,2"], "lacks a closing ]"),
        (['key="a,b'], 'lacks a closing "'),
        (["seed"], "key=value"),
    ],
)
def test_invalid_grids_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(overrides)
    assert message in str(caught.value)


def test_a_point_is_a_command_labelled_by_what_varies(tmp_path: Path) -> None:
    points = plan("tagging", ["encoder.cell=gru", "seed=0,1"], runs_dir=tmp_path, config_file="fast.yaml")
    assert [point.label for point in points] == ["seed=0", "seed=1"]
    head = ("run", "tagging", "encoder.cell=gru", "seed=1")
    assert points[1].arguments() == (*head, "--runs", str(tmp_path), "--json", "--config", "fast.yaml")
    (alone,) = plan("tagging", [], runs_dir=tmp_path)
    assert alone.label == "tagging"


def test_the_data_of_a_grid_is_that_of_its_settings_of_data_and_options() -> None:
    grid = ["encoder.cell=gru,lstm", "data.limit=10,20", "seed=0,1"]
    assert data_of("t", grid) == [["t", "data.limit=10"], ["t", "data.limit=20"]]
    assert data_of("t", [], "fast.yaml") == [["t", "--config", "fast.yaml"]]


def test_one_at_a_time_shows_the_errors_of_the_children(
    tmp_path: Path, lines: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    grid = run_grid(
        "t",
        ["encoder.cell=gru,old"],
        runs_dir=tmp_path,
        executor=local(announce=lines.append),
        announce=lines.append,
    )
    grid.check()
    assert [row.cell for row in grid.rows] == ["gru", "old"]
    assert grid.skipped == ["encoder.cell=old"]
    assert lines == [
        "[1/2] encoder.cell=gru",
        "encoder.cell=gru: accuracy 0.98 after 91 s",
        "[2/2] encoder.cell=old",
        "finished before, skipped: encoder.cell=old",
    ]
    captured = capfd.readouterr()
    assert captured.err.count("training") == 2
    assert captured.out == ""
    assert not (tmp_path / "logs").exists()
    assert grid.rows[0].versions["OMP_NUM_THREADS"] == "unset"


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_failure_stops_no_other_point(jobs: int, tmp_path: Path, lines: list[str]) -> None:
    cells = "encoder.cell=broken,told,killed,silent,lstm"
    grid = run_grid("t", [cells], runs_dir=tmp_path, executor=local(jobs), announce=lines.append)
    assert [row.cell for row in grid.rows] == ["lstm"]
    assert len(grid.failed) == 4
    log = tmp_path / "logs" / "t_encoder.cell=broken.log"
    if jobs > 1:
        assert grid.failed["encoder.cell=broken"] == f"unknown thing; did you mean another? (exit code 1, {log})"
        assert "sentence one" in log.read_text()
    else:
        assert grid.failed["encoder.cell=broken"] == "its message is above (exit code 1)"
    assert grid.failed["encoder.cell=told"].startswith("no such cell (exit code 2")
    assert grid.failed["encoder.cell=killed"] == "killed by SIGKILL"
    assert grid.failed["encoder.cell=silent"].startswith("this is not a result row")
    assert len([text for text in lines if text.startswith("failed: ")]) == 4
    with pytest.raises(RunError, match=r"4 runs failed: .*encoder.cell=told: no such cell.*run the same command again"):
        grid.check()


def test_the_cores_are_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    grid = run_grid("t", ["seed=0,1"], runs_dir=tmp_path, executor=local(7), announce=lambda _: None)
    assert [row.seed for row in grid.rows] == [0, 1]
    assert {tuple(row.versions.values())[:2] for row in grid.rows} == {("4", "5")}


def processes(grid: Grid) -> list[tuple[str, str]]:
    """Cells by the process that ran them, with those that it ran before."""
    return [(row.versions["process"], row.versions["before"]) for row in grid.rows]


def test_points_share_a_process_until_one_fails_or_it_grows(tmp_path: Path) -> None:
    cells = "encoder.cell=gru,lstm,told,mgu,killed,lem,large,rwa"
    grid = run_grid("t", [cells], runs_dir=tmp_path, executor=local(), announce=lambda _: None)
    assert [row.cell for row in grid.rows] == ["gru", "lstm", "mgu", "lem", "large", "rwa"]
    assert [before for _, before in processes(grid)] == ["", "gru", "", "", "lem", ""]
    assert len({process for process, _ in processes(grid)}) == 4
    assert list(grid.failed) == ["encoder.cell=told", "encoder.cell=killed"]


def test_several_points_at_a_time_have_as_many_processes_and_another_precision_has_its_own(tmp_path: Path) -> None:
    grid = run_grid("t", ["seed=0,1,2,3,4,5"], runs_dir=tmp_path, executor=local(2), announce=lambda _: None)
    assert len({process for process, _ in processes(grid)}) == 2
    points = ["train.precision=float32,mixed_bfloat16", "seed=0,1"]
    grid = run_grid("t", points, runs_dir=tmp_path, executor=local(), announce=lambda _: None)
    assert [before for _, before in processes(grid)] == ["", "gru", "", "gru"]


def test_a_point_begins_anew_if_its_process_was_killed_between_two_points(tmp_path: Path) -> None:
    grids: list[results.Row] = []

    def kill(text: str) -> None:
        if "accuracy" in text and len(grids) < 1:
            (child,) = [process.child for _, process in executor._idle]
            child.kill()
            child.wait()
            grids.append(make())

    executor = local()
    grid = run_grid("t", ["seed=0,1"], runs_dir=tmp_path, executor=executor, announce=kill)
    assert grids and not grid.failed and [before for _, before in processes(grid)] == ["", ""]


def test_the_baseline_comes_first_and_may_fail(tmp_path: Path, lines: list[str]) -> None:
    row = make(kind="baseline", cell="most frequent")
    grid = run_grid("t", [], runs_dir=tmp_path, executor=local(), baseline=lambda: [row], announce=lines.append)
    assert [row.cell for row in grid.rows] == ["most frequent", "gru"]

    def fail() -> list[results.Row]:
        raise RunError("no baseline today")

    grid = run_grid("t", [], runs_dir=tmp_path, executor=local(), baseline=fail, announce=lines.append)
    assert (len(grid.rows), grid.failed) == (1, {"baseline": "no baseline today"})


def test_an_error_of_our_own_ends_the_children(tmp_path: Path) -> None:
    def announce(text: str) -> None:
        raise BrokenPipeError(text)

    with pytest.raises(BrokenPipeError):
        run_grid("t", ["encoder.cell=slow,gru"], runs_dir=tmp_path, executor=local(2), announce=announce)


PARENT = """
import signal, sys
from pathlib import Path
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
from seqtasks.experiments.compare import run_grid
from seqtasks.core.errors import Interrupted
from tests.experiments.test_compare import local
try:
    grid = ["encoder.cell=slow", "seed=0,1,2"]
    run_grid("t", grid, runs_dir=Path(sys.argv[1]), executor=local(int(sys.argv[2])))
except Interrupted as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def parents() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for parent in started:
        if parent.poll() is None:
            parent.kill()


@pytest.mark.parametrize(
    ("jobs", "number", "group", "name"),
    [
        (1, signal.SIGINT, True, "SIGINT"),  # a terminal's Ctrl-C: to the whole group, once to each child
        (1, signal.SIGTERM, False, "SIGTERM"),
        (2, signal.SIGINT, False, "SIGINT"),
        (2, signal.SIGHUP, True, "SIGTERM"),
    ],
)
def test_a_signal_reaches_every_child_once_and_is_waited_for(
    jobs: int, number: int, group: bool, name: str, tmp_path: Path, parents: list[subprocess.Popen[str]]
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), str(jobs)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path_of_tests()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    parents.append(parent)
    deadline = time.monotonic() + 100
    while len(list(tmp_path.glob("ready-*"))) < jobs and time.monotonic() < deadline:
        time.sleep(0.02)
    if group:
        os.killpg(parent.pid, number)
    else:
        parent.send_signal(number)
    output, _ = parent.communicate(timeout=120)
    assert parent.returncode == 130
    assert "stopped with 0 of 3 runs finished; run the same command again: finished runs are skipped and" in output
    assert [path.read_text() for path in tmp_path.glob("stopped-*")] == [name] * jobs


def test_signals_are_ours_again_afterwards_and_other_threads_may_run_grids(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    run_grid("t", [], runs_dir=tmp_path, executor=local(), announce=lambda _: None)
    assert signal.getsignal(signal.SIGINT) is before
    rows: list[results.Row] = []

    def work() -> None:
        rows.extend(run_grid("t", [], runs_dir=tmp_path, executor=local(), announce=lambda _: None).rows)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert len(rows) == 1


def test_a_value_with_keys_of_several_types_is_a_value():
    assert len(expand(["encoder.options={a: 1, ~: 2},{b: 1}"])) >= 1
