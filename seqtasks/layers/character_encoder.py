"""Character encoder: word vectors computed from the characters of each word."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.pooling import Pooling


@keras.saving.register_keras_serializable("seqtasks")
class CharacterWords(keras.layers.Layer):
    """Computes a vector for each word from its characters, by a bidirectional RNN or a CNN.

    Masks: character number 0 is padding and has no effect. The layer reads the mask from the numbers,
    not from Keras. It keeps no state between words.

    References: Ling et al. 2015, https://arxiv.org/abs/1508.02096 (rnn); Ma & Hovy 2016,
    https://arxiv.org/abs/1603.01354 (cnn)

    Args:
        size: Number of different characters, including number 0, the padding.
        units: Number of units of each direction; a word vector is twice as wide.
        width: Width of the character embedding.
        how: `"rnn"`: the last outputs of both directions, concatenated; `"cnn"`: the maximum over time
            of convolutions over three characters.
        cell: Name of the recurrent cell, one of `seqtasks list cells`; unused by `"cnn"`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import CharacterWords
        >>> words = np.array([[3, 1, 2, 0], [4, 0, 0, 0]])  # two words, padded to four characters
        >>> tuple(CharacterWords(size=5, units=6, how="cnn")(words).shape)
        (2, 12)
    """

    def __init__(
        self,
        size: int,
        units: int = 50,
        width: int = 32,
        how: Literal["rnn", "cnn"] = "rnn",
        cell: str = "lstm",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.size, self.units, self.width, self.how, self.cell = size, units, width, how, cell
        self.embedding = keras.layers.Embedding(size, width, dtype=self.dtype_policy)
        self.reader: Any
        if how == "rnn":
            self.reader = Encoder(EncoderConfig(cell=cell, units=units, bidirectional=True), dtype=self.dtype_policy)
        else:
            self.reader = keras.layers.Conv1D(2 * units, 3, padding="same", dtype=self.dtype_policy)
            self.pooling = Pooling("max", dtype=self.dtype_policy)

    @property
    def output_size(self) -> int:
        """Width of a word vector."""
        return int(self.reader.output_size) if self.how == "rnn" else 2 * self.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.embedding.build(input_shape)
        self.reader.build((*input_shape, self.width))
        if self.how == "cnn":
            self.pooling.build((*input_shape, 2 * self.units))

    def call(self, characters: Any, training: bool = False) -> Any:
        """Computes the word vectors.

        Args:
            characters: Character numbers, `(batch, characters)`, 0 at padding; one word per row.
            training: Whether the layer runs in training mode.

        Returns:
            Word vectors, `(batch, output_size)`; zeros for a word of padding only.
        """
        mask = ops.not_equal(characters, 0)
        x = self.embedding(characters)
        if self.how == "rnn":
            return self.reader(x, mask=mask, return_sequences=False, training=training)[0]
        # A convolution reads beyond the end of a word, so embeddings at padding must be zero.
        return self.pooling(self.reader(x * ops.cast(mask, x.dtype)[..., None]), mask=mask)

    def compute_output_spec(self, characters: Any, training: bool = False) -> Any:
        return keras.KerasTensor((characters.shape[0], self.output_size), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        config = {"size": self.size, "units": self.units, "width": self.width, "how": self.how, "cell": self.cell}
        return {**super().get_config(), **config}
