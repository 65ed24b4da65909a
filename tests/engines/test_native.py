"""The loop in C against PyTorch in float64, and what it refuses."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from seqtasks import engines
from seqtasks.cells import make_cell
from seqtasks.core.errors import ConfigError
from seqtasks.engines import native
from seqtasks.engines.native import library, numpy_bridge
from seqtasks.engines.native.library import GRU
from seqtasks.engines.native.numpy_bridge import Loop, Results
from seqtasks.layers import Recurrent
from tests.engines.native_oracle import gradients
from tests.engines.native_shapes import drawn, table_gradient

pytestmark = [
    pytest.mark.skipif(library.library() is None, reason="the loop in C was not built"),
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="written for TensorFlow; for JAX: test_native_jax.py"
    ),
]


@pytest.fixture
def instructions():
    yield library.choose
    library.choose(None)


@pytest.mark.a_third
@pytest.mark.parametrize("name", ["avx512", "avx2", "portable"])
@pytest.mark.parametrize("kind", native.KINDS.values(), ids=native.KINDS)
def test_random_shapes_equal_pytorch(kind, name, instructions, monkeypatch):
    pytest.importorskip("torch")
    if not instructions(name):
        pytest.skip(f"this CPU has no {name}")
    rng = np.random.default_rng(kind)
    for trial in range(34):  # over 200 with six kinds
        monkeypatch.setattr(library, "threads", lambda count=1 + trial % 4: count)
        # Two at once, now and then: the directions of a bidirectional layer.
        pairs = [drawn(rng, kind) for _ in range(1 + trial % 3 // 2)]
        loops, output_gradients = [loop for loop, _ in pairs], [results for _, results in pairs]
        states = numpy_bridge.forward(*loops)
        actual = numpy_bridge.backward(loops, states, output_gradients)
        of_inputs = [of_input(loop, one) for loop, one in zip(loops, actual, strict=True)]
        for loop, results, run, computed, dx in zip(loops, output_gradients, states, actual, of_inputs, strict=True):
            expected = gradients(loop, results)
            given = {**run._asdict(), **computed._asdict(), "dx": dx}
            for what, value in expected.items():
                scale = max(np.abs(value).max(initial=0), 1e-2)
                np.testing.assert_allclose(given[what], value, rtol=0, atol=1e-5 * scale, err_msg=what)


def of_input(loop, actual):
    if loop.tokens is not None:
        return table_gradient(loop, actual)
    return numpy_bridge.inputs([loop], [actual.gate_grads])[0]


def test_two_forward_passes_before_a_backward_pass_are_independent():
    rng = np.random.default_rng(1)
    (one, d_one), (other, _) = drawn(rng, GRU, 5, 16), drawn(rng, GRU, 5, 16)
    (states,) = numpy_bridge.forward(one)
    (alone,) = numpy_bridge.backward([one], [states], [d_one])
    numpy_bridge.forward(other)
    (again,) = numpy_bridge.backward([one], [states], [d_one])
    for what, output_gradients in alone._asdict().items():
        if what != "gate_grads":  # of which no more than real steps is ever read
            np.testing.assert_array_equal(getattr(again, what), output_gradients)


def test_no_rows_and_no_steps_are_right():
    def loop(batch, steps):
        start = np.ones((batch, 2), "f4")
        inputs, width = np.ones((batch, steps, 3), "f4"), 8
        weights = np.ones((3, width), "f4"), np.ones(width, "f4"), np.ones((2, width), "f4")
        return Loop(library.LSTM, False, inputs, *weights, None, start, start, None)

    (empty,) = numpy_bridge.forward(loop(0, 3))
    assert empty.out.shape == (0, 3, 2)
    (still,) = numpy_bridge.forward(loop(2, 0))
    np.testing.assert_array_equal(still.h_last, 1)
    results = Results(still.out, np.ones((2, 2), "f4"), np.ones((2, 2), "f4"))
    (back,) = numpy_bridge.backward([loop(2, 0)], [still], [results])
    assert not back.dw.any() and not back.du.any() and not back.dbias.any() and (back.dh0 == 1).all()
    (back,) = numpy_bridge.backward([loop(0, 3)], [empty], [Results(empty.out, empty.h_last, empty.c_last)])
    assert not back.dw.any() and not back.dbias.any()
    assert numpy_bridge.inputs([loop(0, 3)], [back.gate_grads])[0].shape == (0, 3, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": np.zeros((4, 16))}, r"u is float64 \(4, 16\); allowed: contiguous float32 \(4, 16\)"),
        ({"u": np.zeros((16, 4), "f4").T}, r"u is float32 \(4, 16\); allowed: contiguous"),
        ({"x": np.zeros((2, 3, 4), "f4")}, r"w is float32 \(5, 16\); allowed: .* \(4, 16\)"),
        ({"bias": np.zeros(4, "f4")}, r"bias is float32 \(4,\); allowed: .* \(16,\)"),
        ({"c0": None}, r"c0 is NoneType"),
        ({"h0": np.zeros(4, "f4")}, "x and h0 have 3 and 1 axes"),
        ({"tokens": np.zeros((2, 3), "i4")}, r"3 and 2 axes; allowed: \(vocabulary, features\) and tokens"),
        ({"x": np.zeros((9, 5), "f4"), "tokens": np.zeros((2, 3))}, r"tokens is float64 \(2, 3\); allowed: .* int32"),
        ({"mask": np.ones((2, 3), "f4")}, r"mask is float32 \(2, 3\); allowed: contiguous bool"),
        ({"x": np.broadcast_to(np.zeros(5, "f4"), (2**20, 2**20, 5))}, "less than 2\\^40 bytes; use smaller batches"),
    ],
)
def test_wrong_arrays_are_refused(changes, message):
    state = np.zeros((2, 4), "f4")
    right = {"kind": library.LSTM, "reverse": False, "x": np.zeros((2, 3, 5), "f4"), "mask": None, "b": None}
    right |= {"w": np.zeros((5, 16), "f4"), "bias": np.zeros(16, "f4"), "u": np.zeros((4, 16), "f4")}
    right |= {"h0": state, "c0": state}
    with pytest.raises(ValueError, match=message):
        Loop(**{**right, **changes})


def test_threads_are_those_asked_for_and_no_more_than_cores(monkeypatch):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for asked, output_gradients in (("1", 1), ("1000", cores), ("", cores), ("many", cores), ("0", cores), ("1,2", 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert library.threads() == output_gradients


def test_resolution_of_auto_and_refusals():
    assert engines.choose("auto", make_cell("lstm", 4)) == "native"
    assert engines.choose("auto", make_cell("lstm", 4), portable=True) == "keras"
    assert engines.choose("native", make_cell("peephole_lstm", 4), portable=True) == "loop"
    assert engines.choose("auto", make_cell("lstm", 4), recurrent_dropout=0.1) == "loop"
    assert engines.choose("auto", make_cell("mgu", 4)) == "loop"
    assert engines.choose("auto", make_cell("lstm", 4, dtype="mixed_float16")) == "keras"
    relu = make_cell("simple_rnn", 4, {"activation": "relu"})
    assert engines.choose("auto", relu) == "keras"
    leaky = make_cell("lstm", 4, {"activation": "leaky_relu"})
    assert engines.choose("auto", leaky) == "keras"
    refusals = ((make_cell("mgu", 4), "no loop for MGU"), (relu, "tanh, not relu"), (leaky, "tanh, not leaky_relu"))
    for cell, message in refusals:
        with pytest.raises(ConfigError, match=message):
            engines.choose("native", cell)


def test_a_subclass_with_its_own_equations_is_not_taken_for_its_parent():
    class Louder(type(make_cell("lstm", 4))):
        def step(self, p, states):
            output, new = super().step(p, states)
            return 2 * output, new

    assert native.unsupported_reason(Louder(4)).startswith("it has no loop for Louder")


@pytest.mark.slow
def test_xla_and_exports_take_another_engine(tmp_path):
    import tensorflow as tf

    layers = [Recurrent(make_cell(cell, 8)) for cell in native.KINDS]
    assert {(layer.running_engine, layer.supports_jit) for layer in layers} == {("native", False)}
    inputs = keras.Input((None, 5))
    model = keras.Model(inputs, keras.ops.concatenate([layer(inputs)[0] for layer in layers]))
    x = np.random.default_rng(0).normal(size=(3, 6, 5)).astype("float32")
    output_gradients = np.asarray(model(x))
    np.testing.assert_allclose(tf.function(model, jit_compile=True)(tf.constant(x)), output_gradients, atol=1e-6)
    model.export(tmp_path / "exported", verbose=False)
    np.save(tmp_path / "x.npy", x)
    script = "import sys, numpy as np, tensorflow as tf; model = tf.saved_model.load(sys.argv[1]); "
    script += "np.save(sys.argv[3], model.serve(np.load(sys.argv[2])))"
    files = [str(tmp_path / name) for name in ("exported", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", script, *files], check=True, capture_output=True)  # without seqtasks
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), output_gradients, atol=1e-6)


@pytest.mark.parametrize("cell", native.KINDS)
def test_dropped_weights_are_those_that_run(cell, monkeypatch):
    x = np.random.default_rng(0).normal(size=(3, 6, 5)).astype("float32")
    monkeypatch.setattr(Recurrent, "_drop", lambda self, weight: keras.ops.convert_to_tensor(weight) * 0.5)
    layers = [Recurrent(make_cell(cell, 8), engine=engine, weight_drop=0.5) for engine in ("native", "loop")]
    for layer in layers:
        layer(x)
    layers[1].set_weights(layers[0].get_weights())
    one, other = (np.asarray(layer(x, training=True)[0]) for layer in layers)
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert np.abs(one - np.asarray(layers[0](x)[0])).max() > 1e-3


def test_a_model_trained_on_it_goes_on_without_it(tmp_path, monkeypatch):
    inputs = keras.Input((None, 5))
    model = keras.Model(inputs, Recurrent(make_cell("gru", 8), name="r")(inputs)[0])
    model.compile("adam", "mse")
    x, y = np.random.default_rng(0).normal(size=(2, 4, 6, 8)).astype("float32")
    model.fit(x[:, :, :5], y, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    output_gradients = model.predict(x[:, :, :5], verbose=0)
    monkeypatch.setattr(library, "library", lambda: None)
    copy = keras.models.load_model(tmp_path / "m.keras")
    assert copy.get_layer("r").running_engine == "keras"
    np.testing.assert_allclose(copy.predict(x[:, :, :5], verbose=0), output_gradients, atol=1e-6)
    with pytest.raises(ConfigError, match="it was not built"):
        engines.choose("native", make_cell("gru", 8))
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ConfigError, match="it is not built on Windows"):
        engines.choose("native", make_cell("gru", 8))
