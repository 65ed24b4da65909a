"""Seconds from Enter to the first training step, and of the commands that import no Keras.

    python benchmarks/start.py --rounds 3

Runs `seqtasks run mnist_rows` as a process and notes when its first checkpoint inside an
epoch appears (`train.checkpoint_seconds` is set so low that it comes with the first step),
then kills it. The first round warms the cache of decoded data and is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def first_valid_step(folder: Path) -> float:
    """Starts a run and returns the seconds until its first step is done."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "seqtasks", "run", "mnist_rows", "train.checkpoint_seconds=1e-6"]
    child = subprocess.Popen([*command, "--runs", str(folder), "-q"])
    while child.poll() is None and not list(folder.glob("*/checkpoint.npz")):
        time.sleep(0.01)
    seconds = time.perf_counter() - begin
    if child.poll() is not None:
        raise SystemExit(f"the run ended with exit code {child.returncode} before its first step")
    child.kill()
    child.wait()
    return seconds


def whole(*words: str) -> float:
    """Seconds that a command takes."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "seqtasks", *words], check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    steps = []
    for round_number in range(given.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            seconds = first_valid_step(Path(folder))
        if round_number:
            steps.append(seconds)
    rows = {"first training step": steps}
    for words in (["--help"], ["list"]):
        rows[f"seqtasks {words[0]}"] = [whole(*words) for _ in range(5)]
    for name, found in rows.items():
        print(f"{name:22} median {statistics.median(found):6.2f} s   min {min(found):.2f}   max {max(found):.2f}")


if __name__ == "__main__":
    main()
