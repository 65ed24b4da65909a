"""Embedding layer that can return its table; embedding dropout; activation penalties."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer, forget_masks


@keras.saving.register_keras_serializable("seqtasks")
class Embedding(keras.layers.Embedding):
    """`keras.layers.Embedding` that can also return its whole table.

    Arguments, weights and masking (`mask_zero`) are those of Keras. If an `Encoder` reads the vectors
    unchanged, give it the table as well; its first layer then projects each distinct token of a batch
    once, instead of once for each occurrence:

        encoder(embedding(tokens), tokens=tokens, table=embedding(tokens, whole=True))

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Embedding
        >>> embedding, tokens = Embedding(10, 4), np.array([[1, 2, 2], [3, 0, 0]])  # (batch, time)
        >>> tuple(embedding(tokens).shape), tuple(embedding(tokens, whole=True).shape)
        ((2, 3, 4), (10, 4))
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs = super().__call__(*args, **kwargs)
        if kwargs.get("whole"):
            forget_masks(outputs)  # with mask_zero Keras attaches the mask of the tokens to the table
        return outputs

    def call(self, inputs: Any, whole: bool = False) -> Any:
        """Returns the vectors of tokens, or the whole table.

        Args:
            inputs: Token numbers, of any shape such as `(batch, time)`.
            whole: Return the table, whatever the inputs are.

        Returns:
            Vectors, `(batch, time, output_dim)`, or the table, `(input_dim, output_dim)`.
        """
        if not whole:
            return super().call(inputs)
        return ops.cast(ops.convert_to_tensor(self.embeddings), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any, whole: bool = False) -> tuple[int | None, ...]:
        return (self.input_dim, self.output_dim) if whole else super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, whole: bool = False) -> Any:
        if not whole:
            return super().compute_output_spec(inputs)
        return keras.KerasTensor((self.input_dim, self.output_dim), self.compute_dtype)


@keras.saving.register_keras_serializable("seqtasks")
class WordDropout(keras.layers.Layer):
    """Embedding dropout: zeroes all occurrences of random words of the vocabulary in a batch.

    The implicit mask of the input is carried on.

    Reference: Gal & Ghahramani 2016, https://arxiv.org/abs/1512.05287

    Args:
        rate: Probability that a word is dropped; the vectors of the others are scaled by 1/(1 - rate).
        size: Vocabulary size.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import WordDropout
        >>> tokens, vectors = np.array([[1, 2, 1]]), np.ones((1, 3, 4), "float32")
        >>> dropped = np.asarray(WordDropout(0.5, size=10)(vectors, tokens, training=True))
        >>> dropped.shape, bool((dropped[:, 0] == dropped[:, 2]).all())  # both are word 1
        ((1, 3, 4), True)
    """

    def __init__(self, rate: float, size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.rate, self.size = rate, size
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x: Any, tokens: Any, training: bool = False) -> Any:
        """Applies the dropout to embedded tokens.

        Args:
            x: Embedded tokens, `(batch, time, width)`.
            tokens: Token numbers, `(batch, time)`.
            training: Whether dropout is applied; otherwise `x` is returned unchanged.

        Returns:
            `(batch, time, width)`.
        """
        if not training or not self.rate:
            return x
        kept = ops.cast(keras.random.uniform((self.size,), seed=self.seed_generator) >= self.rate, x.dtype)
        return x * ops.take(kept / (1 - self.rate), tokens)[..., None]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "size": self.size}


@keras.saving.register_keras_serializable("seqtasks")
class ActivityPenalty(MaskedLayer):
    """Activation regularisation of AWD-LSTM (AR and TAR): adds two penalties to the loss.

    The penalties are α mean(d_t²) + β mean((h_t - h_{t-1})²), where h are the outputs of a recurrent layer
    and d the same outputs after dropout. The means are over valid steps and, for the second term, over
    pairs of valid neighbours. Only training adds the penalties.

    Reference: Merity et al. 2017, https://arxiv.org/abs/1708.01009

    Args:
        activation: α, weight of the penalty on outputs after dropout.
        temporal: β, weight of the penalty on the change of the outputs between steps, before dropout.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import ActivityPenalty
        >>> layer, outputs = ActivityPenalty(2.0, 1.0), np.ones((1, 3, 4), "float32")  # (batch, time, width)
        >>> tuple(layer(outputs, outputs, training=True).shape), [float(loss) for loss in layer.losses]
        ((1, 3, 4), [2.0, 0.0])
    """

    def __init__(self, activation: float, temporal: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation, self.temporal = activation, temporal

    def call(self, dropped: Any, outputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Adds the penalties to the losses of the layer.

        Args:
            dropped: Outputs after dropout, `(batch, time, width)`.
            outputs: Outputs before dropout, `(batch, time, width)`.
            mask: `(batch, time)`, true at valid steps; None: the implicit mask of `dropped`, or else all steps
                are valid.
            training: Whether the penalties are added.

        Returns:
            `dropped`, unchanged.
        """
        if training and mask is not None:
            valid = ops.cast(mask, "float32")[..., None]
            squares = ops.square(ops.cast(dropped, "float32"))
            self.add_loss(self.activation * _mean(squares, valid))
            squares = ops.square(ops.cast(outputs[:, 1:] - outputs[:, :-1], "float32"))
            self.add_loss(self.temporal * _mean(squares, valid[:, 1:] * valid[:, :-1]))
        elif training:
            self.add_loss(self.activation * ops.mean(ops.square(ops.cast(dropped, "float32"))))
            change = ops.cast(outputs[:, 1:] - outputs[:, :-1], "float32")
            # A sequence of one step has no changes; without the maximum their mean would be 0/0.
            size = ops.maximum(ops.cast(ops.size(change), "float32"), 1.0)
            self.add_loss(self.temporal * ops.sum(ops.square(change)) / size)
        return dropped

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation, "temporal": self.temporal}


def _mean(values: Any, weights: Any) -> Any:
    """Weighted mean of values `(batch, time, width)`; 0 if all weights are 0.

    Args:
        values: `(batch, time, width)`.
        weights: `(batch, time, 1)`.
    """
    count = ops.sum(weights) * values.shape[-1]
    return ops.sum(values * weights) / ops.maximum(count, 1.0)
