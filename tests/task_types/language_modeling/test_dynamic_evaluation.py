"""Dynamic evaluation: steps of plain gradient descent, and restored weights."""

import keras
import numpy as np
import pytest

from seqtasks import EncoderConfig
from seqtasks.data.text.bptt_batches import BPTTBatches, next_tokens
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import TokenLoss
from seqtasks.task_types import LanguageOptions
from seqtasks.task_types.language_modeling.dynamic_evaluation import dynamic_scores
from seqtasks.task_types.language_modeling.model import language_model

TEXT = [3, 1, 4, 1, 5, 2, 6] * 60


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    encoder = Encoder(EncoderConfig(units=8, cell="gru"), stateful=True, name="encoder")
    return language_model(encoder, 7, LanguageOptions(), "lm")


def streams(**options):
    return BPTTBatches(next_tokens(np.array(TEXT)), 2, 2, 16, **options)


def test_it_is_gradient_descent_on_the_scored_batches(model):
    trained, batches = [w.numpy() for w in model.trainable_variables], streams(carry=False)
    scores = dynamic_scores(model, batches, 0.5, clip=0.3)
    for weight, value in zip(model.trainable_variables, trained, strict=True):
        np.testing.assert_array_equal(weight, value)
    model.compile(keras.optimizers.SGD(0.5, global_clipnorm=0.3), TokenLoss())
    nll = 0.0
    for index in range(len(batches)):
        inputs, targets, weights = batches[index]
        nll += float((model.predict_on_batch(inputs) * weights).sum())
        model.train_on_batch(inputs, targets, sample_weight=weights)
    assert scores["nats"] == pytest.approx(nll / (len(TEXT) - 1), rel=1e-5)


def test_it_adapts_to_a_repetitive_text_and_decay_limits_it(model):
    static, adapted = (dynamic_scores(model, streams(), rate)["nats"] for rate in (1e-9, 0.5))
    assert adapted < static - 0.02
    decayed = dynamic_scores(model, streams(), 0.5, decay=0.5)["nats"]
    assert adapted < decayed < static
