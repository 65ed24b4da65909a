"""Blocks around a cell against NumPy, with masks, carried states and both directions; settings and errors."""

from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pytest

from seqtasks.cells import make_cell
from seqtasks.core import plugins
from seqtasks.core.config import Config, EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers import Encoder, Recurrent
from seqtasks.layers.block import KINDS, WIDTH, block
from seqtasks.layers.parameter_matching import count, match
from tests.cells.oracles import ORACLES

BUNDLED = [entry.name for entry in plugins.cells.entries() if entry.module.startswith("seqtasks.cells.")]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 9, 5)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 1, 1, 1, 1, 1], [0] * 9], bool)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def rms_norm(x, scale):
    return x / np.sqrt(np.mean(x**2) + 1e-5) * scale


def layer_norm(x, scale):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * scale


def oracle(kind, name, w, x, valid, states, conv, timed=False):
    """One sequence, `(time, features)`, through a block in float64, step by step; masked steps are left out."""
    n, norm = w["units"], layer_norm if kind == "xlstm" else rms_norm
    past = list(np.split(conv, WIDTH - 1))  # latest first
    outputs = np.zeros((len(x), n))
    for t, before in zip(np.flatnonzero(valid), [-1, *np.flatnonzero(valid)], strict=False):
        of_step = {"gap": float(t - before)} if timed else {}
        a = norm(x[t], w["block_scale"])
        if kind != "xlstm":
            a, z = np.split(a @ w["block_kernel"], [n])
        c = w["block_filter_bias"] + sum(f * v for f, v in zip(w["block_filters"], [a, *past], strict=True))
        past = [a, *past[:-1]]
        y, states = ORACLES[name](c if kind == "griffin" else silu(c), states, w, **of_step)
        if kind == "gated":
            y = (rms_norm(y, w["block_inner_scale"]) * silu(z)) @ w["block_output_kernel"]
        elif kind == "griffin":
            y = (y * gelu(z)) @ w["block_output_kernel"]
        else:
            y = layer_norm(y, w["block_inner_scale"])
            y = y @ w["block_output_kernel"] if len(y) != n else y
        r = x[t] + y if len(x[t]) == n else y
        if kind != "gated":
            wide = norm(r, w["block_forward_scale"])
            first, second = np.split(wide @ w["forward_kernel"], 2)
            r = r + (gelu(first) * second) @ w["forward_output_kernel"]
        outputs[t] = r
    return outputs, [*states, np.concatenate(past)]


def made(kind, name, units, **settings):
    """A built encoder with random weights, and these by name."""
    encoder = Encoder(cell=name, units=units, block=kind, **settings)
    encoder.build((None, None, X.shape[-1]))
    rng = np.random.default_rng(1)
    encoder.set_weights([0.5 * rng.normal(size=w.shape) for w in encoder.get_weights()])
    cell = encoder.recurrents[-1].cell
    return encoder, {w.name: np.asarray(w, np.float64) for w in cell.weights} | {"units": units}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "units"), [("lstm", 5), ("min_gru", 4)])
def test_equations_with_masks_and_carried_states(kind, name, units) -> None:
    encoder, w = made(kind, name, units)
    start = [[RNG.normal(size=(3, size)).astype("float32") for size in encoder.recurrents[0].cell.state_size]]
    outputs, finals = encoder(X, mask=MASK, initial_state=start)
    assert encoder.running_engine == ("parallel" if name == "min_gru" else "loop")
    for row in range(3):
        *states, conv = (state[row].astype("float64") for state in start[0])
        wanted, last = oracle(kind, name, w, X[row].astype("float64"), MASK[row], states, conv)
        np.testing.assert_allclose(outputs[row], wanted, atol=2e-5)
        for got, state in zip(finals[0], last, strict=True):
            np.testing.assert_allclose(got[row], state, atol=2e-5)


@pytest.mark.each_cell
@pytest.mark.parametrize("name", [name for name in BUNDLED if name != "gru_d"])  # see the last test
def test_every_cell_in_a_block(name) -> None:
    kind = KINDS[BUNDLED.index(name) % len(KINDS)]
    layer = Recurrent(block(make_cell(name, 4), kind))
    layer.build((None, None, X.shape[-1]))
    cell, rng = layer.cell, np.random.default_rng(1)
    for weight in cell.trainable_weights:  # far enough that each has an effect
        weight.assign(np.asarray(weight) + 0.2 * rng.normal(size=weight.shape))
    w = {weight.name: np.asarray(weight, np.float64) for weight in cell.weights} | {"units": 4}
    states = [np.asarray(state) for state in cell.get_initial_state(3)]
    gaps = {"time_gaps": np.ones(X.shape[:2], "float32")} if cell.uses_gaps else {}
    outputs, finals = layer(X, mask=MASK, **gaps)
    for row in range(2):
        *start, conv = (state[row].astype("float64") for state in states)
        expected, last = oracle(kind, name, w, X[row].astype("float64"), MASK[row], start, conv, timed=bool(gaps))
        np.testing.assert_allclose(outputs[row], expected, atol=1e-4)
        for computed, state in zip(finals, last, strict=True):
            np.testing.assert_allclose(computed[row], state, atol=1e-4)


def test_both_directions() -> None:
    encoder, w = made("griffin", "min_gru", 5, bidirectional=True)
    outputs, _ = encoder(X, mask=MASK)
    zeros = [np.zeros(5), np.zeros(15)]
    wanted, _ = oracle("griffin", "min_gru", w, X[1, ::-1].astype("float64"), MASK[1, ::-1], zeros[:1], zeros[1])
    np.testing.assert_allclose(outputs[1, :, 5:], wanted[::-1], atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_encoder_reads_on_where_it_stopped(kind) -> None:
    whole, _ = made(kind, "gru", 5)
    stateful = Encoder(cell="gru", units=5, block=kind, stateful=True, max_batch=3)
    stateful.build((None, None, 5))
    stateful.set_weights(whole.get_weights())
    outputs = np.concatenate([stateful(part)[0] for part in (X[:, :2], X[:, 2:3], X[:, 3:])], axis=1)
    np.testing.assert_allclose(outputs, whole(X)[0], atol=1e-5)


def test_engines_agree_on_gradients_and_gaps() -> None:
    import tensorflow as tf

    gradients = []
    for engine in ("parallel", "loop"):
        encoder, _ = made("xlstm", "min_gru", 5, engine=engine)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(encoder(X, mask=MASK)[0] ** 2)
        gradients.append(tape.gradient(loss, encoder.trainable_weights))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    timed, _ = made("gated", "phased_lstm", 5)
    gaps = np.ones(X.shape[:2], "float32")
    np.testing.assert_allclose(timed(X)[0], timed(X, time_gaps=gaps)[0], atol=1e-6)
    assert np.abs(timed(X)[0] - timed(X, time_gaps=3.5 * gaps)[0]).max() > 1e-4


def test_it_is_saved(tmp_path) -> None:
    inputs = keras.Input((None, 5))
    model = keras.Model(inputs, Encoder(cell="min_gru", units=5, layers=2, block="gated")(inputs)[0])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(model(X), loaded(X), atol=1e-6)


def test_parameters_are_matched_to_the_bare_reference() -> None:
    for kind in KINDS:
        config = match(EncoderConfig(cell="min_gru", block=kind, match="lstm:32"), 16)
        assert count(config, 16) == pytest.approx(count(EncoderConfig(cell="lstm", units=32), 16), rel=0.05)


def test_runs_of_before_keep_their_folders() -> None:
    config = Config("mnist_rows")
    keys = {"encoder.block": "gated"}
    other = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, block=keys["encoder.block"]))
    assert config.identity() == "618c0602" != other.identity()


def test_what_a_block_cannot_hold() -> None:
    with pytest.raises(ConfigError, match=r"block is gated with cell gru_d.*allowed: none; set encoder.block=none"):
        block(make_cell("gru_d", 4), "gated")
    with pytest.raises(ConfigError, match=r"block is 'mamba'; allowed: none, gated, xlstm, griffin"):
        block(make_cell("gru", 4), "mamba")
    with pytest.raises(ConfigError, match=r"encoder.zoneout is 0.1 with encoder.block=gated"):
        Encoder(cell="gru", units=4, block="gated", zoneout=0.1)
