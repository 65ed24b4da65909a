"""Keras's own tests of its recurrent layers and wrappers, unchanged, with our layers in the place of Keras's."""

import importlib

import keras.src
import pytest

from seqtasks import layers

NAMES = ("lstm", "gru", "simple_rnn", "rnn", "bidirectional", "stacked_rnn_cells", "time_distributed")
REPLACED = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")
SLOW = (
    "rnn.test_basics",
    "stacked_rnn_cells.test_basics",
    "time_distributed.test_with_mask_zero",
)  # on TensorFlow, 10 s each

for _name in NAMES:
    _module = importlib.import_module(f"keras.src.layers.rnn.{_name}_test")
    # Classes that the module defines; that of bidirectional_test has the name of that of simple_rnn_test.
    for _test in [one for one in vars(_module).values() if getattr(one, "__module__", None) == _module.__name__]:
        if isinstance(_test, type) and issubclass(_test, keras.src.testing.TestCase):
            _title = f"Test_{_name}"
            globals()[_title] = type(_test)(_title, (_test,), {"__module__": __name__})
    del _test


@pytest.fixture(autouse=True)
def replaced(monkeypatch):
    for name in REPLACED:
        monkeypatch.setattr(keras.src.layers, name, getattr(layers, name))


def test_it_is_our_layers_that_are_tested(replaced):
    for name in REPLACED:
        assert getattr(keras.src.layers, name).__module__.startswith("seqtasks.layers")
    assert {"test_correctness", "test_statefulness"} <= set(dir(globals()["Test_bidirectional"]))
