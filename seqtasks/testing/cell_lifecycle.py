"""Cell contract: configuration, `keras.layers.RNN`, training, prediction, saving."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.layers.recurrent import Recurrent
from seqtasks.testing.cell_fixture import FEATURES, Subject, batch, call, close


def check_keras(subject: Subject) -> None:
    """The cell works in `keras.layers.RNN`."""
    x, _ = batch()
    layer = subject.layer("loop")
    theirs = keras.layers.RNN(layer.cell, return_sequences=True)(x)
    close(ops.convert_to_numpy(theirs), call(layer, x)[0], "keras.layers.RNN(cell) gives the same")


def check_config(subject: Subject) -> None:
    """A cell made from its configuration, with the same weights, is the same."""
    x, _ = batch()
    cell: Any = subject.cell()
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert copy.get_config() == cell.get_config(), "get_config() and from_config() disagree"
    if not copy.built:  # Keras builds the copy of a built layer
        copy.build((None, None, FEATURES))
    assert [tuple(w.shape) for w in copy.weights] == [tuple(w.shape) for w in cell.weights], "a copy has other weights"
    copy.set_weights(cell.get_weights())
    close(call(_layer(copy), x)[0], call(_layer(cell), x)[0], "a copy gives the same")


def check_model(subject: Subject) -> None:
    """A model is trained, predicts batches of other sizes, is saved and loaded by Keras alone."""
    x, mask = batch()
    inputs, steps = keras.Input((None, FEATURES)), keras.Input((None,), dtype="bool")
    outputs, _ = Recurrent(subject.cell(), engine="loop")(inputs, mask=steps, return_sequences=False)
    model = keras.Model([inputs, steps], keras.layers.Dense(2)(outputs))
    model.compile("sgd", "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # else the step is traced twice
    before = model.get_weights()
    loss = model.train_on_batch([x, mask], np.ones((len(x), 2), "float32"))
    assert np.isfinite(loss), "training gives a finite loss"
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True)), "training changes no weight"
    whole = ops.convert_to_numpy(model([x, mask]))
    for rows in (1, 3):
        part = ops.convert_to_numpy(model([x[:rows], mask[:rows]]))
        close(part, whole[:rows], "a batch of another size gives the same")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
    close(ops.convert_to_numpy(loaded([x, mask])), whole, "a model that was saved and loaded gives the same")


def _layer(cell: Cell) -> Recurrent:
    return Recurrent(cell, engine="loop")
