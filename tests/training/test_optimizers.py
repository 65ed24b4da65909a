"""Update rules, clipping and learning rates, against their formulas."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from seqtasks.core.config import TrainConfig
from seqtasks.training.optimizers import make_optimizer, make_schedule, schedule_callbacks

BASE = TrainConfig(epochs=4, schedule="constant", clip_norm=None, learning_rate=0.1)


def train(**settings):
    return dataclasses.replace(BASE, **settings)


def after(gradients, config, start=1.0):
    """A variable of two numbers after one update for each gradient."""
    optimizer = make_optimizer(config, 10)
    variable = keras.Variable([start, start])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
    return variable.numpy()


def rates(config, steps):
    schedule = make_schedule(config, 10)
    return [float(schedule(step)) for step in steps]


def test_sgd_with_momentum():
    computed = after([[1, 2], [1, 2]], train(optimizer="sgd", momentum=0.5))
    np.testing.assert_allclose(computed, 1 - 0.1 * np.array([1, 2]) * (1 + 1.5), rtol=1e-6)


def test_adam_moves_by_the_rate_at_first():
    np.testing.assert_allclose(after([[0.1, 5]], train(optimizer="adam")), [0.9, 0.9], rtol=1e-5)


def test_rmsprop_divides_by_the_running_root():
    np.testing.assert_allclose(after([[1, 4]], train(optimizer="rmsprop")), 1 - 0.1 / np.sqrt(0.1), rtol=1e-4)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_weight_decay_is_decoupled_in_every_rule(optimizer):
    still = after([[0, 0]], train(optimizer=optimizer))
    np.testing.assert_allclose(still, 1)
    np.testing.assert_allclose(after([[0, 0]], train(optimizer=optimizer, weight_decay=0.2)), 1 - 0.1 * 0.2, rtol=1e-6)


def test_clipping_is_by_the_norm_of_all_gradients_together():
    optimizer = make_optimizer(train(optimizer="sgd", momentum=0.0, clip_norm=1.0, learning_rate=1.0), 10)
    a, b = keras.Variable([0.0]), keras.Variable([0.0])
    optimizer.apply([keras.ops.array([3.0]), keras.ops.array([4.0])], [a, b])
    np.testing.assert_allclose([a.numpy()[0], b.numpy()[0]], [-0.6, -0.8], rtol=1e-6)
    small = after([[0.3, 0.4]], train(optimizer="sgd", momentum=0.0, clip_norm=1.0, learning_rate=1.0), 0.0)
    np.testing.assert_allclose(small, [-0.3, -0.4], rtol=1e-6)


def test_cosine_ends_at_zero():
    steps = [0, 10, 20, 30, 40]
    expected = [0.05 * (1 + math.cos(math.pi * step / 40)) for step in steps]
    np.testing.assert_allclose(rates(train(schedule="cosine"), steps), expected, atol=1e-7)


def test_warm_up_rises_linearly_and_the_cosine_takes_the_rest():
    computed = rates(train(schedule="cosine", warmup_epochs=1.0), [0, 5, 10, 25, 40])
    np.testing.assert_allclose(computed, [0, 0.05, 0.1, 0.05, 0], atol=1e-7)
    assert all(math.isfinite(rate) for rate in rates(train(schedule="cosine", warmup_epochs=9.0), range(0, 41, 5)))


def test_exponential_falls_by_its_factor_each_epoch():
    computed = rates(train(schedule="exponential", decay=0.5), [0, 10, 20])
    np.testing.assert_allclose(computed, [0.1, 0.05, 0.025], rtol=1e-6)


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_other_schedules_start_from_a_plain_rate(schedule):
    assert make_schedule(train(schedule=schedule), 10) == 0.1


class Fake:
    """As much of a model as the callbacks touch."""

    def __init__(self):
        self.optimizer = keras.optimizers.SGD(0.1)
        self.stop_training = False

    def get_weights(self):
        return []


def watch(config, mode, observed):
    callbacks, model = schedule_callbacks(config, "val_x", mode), Fake()
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch, value in enumerate(observed):
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"val_x": value})
        if model.stop_training:
            return epoch, float(model.optimizer.learning_rate)
    return None, float(model.optimizer.learning_rate)


@pytest.mark.parametrize(("mode", "sign"), [("min", 1), ("max", -1)])
def test_plateau_acts_after_its_patience(mode, sign):
    config = train(schedule="plateau", patience=2, decay=0.5)
    assert watch(config, mode, [sign * v for v in (3, 2, 1, 0.999999)]) == (None, pytest.approx(0.1))
    assert watch(config, mode, [sign * v for v in (3, 2, 2)]) == (None, pytest.approx(0.1))
    assert watch(config, mode, [sign * v for v in (3, 2, 2, 2)]) == (None, pytest.approx(0.05))


@pytest.mark.parametrize(("mode", "sign"), [("min", 1), ("max", -1)])
def test_early_stopping_stops_after_its_patience(mode, sign):
    config = train(early_stopping=2)
    assert watch(config, mode, [sign * v for v in (3, 2, 1, 0)])[0] is None
    assert watch(config, mode, [sign * v for v in (3, 2, 4, 4, 4)])[0] == 3


def test_no_schedule_callback_by_default():
    assert schedule_callbacks(train(), "val_x", "min") == []


def test_step_keeps_the_rate_for_some_epochs_and_then_falls_with_each():
    actual = rates(train(schedule="step", decay=0.5, decay_after=4, learning_rate=1.0), [0, 9, 10, 39, 40, 49, 50, 60])
    np.testing.assert_allclose(actual, [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.125])


def test_step_is_saved_with_a_model():
    schedule = make_schedule(train(schedule="step", decay=0.5, decay_after=2), 10)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert [float(again(step)) for step in (0, 25)] == [float(schedule(step)) for step in (0, 25)]
