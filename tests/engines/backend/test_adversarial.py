import keras
import numpy as np
import pytest

from seqtasks.engines.backend.adversarial import adversarial, worst


def small(words=12, width=5):
    keras.utils.set_random_seed(1)
    tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(words, width, "random_normal", name="embedding")(tokens)
    x = keras.ops.sum(keras.ops.tanh(x) * keras.ops.cast(tokens > 0, "float32")[..., None], axis=1)
    return keras.Model(tokens, keras.layers.Dense(3, name="logits")(x))


X = np.array([[3, 4, 4, 0], [1, 2, 5, 6], [0, 0, 0, 0]], np.int32)
Y = np.array([0, 2, 1])


def losses(vectors, kernel, bias, x, y):
    """Per text, and their gradients along the vectors, in float64 NumPy."""
    real = (x > 0)[..., None]
    logits = (np.tanh(vectors) * real).sum(1) @ kernel + bias
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d = (p - np.eye(3)[y]) @ kernel.T
    return -np.log(p[np.arange(len(y)), y]), d[:, None] * (1 - np.tanh(vectors) ** 2) * real / len(y)


@pytest.mark.parametrize("strength", [0.5, 3.0])
def test_a_step_is_one_along_the_two_gradients_of_numpy(strength):
    model = small()
    table, kernel, bias = (weight.astype("float64") for weight in model.get_weights())
    vectors, real = table[X], X > 0
    _, slopes = losses(vectors, kernel, bias, X, Y)
    length = np.sqrt((slopes**2).sum((1, 2), keepdims=True))
    r = strength * np.sqrt((vectors[real] ** 2).mean()) * slopes / np.where(length, length, 1)
    expected = 0.0
    for moved in (vectors, vectors + r):
        real_tanh = (np.tanh(moved) * real[..., None]).sum(1)
        logits = real_tanh @ kernel + bias
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        expected = expected - real_tanh.T @ (p - np.eye(3)[Y]) / len(Y)
    trained = adversarial(model, model.get_layer("embedding"), strength)
    trained.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    shown = trained.train_on_batch(X, Y)
    np.testing.assert_allclose(trained.get_weights()[1] - kernel, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(shown, losses(vectors, kernel, bias, X, Y)[0].mean(), rtol=1e-5)  # the first of both


def test_the_move_costs_more_than_any_of_a_hundred_as_long():
    model = small()
    table, kernel, bias = (weight.astype("float64") for weight in model.get_weights())
    vectors = table[X]
    _, slopes = losses(vectors, kernel, bias, X, Y)
    r = np.asarray(worst(vectors.astype("float32"), slopes.astype("float32"), X > 0, 0.1))
    ours = losses(vectors + r, kernel, bias, X, Y)[0]
    rng = np.random.default_rng(0)
    for _ in range(100):
        other = rng.normal(size=r.shape) * (X > 0)[..., None]
        other *= np.linalg.norm(r, axis=(1, 2), keepdims=True) / np.maximum(
            np.linalg.norm(other, axis=(1, 2), keepdims=True), 1e-9
        )
        assert (losses(vectors + other, kernel, bias, X, Y)[0] <= ours + 1e-7).all()


def test_padding_and_scale_change_no_move_but_its_size():
    rng = np.random.default_rng(0)
    v, g, real = rng.normal(size=(2, 3, 4)).astype("f"), rng.normal(size=(2, 3, 4)).astype("f"), np.ones((2, 3), bool)
    padded = [np.concatenate([a, np.full((2, 2, 4), 9, "f")], 1) for a in (v, g)]
    r = np.asarray(worst(v, g, real, 2.0))
    more = np.asarray(worst(*padded, np.pad(real, [(0, 0), (0, 2)]), 2.0))
    np.testing.assert_allclose(more[:, :3], r, rtol=1e-6)
    assert not more[:, 3:].any()
    np.testing.assert_allclose(worst(10 * v, 1e-30 * g, real, 2.0), 10 * r, rtol=1e-4)
    np.testing.assert_allclose(np.sqrt((r**2).sum((1, 2))), 2 * np.sqrt((v**2).mean()), rtol=1e-5)


def test_a_flat_loss_moves_nothing():
    assert not np.asarray(worst(np.ones((1, 2, 3), "f"), np.zeros((1, 2, 3), "f"), np.ones((1, 2), bool), 5.0)).any()


def test_weights_are_those_of_the_model_once_each():
    model = small()
    made = adversarial(model, model.get_layer("embedding"), 1.0)
    assert [id(w) for w in made.weights] == [id(w) for w in model.weights]
    assert [layer.name for layer in made.layers] == [layer.name for layer in model.layers]
