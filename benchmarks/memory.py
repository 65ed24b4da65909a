"""Resident memory of a run after each epoch: it must not grow with their number.

    python benchmarks/memory.py --epochs 20

Trains `mnist_rows` on part of its data in this process and prints the resident memory at
the end of epochs; the last line compares epoch 2 with the last one.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import psutil

from seqtasks.core.config import resolve
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.training import train


class Memory(keras.callbacks.Callback):
    """Notes the resident memory in MB after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seen.append(psutil.Process().memory_info().rss / 2**20)


class Watching(Reporter):
    """A reporter whose progress is a `Memory`."""

    memory = Memory()

    def callback(self, epochs: int, steps: int) -> list[keras.callbacks.Callback]:
        return [self.memory]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--examples", type=int, default=12800)
    given = parser.parse_args()
    task = load_task("mnist_rows")
    overrides = [f"train.epochs={given.epochs}", f"data.limit={given.examples}"]
    reporter = Watching()
    with tempfile.TemporaryDirectory() as folder:
        train.run(resolve("mnist_rows", task.Options, overrides), task, Path(folder), reporter)
    seen = reporter.memory.seen
    print("epoch  resident MB")
    for epoch, size in enumerate(seen, 1):
        print(f"{epoch:5}  {size:11.0f}")
    print(f"after epoch {len(seen)} against epoch 2: {100 * (seen[-1] / seen[1] - 1):+.1f} %")


if __name__ == "__main__":
    main()
