"""IRNN: the scale of its initial recurrent matrix."""

import keras
import numpy as np

from seqtasks.cells.irnn import IRNN


def test_the_scale_survives_copies_and_saving():
    cell = IRNN(3, scale=0.01)
    again = IRNN.from_config(cell.get_config())
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    for made in (cell, again, loaded):
        made.build((None, 2))
        np.testing.assert_array_equal(np.asarray(made.U), 0.01 * np.eye(3, dtype="float32"))
