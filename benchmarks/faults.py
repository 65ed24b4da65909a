"""Kills runs at random moments and resumes them; and other faults: full disks, signals, two runs at once.

    python benchmarks/faults.py
    python benchmarks/faults.py --kills 20 --tasks adding,tagging --seed 3
    python benchmarks/faults.py --kills 0 --faults full_disk,sigterm,moved_folder

`kill -9` strikes a run at a moment drawn at random between its start and its end (start, data, training, validation,
scoring, drawing), one time in three twice. After each kill nothing half-written may look finished; the same command
then goes on, and its scores, history and weights must equal those of an undisturbed run, bit by bit. Prints a line for
each kill and each fault; the exit code is 1 if one fails. Each run is a process of its own, forked from one that has
imported Keras, except where the import itself is struck. Linux; some faults need `unshare -rm` and say so without it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

COMMON = ["data.source=builtin", "encoder.units=8", "train.checkpoint_seconds=0.1", "train.average=ema"]
TASKS = {  # small runs of five types of task
    "adding": ["options.length=12", "data.limit=400", "data.limit_test=100", "train.epochs=4", "encoder.dropout=0.2"],
    "mnist_rows": ["data.limit=300", "data.limit_test=100", "train.epochs=4", "train.schedule=plateau"],
    "char_lm": ["data.limit=20000", "data.limit_test=2000", "train.epochs=3", "train.batch_size=8", "options.bptt=20"],
    "tagging": ["data.limit=60", "data.limit_test=20", "train.epochs=3", "train.early_stopping=2"],
    "sentiment": ["data.limit=200", "data.limit_test=100", "train.epochs=3"],
}
COMPLETE = {".json": json.loads, ".yaml": str, ".csv": str, ".txt": str}


@dataclass
class Child:
    """A command of seqtasks in a process of its own.

    Attributes:
        pid: Process id.
        log: File with its standard output and standard error.
    """

    pid: int
    log: Path
    began: float = field(default_factory=time.monotonic)
    status: int | None = None

    def ended(self) -> bool:
        """Whether it has ended, without waiting."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def wait(self, seconds: float = 600) -> int:
        """Exit code; negative: the signal that ended it; the child is killed if it takes longer."""
        until = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > until:
                self.send(signal.SIGKILL)
            time.sleep(0.005)
        assert self.status is not None
        return self.status

    def send(self, number: int) -> None:
        """Sends a signal."""
        if not self.ended():
            os.kill(self.pid, number)

    @property
    def text(self) -> str:
        """Output of the process so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def message(self) -> str:
        """The error message that it printed; empty if there is none."""
        lines = [line for line in self.text.splitlines() if line.startswith("seqtasks: ")]
        return lines[-1].removeprefix("seqtasks: ") if lines else ""


class Laboratory:
    """Starts commands and knows what undisturbed runs give.

    Args:
        folder: Folder for all files.
        seed: Seed of the random moments.
    """

    def __init__(self, folder: Path, seed: int = 0):
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.count = 0
        self.whole: dict[str, tuple[Any, float]] = {}  # outcome and seconds of the undisturbed run of a task

    def new_folder(self) -> Path:
        """A folder for runs that does not exist yet."""
        self.count += 1
        return self.folder / f"runs{self.count}"

    def start(self, *words: str, prepare: Callable[[], None] = lambda: None) -> Child:
        """Starts `seqtasks WORDS` in a fork of this process; `prepare` is called in it before the command."""
        self.count += 1
        log = self.folder / f"log{self.count}.txt"
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return Child(pid, log)
        code = 70
        try:
            os.setpgid(0, 0)
            output = os.open(log, os.O_WRONLY | os.O_CREAT, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            sys.argv = ["seqtasks", *words]
            prepare()
            from seqtasks.__main__ import main

            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def run(self, task: str, runs: Path, *more: str, prepare: Callable[[], None] = lambda: None) -> Child:
        """Starts the run of a task of `TASKS`."""
        words = [*COMMON, *TASKS[task], *more, "--runs", str(runs), "--json"]
        return self.start("run", task, *words, prepare=prepare)

    def reference(self, task: str) -> tuple[Any, float]:
        """Outcome of an undisturbed run of a task, and its seconds."""
        if task not in self.whole:
            for _ in range(2):  # the first one fills the cache
                runs = self.new_folder()
                child = self.run(task, runs)
                if code := child.wait():
                    raise RuntimeError(f"{task}, undisturbed: exit code {code}: {child.text}")
                self.whole[task] = outcome(runs), time.monotonic() - child.began
        return self.whole[task]


def outcome(runs: Path) -> Any:
    """Returns scores, history without times, and weights of the finished run; None if there is none."""
    rows = sorted(runs.glob("*/result.json"))
    if not rows:
        return None
    import h5py
    import pandas as pd

    row = json.loads(rows[0].read_text(encoding="utf-8"))
    history = pd.read_csv(rows[0].with_name("history.csv"))
    history = history[[name for name in history if not name.endswith("seconds")]]
    weights: list[np.ndarray] = []
    with zipfile.ZipFile(rows[0].with_name("model.keras")) as file:
        stored = io.BytesIO(file.read("model.weights.h5"))
    with h5py.File(stored, "r") as tree:
        tree.visititems(lambda name, node: weights.append(node[()]) if isinstance(node, h5py.Dataset) else None)
    facts = {name: row[name] for name in ("run", "scores", "validation", "epochs", "params")}
    return facts, history.to_csv(), [weight.tobytes() for weight in weights]


def half_written(runs: Path) -> list[str]:
    """Files of run folders that are not complete, and rows of runs that are not finished."""
    from seqtasks.experiments import results, run_list

    wrong = []
    for path in sorted(path for path in runs.glob("*/**/*") if path.is_file() and path.name[0] != "."):
        try:
            if path.suffix in (".npz", ".keras"):
                with zipfile.ZipFile(path) as file:
                    assert file.testzip() is None
            elif path.suffix == ".png":
                from PIL import Image

                with Image.open(path) as picture:
                    picture.load()
            else:
                COMPLETE.get(path.suffix, str)(path.read_text(encoding="utf-8"))
        except Exception as error:
            wrong.append(f"{path.name}: {type(error).__name__}: {error}")
    for run in run_list.list_runs(runs):
        if run.status == "training":
            wrong.append(f"{run.path} is called training")
        if run.status == "finished" and not (Path(run.path) / "model.keras").is_file():
            wrong.append(f"{run.path} has a result without a model")
    if len(results.rows(runs)) != len(list(runs.glob("*/result.json"))):
        wrong.append("a row cannot be read")
    return wrong


def stage(runs: Path) -> str:
    """Progress of a killed run."""
    folders = [path for path in runs.glob("*") if path.is_dir()] if runs.is_dir() else []
    if not folders:
        return "before the folder"
    names = {path.name for path in folders[0].iterdir()}
    if "result.json" in names:
        return "drawing"
    if "model.keras" in names:
        return "scoring"
    if "status.json" not in names:
        return "building"
    return "training, with a checkpoint" if "checkpoint.npz" in names else "training"


def kill(laboratory: Laboratory, task: str) -> tuple[str, list[str]]:
    """Kills a run of a task at a random moment, perhaps twice, and resumes it.

    Returns:
        Where it was struck, and what is wrong afterwards.
    """
    whole, seconds = laboratory.reference(task)
    runs, wrong, stages = laboratory.new_folder(), [], []
    for _ in range(2 if laboratory.rng.random() < 1 / 3 else 1):
        child = laboratory.run(task, runs)
        time.sleep(float(laboratory.rng.uniform(0, 1.02 * seconds)))
        child.send(signal.SIGKILL)
        child.wait()
        stages.append(stage(runs))
        wrong += half_written(runs)
        if outcome(runs) not in (None, whole):
            wrong.append("the row of the killed run differs")
    child = laboratory.run(task, runs)
    if code := child.wait():
        wrong.append(f"exit code {code} of the resumed run: {child.text[-500:]}")
    wrong += half_written(runs)
    if outcome(runs) != whole:
        wrong.append("the resumed run differs from the undisturbed one")
    if temporary := [path.name for path in runs.glob("*/.*-*.*")]:
        wrong.append(f"left behind: {', '.join(temporary)}")
    shutil.rmtree(runs, ignore_errors=True)
    return " and ".join(stages), wrong


def preload() -> None:
    """Imports what runs need, so that each fork has it; no operation of the backend runs here."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import tokenizers  # noqa: F401

    import seqtasks.cli.main
    import seqtasks.training.baselines
    import seqtasks.training.inference  # noqa: F401


def main() -> None:
    from fault_scenarios import SCENARIOS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="kills in all, in turn over the tasks")
    parser.add_argument("--minutes", type=float, default=120, help="minutes after which no further run is killed")
    parser.add_argument("--tasks", default=",".join(TASKS), help="names, separated by commas")
    parser.add_argument("--faults", default="all", help=f"other faults: all, none, or of {', '.join(SCENARIOS)}")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tasks = options.tasks.split(",")
    names = {"all": list(SCENARIOS), "none": []}.get(options.faults) or options.faults.split(",")
    names = [] if options.faults == "none" else names
    if unknown := [name for name in tasks if name not in TASKS] + [name for name in names if name not in SCENARIOS]:
        parser.error(f"unknown name {unknown[0]!r}; allowed: {', '.join([*TASKS, *SCENARIOS])}")
    preload()
    began, failed, kills = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        os.environ["SEQTASKS_CACHE"] = str(Path(name, "cache"))
        laboratory = Laboratory(Path(name), options.seed)
        for i in range(options.kills):
            if time.monotonic() - began > 60 * options.minutes:
                break
            task = tasks[i % len(tasks)]
            where, wrong = kill(laboratory, task)
            kills, failed = kills + 1, failed + bool(wrong)
            print(f"kill {i + 1:3} {task:12} {where}: {'; '.join(wrong) or 'equal'}", flush=True)
        for name in names:
            note, wrong = SCENARIOS[name](laboratory)
            failed += bool(wrong)
            print(f"{name:20} {'; '.join(wrong) or 'right'}{f' ({note})' if note else ''}", flush=True)
    print(f"{kills} kills and {len(names)} other faults in {time.monotonic() - began:.0f} s: {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
