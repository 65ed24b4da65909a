"""Time and memory of a training step of cells with a matrix as state, in chunks against step by step.

    python benchmarks/chunked_cells.py
    python benchmarks/chunked_cells.py --cells mlstm,delta_net,gla --times 4096 --rounds 5
    python benchmarks/chunked_cells.py --cells mlstm --times 1024,4096,16384 --engines parallel

One round is one training step (forward, backward, SGD). The first two steps of an
engine trace and compile; their time is printed apart. Each measurement is made in a process of its own;
its memory is the growth of the largest resident size since before the layer was made. Times are those of
the processor, summed over threads, beside those of the clock: on a busy machine only the first compare.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

FEATURES = 16


def measure(cell: str, engine: str, steps: int, given: argparse.Namespace) -> dict[str, float]:
    """Times of training steps of one layer, in a process of its own.

    Returns:
        Medians of the rounds on the processor and by the clock, the time of the first two steps on the
        processor, in ms, and the memory, in MB.
    """
    command = [sys.executable, __file__, "--measure", cell, engine, str(steps)]
    options = ["--rounds", given.rounds, "--batch", given.batch, "--units", given.units, "--heads", given.heads]
    output = subprocess.run([*command, *map(str, options)], stdout=subprocess.PIPE, check=True, text=True).stdout
    return dict(json.loads(output.splitlines()[-1]))


def measure_here(cell: str, engine: str, steps: int, given: argparse.Namespace) -> dict[str, float]:
    """`measure`, in this process."""
    import keras

    from seqtasks.cells import make_cell
    from seqtasks.layers import Recurrent

    rng = np.random.default_rng(0)
    x = rng.normal(size=(given.batch, steps, FEATURES)).astype("float32")
    y = rng.normal(size=(given.batch, steps, 1)).astype("float32")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    options = {} if given.heads == 1 else {"heads": given.heads}
    layer = Recurrent(make_cell(cell, given.units, options), engine=engine)
    inputs = keras.Input((steps, FEATURES))
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(inputs)[0]))
    model.compile("sgd", "mse", jit_compile=False)
    times, walls = [], []
    for _ in range(given.rounds + 2):
        begin, wall = time.process_time(), time.perf_counter()
        model.train_on_batch(x, y)
        times.append(1000 * (time.process_time() - begin))
        walls.append(1000 * (time.perf_counter() - wall))
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    step, wall = float(np.median(times[2:])), float(np.median(walls[2:]))
    return {"step": step, "wall": wall, "first": sum(times[:2]), "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="mlstm,delta_net")
    parser.add_argument("--engines", default="loop,parallel")
    parser.add_argument("--times", default="4096", help="numbers of time steps, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        cell, engine, steps = given.measure
        print(json.dumps(measure_here(cell, engine, int(steps), given)))
        return
    print(f"batch {given.batch}, {given.units} units, heads {given.heads}, {FEATURES} features; {given.rounds} rounds")
    columns = f"{'ms/step':>9} {'of loop':>8} {'clock ms':>9} {'compile s':>10} {'MB':>7}"
    print(f"{'cell':12} {'time':>6} {'engine':9} {columns}")
    for cell in given.cells.split(","):
        for steps in map(int, given.times.split(",")):
            loop = None
            for engine in given.engines.split(","):
                result = measure(cell, engine, steps, given)
                loop = result["step"] if engine == "loop" else loop
                ratio = "–" if loop is None else f"{result['step'] / loop:.3f}"
                print(
                    f"{cell:12} {steps:6} {engine:9} {result['step']:9.1f} {ratio:>8} {result['wall']:9.1f} "
                    f"{result['first'] / 1000:10.1f} {result['memory']:7.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
