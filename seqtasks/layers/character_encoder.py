"""Word embeddings from characters, by a recurrent or convolutional network."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.pooling import Pooling


@keras.saving.register_keras_serializable("seqtasks")
class CharacterWords(keras.layers.Layer):
    """Reads each word character by character, by a recurrent network in both directions or by a convolution.

    References: Ling et al. 2015, https://arxiv.org/abs/1508.02096 (rnn); Ma & Hovy 2016,
    https://arxiv.org/abs/1603.01354 (cnn)

    Args:
        size: how many characters there are; number 0 is padding.
        units: of each direction; the vector of a word has twice as many.
        width: of the embedding of a character.
        how: `"rnn"`: the two last states; `"cnn"`: the maxima of convolutions over three characters.
        cell: of the recurrent network, a name from `seqtasks list cells`.
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
        """Width of the vector of a word."""
        return int(self.reader.output_size) if self.how == "rnn" else 2 * self.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.embedding.build(input_shape)
        self.reader.build((*input_shape, self.width))
        if self.how == "cnn":
            self.pooling.build((*input_shape, 2 * self.units))

    def call(self, characters: Any, training: bool = False) -> Any:
        """Vectors (words, size) of characters (words, length), zero at padding."""
        mask = ops.not_equal(characters, 0)
        x = self.embedding(characters)
        if self.how == "rnn":
            return self.reader(x, mask=mask, return_sequences=False, training=training)[0]
        # A convolution sees beyond the ends of a word: there must be nothing.
        return self.pooling(self.reader(x * ops.cast(mask, x.dtype)[..., None]), mask=mask)

    def compute_output_spec(self, characters: Any, training: bool = False) -> Any:
        return keras.KerasTensor((characters.shape[0], self.output_size), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        config = {"size": self.size, "units": self.units, "width": self.width, "how": self.how, "cell": self.cell}
        return {**super().get_config(), **config}
