"""Adversarial training on perturbed embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from seqtasks.core.errors import ConfigError


class Adversarial(keras.Model):
    """A model that trains on each batch twice: unchanged, and with perturbed embeddings.

    The embedded tokens of a text are moved by one vector over all of its steps, in the direction of the
    gradient of the loss. The length of this vector is `strength` times the root mean square of the
    components of the embedded tokens, so that larger embeddings do not weaken the perturbation. The two
    losses are added; the first is reported. Created by `adversarial`.

    Reference: Miyato et al. 2017, https://arxiv.org/abs/1605.07725, section 3

    Attributes:
        embed: Function from tokens to their vectors.
        answer: Function from vectors and their tokens to the output of the model.
        strength: Length of the perturbation, see above.
    """

    embed: Callable[[Any], Any]
    answer: Callable[[Any, Any], Any]
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
        gradients_x, *gradients = tape.gradient(scaled, [vectors, *values])
        with tf.GradientTape() as tape:
            moved = self.embed(x) + worst(vectors, gradients_x, x > 0, self.strength)
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
        """Returns the outputs for embedded tokens, their loss, and the optimizer's scaled loss."""
        answers = self.answer(vectors, x)
        loss = self.compute_loss(x=x, y=y, y_pred=answers, sample_weight=weight, training=True)
        return answers, loss, self.optimizer.scale_loss(loss)


def adversarial(model: keras.Model, embedding: keras.layers.Embedding, strength: float) -> keras.Model:
    """Returns a model that shares all weights with `model` and is trained as `Adversarial`.

    Args:
        model: Model of tokens `(batch, time)`, 0 at padding.
        embedding: Layer of the model that embeds the tokens.
        strength: Length of the perturbation in root mean squares of the embeddings, above 0.

    Raises:
        ConfigError: The backend is not TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"adversarial training on the backend {keras.backend.backend()}; allowed: tensorflow; set KERAS_BACKEND="
            "tensorflow, or options.adversarial=0"
        )
    trained = Adversarial(model.inputs[0], model.outputs[0], name=model.name)
    classifier = keras.Model([embedding.output, model.inputs[0]], model.outputs[0])
    # Functions, because Keras would track layers that are attributes.
    trained.embed = lambda tokens: keras.ops.convert_to_tensor(embedding(tokens))
    trained.answer = lambda vectors, tokens: classifier([vectors, tokens], training=True)
    trained.strength = strength
    return trained


def worst(vectors: Any, gradients_x: Any, valid: Any, strength: float) -> Any:
    """Returns the perturbation of each text; zero for a text without tokens or gradient.

    Args:
        vectors: Embedded tokens, `(batch, time, width)`.
        gradients_x: Gradients of the loss with respect to them, `(batch, time, width)`, zero where masked.
        valid: `(batch, time)`, false at padding.
        strength: Length over all steps of a text, in root mean squares of the components of valid vectors.

    Returns:
        `(batch, time, width)`.
    """
    import tensorflow as tf

    count = tf.maximum(tf.reduce_sum(tf.cast(valid, tf.float32)) * vectors.shape[-1], 1.0)
    size = tf.sqrt(tf.reduce_sum(tf.square(tf.where(valid[..., None], tf.cast(vectors, tf.float32), 0.0))) / count)
    gradients_x = tf.where(valid[..., None], tf.cast(gradients_x, tf.float32), 0.0)
    # Divide by the largest component first: squares of the small gradients of a well-fitted text would underflow.
    largest = tf.reduce_max(tf.abs(gradients_x), axis=[1, 2], keepdims=True)
    gradients_x = tf.math.divide_no_nan(gradients_x, largest)
    length = tf.sqrt(tf.reduce_sum(tf.square(gradients_x), axis=[1, 2], keepdims=True))
    moved = strength * size * tf.math.divide_no_nan(gradients_x, length)
    return tf.stop_gradient(tf.cast(moved, vectors.dtype))
