"""Time of a training step of `mnist_rows` on each engine against the same model of stock Keras.

    python benchmarks/mnist_epoch.py --cell lstm --rounds 15

Each contender trains the same model (28 steps of 28 features, 128 units, dropout, dense,
Adam with clipping) on the same random images, as they are, through `fit`: one round is one
short `fit` of each, in turn, so that a machine that slows down slows all. What counts is the
ratio to stock Keras round by round; its median and quartiles are printed. Engines make one
step in a call, and as many as `mnist_rows` does by default.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seqtasks.cells.registration import make_cell
from seqtasks.core.config import resolve
from seqtasks.core.plugins import load_task
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.data.splits import Examples
from seqtasks.engines import available
from seqtasks.training.compiled_model import build
from seqtasks.training.optimizers import make_optimizer

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}


class Clock(keras.callbacks.Callback):
    """Time at which training ended; `fit` of stock Keras may return half a second later, see `UntunedDataAdapter`."""

    def on_train_end(self, logs: object = None) -> None:
        self.time = time.perf_counter()


def seconds(fit: Callable[[Clock], object]) -> float:
    """From the call to the end of training."""
    clock, begin = Clock(), time.perf_counter()
    fit(clock)
    return clock.time - begin


def ours(cell: str, engine: str, images: np.ndarray, labels: np.ndarray, *settings: str) -> Callable[[], float]:
    """`seqtasks run mnist_rows` without its folder: our model, our batches."""
    cls = load_task("mnist_rows")
    words = [f"encoder.cell={cell}", f"encoder.engine={engine}", "options.augment=false", "train.epochs=18", *settings]
    config = resolve("mnist_rows", cls.Options, words)
    task = cls(config.options, {"shape": [28, 28], "classes": [str(i) for i in range(10)]})
    model, _ = build(task, config)
    batches = task.batches(Examples({"image": images}, labels), config.train.batch_size, shuffle=True)
    assert isinstance(batches, ArrayBatches)
    model.compile(
        make_optimizer(config.train, len(batches)),
        task.loss(),
        metrics=task.metrics(),
        jit_compile=False,
        steps_per_execution=config.train.steps_per_execution,
    )
    return lambda: seconds(
        lambda clock: model.fit(UntunedDataAdapter(batches), verbose=0, shuffle=False, callbacks=[clock])
    )


def stock(cell: str, images: np.ndarray, labels: np.ndarray) -> Callable[[], float]:
    """The script that a Keras user would write."""
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Rescaling(1 / 255),
            LAYERS[cell](128),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ]
    )
    steps = -(-len(images) // 128)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, 12 * steps), global_clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    return lambda: seconds(lambda clock: model.fit(images, labels, batch_size=128, verbose=0, callbacks=[clock]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=sorted(LAYERS), default="lstm")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=40, help="batches of 128 a fit")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (128 * given.steps, 28, 28)).astype(np.uint8)
    labels = rng.integers(0, 10, len(images))
    contenders = {"stock Keras": stock(given.cell, images, labels)}
    for engine in available(make_cell(given.cell, 4)):
        contenders[f"engine {engine}, steps in one call"] = ours(given.cell, engine, images, labels)
        contenders[f"engine {engine}"] = ours(given.cell, engine, images, labels, "train.steps_per_execution=1")
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(given.rounds + 1):
        names = list(contenders)
        for name in names if round_number % 2 else reversed(names):
            took = contenders[name]()
            if round_number:  # the first round compiles
                times[name].append(took / given.steps * 1000)
    print(f"{given.cell}, 128 units, batch 128, 28 steps; {given.rounds} rounds of {given.steps} training steps")
    print(f"{'contender':34} {'ms/step':>8} {'ratio to stock: median':>24} {'quartiles':>14}")
    reference = np.array(times["stock Keras"])
    for name, found in times.items():
        ratio = np.array(found) / reference
        low, middle, high = np.percentile(ratio, [25, 50, 75])
        print(f"{name:34} {np.median(found):8.1f} {middle:24.3f} {low:7.3f}-{high:.3f}")


if __name__ == "__main__":
    main()
