"""The adaptive softmax against that of PyTorch, and its own two ways against each other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.layers.softmax_heads import AdaptiveSoftmaxHead

SIZE, WIDTH, CUTOFFS = 40, 16, [10, 25]


def make():
    keras.utils.set_random_seed(0)
    head = AdaptiveSoftmaxHead(SIZE, CUTOFFS)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, WIDTH)).astype("float32")
    head(x)
    for weight in head.weights:
        weight.assign(rng.normal(size=weight.shape))
    return head, x, rng.integers(SIZE, size=(3, 5))


def test_it_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    head, x, targets = make()
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(WIDTH, SIZE, CUTOFFS, div_value=4.0, head_bias=True)
    ours = {weight.name: torch.tensor(weight.numpy()) for weight in head.weights}
    with torch.no_grad():
        theirs.head.weight.copy_(ours["head"].T)
        theirs.head.bias.copy_(ours["bias"])
        for i in range(len(CUTOFFS)):
            theirs.tail[i][0].weight.copy_(ours[f"projection_{i}"].T)
            theirs.tail[i][1].weight.copy_(ours[f"tail_{i}"].T)
        flat = torch.tensor(x.reshape(-1, WIDTH))
        everything = theirs.log_prob(flat).numpy().reshape(3, 5, SIZE)
        chosen = -theirs(flat, torch.tensor(targets.reshape(-1)))[0].numpy().reshape(3, 5)
    np.testing.assert_allclose(head(x), everything, atol=1e-5)
    np.testing.assert_allclose(head(x, targets), chosen, atol=1e-5)


@pytest.mark.parametrize("tokens", [np.arange(15), np.zeros(15, int), np.full(15, 12), np.full(15, 39)])
def test_given_targets_gradients_are_those_of_all_log_probabilities(tokens):
    head, x, _ = make()
    targets = tokens.reshape(3, 5) % SIZE

    @tf.function
    def slopes(given):
        with tf.GradientTape() as tape:
            if given:
                loss = tf.reduce_sum(head(x, targets))
            else:
                loss = -tf.reduce_sum(tf.gather(head(x), targets, batch_dims=2))
        return tape.gradient(loss, [w.value for w in head.weights], unconnected_gradients="zero")

    for one, other in zip(slopes(True), slopes(False), strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(one), other, atol=1e-4)


def test_probabilities_sum_to_one_and_it_is_saved(tmp_path):
    head, x, targets = make()
    np.testing.assert_allclose(np.exp(head(x)).sum(-1), 1, atol=1e-5)
    given, follow = keras.Input((None, WIDTH)), keras.Input((None,), dtype="int32")
    model = keras.Model([given, follow], head(given, follow))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again([x, targets]), head(x, targets), atol=1e-6)


@pytest.mark.parametrize("cutoffs", [[], [0], [40], [10, 10], [20, 10]])
def test_cutoffs_rise(cutoffs):
    with pytest.raises(ValueError, match="allowed: rising numbers above 0 and below 40"):
        AdaptiveSoftmaxHead(SIZE, cutoffs)
