"""Adversarial training on perturbed embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from seqtasks.core.errors import ConfigError


class Adversarial(keras.Model):
    """A model that learns from each batch twice: as it is, and with its embedded tokens moved against it.

    A text is moved by one vector over all of its steps, along the gradient of its loss with
    respect to them, so far that a text of length `strength` root mean squares of a component
    of the embedded tokens results; growing embeddings are of no use against it. The two losses
    are added; the one that is shown is the first. Made by `adversarial`.

    Reference: Miyato et al. 2017, https://arxiv.org/abs/1605.07725, section 3
    """

    embed: Callable[[Any], Any]  # the vectors of tokens
    answer: Callable[[Any, Any], Any]  # what the model makes of vectors and their tokens
    strength: float

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        variables = self.trainable_weights
        values = [variable.value for variable in variables]
        with tf.GradientTape() as tape:
            vectors = self.embed(x)
            tape.watch(vectors)
            answers, loss, scaled = self._learn(x, vectors, y, weight)
        slopes, *gradients = tape.gradient(scaled, [vectors, *values])
        with tf.GradientTape() as tape:
            moved = self.embed(x) + worst(vectors, slopes, x > 0, self.strength)
            _, _, scaled = self._learn(x, moved, y, weight)
        adversarial_gradients = tape.gradient(scaled, values)
        both = [
            tf.convert_to_tensor(one) + tf.convert_to_tensor(other)
            for one, other in zip(gradients, adversarial_gradients, strict=True)
        ]
        self.optimizer.apply_gradients(zip(both, variables, strict=True))
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])
        return dict(self.compute_metrics(x, y, answers, sample_weight=weight))

    def _learn(self, x: Any, vectors: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
        """The answers to embedded tokens, their loss, and the same as the optimizer scales it."""
        answers = self.answer(vectors, x)
        loss = self.compute_loss(x=x, y=y, y_pred=answers, sample_weight=weight, training=True)
        return answers, loss, self.optimizer.scale_loss(loss)


def adversarial(model: keras.Model, embedding: keras.layers.Embedding, strength: float) -> keras.Model:
    """The same model, which shares all weights, trained as `Adversarial` says.

    Args:
        model: of tokens (batch, time), 0 at padding.
        embedding: the layer that embeds them.
        strength: above 0.

    Raises:
        ConfigError: another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"adversarial training on the backend {keras.backend.backend()}; it needs tensorflow: set KERAS_BACKEND, "
            "or options.adversarial=0"
        )
    made = Adversarial(model.inputs[0], model.outputs[0], name=model.name)
    classifier = keras.Model([embedding.output, model.inputs[0]], model.outputs[0])
    # In functions, so that Keras does not take them for further layers.
    made.embed = lambda tokens: keras.ops.convert_to_tensor(embedding(tokens))
    made.answer = lambda vectors, tokens: classifier([vectors, tokens], training=True)
    made.strength = strength
    return made


def worst(vectors: Any, slopes: Any, real: Any, strength: float) -> Any:
    """By how much each vector of a text moves; a text whose loss is flat, or that is empty, stays.

    Args:
        vectors: embedded tokens (batch, time, width).
        slopes: gradients of the loss with respect to them, (batch, time, width), zero where masked.
        real: (batch, time), false at padding.
        strength: the length over all steps of a text, in root mean squares of the components of real vectors.
    """
    import tensorflow as tf

    count = tf.maximum(tf.reduce_sum(tf.cast(real, tf.float32)) * vectors.shape[-1], 1.0)
    size = tf.sqrt(tf.reduce_sum(tf.square(tf.where(real[..., None], tf.cast(vectors, tf.float32), 0.0))) / count)
    slopes = tf.where(real[..., None], tf.cast(slopes, tf.float32), 0.0)
    # Divided by the largest first: squares of slopes of a text that is understood fall below the least float.
    most = tf.reduce_max(tf.abs(slopes), axis=[1, 2], keepdims=True)
    slopes = tf.math.divide_no_nan(slopes, most)
    length = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1, 2], keepdims=True))
    moved = strength * size * tf.math.divide_no_nan(slopes, length)
    return tf.stop_gradient(tf.cast(moved, vectors.dtype))
