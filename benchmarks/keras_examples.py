"""Time of a training step of five models that keras.io/examples show, with and without `seqtasks.accelerate`.

    python benchmarks/keras_examples.py
    python benchmarks/keras_examples.py --examples imdb,video --rounds 10

The models have the layers, sizes and batches of the examples "Bidirectional LSTM on IMDB", "Sequence to sequence
learning for performing number addition", "Character-level recurrent sequence-to-sequence model", "Timeseries
forecasting for weather prediction" and "Video Classification with a CNN-RNN Architecture" (https://keras.io/examples);
the data have their shapes and are random. Both models of an example begin with equal weights, and their outputs are
compared before training. A round is a training step of each, in turn; what counts is the ratio in each round.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import seqtasks

Example = tuple[keras.Model, Any, np.ndarray]  # model, inputs and targets of a batch
RNG = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    """Standard normal numbers."""
    return RNG.normal(size=shape).astype("float32")


def one_hot(*shape: int) -> np.ndarray:
    """Rows with a single 1; the last number of the shape is their width."""
    return np.eye(shape[-1], dtype="float32")[RNG.integers(shape[-1], size=shape[:-1])]


def imdb() -> Example:
    """A review of 200 words: two bidirectional LSTM layers, batches of 32."""
    stack = [keras.Input((None,), dtype="int32"), layers.Embedding(20_000, 128)]
    stack += [layers.Bidirectional(layers.LSTM(64, return_sequences=True)), layers.Bidirectional(layers.LSTM(64))]
    model = keras.Sequential([*stack, layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model, RNG.integers(1, 20_000, (32, 200)), RNG.integers(0, 2, (32, 1))


def addition() -> Example:
    """ "535+61" to "596": an LSTM reads, another writes, batches of 32."""
    stack = [keras.Input((7, 12)), layers.LSTM(128), layers.RepeatVector(4), layers.LSTM(128, return_sequences=True)]
    model = keras.Sequential([*stack, layers.Dense(12, activation="softmax")])
    model.compile("adam", "categorical_crossentropy")
    return model, one_hot(32, 7, 12), one_hot(32, 4, 12)


def translation() -> Example:
    """A sentence of 16 characters to one of 59: the decoder starts from the states of the encoder, batches of 64."""
    source, target = keras.Input((None, 71)), keras.Input((None, 93))
    _, *states = layers.LSTM(256, return_state=True)(source)
    written = layers.LSTM(256, return_sequences=True)(target, initial_state=states)
    model = keras.Model([source, target], layers.Dense(93, activation="softmax")(written))
    model.compile("rmsprop", "categorical_crossentropy")
    return model, [one_hot(64, 16, 71), one_hot(64, 59, 93)], one_hot(64, 59, 93)


def weather() -> Example:
    """The temperature after 120 hours of seven measurements: an LSTM of 32 units, batches of 256."""
    model = keras.Sequential([keras.Input((120, 7)), layers.LSTM(32), layers.Dense(1)])
    model.compile("adam", "mse")
    return model, numbers(256, 120, 7), numbers(256, 1)


def video() -> Example:
    """Features of up to 20 frames: two GRU layers with a mask, batches of 64."""
    frames, mask = keras.Input((20, 2048)), keras.Input((20,), dtype="bool")
    x = layers.GRU(16, return_sequences=True)(frames, mask=mask)
    x = layers.Dense(8, activation="relu")(layers.Dropout(0.4)(layers.GRU(8)(x)))
    model = keras.Model([frames, mask], layers.Dense(5, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    valid = np.arange(20) < RNG.integers(5, 21, (64, 1))
    return model, [numbers(64, 20, 2048), valid], RNG.integers(0, 5, 64)


EXAMPLES: dict[str, Callable[[], Example]] = {
    function.__name__: function for function in (imdb, addition, translation, weather, video)
}


def compare(make: Callable[[], Example], rounds: int, clock: Callable[[], float]) -> tuple[float, np.ndarray, float]:
    """Times one example.

    Returns:
        Seconds of a step of Keras (median), the ratio of the accelerated one in each round, and the largest difference
        of the outputs before training.
    """
    model, inputs, targets = make()
    faster, *_ = make()
    faster.set_weights(model.get_weights())
    seqtasks.accelerate(faster, verbose=False)
    expected, computed = (np.asarray(one.predict_on_batch(inputs)) for one in (model, faster))
    difference = float(np.abs(expected - computed).max())
    times: dict[int, list[float]] = {0: [], 1: []}
    for number in range(rounds + 2):
        for which in (0, 1) if number % 2 else (1, 0):
            begin = clock()
            (model, faster)[which].train_on_batch(inputs, targets)
            if number > 1:  # the first two compile
                times[which].append(clock() - begin)
    stock, ours = np.array(times[0]), np.array(times[1])
    return float(np.median(stock)), ours / stock, difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", default=",".join(EXAMPLES), help="separated by commas")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cpu-time", action="store_true", help="processor time of all threads, for a shared machine")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    print(f"{arguments.rounds} rounds; medians, and quartiles of the ratios")
    print(f"{'example':14}{'Keras':>12}{'accelerated / Keras':>26}{'difference':>14}")
    for name in arguments.examples.split(","):
        seconds, ratios, difference = compare(EXAMPLES[name], arguments.rounds, clock)
        low, middle, high = np.percentile(ratios, [25, 50, 75])
        ratio = f"{middle:.3f} ({low:.3f}-{high:.3f})"
        print(f"{name:14}{1000 * seconds:9.1f} ms{ratio:>26}{difference:14.1e}", flush=True)


if __name__ == "__main__":
    main()
