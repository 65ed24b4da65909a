"""Training steps in parts: the update of the whole batch, whatever its padding, states and added losses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.engines.backend.fused_adam import Adam
from seqtasks.engines.backend.split_training import bounds, split
from seqtasks.layers import Encoder
from seqtasks.layers.losses import TokenLoss
from seqtasks.layers.metrics import Nats
from seqtasks.task_types import LanguageOptions
from seqtasks.task_types.language_modeling.model import language_model

ROWS, TIME, SYMBOLS = 7, 6, 11  # 7 rows make unequal parts


def batches(count=3):
    """Windows of a text in `ROWS` streams; rows have very different numbers of valid steps."""
    rng = np.random.default_rng(0)
    for number in range(count):
        tokens = rng.integers(1, SYMBOLS, (ROWS, TIME + 1)).astype("int32")
        weights = (np.arange(TIME) < rng.integers(0, TIME + 1, ROWS)[:, None]).astype("float32")
        weights[0] = 0  # the first part may have no valid step at all
        inputs = {"tokens": tokens[:, :-1], "reset": np.full(ROWS, number == 0), "targets": tokens[:, 1:]}
        yield inputs, tokens[:, 1:], weights


def trained(parts, loss="token", clip=0.05, **options):
    """Weights, losses and scores after three updates of a stateful language model with Adam and clipping."""
    keras.utils.set_random_seed(3)
    encoder = Encoder(cell="gru", units=5, stateful=True, name="encoder")
    model = language_model(encoder, SYMBOLS, LanguageOptions(loss=loss, **options), "lm")
    criterion = TokenLoss(loss)
    if parts > 1:
        model = split(model, criterion, parts)
    jit = keras.backend.backend() == "jax"
    model.compile(Adam(0.01, global_clipnorm=clip), criterion, weighted_metrics=[Nats()], jit_compile=jit)
    model.optimizer.build(model.trainable_variables)
    logs = [model.train_on_batch(*batch, return_dict=True) for batch in batches()]
    kept = [v for v in model.non_trainable_variables if "kept_state" in v.path and len(v.shape) == 2]
    values = [keras.ops.convert_to_numpy(v) for v in (*model.trainable_variables, *kept)]
    return values, [[log["loss"], log["nats"]] for log in logs]


@pytest.mark.parametrize(
    ("parts", "options"),
    [(3, {}), (7, {"loss": "window"}), (2, {"activation_penalty": 2.0, "temporal_penalty": 1.0}), (20, {})],
)
def test_the_update_is_that_of_the_whole_batch(parts, options):
    whole, in_parts = trained(1, **options), trained(parts, **options)
    for expected, value in zip(whole[0], in_parts[0], strict=True):
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(in_parts[1], whole[1], rtol=0, atol=2e-6)


def test_a_mean_of_means_would_be_another_loss():
    """The batches of the test above tell a mean over valid steps from a mean over parts."""
    weights = [weight for _, _, weight in batches()]
    share = [[weight[a:b].sum() / weight.sum() for a, b in bounds(ROWS, 3)] for weight in weights]
    assert np.abs(np.array(share) - 1 / 3).max() > 0.2


def test_weights_of_layers_that_are_not_used_stay():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3)(inputs)
    model = keras.Model(inputs, [outputs, keras.layers.Dense(2, name="unused")(inputs)])
    trained = split(keras.Model(model.inputs[0], model.outputs[0]), "mse", 2)
    trained.compile("sgd", "mse", jit_compile=False)
    before = keras.ops.convert_to_numpy(model.get_layer("unused").kernel)
    trained.train_on_batch(np.ones((4, 4)), np.ones((4, 3)))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.get_layer("unused").kernel), before)


def test_every_row_is_in_one_part():
    for rows in range(1, 9):
        for parts in range(1, 12):
            cut = list(bounds(rows, parts))
            assert [a for a, _ in cut] == [0, *[b for _, b in cut[:-1]]]
            assert cut[-1][1] == rows and len(cut) == min(rows, parts) and all(b > a for a, b in cut)


class OwnStep(keras.Model):
    def train_step(self, data):
        raise AssertionError


def test_what_cannot_be_computed_in_parts_is_refused():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3)(inputs)
    with pytest.raises(ConfigError, match=r"training step of its own \(OwnStep\).*set train.accumulate=1"):
        split(OwnStep(inputs, outputs), "mse", 2)
    with pytest.raises(ConfigError, match=r"has the reduction 'sum'.*mean_with_sample_weight"):
        split(keras.Model(inputs, outputs), keras.losses.MeanSquaredError(reduction="sum"), 2)
    tokens = keras.Input((None,), dtype="int32")
    masked = keras.layers.Embedding(5, 3, mask_zero=True)(tokens)
    model = split(keras.Model(tokens, masked), keras.losses.MeanSquaredError(), 2)
    model.compile("sgd", keras.losses.MeanSquaredError(), jit_compile=False)
    with pytest.raises(ConfigError, match="implicit mask of Keras"):
        model.train_on_batch(np.ones((4, 2), "int32"), np.ones((4, 2, 3), "float32"))
