"""Time of a training step of every cell on engine `loop` against the same cell in `keras.layers.RNN`.

    python benchmarks/cells.py
    python benchmarks/cells.py --cells lstm,mgu,nas --rounds 20

`keras.layers.RNN(cell)` projects the inputs step by step; `loop` projects them all at
once, before. Each contender trains the same model (a recurrent layer, a dense layer, Adam)
on the same random batch; one round is one step of each, in turn, so that a machine that
slows down slows both. What counts is the ratio round by round: its median and quartiles
for each cell, and the geometric mean of the medians. Cells that are linear in their state
are also timed on engine `parallel`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seqtasks.cells import make_cell
from seqtasks.core import plugins
from seqtasks.layers import Recurrent


def trainer(layer: Callable, x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """One training step of a model around a layer."""
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, keras.layers.Dense(10)(layer(inputs)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    return lambda: model.train_on_batch(x, y)


def contenders(name: str, units: int, x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], None]]:
    """By name: `keras.layers.RNN`, `loop`, and `parallel` where it can run the cell."""
    trainers = {"RNN": trainer(keras.layers.RNN(make_cell(name, units)), x, y)}
    for engine in ("loop", "parallel") if make_cell(name, units).has_own("scan") else ("loop",):
        layer = Recurrent(make_cell(name, units), engine=engine)
        trainers[engine] = trainer(lambda inputs, layer=layer: layer(inputs, return_sequences=False)[0], x, y)
    return trainers


def measure(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of each contender, round by round; the first two rounds compile."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 2):
        for name in steps if number % 2 else reversed(steps):
            begin = time.perf_counter()
            steps[name]()
            times[name].append(1000 * (time.perf_counter() - begin))
    return {name: np.array(values[2:]) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="", help="names, separated by commas; default: all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--time", type=int, default=32)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--units", type=int, default=128)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(given.batch, given.time, given.features)).astype("float32")
    y = rng.integers(10, size=given.batch)
    names = given.cells.split(",") if given.cells else plugins.cells.names()
    shape = f"batch {given.batch}, {given.time} steps of {given.features} features, {given.units} units"
    print(f"{shape}; {given.rounds} rounds")
    print(f"{'cell':24} {'RNN ms':>8} {'loop ms':>8} {'loop / RNN':>11} {'quartiles':>13} {'parallel / RNN':>15}")
    ratios = []
    for name in names:
        times = measure(contenders(name, given.units, x, y), given.rounds)
        low, middle, high = np.percentile(times["loop"] / times["RNN"], [25, 50, 75])
        ratios.append(middle)
        parallel = f"{np.median(times['parallel'] / times['RNN']):15.3f}" if "parallel" in times else ""
        medians = f"{np.median(times['RNN']):8.1f} {np.median(times['loop']):8.1f}"
        print(f"{name:24} {medians} {middle:11.3f} {low:6.3f}-{high:.3f} {parallel}", flush=True)
        keras.backend.clear_session()
    print(f"geometric mean of loop / RNN over {len(ratios)} cells: {np.exp(np.mean(np.log(ratios))):.3f}")


if __name__ == "__main__":
    main()
