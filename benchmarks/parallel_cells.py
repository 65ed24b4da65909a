"""Time and memory of a training step of linear cells on engine `parallel` against engine `loop`, on long sequences.

    python benchmarks/parallel_cells.py
    python benchmarks/parallel_cells.py --cells mamba --time 2048,4096,8192,16384 --engines parallel

A training step is that of a recurrent layer, a dense layer and Adam, on random inputs. Each
engine and length runs in a process of its own, because a peak of memory is that of a
process. The first step, which compiles, is printed and left out of the median.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def measure(cell: str, engine: str, given: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the first step and of the others, and the growth of the peak memory in MB."""
    import keras
    import numpy as np

    from seqtasks.cells import make_cell
    from seqtasks.layers import Recurrent

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(given.batch, int(given.time), given.features)).astype("float32")
    y = rng.integers(10, size=(given.batch, int(given.time)))
    inputs = keras.Input(x.shape[1:])
    outputs, _ = Recurrent(make_cell(cell, given.units), engine=engine)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(10)(outputs))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(given.rounds + 1):
        begin = time.perf_counter()
        model.train_on_batch(x, y)
        seconds.append(time.perf_counter() - begin)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"first": seconds[0], "median": float(np.median(seconds[1:])), "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="mamba,rg_lru,s5")
    parser.add_argument("--engines", default="loop,parallel")
    parser.add_argument("--time", default="4096", help="numbers of steps, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.cells, given.child, given)))
        return
    shape = f"batch {given.batch}, {given.features} features, {given.units} units"
    print(f"{shape}; median of {given.rounds} steps after the first, which compiles")
    print(f"{'cell':16} {'steps':>6} {'engine':>9} {'first s':>8} {'step s':>8} {'memory MB':>10} {'/ loop':>7}")
    for cell in given.cells.split(","):
        for steps in given.time.split(","):
            loop = None
            for engine in given.engines.split(","):
                words = [f"--{name}={vars(given)[name]}" for name in ("rounds", "batch", "features", "units")]
                command = [sys.executable, __file__, "--child", engine, "--cells", cell, "--time", steps, *words]
                result = subprocess.run(command, check=True, capture_output=True, text=True)
                row = json.loads(result.stdout.splitlines()[-1])
                loop = row["median"] if engine == "loop" else loop
                ratio = f"{row['median'] / loop:7.3f}" if loop else ""
                numbers = f"{row['first']:8.2f} {row['median']:8.3f} {row['memory']:10.0f}"
                print(f"{cell:16} {steps:>6} {engine:>9} {numbers} {ratio}", flush=True)


if __name__ == "__main__":
    main()
