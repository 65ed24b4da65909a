"""Index of the largest value, of operations that other runtimes have."""

from __future__ import annotations

from typing import Any

import keras


def argmax(x: Any, axis: int = -1) -> Any:
    """Returns the index of the largest value along an axis, the first of equal ones.

    Under TensorFlow `keras.ops.argmax` tells -0.0 from 0.0 by an operation on bits, which LiteRT does not have; here
    they are equal.

    Args:
        x: Tensor.
        axis: Axis that is reduced.

    Example:
        >>> import numpy as np
        >>> int(argmax(np.array([1.0, 3.0, 2.0], "float32")))
        1
    """
    if keras.backend.backend() != "tensorflow" or isinstance(x, keras.KerasTensor):
        return keras.ops.argmax(x, axis=axis)
    import tensorflow as tf

    return tf.argmax(x, axis=axis, output_type=tf.int32)
