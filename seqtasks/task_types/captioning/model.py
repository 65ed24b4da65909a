"""Captioning model: convolutions, decoder, and inference in batches of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import PixelArray
from seqtasks.decoding.seq2seq import DECODER, EMBEDDING, Hypothesis, Seq2SeqGenerator, embedding, seq2seq_head
from seqtasks.layers.decoder import Decoder
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.vision import PositionEmbedding2D

GRID = "grid"  # name of a layer; `CaptionParts.of` finds it in a saved model by this, so it must not change


def caption_model(encoder: Encoder, shape: Sequence[int], size: int, options: Any, name: str) -> keras.Model:
    """Builds the captioning model: convolutions, decoder and softmax.

    The convolutions compute a grid of features. The initial states of the decoder are computed from the whole grid
    (Vinyals et al. 2015, https://arxiv.org/abs/1411.4555); with attention each word also attends to locations of
    the grid (Xu et al. 2015, https://arxiv.org/abs/1502.03044). An image has no padding, so nothing is masked in
    the memory.

    Args:
        encoder: Encoder whose recurrent layers are the decoder's.
        shape: Shape of an image, `(height, width)` or `(height, width, colours)`.
        size: Vocabulary size, padding and end included.
        options: Options of the task, `CaptionOptions`.
        name: Name of the model.

    Returns:
        A model with the inputs `image`, `(batch, *shape)`, `previous` and `targets`, `(batch, time)`. Its output is
        the smoothed loss and the negative log-likelihood of each target, `(batch, time, 2)`.
    """
    o = options
    image = keras.Input(tuple(shape), name="image", dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    if len(shape) == 2:
        x = keras.layers.Reshape((*shape, 1))(x)
    for filters in o.filters:
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        # With Keras's momentum of 0.99 the moving averages need more updates than a run on a small set has.
        x = keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.9)(x))
    grid = keras.layers.Conv2D(o.filters[-1], 3, padding="same", activation="relu", name=GRID)(x)
    flatten = keras.layers.Reshape((-1, o.filters[-1])) if o.attention == "none" else PositionEmbedding2D()
    memory = keras.layers.Dropout(o.dropout)(flatten(grid))
    whole = keras.layers.Dense(o.embedding_dim, activation="relu", name="whole")(keras.layers.Flatten()(grid))
    decoder = Decoder(encoder.config, o.attention, o.input_feeding, stack=encoder, name=DECODER)
    inputs, losses = seq2seq_head(memory, [[whole]], None, decoder, embedding(size, o.embedding_dim, EMBEDDING), o)
    return keras.Model([image, *inputs], losses, name=name)


@dataclass(frozen=True)
class CaptionParts:
    """Layers of `caption_model` that are not in `Seq2SeqParts`.

    Attributes:
        grid: Last convolution; its output is the grid of features, `(batch, height, width, filters)`.
    """

    grid: keras.layers.Conv2D

    @classmethod
    def of(cls, model: keras.Model) -> CaptionParts:
        """Finds the layers of a model by their names, also of a model loaded from a file."""
        return cls(grid=model.get_layer(GRID))


class Captioner(Seq2SeqGenerator):
    """Generates captions of images.

    Args:
        model: Model that `caption_model` returned.
        most: Maximum number of tokens of a caption.
        rows: Maximum batch size.
        settings: Keyword arguments of `Seq2SeqGenerator`.
    """

    def __init__(self, model: keras.Model, *, most: int, rows: int = 64, **settings: Any):
        super().__init__(model, **settings)
        self.most, self.rows = most, rows
        _, height, width, _ = CaptionParts.of(model).grid.output.shape
        self.grid = height, width

    def max_tokens(self, steps: int) -> int:
        """Maximum number of tokens of a caption."""
        return self.most

    def __call__(self, images: PixelArray) -> list[list[Hypothesis]]:
        """Returns the best hypotheses for each image, the best first.

        Args:
            images: Images, `(batch, height, width)` or `(batch, height, width, colours)`, uint8.
        """
        hypotheses: list[list[Hypothesis]] = []
        rows = min(self.rows, len(images))
        for begin in range(0, len(images), rows):
            chunk = images[begin : begin + rows]
            # The last batch is filled up with copies of an image, so that only one shape is compiled.
            filled = np.concatenate([chunk, np.repeat(chunk[:1], rows - len(chunk), axis=0)])
            hypotheses += self.write(filled, None, self.most)[: len(chunk)]
        return hypotheses
