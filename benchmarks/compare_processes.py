"""Seconds of `seqtasks compare` beside training: its lasting process against a process for each run.

    python benchmarks/compare_processes.py --rounds 1

Both ways fit the baselines and train the same runs, by turns and into folders of their own. Printed are the whole
time, that of training and validation (`seconds` of the result rows), and the ratio of what is left.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seqtasks.experiments.compare import expand, of_data

GRID = ["mnist_rows", "encoder.cell=simple_rnn,gru,lstm", "data.source=builtin", "seed=0,1,2"]
Times = tuple[float, float]


def seqtasks(*words: str) -> None:
    """Runs a command; its messages are not shown."""
    subprocess.run([sys.executable, "-P", "-m", "seqtasks", *words], check=True, capture_output=True)


def separate(task: str, overrides: list[str], runs: str) -> None:
    """Fits the baselines and trains each run in a process of its own."""
    for words in expand(of_data(overrides)):
        seqtasks("baseline", task, *words, "--json", "--runs", runs)
    for words in expand(overrides):
        seqtasks("run", task, *words, "--json", "--runs", runs)


def lasting(task: str, overrides: list[str], runs: str) -> None:
    """Does the same by `seqtasks compare`."""
    seqtasks("compare", task, *overrides, "--runs", runs)


def measured(way: object, task: str, overrides: list[str]) -> Times:
    """Whole seconds, and those of training and validation."""
    with tempfile.TemporaryDirectory() as runs:
        begin = time.perf_counter()
        way(task, overrides, runs)  # type: ignore[operator]
        seconds = time.perf_counter() - begin
        rows = [json.loads(path.read_text(encoding="utf-8")) for path in Path(runs).glob("*/result.json")]
    return seconds, sum(row["seconds"] for row in rows if row["kind"] == "model")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("words", nargs="*", default=GRID, help="task and settings, as of seqtasks compare")
    given = parser.parse_args()
    task, *overrides = given.words
    totals = {"a process for each run": [0.0, 0.0], "lasting process": [0.0, 0.0]}
    for _ in range(given.rounds):
        for total, way in zip(totals.values(), (separate, lasting), strict=True):
            for place, value in enumerate(measured(way, task, overrides)):
                total[place] += value
    beside = {}
    for name, (whole, trained) in totals.items():
        beside[name] = whole - trained
        print(f"{name:22}  whole {whole:7.1f} s   training {trained:7.1f} s   beside it {whole - trained:7.1f} s")
    first, second = beside.values()
    print(f"ratio of the time beside training: {second / first:.2f}")


if __name__ == "__main__":
    main()
