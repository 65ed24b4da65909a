"""A weight repeated for each step has the values and gradients of broadcasting."""

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.engines.backend.per_step import per_step

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("shape", [(5,), (4, 1, 5), (4, 3, 5)])
def test_values_and_gradients_of_broadcasting(shape, compiled) -> None:
    w = tf.constant(RNG.normal(size=shape).astype("float32"))
    x = tf.constant(RNG.normal(size=(4, 3, 5)).astype("float32"))

    def value_and_gradients(repeated):
        def of(w, x):
            with tf.GradientTape() as tape:
                tape.watch([w, x])
                y = tf.sin((per_step(w, x) if repeated else w) * x)
                loss = tf.reduce_sum(y**2)
            return y, tape.gradient(loss, [w, x])

        return tf.function(of, jit_compile=compiled)(w, x)

    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        value_and_gradients(True),
        value_and_gradients(False),
    )


def test_a_single_step_broadcasts_by_itself() -> None:
    w, x = tf.ones((5,)), tf.ones((3, 5))
    assert per_step(w, x).shape == (5,)
    assert per_step(w, tf.ones((4, 3, 2))).shape == (4, 3, 5)
