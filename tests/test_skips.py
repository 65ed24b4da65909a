"""Skips over the layers of an encoder, composed in NumPy down to the equations of the cell."""

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder

from .by_hand import by_hand

UNITS, LAYERS, STEPS = 4, 3, 4
MASK = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
WHOLE = np.ones_like(MASK)
SKIPS = ["none", "residual", "highway", "dense"]
skips = pytest.mark.parametrize("skip", SKIPS)
DIRECTIONS = [{}, {"bidirectional": True}, {"bidirectional": True, "merge": "sum"}]
DIRECTIONS += [{"bidirectional": True, "merge": "mean"}]
directions = pytest.mark.parametrize("more", DIRECTIONS, ids=["forward", "concat", "sum", "mean"])


def make(features, **settings):
    config = EncoderConfig(**{"cell": "gru", "units": UNITS, "layers": LAYERS, **settings})
    encoder = Encoder(config, dtype="float64")
    encoder.build((None, None, features))
    rng = np.random.default_rng(1)
    for weight in encoder.trainable_weights:
        weight.assign(weight + 0.4 * rng.normal(size=weight.shape))
    return encoder


def data(features):
    return np.random.default_rng(0).normal(size=(4, STEPS, features))


def arrays(layer):
    return {weight.name: keras.ops.convert_to_numpy(weight) for weight in layer.weights}


def step_of(x, mask, which):
    """The first (0) or last (-1) real step of each row, zeros where there is none."""
    rows = zip(x, mask, strict=True)
    return np.stack([row[np.flatnonzero(real)[which]] if real.any() else 0 * row[0] for row, real in rows])


def ends(x, mask, config):
    """What is below, where the directions of the layer above end."""
    last, first = step_of(x, mask, -1), step_of(x, mask, 0)
    if not config.bidirectional:
        return last
    half = x.shape[-1] // 2
    return np.concatenate([last[:, :half], first[:, half:]], -1) if config.merge == "concat" else (last + first) / 2


def compose(encoder, x, mask, sequences=True):
    config = encoder.config
    for i, layer in enumerate(encoder.layers):
        at_ends = not sequences and i + 1 == LAYERS
        outputs = []
        for recurrent in layer:
            assert recurrent.cell.W.shape[0] == x.shape[-1]
            backward = recurrent.direction == "backward"
            output, _ = by_hand("gru", arrays(recurrent.cell), [np.zeros((4, UNITS))], x, mask, backward=backward)
            outputs.append(step_of(output, mask, 0 if backward else -1) if at_ends else output)
        joined = {
            "concat": lambda o: np.concatenate(o, -1),
            "sum": lambda o: np.sum(o, axis=0),
            "mean": lambda o: np.mean(o, axis=0),
        }[config.merge](outputs)
        alike = joined.shape[-1] == x.shape[-1]
        if config.skip == "residual" and alike:
            joined = joined + (ends(x, mask, config) if at_ends else x)
        if config.skip == "highway" and alike:
            w = arrays(encoder.gates[i])
            gate = 1 / (1 + np.exp(-(x @ w["kernel"] + w["bias"])))
            gate, below = (ends(gate, mask, config), ends(x, mask, config)) if at_ends else (gate, x)
            joined = gate * joined + (1 - gate) * below
        if config.layer_norm:
            w = arrays(encoder.norms[i])
            mean, var = joined.mean(-1, keepdims=True), joined.var(-1, keepdims=True)
            joined = (joined - mean) / np.sqrt(var + encoder.norms[i].epsilon) * w["gamma"] + w["beta"]
        joined = joined * (mask.any(axis=1)[:, None] if at_ends else mask[..., None])
        x = np.concatenate([x, joined], -1) if config.skip == "dense" and i + 1 < LAYERS else joined
    return x


def same(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10)


CASES = [(skip, False) for skip in SKIPS] + [("residual", True), ("highway", True)]


@pytest.mark.a_third
@pytest.mark.parametrize(("skip", "fits"), CASES, ids=[f"{skip}-{'fits' * fits}" for skip, fits in CASES])
@directions
def test_the_output_under_a_mask_with_holes(skip, more, fits):
    width = 2 * UNITS if more.get("bidirectional") and "merge" not in more else UNITS
    features = width if fits else 3
    encoder = make(features, skip=skip, **more)
    x = data(features)
    same(encoder(x, mask=MASK)[0], compose(encoder, x, MASK))
    same(encoder(x, mask=MASK, return_sequences=False)[0], compose(encoder, x, MASK, sequences=False))


@skips
def test_the_output_with_layer_normalisation(skip):
    encoder, x = make(3, skip=skip, layer_norm=True, bidirectional=True), data(3)
    same(encoder(x, mask=MASK)[0], compose(encoder, x, MASK))
    same(encoder(x, mask=MASK, return_sequences=False)[0], compose(encoder, x, MASK, sequences=False))


@skips
def test_without_a_mask_all_steps_are_real(skip):
    encoder, x = make(3, skip=skip, bidirectional=True), data(3)
    for sequences in (True, False):
        same(encoder(x, return_sequences=sequences)[0], compose(encoder, x, WHOLE, sequences))


def test_each_skip_is_another_function():
    reference, x, outputs = make(UNITS, skip="none"), data(UNITS), {}
    for skip in ("none", "residual", "highway"):
        encoder = make(UNITS, skip=skip)
        for mine, theirs in zip(encoder.recurrents, reference.recurrents, strict=True):
            mine.cell.set_weights(theirs.cell.get_weights())
        outputs[skip] = np.asarray(encoder(x)[0])
    for one, two in [("none", "residual"), ("none", "highway"), ("residual", "highway")]:
        assert np.abs(outputs[one] - outputs[two]).max() > 1e-2


def gru(features):
    return 3 * UNITS * (features + UNITS + 2)


@pytest.mark.parametrize("features", [3, UNITS])
def test_the_number_of_parameters(features):
    above, gate = [gru(UNITS)] * (LAYERS - 1), UNITS * UNITS + UNITS
    expected = dict.fromkeys(("none", "residual"), gru(features) + sum(above))
    expected["highway"] = expected["none"] + gate * (LAYERS - 1 + (features == UNITS))
    expected["dense"] = sum(gru(features + i * UNITS) for i in range(LAYERS))
    assert {skip: make(features, skip=skip).count_params() for skip in SKIPS} == expected


def test_dense_layers_read_all_below():
    encoder = make(3, skip="dense", bidirectional=True)
    wide = [3 + 2 * UNITS * i for i in range(LAYERS)]
    assert [[r.cell.W.shape[0] for r in layer] for layer in encoder.layers] == [[n, n] for n in wide]
    assert encoder.count_params() == 2 * sum(gru(n) for n in wide)
    assert encoder.output_size == 2 * UNITS == encoder(data(3))[0].shape[-1]


def test_the_gate_of_a_highway_starts_nearly_closed():
    encoder = Encoder(EncoderConfig(cell="gru", units=UNITS, layers=LAYERS, skip="highway"))
    encoder.build((None, None, UNITS))
    for gate in encoder.gates:
        np.testing.assert_array_equal(gate.bias, np.full(UNITS, -2))
        assert len(np.unique(gate.kernel)) == UNITS * UNITS
    for gate in encoder.gates:
        gate.kernel.assign(0 * gate.kernel)
    x, part = data(UNITS).astype("float32"), 1 / (1 + np.exp(2))
    for layer in encoder.layers:
        outputs, _ = layer[0](x)
        x = part * np.asarray(outputs) + (1 - part) * x
    np.testing.assert_allclose(encoder(data(UNITS).astype("float32"))[0], x, atol=1e-6)


def test_other_skips_have_no_gates():
    assert [make(UNITS, skip=skip).gates for skip in ("none", "residual", "dense")] == [[], [], []]
