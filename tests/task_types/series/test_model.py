"""The model of a series: padding changes nothing, numbers come in their units, and it is saved whole."""

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.scaling import Scaling
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types import SeriesOptions
from seqtasks.task_types.series.model import Target, features, series_model
from seqtasks.task_types.series.saliency import gradient_times_input

SCALING = Scaling(mean=[100.0, -5.0], sd=[10.0, 2.0], missing=[0.0, 0.1], gap=3.0, static_mean=[40.0], static_sd=[5.0])
INPUTS = Inputs(SCALING, measured=(1,), irregular=True)


def model_of(target, join=1, **options):
    encoder = Encoder(EncoderConfig(cell="gru", units=4, bidirectional=True), name="encoder")
    return series_model(encoder, INPUTS, target, join, SeriesOptions(**options), "m")


def arrays(time=6, padding=0):
    rng = np.random.default_rng(0)
    mask = np.arange(time + padding)[None] < np.array([[time], [3]])
    values = rng.normal([100, -5], [10, 2], (2, time, 2))
    made = {
        "steps": values,
        "mask": mask,
        "measured": rng.integers(0, 2, (2, time, 1)),
        "time_gaps": rng.uniform(0, 2, (2, time)),
        "statics": np.array([[40.0], [50.0]]),
    }
    for name in ("steps", "measured", "time_gaps"):
        wide = np.full((2, time + padding, *made[name].shape[2:]), 7.0)
        wide[:, :time] = made[name]
        made[name] = wide
    return {name: array if name == "mask" else array.astype("float32") for name, array in made.items()}


@pytest.mark.parametrize("join", [1, 2])
def test_padding_changes_nothing(join):
    model = model_of(Target(classes=3), join=join)
    short, long = arrays(), arrays(padding=4)
    np.testing.assert_allclose(model(list(short.values())), model(list(long.values())), atol=1e-6)


def test_features_are_scaled_and_the_others_follow_in_order():
    made = arrays()
    steps = np.asarray(features(made, INPUTS))
    np.testing.assert_allclose(steps[..., :2], (made["steps"] - [100, -5]) / [10, 2], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(steps[..., 2], made["measured"][..., 0])
    np.testing.assert_array_equal(steps[..., 3], made["time_gaps"])


def test_a_number_is_in_units_of_the_targets():
    model = model_of(Target(mean=1000.0, sd=50.0))
    layer = model.get_layer("logits")
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    np.testing.assert_allclose(model(list(arrays().values())), [[1000], [1000]])


def test_it_is_saved_whole_and_needs_no_task(tmp_path):
    model = model_of(Target(mean=1000.0, sd=50.0), noise=0.3, dropout=0.2)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    inputs = list(arrays().values())
    np.testing.assert_array_equal(model.predict_on_batch(inputs), loaded.predict_on_batch(inputs))


@pytest.mark.parametrize("target", [Target(classes=3), Target(mean=5.0, sd=2.0)])
def test_saliency_is_the_slope_times_the_distance_to_the_mean(target):
    model, made, classes = model_of(target), arrays(padding=2), np.array([1, 2])

    def margin(steps):
        outputs = model.predict_on_batch([steps, *list(made.values())[1:]])
        if not target.classes:
            return outputs[:, 0]
        others = outputs.sum(axis=1) - outputs[np.arange(2), classes]
        return outputs[np.arange(2), classes] - others / 2

    got = gradient_times_input(model)(made, classes)
    assert got.shape == (2, 8, 2) and not got[~made["mask"]].any()
    for row, step, channel in ((0, 0, 0), (0, 5, 1), (1, 2, 0)):
        away = made["steps"][row, step, channel] - SCALING.mean[channel]
        moved = [made["steps"].copy() for _ in range(2)]
        for sign, steps in zip((-1, 1), moved, strict=True):
            steps[row, step, channel] += sign * 0.05
        slope = (margin(moved[1]) - margin(moved[0]))[row] / 0.1
        np.testing.assert_allclose(got[row, step, channel], slope * away, rtol=0.02, atol=1e-3)
