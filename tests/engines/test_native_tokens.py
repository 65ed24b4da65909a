"""The loop in C over rows of a table: the same numbers as over the looked-up inputs, and less to do."""

import keras
import numpy as np
import pytest

from seqtasks import EncoderConfig
from seqtasks.engines import native
from seqtasks.engines.native import library, numpy_bridge
from seqtasks.engines.native.library import LSTM
from seqtasks.engines.native.numpy_bridge import Loop, Results
from seqtasks.layers import Encoder
from seqtasks.layers.embedding import Embedding
from tests.engines.native_shapes import table_gradient

pytestmark = [
    pytest.mark.skipif(library.library() is None, reason="the loop in C was not built"),
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="written for TensorFlow; for JAX: test_native_jax.py"
    ),
]


def model_of(embedding, encoder, with_table):
    tokens, mask = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="bool")
    looked_up = {"tokens": tokens, "table": embedding(tokens, whole=True)} if with_table else {}
    return keras.Model([tokens, mask], encoder(embedding(tokens), mask=mask, **looked_up)[0])


OTHER = [{"layers": 2, "skip": "residual"}, {"input_dropout": 0.5}]
CASES = [(cell, {"bidirectional": both}) for cell in native.KINDS for both in (False, True)]


@pytest.mark.a_third
@pytest.mark.parametrize(("cell", "more"), [*CASES, *(("gru", more) for more in OTHER)])
def test_outputs_and_gradients_are_those_without_the_table(cell, more):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    embedding, encoder = Embedding(30, 12), Encoder(EncoderConfig(cell=cell, units=12, engine="native", **more))
    tokens = tf.constant(rng.integers(30, size=(5, 7)), tf.int32)
    mask = tf.constant(rng.random((5, 7)) < 0.8)
    actual = []
    for with_table in (False, True):
        model = model_of(embedding, encoder, with_table)

        @tf.function
        def run(training, model=model):
            with tf.GradientTape() as tape:
                out = model([tokens, mask], training=training)
                loss = tf.reduce_sum(tf.sin(out))
            return out, [tf.convert_to_tensor(g) for g in tape.gradient(loss, model.trainable_variables)]

        actual.append([tf.nest.flatten(run(training)) for training in (False, True)])
    dropped = "input_dropout" in more  # then the table is not what the encoder reads in training
    for training in range(1 if dropped else 2):
        for one, other in zip(actual[0][training], actual[1][training], strict=True):
            np.testing.assert_allclose(other, one, atol=2e-5)
    if dropped:
        assert np.abs(actual[1][1][0] - actual[1][0][0]).max() > 1e-3


@pytest.mark.parametrize("engine", ["keras", "loop"])
def test_other_engines_read_what_was_looked_up(engine):
    embedding, encoder = Embedding(9, 4), Encoder(EncoderConfig(cell="gru", units=3, engine=engine))
    data = [np.arange(8, dtype="int32").reshape(2, 4), np.ones((2, 4), bool)]
    expected, actual = (np.asarray(model_of(embedding, encoder, with_table)(data)) for with_table in (False, True))
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_a_model_with_a_table_is_saved_and_exported(tmp_path):
    import tensorflow as tf

    model = model_of(Embedding(9, 4, name="embedding"), Encoder(EncoderConfig(units=3), name="encoder"), True)
    data = [np.arange(8, dtype="int32").reshape(2, 4), np.ones((2, 4), bool)]
    expected = model.predict(data, verbose=0)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "m.keras").predict(data, verbose=0), expected)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve([tf.constant(part) for part in data]), expected, atol=1e-6)


def loop_of(tokens, mask=None):
    rng = np.random.default_rng(0)

    def of(*shape):
        return rng.normal(size=shape).astype("f4")

    start = of(2, 4), of(2, 4)
    return Loop(LSTM, False, of(9, 5), of(5, 16), of(16), of(4, 16), None, *start, mask, np.array(tokens, "i4"))


@pytest.mark.parametrize("wrong", [-1, 9, 2**31 - 1])
def test_a_token_without_a_row_is_refused_but_not_in_padding(wrong):
    with pytest.raises(ValueError, match="tokens are outside of the table; allowed: 0 to 8"):
        numpy_bridge.forward(loop_of([[0, 1], [2, wrong]]))
    loop = loop_of([[0, 1], [2, wrong]], np.array([[True, True], [True, False]]))
    (states,) = numpy_bridge.forward(loop)
    (actual,) = numpy_bridge.backward([loop], [states], [Results(states.out, states.h_last, states.c_last)])
    assert sorted(actual.rows) == [0, 1, 2] and actual.dx.shape == (3, 5)
    with pytest.raises(ValueError, match="a loop has tokens; allowed"):
        numpy_bridge.inputs([loop], [actual.gate_grads])


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_no_rows_or_no_steps_give_no_gradient(shape):
    start, width = np.ones((shape[0], 2), "f4"), 8
    weights = np.ones((3, width), "f4"), np.ones(width, "f4"), np.ones((2, width), "f4")
    loop = Loop(LSTM, False, np.ones((4, 3), "f4"), *weights, None, start, start, None, np.zeros(shape, "i4"))
    (states,) = numpy_bridge.forward(loop)
    (actual,) = numpy_bridge.backward([loop], [states], [Results(states.out, start, start)])
    table = table_gradient(loop, actual)
    assert table.shape == (4, 3) and not table.any() and not actual.dw.any() and not actual.dbias.any()
