"""The engine of Keras's own layers, where it keeps more than the cell does: the layers it makes."""

import numpy as np
import tensorflow as tf

from seqtasks.cells.registration import make_cell
from seqtasks.layers.recurrent import Recurrent


def test_a_graph_that_first_saw_one_step_then_sees_more():
    """A layer that Keras makes only then would bring a variable too late."""
    layer = Recurrent(make_cell("lstm", 3), engine="keras")
    layer.build((None, None, 2))
    run = tf.function(lambda x: layer(x)[0])
    run(np.ones((2, 1, 2), "float32"))
    x = np.ones((2, 4, 2), "float32")
    np.testing.assert_allclose(run(x), layer(x)[0], atol=1e-6)
