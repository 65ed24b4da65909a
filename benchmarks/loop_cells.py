"""Time of a training step of the cells that only engine `loop` runs: plain, and compiled by XLA.

    python benchmarks/loop_cells.py
    python benchmarks/loop_cells.py --cells mgu,lem --rounds 15

`loop` runs the recurrent layer in a graph of TensorFlow, `XLA` compiles the layer with its backward
pass. `in each step` is `loop` that computes `Cell.prepare` at every step instead of once, for cells
that have it. A step is the forward pass and the gradients of inputs and weights, on one thread; one
round is two steps of each contender, in turn. The figures are medians of processor time, which other
processes disturb less than wall time, and the median of the ratio round by round. The first step
(tracing, compilation) is listed apart. `error` is the largest difference between gradients of `XLA`
or `in each step` and of `loop`, relative to the largest gradient of the same weight.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from seqtasks import engines
from seqtasks.cells import make_cell
from seqtasks.cells.base import Cell
from seqtasks.core import plugins
from seqtasks.layers import Recurrent

STEPS = 2  # of each contender in a round
Step = Callable[[], list[Any]]


def training_step(name: str, units: int, x: Any, contender: str) -> Step:
    """Forward pass and gradients of a layer whose weights depend on the name of the cell only."""
    keras.utils.set_random_seed(0)
    cell = make_cell(name, units)
    if contender == "in each step":
        cell.__dict__["preparation"] = nullcontext  # `prepared` then computes its value where `step` reads it
    layer = Recurrent(cell, engine="loop")
    layer.build((None, None, x.shape[-1]))
    watched = [x, *(weight.value for weight in layer.trainable_weights)]

    def step() -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(layer(x)[0] ** 2)
        return tape.gradient(loss, watched, unconnected_gradients="zero")

    return tf.function(step, autograph=False, jit_compile=True if contender == "XLA" else None)


def seconds(step: Step, steps: int) -> float:
    """Processor time of one step, the mean of several."""
    begin = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - begin) / steps


def error(actual: list[Any], expected: list[Any]) -> float:
    """Largest difference of gradients, relative to the largest value of each."""
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(actual, expected, strict=True)]
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-9)) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="", help="names, separated by commas; default: all that only `loop` runs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--time", type=int, default=64)
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--units", type=int, default=128)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    shape = (arguments.batch, arguments.time, arguments.features)
    x = tf.constant(np.random.default_rng(0).normal(size=shape).astype("float32"))
    names = arguments.cells.split(",") if arguments.cells else plugins.cells.names()
    print(f"inputs {shape}, {arguments.units} units, {arguments.rounds} rounds, one thread, ms of processor time")
    print(f"{'cell':24} {'contender':13} {'ms':>7} {'of loop':>8} {'quartiles':>13} {'first step s':>13} {'error':>8}")
    medians: dict[str, list[float]] = {}
    for name in names:
        cell = make_cell(name, arguments.units)
        if not arguments.cells and engines.available(cell) != ["loop"]:
            continue
        contenders = ["loop", "XLA"] + ["in each step"] * (type(cell).prepare is not Cell.prepare)
        steps = {each: training_step(name, arguments.units, x, each) for each in contenders}
        first = {each: seconds(step, 1) for each, step in steps.items()}
        expected = steps["loop"]()
        errors = {each: error(step(), expected) for each, step in steps.items()}
        rounds = [{each: seconds(step, STEPS) for each, step in steps.items()} for _ in range(arguments.rounds)]
        for each in contenders:
            times = np.array([times[each] for times in rounds])
            ratios = np.percentile(times / np.array([times["loop"] for times in rounds]), [25, 50, 75])
            medians.setdefault(each, []).append(ratios[1])
            print(
                f"{name:24} {each:13} {1000 * np.median(times):7.1f} {ratios[1]:8.3f} {ratios[0]:6.3f}-{ratios[2]:.3f}"
                f" {first[each]:13.2f} {errors[each]:8.0e}",
                flush=True,
            )
        keras.backend.clear_session()
    for each, values in medians.items():
        print(f"geometric mean of {each} / loop over {len(values)} cells: {np.exp(np.mean(np.log(values))):.3f}")


if __name__ == "__main__":
    main()
