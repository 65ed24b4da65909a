import keras
import numpy as np
import pytest

from seqtasks.engines.backend.fused_adam import Adam


def network():
    keras.utils.set_random_seed(0)
    tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(tokens))
    return keras.Model(tokens, keras.layers.Dense(3)(x))


def trained(optimizer, jit=False):
    model = network()
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit)
    for x, y in batches():
        model.train_on_batch(x, y)
    return model


def batches():
    rng = np.random.default_rng(0)
    return [(rng.integers(0, 20, (8, 30)), rng.integers(0, 3, 8)) for _ in range(20)]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_words_that_come_twice_in_a_batch_as_in_torch(jit, clip):
    torch = pytest.importorskip("torch")
    weights = [torch.tensor(w, requires_grad=True) for w in network().get_weights()]
    theirs = torch.optim.Adam(weights, lr=1e-2, eps=1e-12)
    for x, y in batches():
        theirs.zero_grad()
        logits = weights[0][torch.tensor(x)].mean(1) @ weights[1] + weights[2]
        torch.nn.functional.cross_entropy(logits, torch.tensor(y)).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(weights, clip, error_if_nonfinite=True)
        theirs.step()
    ours = trained(Adam(1e-2, epsilon=1e-12, global_clipnorm=clip), jit)
    for one, other in zip(ours.get_weights(), weights, strict=True):
        # Where it clips, torch adds 1e-6 to the norm.
        np.testing.assert_allclose(one, other.detach().numpy(), atol=2e-5 if clip else 2e-6)


@pytest.mark.parametrize("more", [{}, {"weight_decay": 0.1}, {"amsgrad": True}, {"use_ema": True}, {"clipnorm": 0.1}])
def test_dense_gradients_as_in_keras(more):
    actual = []
    for cls in (Adam, keras.optimizers.Adam):
        w = keras.Variable(np.ones((3, 4), "f"))
        optimizer = cls(keras.optimizers.schedules.CosineDecay(0.1, 10), beta_1=0.8, beta_2=0.9, epsilon=1e-3, **more)
        for step in range(10):
            grad = np.random.default_rng(step).normal(size=(3, 4)).astype("f")
            optimizer.apply([keras.ops.convert_to_tensor(grad)], [w])
        actual.append([np.asarray(v) for v in (w, *optimizer.variables)])
    for one, other in zip(*actual, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_it_is_saved_and_loaded_with_its_moments(tmp_path):
    model = trained(Adam(1e-2, beta_1=0.8))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, Adam) and loaded.optimizer.beta_1 == 0.8
    for x, y in batches()[:3]:
        model.train_on_batch(x, y), loaded.train_on_batch(x, y)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
