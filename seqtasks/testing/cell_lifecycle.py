"""Cell contract, Keras: configuration, `keras.layers.RNN`, training, prediction, saving."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.layers.recurrent import Recurrent
from seqtasks.testing.cell_fixture import FEATURES, Subject, batch, call, close, timing


def check_keras(subject: Subject) -> None:
    """Checks that `keras.layers.RNN(cell)` returns the outputs of `Recurrent(cell)`."""
    x, _ = batch()
    layer = subject.layer("loop")
    outputs = keras.layers.RNN(layer.cell, return_sequences=True)(x)
    close(ops.convert_to_numpy(outputs), call(layer, x)[0], "keras.layers.RNN(cell) returns the outputs of Recurrent")


def check_config(subject: Subject) -> None:
    """Checks that a cell made from its configuration and weights has the same outputs."""
    x, _ = batch()
    cell: Any = subject.cell()
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert copy.get_config() == cell.get_config(), "get_config() and from_config() disagree"
    if not copy.built:  # Keras builds the copy of a built layer
        copy.build((None, None, FEATURES))
    assert [tuple(w.shape) for w in copy.weights] == [tuple(w.shape) for w in cell.weights], "a copy has other weights"
    copy.set_weights(cell.get_weights())
    close(call(_layer(copy), x)[0], call(_layer(cell), x)[0], "a copy has the same outputs")


def check_model(subject: Subject) -> None:
    """Checks that a model with the cell trains, predicts, and is saved and loaded by Keras."""
    x, mask = batch()
    cell = subject.cell()
    arrays = {"x": x, "mask": mask, **timing(cell)}
    inputs = {name: keras.Input((None, *a.shape[2:]), dtype=str(a.dtype), name=name) for name, a in arrays.items()}
    outputs, _ = Recurrent(cell, engine="loop")(**inputs, return_sequences=False)
    model = keras.Model(inputs, keras.layers.Dense(2)(outputs))
    model.compile("sgd", "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # otherwise the training step is traced twice
    before = model.get_weights()
    loss = model.train_on_batch(arrays, np.ones((len(x), 2), "float32"))
    assert np.isfinite(loss), "the training loss is not finite"
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True)), "training changes no weight"
    whole = ops.convert_to_numpy(model(arrays))
    for rows in (1, 3):
        part = ops.convert_to_numpy(model({name: array[:rows] for name, array in arrays.items()}))
        close(part, whole[:rows], "a batch of another size has the same outputs")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
    close(ops.convert_to_numpy(loaded(arrays)), whole, "a saved and loaded model has the same outputs")


def _layer(cell: Cell) -> Recurrent:
    return Recurrent(cell, engine="loop")
