"""Text classification model: embedding, encoder, pooling, logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.adversarial import adversarial
from seqtasks.layers.embedding import WordDropout
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.pooling import Pooling

# Names of layers; the layers of a loaded model are looked up by them. The caller names the encoder.
EMBEDDING, ENCODER = "embedding", "encoder"


@dataclass(frozen=True)
class TextClassifierParts:
    """Layers of `text_classifier`.

    Attributes:
        embedding: Word embedding; row 0 is padding.
        encoder: Encoder of the word vectors; None: the model pools the word vectors.
    """

    embedding: keras.layers.Embedding
    encoder: Encoder | None

    @classmethod
    def of(cls, model: keras.Model) -> TextClassifierParts:
        """Looks up the layers of a model by name; the model can be one loaded from a file."""
        names = {layer.name for layer in model.layers}
        return cls(embedding=model.get_layer(EMBEDDING), encoder=model.get_layer(ENCODER) if ENCODER in names else None)


def text_classifier(encoder: Encoder, size: int, classes: int, options: Any, name: str) -> keras.Model:
    """Builds a text classifier: embedding, encoder, pooling over time, logits.

    Args:
        encoder: Encoder of the word vectors, named `encoder`.
        size: Number of token numbers, including padding.
        classes: Number of classes.
        options: `TextOptions`.
        name: Name of the model.

    Returns:
        A model from tokens, `(batch, time)`, to logits, `(batch, classes)`. Tokens 0 are padding and are masked.

    Raises:
        ConfigError: `options.adversarial` with another backend than TensorFlow.
    """
    o = options
    tokens = keras.Input((None,), name="tokens", dtype="int32")
    mask = ops.not_equal(tokens, 0)
    x = keras.layers.Embedding(size, o.embedding_dim, name=EMBEDDING)(tokens)
    if o.word_dropout:
        x = WordDropout(o.word_dropout, size)(x, tokens)
    if o.embedding_dropout:
        x = keras.layers.Dropout(o.embedding_dropout, noise_shape=(None, 1, None))(x)
    if o.recurrence:
        x, _ = encoder(x, mask=mask)
    x = keras.layers.Dropout(o.dropout)(Pooling(o.pooling, name="pooling")(x, mask=mask))
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    model = keras.Model(tokens, logits, name=name)
    return adversarial(model, TextClassifierParts.of(model).embedding, o.adversarial) if o.adversarial else model
