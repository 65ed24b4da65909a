"""One weight for all steps of a sequence, whose gradient is summed by a matrix product."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.custom_gradient import custom_gradient

ROWS = 8  # rows of ones, all but one of them for nothing: XLA makes a sum again of a product with a single row


def per_step(weight: Any, like: Any) -> Any:
    """Repeats a weight for each step and sequence.

    Under TensorFlow the gradient is summed over steps and sequences by a product with ones. XLA on a CPU fuses a plain
    sum with all that comes before it, computes that once more for each weight, and reads it column by column: the
    gradients of S4D's weights took three times as long as all others.

    Args:
        weight: Weight or value made from weights, `(size,)`, or such values of each step, `(time, 1, size)`.
        like: Tensor `(time, batch, …)`, whose first two axes the result has. Of a tensor `(batch, …)`, as in a single
            step, the weight is returned unchanged, as it broadcasts.

    Returns:
        Tensor `(time, batch, size)`, or `weight`.
    """
    weight = ops.convert_to_tensor(weight)
    if len(like.shape) < 3 or (len(weight.shape) == 3 and weight.shape[1] != 1):
        return weight
    size = weight.shape[-1]
    if keras.backend.backend() != "tensorflow":
        return ops.broadcast_to(weight, (*ops.shape(like)[:2], size))
    import tensorflow as tf

    @custom_gradient
    def repeat(weight: Any, leading: Any) -> Any:
        def gradient(g: Any) -> tuple[Any, None]:
            if len(weight.shape) == 3:
                return tf.matmul(tf.ones((tf.shape(g)[0], ROWS, tf.shape(g)[1]), g.dtype), g)[:, :1], None
            rows = tf.reshape(g, (-1, size))
            return tf.matmul(tf.ones((ROWS, tf.shape(rows)[0]), g.dtype), rows)[0], None

        return tf.broadcast_to(weight, tf.concat([leading, [size]], 0)), gradient

    repeated = repeat(tf.convert_to_tensor(weight), tf.shape(like)[:2])  # outside of it no longer a variable
    repeated.set_shape((*like.shape[:2], size))
    return repeated
