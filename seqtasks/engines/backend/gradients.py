"""Compiled gradients of a scalar with respect to inputs or weights, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

Gradient = Callable[..., tuple[Any, Any]]


def input_gradient(function: Callable[..., Any]) -> Gradient:
    """Compiles a scalar function and its gradient with respect to the first argument.

    Args:
        function: Function of tensors that returns a scalar. It may call Keras layers in inference mode.

    Returns:
        A compiled function of the same arguments that returns `(value, gradient)`.

    Example:
        >>> square = input_gradient(lambda x: keras.ops.sum(x**2))
        >>> [float(part) for part in square(keras.ops.ones(()))]
        [1.0, 2.0]
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # Trace once for all shapes, as texts differ in length.
        @tf.function(reduce_retracing=True)
        def of_tensors(x: Any, *args: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = function(x, *args)
            return value, tape.gradient(value, x)

        return lambda x, *args: of_tensors(tf.convert_to_tensor(x), *args)
    if backend == "jax":
        import jax

        return jax.jit(jax.value_and_grad(function))
    import torch

    def of_torch(x: Any, *args: Any) -> tuple[Any, Any]:
        x = keras.ops.convert_to_tensor(x).detach().requires_grad_(True)
        value = function(x, *args)
        return value.detach(), torch.autograd.grad(value, x)[0]

    return of_torch


def weight_gradients(function: Callable[..., tuple[Any, Any]], model: keras.Model) -> Gradient:
    """Compiles a function and the gradients of its loss with respect to a model's weights.

    Args:
        function: Function of tensors that calls the model and returns `(loss, output)`. Changes of the
            model's other variables, such as the states of a stateful encoder, are kept.
        model: The model; gradients are those of its trainable weights.

    Returns:
        A compiled function of the same arguments that returns `(output, gradients)`, with one gradient for
        each trainable weight.
    """
    weights = model.trainable_variables
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(reduce_retracing=True)
        def of_tensors(*args: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                loss, output = function(*args)
            return output, tape.gradient(loss, [weight.value for weight in weights])

        return of_tensors
    if backend == "jax":
        return _of_jax(function, weights, model.non_trainable_variables)
    import torch

    def of_torch(*args: Any) -> tuple[Any, Any]:
        loss, output = function(*args)
        return output.detach(), torch.autograd.grad(loss, [weight.value for weight in weights], allow_unused=True)

    return of_torch


def squared_norms(gradients: Sequence[Any]) -> list[Any]:
    """Computes the squared norm of each gradient; rows of an embedding that occur several times are summed first.

    Args:
        gradients: Gradients of weights, as optimizers get them; None counts as zero.

    Returns:
        Scalars in float32.

    Example:
        >>> [float(square) for square in squared_norms([keras.ops.ones((2, 3)), None])]
        [6.0, 0.0]
    """
    squares = []
    for gradient in gradients:
        zero = keras.ops.zeros((), "float32")
        squares.append(
            zero if gradient is None else keras.ops.sum(keras.ops.square(keras.ops.cast(dense(gradient), "float32")))
        )
    return squares


def dense(gradient: Any) -> Any:
    """A gradient as a tensor; the rows of an embedding that TensorFlow keeps one by one are summed.

    Args:
        gradient: Gradient of a weight, as optimizers get it.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)
    return gradient


def _of_jax(
    function: Callable[..., tuple[Any, Any]], weights: Sequence[keras.Variable], others: Sequence[keras.Variable]
) -> Gradient:
    """`weight_gradients` on JAX, which differentiates only functions without side effects."""
    import jax

    def pure(values: list[Any], other_values: list[Any], *args: Any) -> tuple[Any, tuple[Any, list[Any]]]:
        mapping = [*zip(weights, values, strict=True), *zip(others, other_values, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            loss, output = function(*args)
        written = [scope.get_current_value(variable) for variable in others]
        return loss, (output, [old if new is None else new for old, new in zip(other_values, written, strict=True)])

    differentiated = jax.jit(jax.value_and_grad(pure, has_aux=True))

    def of_jax(*args: Any) -> tuple[Any, Any]:
        values = [weight.value for weight in weights]
        (_, (output, written)), gradients = differentiated(values, [variable.value for variable in others], *args)
        for variable, value in zip(others, written, strict=True):
            variable.assign(value)
        return output, gradients

    return of_jax
