"""The choice of places: gradients against enumeration and PyTorch, where they stop, and what is noise."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.glimpse import GlimpseNetwork, GlimpseSensor
from seqtasks.layers.recurrent_attention import RecurrentAttention, split
from seqtasks.task_types.visual_attention.model import RecurrentAttentionLoss

CLASSES, SIDE, DEVIATION = 3, 8, 0.4


def make(policy="learned", cell="simple_rnn", seed=0):
    keras.utils.set_random_seed(seed)
    core = Encoder(EncoderConfig(cell=cell, units=5), name="encoder")
    gaze = RecurrentAttention(core, GlimpseNetwork(4, 3, 2, name="glimpse"), CLASSES, policy, DEVIATION, name="gaze")
    gaze.build((None, SIDE, SIDE), (None, 3, 2))
    gaze.built = True
    rng = np.random.default_rng(seed)
    for weight in gaze.weights:  # far enough from the start that all matter
        weight.assign(ops.convert_to_numpy(weight) + 0.3 * rng.normal(size=weight.shape))
    return gaze


def pictures(count, seed=0):
    return np.random.default_rng(seed).random((count, SIDE, SIDE)).astype("float32")


def named(gaze):
    return {weight.path.split("/", 1)[1]: weight for weight in gaze.trainable_weights}


def parts(gaze, x, noise):
    return [np.asarray(part, np.float64) for part in split(gaze(x, noise), CLASSES, noise.shape[1])]


def test_without_noise_the_location_is_the_mean():
    gaze, x = make(), pictures(4)
    quiet, noise = np.zeros((4, 3, 2), "float32"), np.full((4, 3, 2), 0.1, "float32")
    logits, places, chances, values = parts(gaze, x, quiet)
    assert [part.shape for part in (logits, places, chances, values)] == [(4, 3), (4, 3, 2), (4, 2), (4, 2)]
    assert not places[:, 0].any() and np.all(np.abs(places) < 1)
    np.testing.assert_array_equal(parts(gaze, x, quiet)[0], logits)
    moved = parts(gaze, x, noise)[1]
    np.testing.assert_allclose(moved[:, 1], places[:, 1] + DEVIATION * 0.1, atol=1e-6)
    assert not chances.any()
    np.testing.assert_allclose(parts(gaze, x, noise)[2], -(0.1**2), atol=1e-5)  # of two coordinates


def test_a_row_does_not_depend_on_those_around_it():
    gaze, x, noise = make(cell="lstm"), pictures(5), np.random.default_rng(0).normal(size=(5, 3, 2)).astype("float32")
    whole = ops.convert_to_numpy(gaze(x, noise))
    np.testing.assert_allclose(ops.convert_to_numpy(gaze(x[3:4], noise[3:4]))[0], whole[3], atol=1e-5)


def test_a_location_outside_the_image_is_clipped_to_its_border():
    gaze, x = make(), pictures(2)
    far = np.full((2, 3, 2), 50, "float32")
    logits, places, chances, _ = parts(gaze, x, far)
    assert np.all(places[:, 1:] == 1) and np.isfinite(logits).all()
    assert np.all(chances == -2500)  # but it is the place that was drawn whose density counts


@pytest.mark.parametrize("policy", ["random", "centre"])
def test_locations_that_are_not_trained(policy):
    gaze, x = make(policy), pictures(4)
    noise = np.random.default_rng(0).uniform(-1, 1, (4, 3, 2)).astype("float32")
    _, places, chances, values = parts(gaze, x, noise)
    np.testing.assert_allclose(places, noise if policy == "random" else 0 * noise)
    assert chances.shape == values.shape == (4, 0)
    assert not any("place" in name or "value" in name for name in named(gaze))
    targets = np.array([0, 1, 2, 0])
    loss = RecurrentAttentionLoss(CLASSES, 3)(targets, gaze(x, noise))
    wanted = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(targets, gaze(x, noise)[:, :CLASSES])
    assert float(loss) == pytest.approx(float(wanted), rel=1e-6)


def reinforce_gradients(gaze, x, noise, targets, weights=None):
    """Of the loss whose only learnt weights are those of the places."""
    found = named(gaze)
    with tf.GradientTape() as tape:
        loss = RecurrentAttentionLoss(CLASSES, noise.shape[1], reduction=None)(targets, gaze(x, noise))
        loss = ops.mean(loss) if weights is None else ops.sum(loss * weights)
    names = ["place/kernel", "place/bias"]
    return dict(zip(names, tape.gradient(loss, [found[name].value for name in names]), strict=True))


def test_the_gradient_is_that_of_the_expected_reward():
    """All second places of a fine grid with their chances: the sum of REINFORCE over them has to be the slope of
    the expected reward Σ_l p(l) R(l), which is taken by differences."""
    gaze, x, grid = make(seed=3), 8 * pictures(1, 5), np.linspace(-4, 4, 81)
    y, z = [axis.ravel() for axis in np.meshgrid(grid, grid)]
    noise = np.zeros((len(y), 2, 2), "float32")
    noise[:, 1] = np.stack([y, z], axis=1)
    many = np.repeat(x, len(y), axis=0)

    def mean():
        """μ_2, from the outputs of the layer without noise: the only place that depends on these weights."""
        return parts(gaze, x, np.zeros((1, 2, 2), "float32"))[1][0, 1]

    at = mean() + DEVIATION * noise[:, 1].astype(np.float64)
    answers = parts(gaze, many, noise)[0].argmax(axis=1)
    target = np.bincount(answers).argmax()
    reward, targets = (answers == target).astype(np.float64), np.full(len(y), target)
    assert reward.mean() < 0.9  # it depends on the place
    cell = (DEVIATION * (grid[1] - grid[0])) ** 2

    def chance():
        return np.exp(-np.sum(((at - mean()) / DEVIATION) ** 2, axis=1) / 2) / (2 * np.pi * DEVIATION**2) * cell

    p = chance()
    assert p.sum() == pytest.approx(1, abs=1e-3)
    found = reinforce_gradients(gaze, many, noise, targets, ops.convert_to_tensor(p.astype("float32")))
    for name, gradient in found.items():
        weight = named(gaze)[name]
        kept, slope = ops.convert_to_numpy(weight), np.zeros(weight.shape)
        for index in np.ndindex(*weight.shape):
            both = []
            for sign in (1, -1):
                changed = kept.copy()
                changed[index] += sign * 0.02
                weight.assign(changed)
                both.append(np.sum(chance() * reward))
            slope[index] = (both[0] - both[1]) / 0.04
            weight.assign(kept)
        assert np.abs(slope).max() > 0.01
        np.testing.assert_allclose(-np.asarray(gradient), slope, atol=2e-3)


def test_all_gradients_against_pytorch():
    torch = pytest.importorskip("torch")
    gaze, x = make(seed=1), pictures(6)
    rng = np.random.default_rng(2)
    noise, targets = rng.normal(size=(6, 3, 2)).astype("float32"), rng.integers(CLASSES, size=6)
    weights = named(gaze)
    with tf.GradientTape() as tape:
        loss = RecurrentAttentionLoss(CLASSES, 3, reinforce=0.7)(targets, gaze(x, noise))
    found = dict(zip(weights, tape.gradient(loss, [w.value for w in weights.values()]), strict=True))

    w = {n: torch.tensor(ops.convert_to_numpy(v), dtype=torch.float64, requires_grad=True) for n, v in weights.items()}

    def dense(name, value):
        return value @ w[f"{name}/kernel"] + w[f"{name}/bias"]

    core = {name.rsplit("/", 1)[1]: value for name, value in w.items() if name.startswith("encoder")}
    h, total = torch.zeros(6, 5, dtype=torch.float64), 0.0
    value_loss, drawn = [], []
    for t in range(3):
        place = torch.zeros(6, 2, dtype=torch.float64)
        if t:
            normal = torch.distributions.Normal(torch.tanh(dense("place", 4 * h.detach() / 5**0.5)), DEVIATION)
            place = (normal.mean + DEVIATION * torch.tensor(noise[:, t], dtype=torch.float64)).detach()
            drawn.append((normal.log_prob(place) - normal.log_prob(normal.mean).detach()).sum(dim=1))
            value_loss.append(dense("value", h.detach())[:, 0])
            place = place.clamp(-1, 1)
        seen = np.asarray(GlimpseSensor(3, 2)(x, place.numpy().astype("float32")))
        what = torch.relu(
            dense("glimpse/what", torch.tensor(seen.transpose(0, 2, 3, 1).reshape(6, -1), dtype=torch.float64))
        )
        where = torch.relu(dense("glimpse/where", place))
        glimpse = torch.relu(dense("glimpse/from_what", what) + dense("glimpse/from_where", where))
        h = torch.tanh(glimpse @ core["kernel"] + h @ core["recurrent_kernel"] + core["bias"])
    logits = dense("answer", h)
    right = (logits.argmax(dim=1) == torch.tensor(targets)).double()
    total = torch.nn.functional.cross_entropy(logits, torch.tensor(targets))
    for chance, value in zip(drawn, value_loss, strict=True):
        total = total - 0.7 * ((right - value).detach() * chance).mean() + ((right - value) ** 2).mean() / 2
    total.backward()
    assert float(loss) == pytest.approx(total.item(), abs=1e-5)
    for name, gradient in found.items():
        np.testing.assert_allclose(gradient, w[name].grad.numpy(), atol=2e-5, err_msg=name)


def test_gradients_of_reward_and_classification_are_separate():
    gaze, x = make(), pictures(4)
    noise = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    weights = named(gaze)

    def gradients(pick):
        with tf.GradientTape() as tape:
            total = ops.sum(pick(*split(gaze(x, noise), CLASSES, 3)))
        found = tape.gradient(total, [w.value for w in weights.values()])
        return {name for name, gradient in zip(weights, found, strict=True) if np.any(gradient)}

    assert gradients(lambda logits, places, chances, values: chances) == {"place/kernel", "place/bias"}
    assert gradients(lambda logits, places, chances, values: values) == {"value/kernel", "value/bias"}
    rest = {name for name in weights if not name.startswith(("place", "value"))}
    assert gradients(lambda logits, places, chances, values: logits) == rest


@pytest.mark.a_third
@pytest.mark.parametrize("cell", ["lstm", "lstmp", "scrn", "lru"])
def test_it_is_saved_and_loaded(cell, tmp_path):
    gaze = make(cell=cell)
    image, noise = keras.Input((SIDE, SIDE)), keras.Input((3, 2))
    model = keras.Model([image, noise], gaze(image, noise))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    given = [pictures(2), np.ones((2, 3, 2), "float32")]
    np.testing.assert_allclose(loaded.predict(given, verbose=0), model.predict(given, verbose=0), atol=1e-6)
