"""Classification of sines that are sampled at irregular times: time-aware cells, and an LSTM with and without gaps.

    python benchmarks/irregular_sampling.py
    python benchmarks/irregular_sampling.py --missing 0.4 --models lstm+gaps,gru_d

Two sensors measure a sine of frequency 1 or 2, which is the class, with noise. The mean gap between the
measurements of a sequence is drawn log-uniformly from 0.1 to 1.6, independently of the class, and the gaps
are exponential. Neither the values nor the gaps alone tell the class: that a mean gap of s and frequency 2
look like a mean gap of 2 s and frequency 1 bounds the accuracy without gaps at 62.5 %. Sequences have 20 to
40 steps and are padded on the right.

`lstm` reads the values, `lstm+gaps` also log(1 + gap) as a feature, the other models read the gaps as
`time_gaps`. With `--missing` that share of the values is not observed: `gru_d` gets the observation mask, all
others zeros and the mask as features. All encoders have about as many parameters as an LSTM of 32 units.
Prints a Markdown table: test accuracy, mean ± standard deviation over the seeds, after the epoch with the
best validation accuracy.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from typing import Any

import numpy as np

STEPS, NOISE, REFERENCE = 40, 0.1, "lstm:32"
MODELS: dict[str, dict[str, Any]] = {
    "lstm": {"cell": "lstm"},
    "lstm+gaps": {"cell": "lstm"},
    "gru+gaps": {"cell": "gru"},
    "gru_d": {"cell": "gru_d"},
    "phased_lstm": {"cell": "phased_lstm", "options": {"open_ratio": 0.2, "period_max": 20.0}},
    "cfc": {"cell": "cfc", "options": {"backbone": 32}},
    "ode_rnn": {"cell": "ode_rnn"},
    "ct_lstm": {"cell": "ct_lstm"},
}


def sines(rows: int, missing: float, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws sequences: values, gaps, observation mask and padding mask; and the class of each."""
    labels = rng.integers(0, 2, rows)
    scale = np.exp(rng.uniform(np.log(0.1), np.log(1.6), (rows, 1)))
    gaps = rng.exponential(scale, (rows, STEPS))
    gaps[:, 0] = 0
    angle = (1 + labels[:, None]) * np.cumsum(gaps, axis=1) + rng.uniform(0, 2 * np.pi, (rows, 1))
    x = np.sin(angle[..., None] + [0.0, 1.0]) + rng.normal(0, NOISE, (rows, STEPS, 2))
    mask = np.arange(STEPS) < rng.integers(STEPS // 2, STEPS + 1, (rows, 1))
    observed = (rng.random(x.shape) >= missing) & mask[..., None]
    arrays = {"x": np.where(observed, x, 0).astype("float32"), "mask": mask}
    return arrays | {"time_gaps": np.where(mask, gaps, 0).astype("float32"), "observed": observed}, labels


def model(name: str, missing: float) -> Any:
    """Builds the classifier of a row of the table."""
    import keras
    from keras import ops

    from seqtasks.core.config import EncoderConfig
    from seqtasks.core.plugins import cells
    from seqtasks.layers import Encoder
    from seqtasks.layers.parameter_matching import match

    inputs = {"x": keras.Input((None, 2), name="x"), "mask": keras.Input((None,), dtype="bool", name="mask")}
    inputs |= {"time_gaps": keras.Input((None,), name="time_gaps")}
    inputs |= {"observed": keras.Input((None, 2), dtype="bool", name="observed")}
    cell, parts, arguments = cells.get(MODELS[name]["cell"]), [inputs["x"]], {"mask": inputs["mask"]}
    if cell.uses_gaps:
        arguments["time_gaps"] = inputs["time_gaps"]
    elif name.endswith("+gaps"):
        parts.append(ops.expand_dims(ops.log1p(inputs["time_gaps"]), -1))
    if cell.uses_observed:
        arguments["observed"] = inputs["observed"]
    elif missing:
        parts.append(ops.cast(inputs["observed"], "float32"))
    x = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    config = match(EncoderConfig(**MODELS[name], match=REFERENCE), x.shape[-1])
    vector, _ = Encoder(dataclasses.replace(config, match=None))(x, return_sequences=False, **arguments)
    built = keras.Model(inputs, keras.layers.Dense(1)(vector))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    accuracy = keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
    built.compile(keras.optimizers.Adam(3e-3, clipnorm=1.0), loss, metrics=[accuracy], jit_compile=False)
    return built


def accuracy(name: str, seed: int, given: Any) -> tuple[float, int, float]:
    """Trains a model; returns its test accuracy, its number of parameters and the seconds of an epoch."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    train, valid, test = (sines(rows, given.missing, rng) for rows in (given.rows, 1000, 2000))
    built = model(name, given.missing)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/best.weights.h5"
        best = keras.callbacks.ModelCheckpoint(
            file, "val_accuracy", mode="max", save_best_only=True, save_weights_only=True
        )
        start = time.perf_counter()
        built.fit(*train, validation_data=valid, epochs=given.epochs, batch_size=64, callbacks=[best], verbose=0)
        seconds = (time.perf_counter() - start) / given.epochs
        built.load_weights(file)
    return built.evaluate(*test, batch_size=500, verbose=0)[1], built.count_params(), seconds


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS), help="rows of the table, between commas")
    parser.add_argument("--seeds", default="0,1,2", help="seeds of data and weights, between commas")
    parser.add_argument("--epochs", type=int, default=20, help="number of epochs")
    parser.add_argument("--rows", type=int, default=4000, help="number of training sequences")
    parser.add_argument("--missing", type=float, default=0.0, help="share of values that are not observed")
    given = parser.parse_args()
    print("| model | test accuracy % | params | s/epoch |\n| :-- | --: | --: | --: |", flush=True)
    for name in given.models.split(","):
        runs = [accuracy(name, int(seed), given) for seed in given.seeds.split(",")]
        values = [100 * value for value, _, _ in runs]
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        seconds = statistics.mean(seconds for _, _, seconds in runs)
        shown = f"{statistics.mean(values):.2f}{spread} ({len(values)})"
        print(f"| {name} | {shown} | {runs[0][1]:,} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
