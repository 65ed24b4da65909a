"""Glimpse model: loss computed by hand, and encoders that cannot run step by step."""

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recurrent_attention import split
from seqtasks.task_types.visual_attention.model import AnswerAccuracy, RecurrentAttentionLoss, check

# Two classes, three glimpses: logits, locations, log-densities of two of them, expected rewards.
ROWS = np.array([[2, 1, *[0] * 6, -1.5, 0.5, 0.25, 0.75], [0, 3, *[0] * 6, 1, 2, 0.5, 0]], "float32")


def test_the_parts_of_the_output():
    logits, locations, log_densities, values = map(np.asarray, split(ROWS, 2, 3))
    assert (logits.shape, locations.shape) == ((2, 2), (2, 3, 2))
    np.testing.assert_array_equal(log_densities, [[-1.5, 0.5], [1, 2]])
    np.testing.assert_array_equal(values, [[0.25, 0.75], [0.5, 0]])


def test_the_loss_by_hand():
    losses = keras.ops.convert_to_numpy(RecurrentAttentionLoss(2, 3, 0.1, reduction=None)(np.array([0, 0]), ROWS))
    right = np.log(1 + np.exp(-1)) - 0.1 * (0.75 * -1.5 + 0.25 * 0.5) + (0.75**2 + 0.25**2) / 2
    wrong = np.log(1 + np.exp(3)) - 0.1 * (-0.5 * 1 + 0 * 2) + (0.5**2 + 0) / 2
    np.testing.assert_allclose(losses, [right, wrong], rtol=1e-5)
    assert RecurrentAttentionLoss.from_config(RecurrentAttentionLoss(2, 3, 0.1).get_config()).reinforce == 0.1


def test_accuracy_looks_at_the_logits_alone():
    accuracy = AnswerAccuracy(2)
    accuracy.update_state(np.array([0, 0]), ROWS)
    accuracy.update_state(np.array([0]), ROWS[:1])
    assert float(accuracy.result()) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bidirectional": True}, "glimpses that are not chosen yet; allowed: false; set encoder.bidirectional=false"),
        ({"engine": "keras", "cell": "gru"}, "encoder.engine=keras needs the whole sequence.*allowed: auto, loop"),
        ({"recurrent_dropout": 0.1}, "set encoder.recurrent_dropout=0, or use encoder.dropout"),
        ({"weight_drop": 0.1}, "set encoder.weight_drop=0"),
    ],
)
def test_what_needs_the_whole_sequence_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        check(Encoder(EncoderConfig(**{"cell": "gru", "units": 3, **settings})))


def test_the_row_names_the_engine_that_runs():
    encoder = Encoder(EncoderConfig(cell="lstm", units=3))
    assert encoder.running_engine in ("native", "keras")
    check(encoder)
    assert encoder.running_engine == "loop"
