"""Time lost at the end of each epoch: batches read by Keras itself, and through `keras_adapter.UntunedDataAdapter`.

    python benchmarks/epoch_ends.py
    python benchmarks/epoch_ends.py --epochs 20 --steps 500

The same LSTM model trains on the same random batches both ways, some epochs each in turn. Told
are the seconds of an epoch, and those of them between its beginning and its first batch: there
Keras on TensorFlow waits for what read the epoch before.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seqtasks import EncoderConfig
from seqtasks.core.keras_import import keep_freed
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.data.splits import Examples
from seqtasks.layers import Encoder


class Clock(keras.callbacks.Callback):
    """When epochs began, had their first batch, and ended."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[list[float]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.times.append([time.perf_counter()])

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if not batch:
            self.times[-1].append(time.perf_counter())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.times[-1].append(time.perf_counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8, help="of a fit")
    parser.add_argument("--steps", type=int, default=250, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    keep_freed()  # as on the command line of seqtasks
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128 * given.steps, 28, 28)).astype("float32")
    batches = ArrayBatches(Examples({"x": x}, rng.integers(10, size=len(x))), 128, shuffle=True)
    inputs = keras.Input((28, 28))
    last, _ = Encoder(EncoderConfig(cell="lstm", units=128))(inputs, return_sequences=False)
    model = keras.Model(inputs, keras.layers.Dense(10)(last))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    model.fit(batches, shuffle=False, verbose=0)  # traces
    ticks: dict[str, list[list[float]]] = {"Keras": [], "Feed": []}
    for _ in range(given.rounds):
        for name, lines in ticks.items():
            clock = Clock()
            read = UntunedDataAdapter(batches) if name == "Feed" else batches
            model.fit(read, epochs=given.epochs, shuffle=False, verbose=0, callbacks=[clock])
            lines += clock.times[1:]  # before the first there is none to wait for
    print(f"{'read by':8} {'s/epoch: median':>16} {'mean':>6} {'most':>6} {'waited: mean':>13} {'most':>6}")
    for name, lines in ticks.items():
        begin, first, end = np.array(lines).T
        took, waited = end - begin, first - begin
        summary = f"{np.median(took):16.2f} {took.mean():6.2f} {took.max():6.2f}"
        print(f"{name:8} {summary} {waited.mean():13.2f} {waited.max():6.2f}")


if __name__ == "__main__":
    main()
