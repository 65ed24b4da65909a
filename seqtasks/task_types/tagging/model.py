"""Tagging model: word embedding, character encoder, encoder, tag head; and the model that predicts tags."""

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
# Names of layers; the layers of a loaded model are looked up by them.
EMBEDDING, HEAD, SPELLING = "words_embedding", "tags", "characters_of"


@dataclass(frozen=True)
class TaggingParts:
    """Layers of `tagging_model`.

    Attributes:
        embedding: Word embedding.
        head: Output layer: losses of target tags, or predicted tags.
        spelling: Character encoder of the words; None: there is none.
    """

    embedding: keras.layers.Embedding
    head: TagHead
    spelling: CharacterWords | None

    @classmethod
    def of(cls, model: keras.Model) -> TaggingParts:
        """Looks up the layers of a model by name; the model can be one loaded from a file."""
        spelling = next((layer for layer in model.layers if layer.name == SPELLING), None)
        return cls(model.get_layer(EMBEDDING), model.get_layer(HEAD), spelling)


def tagging_model(
    encoder: Encoder, words: int, characters: int, labels: Sequence[str], options: Any, name: str
) -> keras.Model:
    """Builds the training model: word embedding, character encoder, encoder, tag head.

    Steps with the word number 0 are masked.

    Args:
        encoder: Encoder of the word vectors.
        words: Number of words with an embedding, including padding and unknown.
        characters: Number of characters, including padding and unknown.
        labels: Names of the tags, in the order of their numbers.
        options: `TaggingOptions`.
        name: Name of the model.

    Returns:
        A model of `words` `(batch, time)`; of `places` `(batch, time)`, the row of each word in `characters`
        `(distinct words, length)`, unless `options.characters` is none; and of `targets` `(batch, time)`. The output
        is `(batch, time, 2)`: loss and correctness of each target, see `TagHead`.
    """
    o = options
    names = INPUTS if o.characters != "none" else ("words", "targets")
    inputs = {name: keras.Input((None,), name=name, dtype="int32") for name in names}
    mask = ops.not_equal(inputs["words"], 0)
    x = keras.layers.Embedding(words, o.embedding_dim, name=EMBEDDING)(inputs["words"])
    if o.characters != "none":
        spelling = CharacterWords(characters, o.character_units, how=o.characters, cell=o.character_cell, name=SPELLING)
        x = ops.concatenate([x, ops.take(spelling(inputs["characters"]), inputs["places"], axis=0)], axis=-1)
    x, _ = encoder(keras.layers.Dropout(o.dropout)(x), mask=mask)
    outputs = TagHead(list(labels), o.crf, name=HEAD)(x, inputs["targets"], mask)
    return keras.Model(list(inputs.values()), outputs, name=name)


def tagger_of(model: keras.Model, probabilities: bool = False) -> keras.Model:
    """Returns the model that predicts tags, `(batch, time)`, from the inputs of a `tagging_model`.

    Args:
        model: Model of `tagging_model`; the returned model shares its layers.
        probabilities: Whether the model also returns the probability of each tag at each step, `(batch, time, tags)`.
    """
    head = TaggingParts.of(model).head
    x, _, mask = head.input if len(head.input) == 3 else (*head.input, None)
    tags = head(x, mask=mask)
    return keras.Model(model.inputs, [tags, head(x, mask=mask, probabilities=True)] if probabilities else tags)
