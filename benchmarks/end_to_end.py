"""Whole runs of tasks on one engine and on another, in turn: seconds of an epoch, and what the model reaches.

    python benchmarks/end_to_end.py
    python benchmarks/end_to_end.py --tasks mnist_rows --engines keras,native,loop --rounds 3 train.epochs=2

Each is `seqtasks run` in a process of its own, one epoch long where nothing else is given; the seconds are
those of its result row, which hold the training and its validation, not the start. Engine `keras` is what
`auto` took before there was `native`. The same model from the same seed: scores differ by rounding.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile


def row_of(folder: str, task: str, engine: str, settings: list[str]) -> dict[str, float]:
    """The result row of a new run."""
    words = ["run", task, f"encoder.engine={engine}", "train.epochs=1", *settings, "--force", "--json", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "seqtasks", *words, "--runs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{task} on {engine}: {done.stderr.strip()}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="mnist_rows,char_lm,sentiment")
    parser.add_argument("--engines", default="keras,native", help="the last is compared with the first")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_args()
    engines = given.engines.split(",")
    print(f"{'task':14} {'engine':8} {'s/epoch':>8} {'value':>8}  of {given.rounds} rounds, medians", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for task in given.tasks.split(","):
            rows: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
            for number in range(given.rounds):
                for engine in engines if number % 2 else reversed(engines):
                    rows[engine].append(row_of(folder, task, engine, given.settings))
            seconds = {e: [row["seconds_per_epoch"] for row in rows[e]] for e in engines}
            for engine in engines:
                value = statistics.median(row["value"] for row in rows[engine])
                print(f"{task:14} {engine:8} {statistics.median(seconds[engine]):8.1f} {value:8.4f}", flush=True)
            ratios = [new / old for new, old in zip(seconds[engines[-1]], seconds[engines[0]], strict=True)]
            spread = f"({min(ratios):.2f}-{max(ratios):.2f})"
            print(f"{task:14} {engines[-1]} / {engines[0]}: {statistics.median(ratios):.2f} {spread}", flush=True)


if __name__ == "__main__":
    main()
