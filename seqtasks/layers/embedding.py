"""Embedding with access to its table; embedding dropout and activation penalties of AWD-LSTM."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer, forget_masks


@keras.saving.register_keras_serializable("seqtasks")
class Embedding(keras.layers.Embedding):
    """Keras's embedding, with the same weights and arguments.

    An encoder that reads its vectors as they are can be given its table, too: a layer then projects
    each row that comes in a batch once, not each place where it stands:

        encoder(embedding(tokens), tokens=tokens, table=embedding(tokens, whole=True))
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs = super().__call__(*args, **kwargs)
        if kwargs.get("whole"):
            forget_masks(outputs)  # with mask_zero the table would carry the mask of the tokens
        return outputs

    def call(self, inputs: Any, whole: bool = False) -> Any:
        """Looks up.

        Args:
            inputs: whole numbers of any shape.
            whole: the table itself, whatever the inputs are.

        Returns:
            (*shape of the inputs, width), or (vocabulary, width).
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
    """Embedding dropout: a word is dropped wherever it stands in a batch, or nowhere.

    Reference: Gal & Ghahramani 2016, https://arxiv.org/abs/1512.05287

    Args:
        rate: chance of a word to be dropped; the others are scaled by 1/(1 - rate).
        size: of the vocabulary.
    """

    def __init__(self, rate: float, size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.rate, self.size = rate, size
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x: Any, tokens: Any, training: bool = False) -> Any:
        """Drops rows of embedded tokens.

        Args:
            x: (batch, time, width).
            tokens: (batch, time), what x embeds.
            training: false changes nothing.
        """
        if not training or not self.rate:
            return x
        kept = ops.cast(keras.random.uniform((self.size,), seed=self.seed_generator) >= self.rate, x.dtype)
        return x * ops.take(kept / (1 - self.rate), tokens)[..., None]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "size": self.size}


@keras.saving.register_keras_serializable("seqtasks")
class ActivityPenalty(MaskedLayer):
    """Adds α mean(dropped²) + β mean((h_t - h_{t-1})²) to the loss of training.

    Reference: Merity et al. 2017, https://arxiv.org/abs/1708.01009

    Args:
        activation: α, on outputs after dropout.
        temporal: β, on the change of outputs from step to step, before dropout.
    """

    def __init__(self, activation: float, temporal: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation, self.temporal = activation, temporal

    def call(self, dropped: Any, outputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Adds the penalties.

        Args:
            dropped: (batch, time, width), returned as it is.
            outputs: (batch, time, width), the same before dropout.
            mask: (batch, time), true at valid steps, whose mean is taken; None: the mask that `dropped`
                carries, else all are.
            training: false adds nothing.
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
            # A window of one step has no change: the mean of nothing would be no number.
            size = ops.maximum(ops.cast(ops.size(change), "float32"), 1.0)
            self.add_loss(self.temporal * ops.sum(ops.square(change)) / size)
        return dropped

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation, "temporal": self.temporal}


def _mean(values: Any, weights: Any) -> Any:
    """Of (batch, time, width) over the steps with weight 1, (batch, time, 1); 0 if there are none."""
    count = ops.sum(weights) * values.shape[-1]
    return ops.sum(values * weights) / ops.maximum(count, 1.0)
