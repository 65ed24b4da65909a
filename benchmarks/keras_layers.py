"""Time of a training step of a Keras script with the layers of Keras, with ours in their place, and with `Encoder`.

    python benchmarks/keras_layers.py
    python benchmarks/keras_layers.py --shapes imdb --cells gru --rounds 40 --no-mask

The three models are the same but for the recurrent layers: `keras.layers.LSTM` or `GRU`, the class of that name of
`seqtasks.layers`, and `seqtasks.layers.Encoder`. Shapes are those of `seqtasks.bench`, from an `Embedding` or, for
mnist, from the numbers. Half of the sequences have up to a half of padding, and the implicit mask is that of
`mask_zero=True` or `Masking`. A round is a step of each, in turn; what counts is the ratio in each round.
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

from seqtasks import layers
from seqtasks.bench.shapes import SHAPES, Shape

CLASSES = {"lstm": "LSTM", "gru": "GRU"}
CONTENDERS = ("keras.layers", "seqtasks.layers", "Encoder")


def step_of(contender: str, cell: str, shape: Shape, masked: bool, wrapped: bool) -> Callable[[], Any]:
    """A step of training of one contender."""
    inputs = keras.Input((None,) if shape.vocabulary else (None, shape.features))
    if shape.vocabulary:
        x = keras.layers.Embedding(shape.vocabulary, shape.features, mask_zero=masked)(inputs)
    else:
        x = keras.layers.Masking()(inputs) if masked else inputs
    for layer in range(shape.layers):
        sequences = shape.sequences or layer + 1 < shape.layers
        if contender == "Encoder":
            x, _ = layers.Encoder(cell=cell, units=shape.units, bidirectional=wrapped)(x, return_sequences=sequences)
        else:
            module = layers if contender == "seqtasks.layers" else keras.layers
            one = getattr(module, CLASSES[cell])(shape.units, return_sequences=sequences)
            x = keras.layers.Bidirectional(one)(x) if wrapped else one(x)
    model = keras.Model(inputs, keras.layers.Dense(shape.outputs)(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y, _ = shape.batches()[0]
    if masked:
        lengths = np.random.default_rng(1).integers(x.shape[1] // 2, x.shape[1] + 1, len(x))
        lengths[::2] = x.shape[1]
        x[np.arange(x.shape[1]) >= lengths[:, None]] = 0
    return lambda: model.train_on_batch(x, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="mnist,char,imdb", help="shapes of `seqtasks bench`, separated by commas")
    parser.add_argument("--cells", default="lstm,gru", help="lstm, gru or both, separated by a comma")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--no-mask", action="store_true", help="no padding and no mask")
    parser.add_argument("--bidirectional", action="store_true", help="layers in keras.layers.Bidirectional")
    parser.add_argument("--cpu-time", action="store_true", help="processor time of all threads, for a shared machine")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    print(f"{arguments.rounds} rounds; medians, and quartiles of the ratios")
    print(f"{'shape':8}{'cell':6}{'keras.layers':>14}{'ratio to keras.layers':>26}{'ratio to Encoder':>26}")
    for name in arguments.shapes.split(","):
        for cell in arguments.cells.split(","):
            options = not arguments.no_mask, arguments.bidirectional
            steps = {one: step_of(one, cell, SHAPES[name], *options) for one in CONTENDERS}
            times: dict[str, list[float]] = {one: [] for one in CONTENDERS}
            for round_number in range(arguments.rounds + 2):
                for one in CONTENDERS if round_number % 2 else reversed(CONTENDERS):
                    begin = clock()
                    steps[one]()
                    if round_number > 1:  # the first two compile
                        times[one].append(clock() - begin)
            stock, ours, encoder = (np.array(times[one]) for one in CONTENDERS)
            columns = []
            for reference in (stock, encoder):
                low, middle, high = np.percentile(ours / reference, [25, 50, 75])
                columns.append(f"{middle:.3f} ({low:.3f}-{high:.3f})")
            print(f"{name:8}{cell:6}{1000 * np.median(stock):11.1f} ms{columns[0]:>26}{columns[1]:>26}", flush=True)


if __name__ == "__main__":
    main()
