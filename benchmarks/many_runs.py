"""Seconds, and seconds of processor time, of `list runs` and `table` over many run folders.

    python benchmarks/many_runs.py
    python benchmarks/many_runs.py --runs 10000 --folder /tmp/many

Writes folders of finished runs, 5 tasks × 20 cells × settings × 10 seeds, and one in a hundred that was interrupted,
then runs each command twice, each in a process of its own: the first may have to read every folder.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASKS = ("adding", "char_lm", "mnist_rows", "sentiment", "tagging")
CELLS = 20
SEEDS = 10


def make(folder: Path, count: int) -> None:
    """Writes the run folders."""
    from seqtasks.core.config import Config
    from seqtasks.core.plugins import cells
    from seqtasks.experiments.run_folder import FORMAT

    names = [entry.name for entry in cells.entries()][:CELLS]
    settings = -(-count // (len(TASKS) * CELLS * SEEDS))
    made = 0
    for task in TASKS:
        base = {**Config(task=task).to_dict(), "options": {f"option_{number}": number for number in range(12)}}
        for cell in names:
            for number in range(settings):
                for seed in range(SEEDS):
                    if made == count:
                        return
                    made += 1
                    config = copy.deepcopy(base)
                    config["seed"] = seed
                    config["encoder"]["cell"], config["encoder"]["units"] = cell, 16 + number
                    write_run(folder, task, cell, config, FORMAT, interrupted=made % 100 == 0)


def write_run(folder: Path, task: str, cell: str, config: dict, form: int, interrupted: bool) -> None:
    """Writes the files of one run that lists and tables read."""
    digest = hashlib.sha256(json.dumps(config).encode()).hexdigest()
    name = f"{task}-{cell}-{digest[:8]}"
    path = folder / name
    path.mkdir()
    facts = {"format": form, "seqtasks": "0.3.0", "task": task, "source": "builtin:generated", "fingerprint": "0" * 16}
    (path / "run.json").write_text(json.dumps(facts, indent=1))
    if interrupted:
        (path / "status.json").write_text('{"status": "interrupted"}\n')
        return
    value = int(digest[:6], 16) / 16**6
    row = {
        "format": form, "task": task, "version": 1, "topology": "many-to-one", "kind": "model",
        "source": "builtin:generated", "fingerprint": "0" * 16, "metric": "accuracy", "higher_is_better": True,
        "value": value, "scores": {"accuracy": value, "nll": 1 - value}, "validation": {"accuracy": value},
        "seed": config["seed"], "cell": cell, "engine": "native", "encoder_params": 1000 + config["encoder"]["units"],
        "params": 2000 + config["encoder"]["units"], "epochs": 5, "seconds": 60.0 + value, "seconds_per_epoch": 12.0,
        "examples_per_second": 1000.0, "config": config,
        "versions": {"python": "3.11.2", "seqtasks": "0.3.0", "keras": "3.15.0", "backend": "tensorflow",
                     "tensorflow": "2.21.0", "numpy": "2.3.0"},
        "commit": None, "machine": "a machine", "threads": 1, "started": "2026-11-30T10:00:00+00:00",
        "finished": "2026-11-30T10:01:00+00:00", "run": name, "notes": [], "test_examples": 1000,
    }  # fmt: skip
    (path / "result.json").write_text(json.dumps(row, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="folder of the runs, kept; default: a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not folder.is_dir() or not any(folder.iterdir()):
            folder.mkdir(parents=True, exist_ok=True)
            make(folder, given.runs)
        commands = {
            "list runs": ["list", "runs"],
            "table adding": ["table", "adding"],
            "table of one cell": ["table", "adding", "encoder.cell=gru"],
            "an error": ["table", "adding", "encoder.units=1"],
        }
        for name, words in commands.items():
            for turn in ("first", "second"):
                begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
                done = subprocess.run(
                    [sys.executable, "-m", "seqtasks", *words, "--runs", str(folder)], capture_output=True, text=True
                )
                seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
                processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                lines = (done.stdout + done.stderr).count("\n")
                print(
                    f"{name:18} {turn:6} {seconds:6.2f} s, {processor:6.2f} s of processor  {lines:,} lines", flush=True
                )


if __name__ == "__main__":
    main()
