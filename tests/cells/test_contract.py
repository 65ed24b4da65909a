"""Every registered cell keeps the rules of time; a new cell is tested by existing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks import plugins
from seqtasks.cells.base import cell_options, make_cell
from seqtasks.errors import ConfigError, UnknownNameError
from seqtasks.recurrent import Recurrent
from seqtasks.testing import check_cell

FORMS = [("gru", {"reset_after": False}), ("simple_rnn", {"activation": "relu"}), ("lstm", {"forget_bias": 0.0})]


@pytest.mark.parametrize("name", plugins.cells.names())
def test_the_rules_of_time(name):
    check_cell(name)


@pytest.mark.parametrize(("name", "options"), FORMS)
def test_the_rules_of_time_in_other_forms(name, options):
    check_cell(name, options)


@pytest.fixture
def gru():
    return plugins.cells.get("gru")


def test_the_contract_sees_rows_that_mix(gru, monkeypatch):
    honest = gru.step
    monkeypatch.setattr(gru, "step", lambda self, p, states: honest(self, p - keras.ops.mean(p, axis=0), states))
    with pytest.raises(AssertionError, match="padding changes no output"):
        check_cell("gru")


def test_the_contract_sees_another_function_in_keras(gru, monkeypatch):
    honest = gru.call
    monkeypatch.setattr(gru, "call", lambda self, x, states, **more: honest(self, x / 2, states))
    with pytest.raises(AssertionError, match=r"keras.layers.RNN\(cell\) gives the same"):
        check_cell("gru")


def test_the_contract_sees_a_forgotten_option(gru, monkeypatch):
    honest = gru.get_config
    monkeypatch.setattr(gru, "get_config", lambda self: {k: v for k, v in honest(self).items() if k != "reset_after"})
    with pytest.raises((AssertionError, ValueError)):
        check_cell("gru", {"reset_after": False})


@pytest.mark.parametrize("name", plugins.cells.names())
def test_a_cell_is_documented_by_its_states_and_options(name):
    cls = plugins.cells.get(name)
    cell = make_cell(name, 3)
    assert cls.cell_name == name
    assert len(cell.state_size) == len(cls.states) and cell.states[0] == "h"
    for option in cls.__init__.__annotations__.keys() & cell_options(cls).keys():
        assert f"{option}:" in cls.__doc__, f"{option} is not explained"
    assert ".. math::" in cls.__doc__ and "Reference" in cls.__doc__


@pytest.mark.parametrize("name", plugins.cells.names())
def test_every_weight_is_used(name):
    layer = Recurrent(make_cell(name, 4), engine="loop")
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    layer(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x)[0] ** 2)
    grads = tape.gradient(loss, [w.value for w in layer.trainable_weights])
    for weight, grad in zip(layer.trainable_weights, grads, strict=True):
        assert grad is not None and np.abs(grad).max() > 0, weight.path


def test_what_a_cell_refuses():
    with pytest.raises(UnknownNameError, match=r"unknown cell 'lstn'; did you mean lstm\?"):
        make_cell("lstn", 3)
    with pytest.raises(ConfigError, match=r"no option 'forget_bia'; did you mean encoder.options.forget_bias\?"):
        make_cell("lstm", 3, {"forget_bia": 0})
    with pytest.raises(ConfigError, match=r"cell simple_rnn refuses encoder.options .*'nonsense'"):
        make_cell("simple_rnn", 3, {"activation": "nonsense"})
    with pytest.raises(ConfigError, match="units is 0; allowed: ≥ 1"):
        make_cell("gru", 0)


def test_initializers_are_options_of_every_cell():
    cell = make_cell("simple_rnn", 3, {"kernel_initializer": "ones", "recurrent_initializer": "identity"})
    cell.build((None, None, 2))
    np.testing.assert_array_equal(cell.W, np.ones((2, 3)))
    np.testing.assert_array_equal(cell.U, np.eye(3))
