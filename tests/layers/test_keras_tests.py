"""Keras's own tests of its recurrent layers and wrappers, unchanged, with our layers in the place of Keras's."""

import functools
import importlib

import keras.src
import pytest

from seqtasks import layers

NAMES = ("lstm", "gru", "simple_rnn", "rnn", "bidirectional", "stacked_rnn_cells", "time_distributed")
REPLACED = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")
# 2 to 15 s each on TensorFlow, as they train models of many arguments.
SLOW = {
    "lstm": ["test_basics"],
    "gru": ["test_basics"],
    "rnn": ["test_basics"],
    "simple_rnn": ["test_basics"],
    "stacked_rnn_cells": ["test_basics"],
    "time_distributed": ["test_with_mask_zero"],
}


def slow(test):
    @functools.wraps(test)
    def run(self):
        test(self)

    return pytest.mark.slow(run)


def of_ours(name):
    """The test class of a module of Keras, as a class of this module."""
    module = importlib.import_module(f"keras.src.layers.rnn.{name}_test")
    (base,) = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, keras.src.testing.TestCase) and one.__module__ == module.__name__
    ]
    marked = {test: slow(vars(base)[test]) for test in SLOW.get(name, ())}
    return type(base)(f"Test_{name}", (base,), {"__module__": __name__, **marked})


for _name in NAMES:
    globals()[f"Test_{_name}"] = of_ours(_name)


@pytest.fixture(autouse=True)
def replaced(monkeypatch):
    for name in REPLACED:
        monkeypatch.setattr(keras.src.layers, name, getattr(layers, name))


def test_it_is_our_layers_that_are_tested(replaced):
    for name in REPLACED:
        assert getattr(keras.src.layers, name).__module__.startswith("seqtasks.layers")
