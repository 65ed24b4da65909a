"""Keras's own tests of its recurrent layers and wrappers, unchanged, with our layers in the place of Keras's."""

import importlib

import keras
import keras.src
import pytest

from seqtasks import layers

NAMES = ("lstm", "gru", "simple_rnn", "rnn", "bidirectional", "stacked_rnn_cells", "time_distributed")
REPLACED = ("LSTM", "GRU", "SimpleRNN", "RNN")
DIFFERENT: dict[str, str] = {}  # tests that cannot hold, by name, with the reason

for _name in NAMES:
    _module = importlib.import_module(f"keras.src.layers.rnn.{_name}_test")
    for _class in list(vars(_module).values()):
        if (
            isinstance(_class, type)
            and _class.__module__ == _module.__name__
            and issubclass(_class, keras.src.testing.TestCase)
        ):
            globals()[f"Test{_class.__name__}"] = type(_class)(
                f"Test{_class.__name__}", (_class,), {"__module__": __name__}
            )

    del _class


@pytest.fixture(autouse=True)
def ours(monkeypatch, request):
    for name in REPLACED:
        monkeypatch.setattr(keras.src.layers, name, getattr(layers, name))
