"""Gaps between the steps and the observation mask: elapsed times, layers that pass them on, refusals, saving."""

import keras
import numpy as np
import pytest

from seqtasks.cells import CTLSTM, GRUD, CfC, make_cell
from seqtasks.core.errors import ConfigError
from seqtasks.layers import RNN, Decoder, Encoder, Recurrent
from seqtasks.layers.time_gaps import elapsed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6, 3)).astype("float32")
GAPS = RNG.uniform(0.1, 3.0, size=(4, 6)).astype("float32")
MASK = np.arange(6)[None] < np.array([6, 4, 1, 0])[:, None]
HOLES = np.array([[0, 1, 0, 0, 1, 1], [1, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]], bool)
OBSERVED = RNG.random(size=X.shape) < 0.6


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def values(layer, *args, **more):
    return [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(layer(*args, **more))]


def same(one, other, tolerance=1e-5):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


def by_timestamps(gaps, mask, backward):
    """Elapsed times as differences of the times of the valid steps."""
    times, result = np.cumsum(gaps.astype("float64"), axis=1), np.zeros(gaps.shape)
    for row in range(len(gaps)):
        valid = [t for t in range(gaps.shape[1]) if mask[row, t]]
        for k, t in enumerate(valid):
            if not backward:
                result[row, t] = times[row, t] - (times[row, valid[k - 1]] if k else 0)
            elif t != valid[-1]:
                result[row, t] = times[row, valid[k + 1]] - times[row, t]
    return result


@pytest.mark.parametrize("mask", [None, MASK, HOLES], ids=["whole", "padded", "holes"])
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_elapsed_times_are_differences_of_timestamps(mask, backward):
    everywhere = np.ones(GAPS.shape, bool)
    wanted = by_timestamps(GAPS, everywhere if mask is None else mask, backward)
    np.testing.assert_allclose(elapsed(GAPS, mask, backward), wanted, atol=1e-6)


def test_gaps_after_the_last_valid_step_are_not_read():
    for backward in (False, True):
        spoilt = np.where(MASK, GAPS, np.nan).astype("float32")
        np.testing.assert_array_equal(elapsed(spoilt, MASK, backward), elapsed(GAPS, MASK, backward))


@pytest.mark.parametrize("layer", [Recurrent, RNN, Encoder])
def test_a_cell_without_use_for_gaps_refuses_them(layer):
    made = Encoder(cell="gru", units=4) if layer is Encoder else layer(make_cell("gru", 4))
    with pytest.raises(ConfigError) as refused:
        made(X, time_gaps=GAPS)
    assert str(refused.value) == (
        "time_gaps with cell gru, which does not use it; allowed: cfc, ct_lstm, gru_d, ode_rnn, phased_lstm; choose "
        "one of them, or concatenate time_gaps to the inputs as a feature"
    )
    with pytest.raises(ConfigError, match=r"^time_gaps with cell gru"):  # in a functional model, too
        made(keras.Input((None, 3)), time_gaps=keras.Input((None,)))


def test_what_else_is_refused():
    with pytest.raises(ConfigError, match=r"^observed with cell cfc, which does not use it; allowed: gru_d; choose"):
        Recurrent(CfC(4))(X, observed=OBSERVED)
    with pytest.raises(ConfigError, match="time_gaps with projected inputs; allowed: the inputs themselves; pass"):
        Recurrent(CfC(4))(X, time_gaps=GAPS, projected=True)
    for gaps in (GAPS[:, :5], GAPS[:2], GAPS[..., None], GAPS[0]):
        with pytest.raises(ValueError, match=r"time_gaps has shape .*; allowed: \(4, 6\), as the inputs have; reshape"):
            Recurrent(CfC(4))(X, time_gaps=gaps)
    with pytest.raises(ValueError, match=r"observed has shape \(4, 6\); allowed: \(4, 6, 3\)"):
        Encoder(cell="gru_d", units=4)(X, observed=MASK)
    for cell in ("gru_d", "phased_lstm"):
        with pytest.raises(ConfigError, match=r"zoneout is 0.1, but .* counts elapsed time in a state, which it would"):
            Recurrent(make_cell(cell, 4), zoneout=0.1)(X)
    with pytest.raises(ConfigError, match="decoder with cell gru_d, some of whose states are as wide as the input"):
        Decoder(cell="gru_d", units=4)


def test_gaps_of_any_kind_of_number():
    layer = Recurrent(CTLSTM(4))
    whole = np.array([[1, 2, 0, 3, 1, 1]] * 4)
    same(values(layer, X, time_gaps=whole), values(layer, X, time_gaps=whole.astype("float64")))


def test_the_implicit_mask_is_used_for_elapsed_times():
    layer = Recurrent(CTLSTM(4))
    hidden = np.where(HOLES[..., None], X, 9.0).astype("float32")
    carrying = keras.layers.Masking(9.0)(hidden)
    same(values(layer, carrying, time_gaps=GAPS), values(layer, X, mask=HOLES, time_gaps=GAPS))


@pytest.mark.parametrize("cell", ["gru_d", "ct_lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_layer_of_an_encoder_reads_the_gaps(cell, bidirectional):
    encoder = Encoder(cell=cell, units=4, layers=2, bidirectional=bidirectional)
    first = {"observed": OBSERVED} if cell == "gru_d" else {}
    found = values(encoder, X, mask=HOLES, time_gaps=GAPS, **first)
    x, finals = X, []
    for layer, observed in zip(encoder.layers, (first, {}), strict=True):
        runs = [recurrent(x, mask=HOLES, time_gaps=GAPS, **observed) for recurrent in layer]
        x = np.concatenate([keras.ops.convert_to_numpy(outputs) for outputs, _ in runs], axis=-1)
        finals += [keras.ops.convert_to_numpy(state) for _, states in runs for state in states]
    same(found, [x, *finals])
    other = values(encoder, X, mask=HOLES, time_gaps=GAPS * 9, **first)
    assert np.abs(other[0] - found[0]).max() > 1e-4


def test_missing_values_do_not_reach_a_skip():
    encoder = Encoder(cell="gru_d", units=3, layers=2, skip="residual", layer_norm=True)
    hidden = np.where(OBSERVED, X, np.nan).astype("float32")
    found = values(encoder, hidden, mask=MASK, time_gaps=GAPS, observed=OBSERVED)
    assert all(np.isfinite(array).all() for array in found)
    same(found, values(encoder, np.where(OBSERVED, X, 0), mask=MASK, time_gaps=GAPS, observed=OBSERVED))


def test_an_rnn_passes_gaps_and_mask_on():
    layer = RNN(GRUD(4), return_sequences=True, return_state=True, zero_output_for_mask=True)
    arguments = {"mask": HOLES, "time_gaps": GAPS, "observed": OBSERVED}
    same(values(layer, X, **arguments), values(Recurrent(layer.cell), X, **arguments))


def test_a_stateful_layer_goes_on_with_gaps():
    cell = GRUD(4)
    whole = values(Recurrent(cell), X, time_gaps=GAPS, observed=OBSERVED)
    layer = Recurrent(cell, stateful=True, max_batch=4)
    parts = [
        values(layer, X[:, part], time_gaps=GAPS[:, part], observed=OBSERVED[:, part])
        for part in (slice(2), slice(2, None))
    ]
    same([np.concatenate([parts[0][0], parts[1][0]], axis=1), *parts[1][1:]], whole)


def test_gaps_are_cut_where_the_state_is_carried():
    encoder = Encoder(cell="gru_d", units=4, stateful=True, max_batch=4)
    arguments = {"time_gaps": GAPS, "observed": OBSERVED}
    whole = values(encoder, X, training=True, **arguments)
    encoder.reset_state()
    same(values(encoder, X, training=True, keep=2, **arguments), whole)


def test_a_decoder_with_input_feeding_uses_gaps_of_one():
    decoder = Decoder(cell="cfc", units=4, feeding=True)
    start = [[np.zeros((4, 4), "float32")]]
    outputs = keras.ops.convert_to_numpy(decoder(X, start, X)[0])
    assert outputs.shape == (4, 6, 4) and np.isfinite(outputs).all()


def test_the_projected_inputs_of_an_encoder_have_gaps_of_one():
    encoder = Encoder(cell="ct_lstm", units=4)
    outputs = values(encoder, X)
    same(values(encoder, encoder.project(X), projected=True), outputs)


def model_of(layer, **others):
    inputs = {
        "x": keras.Input((None, 3), name="x"),
        "mask": keras.Input((None,), dtype="bool", name="mask"),
        "time_gaps": keras.Input((None,), name="time_gaps"),
        **{name: keras.Input((None, 3), dtype="bool", name=name) for name in others},
    }
    outputs = layer(inputs["x"], **{name: inputs[name] for name in ("mask", "time_gaps", *others)})
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(outputs)))
    return model, {"x": X, "mask": HOLES, "time_gaps": GAPS, **others}


def test_a_model_with_gaps_is_saved_and_loaded(tmp_path):
    encoder = Encoder(cell="gru_d", units=4, layers=2, bidirectional=True)
    model, arrays = model_of(lambda *inputs, **more: encoder(*inputs, **more)[0], observed=OBSERVED)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    same(values(loaded, arrays), values(model, arrays))
    shorter = {name: array[:2, :4] for name, array in arrays.items()}
    same(values(loaded, shorter), values(model, shorter))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch has no XLA here")
def test_xla_compiles_a_model_with_gaps():
    model, arrays = model_of(RNN(CTLSTM(4), return_sequences=True))
    model.compile("sgd", "mse", jit_compile=True)
    targets = np.ones((4, 1), "float32")
    loss = model.evaluate(arrays, targets, batch_size=4, verbose=0)
    np.testing.assert_allclose(loss, np.mean((values(model, arrays)[0] - targets) ** 2), rtol=1e-5)


def test_keras_runs_a_time_aware_cell_with_gaps_of_one():
    layer = keras.layers.RNN(GRUD(4), return_sequences=True)
    same(values(layer, X), values(Recurrent(layer.cell), X)[:1])
