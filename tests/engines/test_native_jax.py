"""The loop in C called by XLA: against PyTorch in float64, and as the engine of layers under JAX."""

import keras
import numpy as np
import pytest

from seqtasks import EncoderConfig, engines
from seqtasks.cells import make_cell
from seqtasks.engines import native
from seqtasks.engines.native import library
from seqtasks.engines.native.arguments import Direction
from seqtasks.layers import Encoder, Recurrent
from seqtasks.layers.embedding import Embedding
from tests.engines.native_oracle import gradients
from tests.engines.native_shapes import drawn

pytestmark = [
    pytest.mark.skipif(library.library() is None, reason="the loop in C was not built"),
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="bound to JAX: KERAS_BACKEND=jax"),
]


def run_and_back(one, output_gradients):
    """Results and gradients of a loop by the names of the oracle."""
    import jax

    from seqtasks.engines.native.jax_bridge import loop

    names = ("w", "bias", "u", "b", "h0", "c0")
    given = {name: getattr(one, name) for name in names if getattr(one, name) is not None}

    @jax.jit
    def run(x, given):
        states = [given[name] for name in ("h0", "c0") if name in given]
        direction = Direction(one.kind, one.reverse, *(given.get(name) for name in names[:4]), states)
        return loop([direction], x, one.mask, True, one.tokens)[0]

    (out, h_last, c_last), back = jax.vjp(run, one.x, given)
    dc = output_gradients.dc_last if c_last.size else np.zeros_like(c_last)
    dx, gradients = jax.jit(back)([output_gradients.dout, output_gradients.dh_last, dc])
    actual = {"out": out, "h_last": h_last, "dx": dx} | {f"d{name}": array for name, array in gradients.items()}
    return actual | ({"c_last": c_last} if "c0" in given else {})


@pytest.mark.parametrize("kind", native.KINDS.values(), ids=native.KINDS)
def test_random_shapes_equal_pytorch(kind, monkeypatch):
    pytest.importorskip("torch")
    rng = np.random.default_rng(kind)
    for trial in range(8):
        monkeypatch.setattr(library, "threads", lambda count=1 + trial % 3: count)
        loop, results = drawn(rng, kind)
        expected = gradients(loop, results)
        for what, value in run_and_back(loop, results).items():
            scale = max(np.abs(expected[what]).max(initial=0), 1e-2)
            np.testing.assert_allclose(value, expected[what], rtol=0, atol=1e-5 * scale, err_msg=what)


@pytest.mark.parametrize("more", [{}, {"bidirectional": True}, {"layers": 2}])
@pytest.mark.parametrize("with_table", [False, True])
def test_layers_are_those_of_the_loop_of_the_backend(more, with_table):
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    tokens, mask = jnp.asarray(rng.integers(9, size=(5, 7))), jnp.asarray(rng.random((5, 7)) < 0.8)
    embedding = Embedding(9, 6)
    embedding.build()
    table = embedding.embeddings.value
    actual = []
    weights = None
    for engine in ("native", "loop"):
        encoder = Encoder(EncoderConfig(cell="gru", units=8, engine=engine, **more))
        encoder(table[tokens], mask=mask)
        weights = weights or encoder.get_weights()
        encoder.set_weights(weights)
        values = [v.value for v in encoder.trainable_variables], [v.value for v in encoder.non_trainable_variables]

        @jax.jit
        def loss(table, trained, encoder=encoder, rest=values[1]):
            looked_up = {"tokens": tokens, "table": table} if with_table else {}
            (out, states), _ = encoder.stateless_call(trained, rest, table[tokens], mask=mask, **looked_up)
            return jnp.sin(out).sum() + sum(jnp.cos(state).sum() for states_of in states for state in states_of)

        actual.append(jax.tree.leaves(jax.value_and_grad(loss, argnums=(0, 1))(table, values[0])))
    for one, other in zip(*actual, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5)


def test_a_compiled_model_trains_on_it_and_exported_it_runs_without(tmp_path):
    assert engines.choose("auto", make_cell("lstm", 4)) == "native"
    layer = Recurrent(make_cell("lstm", 8), name="r")
    assert layer.running_engine == "native" and layer.supports_jit
    inputs = keras.Input((6, 5))
    model = keras.Model(inputs, layer(inputs)[0])
    model.compile("adam", "mse", jit_compile=True)
    x, y = np.random.default_rng(0).normal(size=(2, 4, 6, 8)).astype("float32")
    losses = model.fit(x[:, :, :5], y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras")
    output_gradients = model.predict(x[:, :, :5], verbose=0)
    np.testing.assert_allclose(copy.predict(x[:, :, :5], verbose=0), output_gradients, atol=1e-6)

    import tensorflow as tf

    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(tf.constant(x[:, :, :5])), output_gradients, atol=1e-5)


def test_no_rows_no_steps_and_wrong_tokens():
    import jax

    from seqtasks.engines.native.jax_bridge import loop

    def run(rows, steps, table=None, tokens=None):
        start = np.ones((rows, 2), "f4")
        direction = Direction(library.LSTM, False, np.ones((3, 8), "f4"), np.ones(8, "f4"), np.ones((2, 8), "f4"), None,
                              [start, start])  # fmt: skip
        return loop([direction], np.ones((rows, steps, 3), "f4") if table is None else table, None, True, tokens)[0]

    assert run(0, 3)[0].shape == (0, 3, 2)
    np.testing.assert_array_equal(run(2, 0)[1], 1)
    for wrong, message in (
        ({"table": np.ones((2, 3, 3), "i4")}, r"inputs is int32 \(2, 3, 3\); allowed: float32"),
        ({"table": np.ones((3, 3, 3), "f4")}, r"h0 is float32 \(2, 2\); allowed: float32 \(3, 2\)"),
        ({"table": np.ones((2, 3, 4), "f4")}, r"w is float32 \(3, 8\); allowed: float32 \(4, 8\)"),
        ({"tokens": np.zeros((2, 3), "i4")}, "inputs have 3 axes, tokens 2; allowed"),
    ):
        with pytest.raises(ValueError, match=message):
            run(2, 3, **wrong)
    with pytest.raises(Exception, match="tokens are outside of the table"):
        jax.block_until_ready(run(2, 2, np.ones((4, 3), "f4"), np.array([[0, 1], [2, 4]], "i4")))


def test_rows_of_a_batch_can_be_mapped_over():
    import jax

    layer = Recurrent(make_cell("gru", 4), engine="native")
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 6)).astype("f4")
    layer(x[0])
    mapped = jax.vmap(lambda part: layer(part)[0])(x)
    np.testing.assert_allclose(mapped, np.stack([layer(part)[0] for part in x]), atol=1e-6)
