"""Time of a training step of cells that are linear in their state against `gru`, on long sequences.

    python benchmarks/parallel.py
    python benchmarks/parallel.py --cells min_gru,min_lstm,sru,qrnn,lru --time 784

The sequences are those of `mnist_rows options.pixels=true`: 784 steps of one feature. One
round is one training step of each, in turn; what counts is the ratio to `gru` on engine
`loop`, round by round.
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
from seqtasks.layers import Recurrent


def trainer(name: str, engine: str, units: int, x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """One training step of a recurrent layer and a dense one."""
    layer = Recurrent(make_cell(name, units), engine=engine)
    inputs = keras.Input(x.shape[1:])
    last, _ = layer(inputs, return_sequences=False)
    model = keras.Model(inputs, keras.layers.Dense(10)(last))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    return lambda: model.train_on_batch(x, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="min_gru")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--time", type=int, default=784)
    parser.add_argument("--units", type=int, default=128)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(given.batch, given.time, 1)).astype("float32")
    y = rng.integers(10, size=given.batch)
    steps = {"gru, loop": trainer("gru", "loop", given.units, x, y)}
    for name in given.cells.split(","):
        steps[f"{name}, loop"] = trainer(name, "loop", given.units, x, y)
        steps[f"{name}, parallel"] = trainer(name, "parallel", given.units, x, y)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(given.rounds + 2):  # the first two compile
        for name in steps if number % 2 else reversed(steps):
            begin = time.perf_counter()
            steps[name]()
            times[name].append(1000 * (time.perf_counter() - begin))
    print(f"batch {given.batch}, {given.time} steps of 1 feature, {given.units} units; {given.rounds} rounds")
    print(f"{'contender':22} {'ms/step':>9} {'ratio to gru, loop':>20} {'quartiles':>13}")
    reference = np.array(times["gru, loop"][2:])
    for name, seconds in times.items():
        low, middle, high = np.percentile(np.array(seconds[2:]) / reference, [25, 50, 75])
        print(f"{name:22} {np.median(seconds[2:]):9.1f} {middle:20.3f} {low:6.3f}-{high:.3f}")


if __name__ == "__main__":
    main()
