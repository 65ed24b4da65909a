"""PyTorch's packed sequences as an independent oracle: outputs, final states and gradients of ragged batches.

Facts about PyTorch: its LSTM has the gate order of ours, its GRU has r before z, it keeps two biases, of which ours
is the sum (but for the GRU with the reset gate after the product), and its matrices are transposed.
"""

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.cells.registration import make_cell
from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recurrent import Recurrent

torch = pytest.importorskip("torch", reason="PyTorch is the oracle: pip install 'seqtasks[oracle]'")

UNITS, FEATURES, STEPS = 5, 3, 8
LENGTHS = np.array([8, 3, 1, 6])
TOLERANCE = 1e-5
MODULES = {"simple_rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
CASES = [(cell, engine) for cell in MODULES for engine in ("loop", "keras")]


def reorder(array, cell):
    """Gates along the last axis, from our order to PyTorch's; it is its own inverse."""
    if cell != "gru":
        return array
    z, r, h = np.split(array, 3, axis=-1)
    return np.concatenate([r, z, h], axis=-1)


def to_torch(module, direction, cell, weights):
    W, U, b = (reorder(np.asarray(w), cell) for w in weights)
    inner, outer = b if cell == "gru" else (b, np.zeros_like(b))
    suffix = "_l0" + ("_reverse" if direction else "")
    for name, array in {"weight_ih": W.T, "weight_hh": U.T, "bias_ih": inner, "bias_hh": outer}.items():
        getattr(module, name + suffix).data = torch.tensor(np.ascontiguousarray(array))


def gradients_of(module, direction, cell):
    """The gradients of PyTorch's weights as ours are laid out."""
    suffix = "_l0" + ("_reverse" if direction else "")
    grads = {n: getattr(module, n + suffix).grad.numpy() for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    bias = np.stack([grads["bias_ih"], grads["bias_hh"]]) if cell == "gru" else grads["bias_ih"]
    return [reorder(g, cell) for g in (grads["weight_ih"].T, grads["weight_hh"].T, bias)]


def oracle(module, cell, x, start, readout):
    """Outputs, final states (direction, state) and the gradients of x and of the initial states."""
    inputs = torch.tensor(x, requires_grad=True)
    states = [torch.tensor(np.stack([d[k] for d in start]), requires_grad=True) for k in range(len(start[0]))]
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    outputs, final = module(packed, tuple(states) if cell == "lstm" else states[0])
    outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=STEPS)
    final = final if cell == "lstm" else (final,)
    loss = (outputs * torch.tensor(readout)).sum() + sum((state**2).sum() for state in final)
    loss.backward()
    by_direction = [[state[d].detach().numpy() for state in final] for d in range(len(start))]
    return outputs.detach().numpy(), by_direction, inputs.grad.numpy(), [state.grad.numpy() for state in states]


def run(layer, x, start, readout):
    """The same of ours; `start` and the final states are lists over directions."""
    mask = np.arange(STEPS)[None] < LENGTHS[:, None]
    inputs, states = tf.constant(x), [[tf.constant(s) for s in d] for d in start]
    weights = [w.value for w in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch([inputs, states])
        if isinstance(layer, Encoder):
            outputs, final = layer(inputs, mask=mask, initial_state=states)
        else:
            outputs, one = layer(inputs, mask=mask, initial_state=states[0])
            final = [one]
        loss = tf.reduce_sum(outputs * readout) + sum(tf.reduce_sum(s**2) for d in final for s in d)
    of_weights, of_inputs, of_states = tape.gradient(loss, [weights, inputs, states])
    return outputs.numpy(), [[s.numpy() for s in d] for d in final], of_inputs.numpy(), of_states, of_weights


def compare(layer, cells, name):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(len(LENGTHS), STEPS, FEATURES)).astype("float32")
    layer.build(x.shape)
    for cell in cells:
        cell.set_weights([rng.normal(scale=0.6, size=w.shape) for w in cell.get_weights()])
    n = len(cells[0].states)
    start = [[rng.normal(size=(len(LENGTHS), UNITS)).astype("float32") for _ in range(n)] for _ in cells]
    readout = rng.normal(size=(len(LENGTHS), STEPS, UNITS * len(cells))).astype("float32")
    module = MODULES[name](FEATURES, UNITS, batch_first=True, bidirectional=len(cells) == 2)
    for direction, cell in enumerate(cells):
        to_torch(module, direction, name, cell.get_weights())

    outputs, final, of_inputs, of_states = oracle(module, name, x, start, readout)
    mine, my_final, my_inputs, my_states, my_weights = run(layer, x, start, readout)
    assert np.abs(outputs).max() > 0.1
    np.testing.assert_allclose(mine, outputs, atol=TOLERANCE)
    for direction in range(len(cells)):
        for k in range(n):
            np.testing.assert_allclose(my_final[direction][k], final[direction][k], atol=TOLERANCE)
            np.testing.assert_allclose(my_states[direction][k], of_states[k][direction], atol=TOLERANCE)
        grads = my_weights[3 * direction : 3 * direction + 3]
        for actual, expected in zip(grads, gradients_of(module, direction, name), strict=True):
            np.testing.assert_allclose(actual, expected, atol=TOLERANCE * max(1, np.abs(expected).max()))
    np.testing.assert_allclose(my_inputs, of_inputs, atol=TOLERANCE)
    assert np.all(my_inputs[np.arange(STEPS)[None] >= LENGTHS[:, None]] == 0), "padding has no gradient"


@pytest.mark.parametrize(("cell", "engine"), CASES)
def test_a_layer_equals_packed_sequences(cell, engine):
    layer = Recurrent(make_cell(cell, UNITS), engine=engine)
    compare(layer, [layer.cell], cell)


@pytest.mark.parametrize(("cell", "engine"), CASES)
def test_a_bidirectional_encoder_equals_packed_sequences(cell, engine):
    encoder = Encoder(EncoderConfig(cell=cell, units=UNITS, bidirectional=True, engine=engine))
    compare(encoder, [recurrent.cell for recurrent in encoder.layers[0]], cell)


def test_the_oracle_sees_a_wrong_gate_order(monkeypatch):
    monkeypatch.setitem(globals(), "reorder", lambda array, cell: array)
    layer = Recurrent(make_cell("gru", UNITS), engine="loop")
    with pytest.raises(AssertionError):
        compare(layer, [layer.cell], "gru")
