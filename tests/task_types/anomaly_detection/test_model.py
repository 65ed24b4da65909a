"""Models of normal series: padding changes nothing, states are carried, and a constant series is rebuilt."""

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.scaling import Scaling
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types import AnomalyOptions
from seqtasks.task_types.anomaly_detection.model import (
    CALIBRATION,
    HEAD,
    prediction_model,
    rebuilding_model,
    with_states,
)

INPUTS = Inputs(Scaling(mean=[100.0, -5.0], sd=[10.0, 2.0], missing=[0.0, 0.1], gap=3.0), (1,), irregular=True)


def model_of(method):
    encoder = Encoder(EncoderConfig(cell="gru", units=4), name="encoder")
    if method == "predict":
        return prediction_model(encoder, INPUTS, 2, AnomalyOptions(), "m")
    return rebuilding_model(encoder, INPUTS, 9, AnomalyOptions(code=3), "m")


def arrays(time=6, padding=0):
    rng = np.random.default_rng(0)
    made = {
        "steps": rng.normal([100, -5], [10, 2], (2, time, 2)),
        "mask": np.ones((2, time), bool),
        "measured": rng.integers(0, 2, (2, time, 1)),
        "time_gaps": rng.uniform(0, 2, (2, time)),
    }
    for name, array in made.items():
        wide = np.full((2, time + padding, *array.shape[2:]), 0 if name == "mask" else 7.0)
        wide[:, :time] = array
        made[name] = wide.astype(bool if name == "mask" else "float32")
    return made


@pytest.mark.parametrize("method", ["predict", "rebuild"])
def test_padding_changes_no_output(method):
    model = model_of(method)
    plain, padded = (np.asarray(model(arrays(padding=n))) for n in (0, 3))
    np.testing.assert_allclose(padded[:, :6], plain[:, :6], atol=1e-5)
    assert plain.shape == ((2, 6, 4) if method == "predict" else (2, 9, 2))


@pytest.mark.parametrize("method", ["predict", "rebuild"])
def test_it_is_saved_whole(method, tmp_path):
    model = model_of(method)
    model.get_layer(CALIBRATION).set(np.full(model.output_shape[-1], 0.25), 2.0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(np.asarray(loaded(arrays())), np.asarray(model(arrays())), atol=1e-6)
    assert float(loaded.get_layer(CALIBRATION).threshold) == 2.0


def test_a_new_model_predicts_the_present_value_where_its_head_is_zero():
    model, given = model_of("predict"), arrays()
    model.get_layer(HEAD).set_weights([np.zeros_like(w) for w in model.get_layer(HEAD).get_weights()])
    scaled = INPUTS.scaling.scaled(given["steps"])
    np.testing.assert_allclose(np.asarray(model(given)), np.concatenate([scaled, scaled], axis=-1), atol=1e-5)


def test_a_loaded_model_carries_states(tmp_path):
    model_of("predict").save(tmp_path / "m.keras")
    model, given = keras.models.load_model(tmp_path / "m.keras"), arrays()
    stepwise, shapes = with_states(model)
    assert shapes == [(4,)] and len(stepwise.trainable_weights) == len(model.trainable_weights)
    states, parts = [keras.ops.zeros((2, 4))], []
    for part in (slice(0, 2), slice(2, 6)):
        outputs, *states = stepwise(
            [*(keras.ops.convert_to_tensor(given[tensor.name][:, part]) for tensor in model.inputs), *states]
        )
        parts.append(np.asarray(outputs))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), np.asarray(model(given)), atol=1e-5)
