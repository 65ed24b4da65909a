"""The decoder: all steps at once equal step by step, any cell, states across any two cells."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers.bridge import Bridge
from seqtasks.layers.decoder import Decoder
from seqtasks.layers.encoder import Encoder

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 3)).astype("float32")
SOURCE = RNG.normal(size=(2, 5, 6)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
CONFIG = EncoderConfig(cell="lstm", units=7, layers=2)
KINDS = [("additive", False), ("multiplicative", False), ("none", False), ("additive", True), ("multiplicative", True)]


def numpy(values):
    return keras.tree.map_structure(ops.convert_to_numpy, values)


def begin(decoder, finals):
    keras.utils.set_random_seed(0)
    return Bridge(decoder.state_sizes)(finals)


def memory_of(cell="gru", bidirectional=True):
    encoder = Encoder(EncoderConfig(cell=cell, units=4, bidirectional=bidirectional))
    return encoder(SOURCE, mask=MASK)


@pytest.mark.parametrize(("attention", "feeding"), KINDS)
def test_step_by_step_equals_all_at_once(attention, feeding):
    memory, finals = memory_of()
    decoder = Decoder(CONFIG, attention, feeding)
    begun = begin(decoder, finals)
    whole, weights, last = decoder(X, begun, memory, mask=MASK)
    states, outputs, seen = begun, [], []
    for t in range(X.shape[1]):
        out, w, states = decoder(X[:, t : t + 1], states, memory, mask=MASK)
        outputs.append(numpy(out))
        seen.append(numpy(w))
    np.testing.assert_allclose(np.concatenate(outputs, 1), numpy(whole), atol=1e-5)
    for one, other in zip(keras.tree.flatten(numpy(states)), keras.tree.flatten(numpy(last)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert weights.shape == (2, 4, 0 if attention == "none" else 5)
    np.testing.assert_allclose(np.concatenate(seen, 1), numpy(weights), atol=1e-5)
    if attention != "none":
        np.testing.assert_allclose(numpy(weights).sum(-1), 1, atol=1e-5)
        assert not numpy(weights)[0, :, 3:].any()


def test_input_feeding_uses_the_previous_output():
    """With the weights of the fed part at zero it is the decoder that is not fed."""
    memory, finals = memory_of()
    fed, plain = Decoder(CONFIG, "additive", True), Decoder(CONFIG, "additive", False)
    for decoder in (fed, plain):
        decoder(X, begin(decoder, finals), memory)
    kernel = fed.stack.recurrents[0].cell.weights[0]
    assert kernel.shape[0] == 3 + 7
    values = numpy(kernel.value).copy()
    values[3:] = 0
    kernel.assign(values)
    for mine, its in zip(plain.weights, fed.weights, strict=True):
        mine.assign(its.value[:3] if its is kernel else its.value)
    one, other = (d(X, begin(d, finals), memory, mask=MASK)[0] for d in (fed, plain))
    np.testing.assert_allclose(numpy(one), numpy(other), atol=1e-5)
    kernel.assign(RNG.normal(size=kernel.shape))
    assert np.abs(numpy(fed(X, begin(fed, finals), memory, mask=MASK)[0]) - numpy(other))[:, 1:].max() > 1e-3


@pytest.mark.parametrize("reader", ["lstm", "mgu", "scrn"])
@pytest.mark.parametrize("writer", ["gru", "lstmp", "min_lstm"])
def test_states_cross_any_two_cells(reader, writer):
    memory, finals = memory_of(reader)
    decoder = Decoder(dataclasses.replace(CONFIG, cell=writer))
    begun = begin(decoder, finals)
    assert [[state.shape[-1] for state in layer] for layer in begun] == decoder.state_sizes
    outputs, _, _ = decoder(X, begun, memory, mask=MASK)
    assert outputs.shape == (2, 4, decoder.output_size) and np.isfinite(numpy(outputs)).all()


def test_the_bridge_is_a_tanh_of_all_states():
    _, finals = memory_of()
    bridge = Bridge([[7, 3], [2]])
    found = numpy(bridge(finals))
    assert [[state.shape for state in layer] for layer in found] == [[(2, 7), (2, 3)], [(2, 2)]]
    joined = np.concatenate([numpy(state) for layer in finals for state in layer], -1)
    for state, dense in zip(keras.tree.flatten(found), bridge.flat, strict=True):
        kernel, bias = (numpy(weight.value) for weight in dense.weights)
        np.testing.assert_allclose(state, np.tanh(joined @ kernel + bias), atol=1e-5)


# XLA takes seconds to compile a decoder; the smallest one is always compiled.
QUICK = [("none", False, True), *((*kind, False) for kind in KINDS if kind != ("additive", True))]
LONG = [("additive", True, False), *((*kind, True) for kind in KINDS if kind != ("none", False))]


@pytest.mark.a_third
@pytest.mark.parametrize(
    ("attention", "feeding", "jit"), QUICK + [pytest.param(*kind, marks=pytest.mark.slow) for kind in LONG]
)
def test_trains_saves_and_drops_only_in_training(attention, feeding, jit, tmp_path):
    source, x = keras.Input((None, 6)), keras.Input((None, 3))
    memory, finals = Encoder(EncoderConfig(cell="gru", units=4))(source)
    decoder = Decoder(dataclasses.replace(CONFIG, dropout=0.5), attention, feeding)
    outputs, _, _ = decoder(x, begin(decoder, finals), memory)
    model = keras.Model([source, x], outputs)
    model.compile("adam", "mse", jit_compile=jit)
    before = numpy(model([SOURCE, X]))
    model.fit([SOURCE, X], np.zeros((2, 4, 7), "float32"), epochs=2, verbose=0)
    after = numpy(model([SOURCE, X]))
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_array_equal(after, numpy(model([SOURCE, X])))
    assert np.abs(numpy(model([SOURCE, X], training=True)) - after).max() > 1e-3
    model.save(tmp_path / "d.keras")
    np.testing.assert_allclose(numpy(keras.models.load_model(tmp_path / "d.keras")([SOURCE, X])), after, atol=1e-6)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ConfigError, match="input feeding without attention"):
        Decoder(CONFIG, "none", True)
    with pytest.raises(ConfigError, match=r"with zoneout, layer_norm; allowed: .*; set encoder\.zoneout=0\.0"):
        Decoder(dataclasses.replace(CONFIG, zoneout=0.1, layer_norm=True), "additive", True)


def test_the_cells_of_a_given_encoder_are_used():
    stack = Encoder(CONFIG, name="mine")
    decoder, other = Decoder(CONFIG, "none", stack=stack), Decoder(CONFIG, "none")
    memory, finals = memory_of()
    begun = begin(decoder, finals)
    outputs = numpy(decoder(X, begun, memory)[0])
    np.testing.assert_allclose(outputs, numpy(stack(X, initial_state=begun)[0]), atol=1e-6)
    other(X, begun, memory)
    assert len(decoder.weights) == len(other.weights) == len(stack.weights)
