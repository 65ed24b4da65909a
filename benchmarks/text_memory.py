"""The memory that a text of a gigabyte takes beyond what training on a small one takes.

    python benchmarks/text_memory.py
    python benchmarks/text_memory.py --megabytes 100

Writes a text of that size into a temporary folder, with a cache of its own, and trains `char_lm`
for some steps on it, and on its first megabyte, each in a process of its own: read, vocabulary,
numbers, windows, steps. Prints the largest resident memory of both and the difference.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 20


def write(path: Path, megabytes: int) -> None:
    """The reference of the language, again and again, each time with another number in front of its lines."""
    from pydoc_data.topics import topics

    lines = "\n".join(str(text) for text in topics.values()).encode().split(b"\n")
    with path.open("wb") as file:
        turn = 0
        while file.tell() < megabytes * 1_000_000:
            file.write(b"\n".join(b"%d %s" % (turn, line) for line in lines))
            turn += 1
        file.truncate(megabytes * 1_000_000)


def train(path: Path) -> None:
    """Prints the seconds to prepare the text, and the largest resident memory in megabytes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from seqtasks.core import keras_import

    keras_import.import_keras()
    from seqtasks.core import plugins
    from seqtasks.core.config import resolve
    from seqtasks.core.reporter import Reporter
    from seqtasks.training.optimizers import make_optimizer
    from seqtasks.training.resolution import load
    from seqtasks.training.train import build

    begin = time.perf_counter()
    cls = plugins.load_task("char_lm")
    config = resolve("char_lm", cls.Options, [f"data.source=files:{path}", "train.epochs=1"])
    task = cls(config.options)
    splits = load(task, config, Reporter(quiet=True))
    prepared = time.perf_counter() - begin
    model, _ = build(task, config)
    batches = task.batches(splits.train, config.train.batch_size, shuffle=True)
    model.compile(make_optimizer(config.train, len(batches)), task.loss(), weighted_metrics=task.metrics())
    model.fit(batches, steps_per_epoch=STEPS, verbose=0)
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"{prepared:.1f} {peak / 1000:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given.train)
        return
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in (1, given.megabytes):
            path = Path(folder, f"{size}.txt")
            write(path, size)
            environment = {**os.environ, "SEQTASKS_CACHE": str(Path(folder, f"cache{size}"))}
            output = subprocess.run(
                [sys.executable, __file__, "--train", str(path)],
                env=environment, check=True, capture_output=True, text=True,
            ).stdout.split()  # fmt: skip
            peaks[size] = float(output[1])
            print(f"{size:5} MB of text: prepared in {float(output[0]):6.1f} s, largest memory {peaks[size]:6.0f} MB")
    print(f"difference: {peaks[given.megabytes] - peaks[1]:.0f} MB")


if __name__ == "__main__":
    main()
