"""Tagging model: words and their characters, encoder, tags; and the model that gives the tags themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from seqtasks.layers.character_encoder import CharacterWords
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.tagging_head import TagHead

INPUTS = ("words", "places", "characters", "targets")
# Names of layers, by which a saved model finds them again.
EMBEDDING, HEAD = "words_embedding", "tags"


@dataclass(frozen=True)
class TaggingParts:
    """Layers of `tagging_model`.

    Attributes:
        embedding: of words.
        head: gives the loss of the tags, or the tags themselves.
    """

    embedding: keras.layers.Embedding
    head: TagHead

    @classmethod
    def of(cls, model: keras.Model) -> TaggingParts:
        """The layers of a model, one loaded from a file, too."""
        return cls(embedding=model.get_layer(EMBEDDING), head=model.get_layer(HEAD))


def tagging_model(
    encoder: Encoder, words: int, characters: int, labels: Sequence[str], options: Any, name: str
) -> keras.Model:
    """Words, their characters and targets to (batch, time, 2), see `TagHead`.

    Args:
        encoder: of the words.
        words: number of words with an embedding, padding and unknown included.
        characters: number of characters, padding and unknown included.
        labels: the tags, in the order of their numbers.
        options: `TaggingOptions`.
        name: of the model.
    """
    o = options
    names = INPUTS if o.characters != "none" else ("words", "targets")
    inputs = {name: keras.Input((None,), name=name, dtype="int32") for name in names}
    mask = ops.not_equal(inputs["words"], 0)
    x = keras.layers.Embedding(words, o.embedding_dim, name=EMBEDDING)(inputs["words"])
    if o.characters != "none":
        reader = CharacterWords(
            characters, o.character_units, how=o.characters, cell=o.character_cell, name="characters_of"
        )
        x = ops.concatenate([x, ops.take(reader(inputs["characters"]), inputs["places"], axis=0)], axis=-1)
    x, _ = encoder(keras.layers.Dropout(o.dropout)(x), mask=mask)
    outputs = TagHead(list(labels), o.crf, name=HEAD)(x, inputs["targets"], mask)
    return keras.Model(list(inputs.values()), outputs, name=name)


def tagger_of(model: keras.Model) -> keras.Model:
    """The model that gives the tags themselves, (batch, time)."""
    head = TaggingParts.of(model).head
    x, _, mask = head.input if len(head.input) == 3 else (*head.input, None)
    return keras.Model(model.inputs, head(x, mask=mask))
