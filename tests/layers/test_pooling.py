"""Pooling over time, against loops over rows and steps in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.layers.pooling import Pooling

WAYS = ["last", "mean", "max", "concat", "attention"]
X = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32") - 2  # maxima below zero too
MASKS = {
    "none": None,
    "right-padded": np.arange(5) < np.array([[5], [3], [1], [0]]),
    "left-padded": np.arange(5) >= np.array([[0], [2], [4], [5]]),
    "holes": np.array([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool),
}
HOLES = MASKS["holes"]
ways = pytest.mark.parametrize("how", WAYS)
every = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


def make(how, **kwargs):
    layer = Pooling(how, **kwargs)
    layer.build((None, None, 3))
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def step_weights_by_hand(layer, steps):
    kernel, bias, scorer = (keras.ops.convert_to_numpy(weight) for weight in layer.weights)
    scores = np.array([float(np.tanh(step @ kernel + bias) @ scorer[:, 0]) for step in steps])
    return np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()


def by_hand(layer, mask):
    rows = []
    for row, real in zip(X, np.ones(X.shape[:2], bool) if mask is None else mask, strict=True):
        steps = row[real]
        if not len(steps):
            rows.append(np.zeros(9 if layer.how == "concat" else 3))
        elif layer.how == "attention":
            rows.append(sum(w * step for w, step in zip(step_weights_by_hand(layer, steps), steps, strict=True)))
        else:
            ways = {"last": steps[-1], "mean": steps.mean(0), "max": steps.max(0)}
            rows.append(np.concatenate(list(ways.values())) if layer.how == "concat" else ways[layer.how])
    return np.stack(rows)


@every
@ways
def test_it_is_what_a_loop_gives(how, mask):
    layer = make(how)
    np.testing.assert_allclose(layer(X, mask=mask), by_hand(layer, mask), atol=1e-6)


@ways
@pytest.mark.parametrize("junk", [1e4, np.nan, np.inf])
def test_padding_changes_nothing(how, junk):
    layer = make(how)
    wanted = layer(X, mask=HOLES)
    filled = np.where(HOLES[..., None], X, np.float32(junk))
    longer = np.concatenate([filled, np.full((4, 2, 3), junk, "float32")], axis=1)
    np.testing.assert_allclose(layer(longer, mask=np.pad(HOLES, ((0, 0), (0, 2)))), wanted, atol=1e-6)


@ways
@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_any_kind_of_mask_is_read_as_true_or_false(how, kind):
    layer = make(how)
    np.testing.assert_array_equal(layer(X, mask=HOLES.astype(kind)), layer(X, mask=HOLES))


@ways
def test_gradients_are_zero_at_padding_and_finite_everywhere(how):
    layer, x = make(how), tf.constant(np.where(HOLES[..., None], X, np.float32("nan")))
    pull = np.random.default_rng(2).normal(size=(4, 9 if how == "concat" else 3)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x, mask=HOLES) * pull)
    slope, *others = tape.gradient(total, [x, *(weight.value for weight in layer.weights)])
    slope = slope.numpy()
    assert np.isfinite(slope).all() and all(np.isfinite(other).all() for other in others)
    assert not slope[~HOLES].any()
    assert slope[:3][HOLES[:3]].any() if how in ("last", "max") else slope[HOLES].any(axis=-1).all()
    assert all(np.abs(other).max() > 0 for other in others)


def test_the_gradient_of_attention_is_that_of_differences():
    layer, (place, h) = make("attention", dtype="float64"), ((0, 2, 1), 1e-6)
    x = tf.constant(X, "float64")
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x, mask=HOLES))
    up, down = X.astype("float64"), X.astype("float64")
    up[place] += h
    down[place] -= h
    change = (np.sum(layer(up, mask=HOLES)) - np.sum(layer(down, mask=HOLES))) / (2 * h)
    assert tape.gradient(total, x).numpy()[place] == pytest.approx(change, rel=1e-6)


@every
def test_the_weights_of_steps_sum_to_one_over_real_steps(mask):
    layer = make("attention")
    weights = keras.ops.convert_to_numpy(layer.step_weights(X, mask))
    real = np.ones((4, 5), bool) if mask is None else mask
    assert not weights[~real].any() and (weights[real] > 0).all()
    np.testing.assert_allclose(weights.sum(1), real.any(1), atol=1e-6)
    for got, row, kept in zip(weights, X, real, strict=True):
        if kept.any():
            np.testing.assert_allclose(got[kept], step_weights_by_hand(layer, row[kept]), atol=1e-6)


@pytest.mark.parametrize("how", WAYS[:-1])
def test_only_attention_has_weights_of_steps(how):
    with pytest.raises(ValueError, match=f"how is '{how}', which has no step weights; allowed: attention"):
        make(how).step_weights(X)


@ways
def test_half_precision_stays_finite(how):
    layer = make(how, dtype="mixed_float16")
    x = np.full((2, 2000, 3), 300, "float16")  # a plain sum would be 600,000, above the largest float16
    mask = np.stack([np.arange(2000) < 1999, np.zeros(2000, bool)])
    got = layer(x, mask=mask)
    assert got.dtype == "float16"
    np.testing.assert_allclose(got[0], np.full(got.shape[1], 300), rtol=1e-3)
    assert not np.any(got[1])
    np.testing.assert_allclose(layer(x)[0], got[0], rtol=1e-3)


@ways
def test_double_precision_stays(how):
    got = keras.ops.convert_to_numpy(make(how, dtype="float64")(X.astype("float64"), mask=HOLES))
    assert got.dtype == "float64"


@ways
def test_it_is_saved(how, tmp_path):
    x, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    layer = make(how)
    model = keras.Model([x, mask], layer(x, mask=mask))
    assert model.output_shape == (None, 9 if how == "concat" else 3)
    assert model.count_params() == (3 * 3 + 3 + 3 if how == "attention" else 0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again([X, HOLES]), by_hand(layer, HOLES), atol=1e-6)
    assert again.layers[-1].how == how


@ways
@pytest.mark.filterwarnings("error:.*mask.*")
def test_the_mask_of_an_embedding_ends_here(how):
    tokens = keras.Input((None,), dtype="int32")
    pooled = Pooling(how)(keras.layers.Embedding(7, 3, mask_zero=True)(tokens))
    assert getattr(pooled, "_keras_mask", None) is None
    model = keras.Model(tokens, pooled)
    np.testing.assert_allclose(model(np.array([[1, 2]])), model(np.array([[1, 2, 0, 0]])), atol=1e-6)


def test_an_unknown_way():
    with pytest.raises(ValueError, match="how is 'median'; allowed: last, mean, max, attention, concat"):
        Pooling("median")
