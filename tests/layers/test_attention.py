"""Attention against NumPy and PyTorch, and what padding may not change."""

import keras
import numpy as np
import pytest
from keras import ops

from seqtasks.layers.attention import Attention

QUERY, MEMORY = (2, 3, 5), (2, 4, 6)
MASK = np.array([[1, 1, 0, 0], [1, 0, 1, 1]], bool)


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=QUERY).astype("float32"), rng.normal(size=MEMORY).astype("float32")


def by_hand(layer, query, memory, mask):
    """Scores step by step, in float64."""
    w = {weight.name: np.array(ops.convert_to_numpy(weight), np.float64) for weight in layer.weights}
    context, weights = np.zeros((*QUERY[:2], MEMORY[-1])), np.zeros((*QUERY[:2], MEMORY[1]))
    for b in range(QUERY[0]):
        for q in range(QUERY[1]):
            real = np.flatnonzero(mask[b])
            if layer.how == "multiplicative":
                scores = [query[b, q] @ (memory[b, s] @ w["kernel"]) for s in real]
            else:
                hidden = [query[b, q] @ w["query_kernel"] + memory[b, s] @ w["kernel"] + w["bias"] for s in real]
                scores = [np.tanh(h) @ w["scorer"] for h in hidden]
            p = np.exp(scores - np.max(scores))
            weights[b, q, real] = p / p.sum()
            context[b, q] = weights[b, q] @ memory[b]
    return context, weights


@pytest.mark.parametrize("how", ["additive", "multiplicative"])
def test_equals_the_equations(how):
    layer = Attention(how, 7)
    query, memory = arrays()
    context, weights = layer(query, memory, mask=MASK)
    expected = by_hand(layer, query, memory, MASK)
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected[0], atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected[1], atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(weights).sum(-1), 1, atol=1e-6)
    again, _ = layer(query, memory, mask=MASK, keys=layer.keys(ops.convert_to_tensor(memory)))
    np.testing.assert_allclose(ops.convert_to_numpy(again), ops.convert_to_numpy(context), atol=1e-6)


def test_multiplicative_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    layer = Attention("multiplicative", 7)
    query, memory = arrays()
    context, _ = layer(query, memory, mask=MASK)
    keys = torch.tensor(memory) @ torch.tensor(ops.convert_to_numpy(layer.kernel))
    expected = torch.nn.functional.scaled_dot_product_attention(
        torch.tensor(query), keys, torch.tensor(memory), attn_mask=torch.tensor(MASK)[:, None], scale=1.0
    )
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("how", ["additive", "multiplicative"])
def test_padding_changes_nothing(how):
    layer = Attention(how, 7)
    query, memory = arrays()
    context, weights = layer(query, memory, mask=MASK)
    wider = np.concatenate([memory, np.full((2, 3, 6), np.nan, "float32")], axis=1)
    more = np.concatenate([MASK, np.zeros((2, 3), bool)], axis=1)
    padded, spread = layer(query, wider, mask=more, keys=layer.keys(ops.convert_to_tensor(np.nan_to_num(wider))))
    np.testing.assert_allclose(ops.convert_to_numpy(padded), ops.convert_to_numpy(context), atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(spread)[:, :, :4], ops.convert_to_numpy(weights), atol=1e-6)
    assert not ops.convert_to_numpy(spread)[:, :, 4:].any()


@pytest.mark.parametrize("how", ["additive", "multiplicative"])
def test_a_row_without_a_step_reads_nothing(how):
    layer = Attention(how, 7)
    query, memory = arrays()
    context, weights = layer(query, memory, mask=np.array([[0, 0, 0, 0], [1, 1, 1, 1]], bool))
    assert not ops.convert_to_numpy(context)[0].any() and not ops.convert_to_numpy(weights)[0].any()
    assert np.isfinite(ops.convert_to_numpy(context)).all()


def test_what_is_saved_comes_back(tmp_path):
    query, memory = keras.Input((None, 5)), keras.Input((None, 6))
    model = keras.Model([query, memory], Attention("additive", 7)(query, memory))
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    for one, other in zip(model(list(arrays())), again(list(arrays())), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
    with pytest.raises(ValueError, match="how is 'dot'; allowed: additive, multiplicative"):
        Attention("dot", 7)
