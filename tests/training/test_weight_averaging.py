"""Averages of the weights against NumPy: what is scored, kept, and trained on; and across an interruption."""

import dataclasses

import keras
import numpy as np
import pytest

from seqtasks.core.config import TrainConfig
from seqtasks.training.optimizers import make_optimizer
from seqtasks.training.weight_averaging import WeightAverage

STEPS = 6  # an epoch


class Watch(keras.callbacks.Callback):
    """The weight after each step, when scored, and at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.trained, self.scored, self.kept = [], [], []

    def now(self):
        return float(self.model.trainable_variables[0][0, 0])

    def on_train_batch_end(self, batch, logs=None):
        self.trained.append(self.now())

    def on_test_batch_end(self, batch, logs=None):
        self.scored.append(self.now())

    def on_epoch_end(self, epoch, logs=None):
        self.kept.append(self.now())


def train(config, epochs, values=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    optimizer = make_optimizer(config, STEPS)
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(STEPS, 1)), rng.normal(size=(STEPS, 1))
    average, watch = WeightAverage(config, "val_loss", False), Watch()
    callbacks = [average, watch]
    if values is not None:  # what the validation is said to be

        class Say(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                logs["val_loss"] = values[epoch]

        callbacks.insert(0, Say())
    model.fit(x, y, batch_size=1, epochs=epochs, validation_data=(x[:1], y[:1]), shuffle=False, verbose=0,
              callbacks=callbacks)  # fmt: skip
    return np.array(watch.trained), np.array(watch.scored), np.array(watch.kept), average


PLAIN = TrainConfig(optimizer="sgd", momentum=0.0, learning_rate=0.2, schedule="constant", clip_norm=None)


def test_training_goes_on_and_its_decaying_mean_is_scored():
    config = dataclasses.replace(PLAIN, average="ema", ema_momentum=0.9)
    trained, scored, kept, _ = train(config, 3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(STEPS, 1)).astype("float32"), rng.normal(size=(STEPS, 1)).astype("float32")
    w = trained[0]
    for step in range(1, 3 * STEPS):
        i = step % STEPS
        w = w - 0.2 * 2 * (w * x[i, 0] - y[i, 0]) * x[i, 0]
        assert trained[step] == pytest.approx(w, abs=1e-5)
    mean = 0.0
    for n, weight in enumerate(trained):
        momentum = min(0.9, (1 + n) / (10 + n)) if n else 0.0
        mean = momentum * mean + (1 - momentum) * weight
        if n % STEPS == STEPS - 1:
            assert scored[n // STEPS] == kept[n // STEPS] == pytest.approx(mean, abs=1e-6)


def test_the_mean_begins_when_progress_ends():
    config = dataclasses.replace(PLAIN, average="nt_asgd", nonmono=2)
    values = [5.0, 4.0, 3.0, 3.5, 4.5, 4.6, 4.7]  # the fifth is worse than the best of the first three
    trained, scored, _, average = train(config, 7, values)
    for epoch in range(5):
        assert scored[epoch] == trained[STEPS * (epoch + 1) - 1]
    assert average.begin == 5 * STEPS
    assert scored[5] == pytest.approx(trained[5 * STEPS : 6 * STEPS].mean(), abs=1e-6)
    assert scored[6] == pytest.approx(trained[5 * STEPS :].mean(), abs=1e-6)


def test_it_never_begins_while_there_is_progress():
    config = dataclasses.replace(PLAIN, average="nt_asgd", nonmono=1)
    assert train(config, 4, [4.0, 3.0, 2.0, 1.0])[3].begin is None


@pytest.mark.parametrize("last", [1, 3, 9])
def test_the_mean_of_the_ends_of_the_last_epochs(last):
    config = dataclasses.replace(PLAIN, average="epochs", last_epochs=last, epochs=5)
    trained, scored, kept, _ = train(config, 5)
    ends, begin = trained[STEPS - 1 :: STEPS], max(0, 5 - last)
    for epoch in range(5):
        expected = ends[epoch] if epoch < begin else ends[begin : epoch + 1].mean()
        assert scored[epoch] == kept[epoch] == pytest.approx(expected, abs=1e-6)
