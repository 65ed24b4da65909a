"""Captioning model and its inference."""

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

GRID = "grid"  # name of a layer, by which a saved model finds it again


def caption_model(encoder: Encoder, shape: Sequence[int], size: int, options: Any, name: str) -> keras.Model:
    """Convolutions, their grid as the memory, decoder, softmax.

    The first states come from the whole grid (Vinyals et al. 2015, https://arxiv.org/abs/1411.4555);
    with attention each word also reads places of it (Xu et al. 2015,
    https://arxiv.org/abs/1502.03044).

    Args:
        encoder: whose recurrent layers write.
        shape: of an image, (height, width) or (height, width, colours).
        size: of the vocabulary, padding and end included.
        options: `CaptionOptions`.
        name: of the model.

    Returns:
        A model of `image`, `previous` and `targets`; it gives the smoothed loss and the
        negative log-likelihood of each target, (batch, time, 2).
    """
    o = options
    image = keras.Input(tuple(shape), name="image", dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    if len(shape) == 2:
        x = keras.layers.Reshape((*shape, 1))(x)
    for filters in o.filters:
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        # A momentum of 0.99 would need more updates than a small set has.
        x = keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.9)(x))
    grid = keras.layers.Conv2D(o.filters[-1], 3, padding="same", activation="relu", name=GRID)(x)
    places = keras.layers.Reshape((-1, o.filters[-1])) if o.attention == "none" else PositionEmbedding2D()
    memory = keras.layers.Dropout(o.dropout)(places(grid))
    whole = keras.layers.Dense(o.embedding_dim, activation="relu", name="whole")(keras.layers.Flatten()(grid))
    decoder = Decoder(encoder.config, o.attention, o.input_feeding, stack=encoder, name=DECODER)
    inputs, losses = seq2seq_head(memory, [[whole]], None, decoder, embedding(size, o.embedding_dim, EMBEDDING), o)
    return keras.Model([image, *inputs], losses, name=name)


@dataclass(frozen=True)
class CaptionParts:
    """Layers of `caption_model` besides those of its end, which are `Seq2SeqParts`.

    Attributes:
        grid: its output is the image's features, (batch, height, width, filters).
    """

    grid: keras.layers.Conv2D

    @classmethod
    def of(cls, model: keras.Model) -> CaptionParts:
        """The layers of a model, one loaded from a file, too."""
        return cls(grid=model.get_layer(GRID))


class Captioner(Seq2SeqGenerator):
    """Writes sentences about images.

    Args:
        model: of `caption_model`.
        most: tokens of the longest sentence.
        rows: images at a time.
        settings: of `Seq2SeqGenerator`.
    """

    def __init__(self, model: keras.Model, *, most: int, rows: int = 64, **settings: Any):
        super().__init__(model, **settings)
        self.most, self.rows = most, rows
        _, height, width, _ = CaptionParts.of(model).grid.output.shape
        self.grid = height, width

    def __call__(self, images: PixelArray) -> list[list[Hypothesis]]:
        """The best sentences for each image, the best first.

        Args:
            images: uint8 (n, …), of the shape that the model reads.
        """
        hypotheses: list[list[Hypothesis]] = []
        rows = min(self.rows, len(images))
        for begin in range(0, len(images), rows):
            chunk = images[begin : begin + rows]
            # Filled up, so that one shape is compiled.
            filled = np.concatenate([chunk, np.repeat(chunk[:1], rows - len(chunk), axis=0)])
            hypotheses += self.write(filled, None, self.most)[: len(chunk)]
        return hypotheses
