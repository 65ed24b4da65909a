"""The memory that a table of series of a gigabyte takes beyond TensorFlow: loading it, and 200 updates of the weights.

    python benchmarks/series_memory.py
    python benchmarks/series_memory.py --megabytes 100

Writes a CSV file of that size (a row for each step, six channels, 100 steps a series) into a temporary folder, with a
cache of its own. Trains `series` on it in two processes: the first converts the table, the second maps what was
converted.
Prints the largest resident memory above that after `import tensorflow`, and the seconds until the data is loaded.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

UPDATES = 200


def write(path: Path, megabytes: int) -> None:
    """Sixteen series again and again, each time with another id; half of them have a sine in all channels."""
    rng = np.random.default_rng(0)
    blocks = []
    for number in range(16):
        values = rng.normal(size=(100, 6)) + (number % 2) * np.sin(np.arange(100) / 5)[:, None]
        rows = [
            ",".join(["@", str(60 * step), *(f"{value:.5f}" for value in row), "ab"[number % 2]])
            for step, row in enumerate(values)
        ]
        blocks.append("\n".join(rows) + "\n")
    with path.open("w", encoding="utf-8") as file:
        file.write("id,time,c1,c2,c3,c4,c5,c6,label\n")
        number = 0
        while file.tell() < megabytes * 1_000_000:
            file.write(blocks[number % len(blocks)].replace("@", f"s{number}"))
            number += 1


def peak() -> float:
    """The largest resident memory of this process so far, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000


def train(path: Path) -> None:
    """Prints the seconds to load the table, and the memory above that after `import tensorflow`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from seqtasks.core import keras_import

    keras_import.import_keras()
    before = peak()
    from seqtasks.core import plugins
    from seqtasks.core.config import resolve
    from seqtasks.core.reporter import Reporter
    from seqtasks.training.optimizers import make_optimizer
    from seqtasks.training.resolution import load
    from seqtasks.training.train import build

    begin = time.perf_counter()
    cls = plugins.load_task("series")
    config = resolve("series", cls.Options, [f"data.source=files:{path}", "train.epochs=1"])
    task = cls(config.options)
    splits = load(task, config, Reporter(quiet=True))
    loaded = time.perf_counter() - begin
    model, _ = build(task, config)
    batches = task.batches(splits.train, config.train.batch_size, shuffle=True)
    model.compile(make_optimizer(config.train, len(batches)), task.loss(), weighted_metrics=task.metrics())
    model.fit(batches, steps_per_epoch=UPDATES, verbose=0)
    print(f"{loaded:.1f} {peak() - before:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given.train)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "steps.csv")
        write(path, given.megabytes)
        environment = {**os.environ, "SEQTASKS_CACHE": str(Path(folder, "cache"))}
        for turn in ("converted", "mapped"):
            words = [sys.executable, __file__, "--train", str(path)]
            done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
            seconds, memory = done.stdout.split()[-2:]
            print(
                f"{given.megabytes} MB of CSV, {turn}: loaded in {seconds} s, {memory} MB above TensorFlow", flush=True
            )


if __name__ == "__main__":
    main()
