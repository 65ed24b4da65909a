"""Examples per second and losses of the same run in one and in several processes, under JAX.

    KERAS_BACKEND=jax python benchmarks/data_parallel.py
    KERAS_BACKEND=jax python benchmarks/data_parallel.py --tasks char_lm --processes 1,2,4 train.batch_size=64
    KERAS_BACKEND=jax python benchmarks/data_parallel.py --updates 50

Dropout is off, so that the losses can be equal. Further words are settings of every run. The first epoch, which
compiles, is left out of the speed. Each process gets an equal share of the cores of this machine.

The losses are means over the updates of an epoch. With `--updates N`, the data is one batch, so that each of N epochs
is one update, and the losses of single updates are compared; `char_lm` then carries no state between windows.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import pandas as pd

import seqtasks

PLAIN = ["data.source=builtin", "encoder.dropout=0", "train.jit=true", "train.schedule=constant"]
SETTINGS = {
    "tagging": ["options.dropout=0", "options.word_dropout=0", "options.characters=none", "data.limit=400"],
    "char_lm": ["data.limit=100000", "data.limit_test=5000", "options.dynamic_rate=null"],
}
# One batch: 32 sentences, or 8 streams of 100 characters.
SINGLE = {
    "tagging": ["data.limit=32", "train.batch_size=32"],
    "char_lm": ["data.limit=800", "options.bptt=100", "train.batch_size=8", "encoder.units=256"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="tagging,char_lm")
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--updates", type=int, help="epochs of one update, instead of `--epochs` of many")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    given = parser.parse_args()
    counts = [int(count) for count in given.processes.split(",")]
    print(f"{'task':10} {'processes':>9} {'examples/s':>11} {'speed-up':>9} {'largest difference of losses':>29}")
    for task in given.tasks.split(","):
        first: tuple[float, pd.Series] | None = None
        for count in counts:
            words = [*PLAIN, *SETTINGS.get(task, []), f"train.epochs={given.updates or given.epochs}"]
            words += [*(SINGLE.get(task, []) if given.updates else []), *given.settings]
            with tempfile.TemporaryDirectory() as folder:
                result = seqtasks.run(task, *words, f"train.processes={count}", runs=Path(folder), quiet=True)
                history, row = result.history, result.row
            # `examples_per_second` of the row is examples / median of the seconds, with the first epoch.
            examples = row.examples_per_second * statistics.median(history.seconds)
            speed = examples / statistics.median(history.seconds[1:])
            first = first or (speed, history.loss)
            difference = (history.loss - first[1]).abs().max()
            print(f"{task:10} {count:9} {speed:11,.0f} {speed / first[0]:9.2f} {difference:29.1e}", flush=True)


if __name__ == "__main__":
    main()
