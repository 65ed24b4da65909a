"""Time of the states and gates of all steps, as `seqtasks look` computes them, against that of a prediction.

    python benchmarks/look.py
    python benchmarks/look.py --cells lstm,gru --units 256 --rounds 9

Each round predicts a batch with a character model on the engine `native`, and computes the states of all layers,
without gates and with those of the last layer, which `look` shows, in turn. The table has the median processor time of
each, which other programs change less than the time of day, the median ratios to the prediction of the same round, and
the largest difference between the states and gates on `native` and those on `loop`.
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

from seqtasks.core.arrays import FloatArray
from seqtasks.layers import Encoder
from seqtasks.task_types import LanguageOptions
from seqtasks.task_types.language_modeling.model import language_model
from seqtasks.views.activations import activations

SYMBOLS = 66


def model_of(cell: str, units: int, layers: int, engine: str, batch: int) -> keras.Model:
    """A character model, as the task `char_lm` builds it."""
    keras.utils.set_random_seed(0)
    encoder = Encoder(
        cell=cell, units=units, layers=layers, engine=engine, stateful=True, max_batch=batch, name="encoder"
    )
    return language_model(encoder, SYMBOLS, LanguageOptions(), "lm")


def seconds(call: Callable[[], Any]) -> float:
    """Processor time of a call, of all threads."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def measure(cell: str, units: int, layers: int, batch: int, time_steps: int, rounds: int) -> tuple[FloatArray, float]:
    """Seconds of a prediction, of states, and of states and gates, `(rounds, 3)`; the largest difference of values."""
    tokens = np.random.default_rng(0).integers(SYMBOLS, size=(batch, time_steps)).astype("int32")
    inputs = {"tokens": tokens, "reset": np.ones(batch, bool), "targets": tokens}
    native, loop = (model_of(cell, units, layers, engine, batch) for engine in ("native", "loop"))
    loop.set_weights(native.get_weights())
    calls: list[Callable[[], Any]] = [
        lambda: native.predict_on_batch(inputs),
        lambda: activations(native, inputs, gates=False),
        lambda: activations(native, inputs, gates=f"layer {layers}"),
    ]
    for call in calls:
        call()  # compiles
    times = [[seconds(call) for call in calls] for _ in range(rounds)]
    pairs = zip(activations(native, inputs), activations(loop, inputs), strict=True)
    values = [({**a.states, **a.gates}, {**b.states, **b.gates}) for a, b in pairs]
    differences = [np.abs(one[name] - other[name]).max() for one, other in values for name in one]
    return np.array(times), float(max(differences))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="lstm,gru,peephole_lstm,simple_rnn")
    for name, value in (("units", 128), ("layers", 2), ("batch", 32), ("steps", 256), ("rounds", 15)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    print(f"{args.layers} layers of {args.units} units, {args.batch} sequences of {args.steps} steps")
    print(f"{'cell':12}{'predict':>10}{'states':>10}{'ratio':>8}{'and gates':>12}{'ratio':>8}{'native - loop':>16}")
    for cell in args.cells.split(","):
        times, difference = measure(cell, args.units, args.layers, args.batch, args.steps, args.rounds)
        base, states, gates = np.median(times, axis=0)
        ratios = np.median(times[:, 1:] / times[:, :1], axis=0)
        print(f"{cell:12}{base:9.4f}s{states:9.4f}s{ratios[0]:8.2f}{gates:11.4f}s{ratios[1]:8.2f}{difference:16.1e}")


if __name__ == "__main__":
    main()
