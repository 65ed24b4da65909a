"""Adam as a single operation for each weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable("seqtasks")
class Adam(keras.optimizers.Adam):
    """Keras's Adam optimizer, implemented on TensorFlow by its fused operation.

    The arguments are those of `keras.optimizers.Adam`. Keras writes the update as a dozen operations, each
    of which reads all weights; the fused operation reads and writes each number once. AMSGrad and other
    backends use Keras's implementation.

    Gradients of embedding rows are summed first, as in PyTorch. Keras instead squares the gradients of each
    occurrence of a token separately, so for a token that occurs twice in a batch neither its second moment
    nor its clipping norm is that of the summed gradient.

    Reference: Kingma & Ba 2015, https://arxiv.org/abs/1412.6980

    Example:
        >>> variable = keras.Variable([1.0, 2.0])
        >>> Adam(learning_rate=0.5).apply([keras.ops.ones(2)], [variable])
        >>> keras.ops.convert_to_numpy(variable).round(3).tolist()
        [0.5, 1.5]
    """

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Updates variables.

        Args:
            grads: One gradient for each variable.
            trainable_variables: The variables; None: those that the optimizer was built with.
        """
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            grads = [grad if grad is None else tf.convert_to_tensor(grad) for grad in grads]
        super().apply(grads, trainable_variables)

    def _all_reduce_sum_gradients(self, grads_and_vars: Sequence[tuple[Any, Any]]) -> Sequence[tuple[Any, Any]]:
        # A sum over one device changes nothing, but TensorFlow would keep the graph of this training for the life of
        # the process: the sum has a custom gradient, see `seqtasks.engines.backend.custom_gradient`.
        import tensorflow as tf

        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return grads_and_vars
        summed: Sequence[tuple[Any, Any]] = super()._all_reduce_sum_gradients(grads_and_vars)
        return summed

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        moments = [moment[index].value for moment in (self._momentums, self._velocities)]
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].handle,
            v=moments[1].handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )
