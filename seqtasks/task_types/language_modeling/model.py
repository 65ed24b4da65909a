"""Language model network: training, step-by-step inference, teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.engines import native
from seqtasks.engines.native.text_generation import NativeTextGenerator
from seqtasks.layers.embedding import ActivityPenalty, Embedding, WordDropout
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import AuxiliaryLoss
from seqtasks.layers.softmax_heads import AdaptiveSoftmaxHead, SoftmaxHead

MOST_SYMBOLS = 1024
# Of a table that encoders read: its gradient is a whole table, and most of a larger one would be zeros.
MOST_ROWS = 2**15
# Names of layers, by which a saved model finds them again; that of the encoder is given to it.
EMBEDDING, ENCODER, BACKWARD, READ, HEAD = "embedding", "encoder", "backward", "read", "head"


@dataclass(frozen=True)
class LanguageModelParts:
    """Layers of `language_model`.

    Attributes:
        embedding: of tokens.
        encoder: reads them forward.
        backward: encoder that reads them from the end, of a model made by `with_backward`; None: there is none.
        read: its output is what the head reads, (batch, time, units).
        head: softmax over the vocabulary.
    """

    embedding: Embedding
    encoder: Encoder
    backward: Encoder | None
    read: keras.layers.Layer
    head: SoftmaxHead | AdaptiveSoftmaxHead

    @classmethod
    def of(cls, model: keras.Model) -> LanguageModelParts:
        """The layers of a model, one loaded from a file, too."""
        names = {layer.name for layer in model.layers}
        return cls(
            embedding=model.get_layer(EMBEDDING),
            encoder=model.get_layer(ENCODER),
            backward=model.get_layer(BACKWARD) if BACKWARD in names else None,
            read=model.get_layer(READ),
            head=model.get_layer(HEAD),
        )


def language_model(encoder: Encoder, size: int, options: Any, name: str) -> keras.Model:
    """Embedding, encoder, softmax.

    Args:
        encoder: stateful.
        size: of the vocabulary.
        options: `LanguageOptions`.
        name: of the model.

    Returns:
        A model of `tokens` (batch, time), `reset` (batch,), true for rows that start
        afresh, and `targets` (batch, time), the tokens that follow; its output is their
        negative log-likelihood (batch, time), in nats.

    Raises:
        ConfigError: tied weights of different widths.
    """
    o = options
    tokens = keras.Input((None,), name="tokens", dtype="int32")
    reset = keras.Input((), name="reset", dtype="bool")
    targets = keras.Input((None,), name="targets", dtype="int32")
    embedding = Embedding(size, o.embedding_dim or encoder.output_size, name=EMBEDDING)
    x, looked_up = embedding(tokens), {}
    if o.word_dropout:
        x = WordDropout(o.word_dropout, size)(x, tokens)
    elif size <= MOST_ROWS:
        looked_up = {"tokens": tokens, "table": embedding(tokens, whole=True)}
    outputs, _ = encoder(x, reset=reset, keep=o.bptt if o.bptt_windows > 1 else None, **looked_up)
    x = outputs
    if o.output_dropout:
        x = keras.layers.Dropout(o.output_dropout, noise_shape=(None, 1, None))(x)
    if o.activation_penalty or o.temporal_penalty:
        x = ActivityPenalty(o.activation_penalty, o.temporal_penalty)(x, outputs)
    x = keras.layers.Identity(name=READ)(x)
    nll = _head(embedding, encoder, size, o)(x, targets)
    model = keras.Model([tokens, reset, targets], nll, name=name)
    if o.init is not None:
        for weight in model.trainable_weights:
            weight.assign(keras.random.uniform(weight.shape, -o.init, o.init))
    return model


def with_backward(model: keras.Model) -> keras.Model:
    """The same language model that in training also tells each token from those after it in the window.

    For that a second encoder, the layer `backward`, reads the window from its end, without a
    past; the embedding and the softmax are shared. What the model returns is as before. A
    classifier of both directions can begin with the two encoders. Padding counts as unknown
    tokens: that of the last window of a text.

    Reference: Peters et al. 2018, https://arxiv.org/abs/1802.05365 (two language models, one softmax)
    """
    parts, tokens = LanguageModelParts.of(model), model.inputs[0]
    backward = Encoder(parts.encoder.config, name=BACKWARD)
    x, _ = backward(ops.flip(parts.encoder.input[0], axis=1))
    before = parts.head(ops.flip(x, axis=1)[:, 1:], tokens[:, :-1])
    return keras.Model(model.inputs, AuxiliaryLoss(name="loss")(model.outputs[0], before), name=model.name)


def _head(embedding: keras.layers.Embedding, encoder: Encoder, size: int, options: Any) -> keras.layers.Layer:
    cutoffs = [cutoff for cutoff in options.adaptive or () if cutoff < size]
    if options.tie_embeddings and cutoffs:
        raise ConfigError(
            "options.tie_embeddings=true with options.adaptive; their matrices differ in shape; set one of them"
        )
    if cutoffs:
        return AdaptiveSoftmaxHead(size, cutoffs, name=HEAD)
    if options.tie_embeddings and embedding.output_dim != encoder.output_size:
        raise ConfigError(
            f"options.tie_embeddings=true with an embedding of {embedding.output_dim} and an encoder output of "
            f"{encoder.output_size}; tied they must agree: set options.embedding_dim={encoder.output_size}"
        )
    return SoftmaxHead(size, embedding if options.tie_embeddings else None, name=HEAD)


def forced(model: keras.Model) -> keras.Model:
    """The model of `tokens` and `reset` that gives the logits (batch, time, size) of every token."""
    parts = LanguageModelParts.of(model)
    return keras.Model(model.inputs[:2], parts.head(parts.read.output))


def read(model: keras.Model, tokens: IntArray) -> tuple[Any, Any]:
    """The logits after some tokens (batch, time), and the states."""
    parts = LanguageModelParts.of(model)
    x, states = parts.embedding(ops.convert_to_tensor(tokens)), parts.encoder.initial_state(len(tokens))
    out, states = parts.encoder(x, initial_state=states, return_sequences=False)
    return parts.head(out), states


class LanguageStep:
    """A language model as `seqtasks.decoding.sampling` wants it, with the weights that it has now.

    Args:
        model: the language model.
        never: tokens that are never written.
    """

    def __init__(self, model: keras.Model, never: Sequence[int] = ()):
        parts = LanguageModelParts.of(model)
        self.embedding, self.encoder, self.head = parts.embedding, parts.encoder, parts.head
        size = self.embedding.input_dim
        # The first layer's product with each of few symbols, once: a quarter of what a step of two layers reads.
        self.table = self.encoder.project(self.embedding(ops.arange(size))) if size <= MOST_SYMBOLS else None
        self._below = 1e9 * np.isin(np.arange(size), list(never)).astype("float32")

    def allowed(self, logits: Any) -> Any:
        """Logits (batch, vocabulary) without the tokens that are never written."""
        return logits - self._below

    def __call__(self, tokens: Any, states: Any) -> tuple[Any, Any]:
        known = self.table is not None
        x = ops.take(self.table, tokens[:, None], axis=0) if known else self.embedding(tokens[:, None])
        out, states = self.encoder(x, initial_state=states, return_sequences=False, projected=known)
        return self.allowed(self.head(out)), states

    def writer(self) -> NativeTextGenerator | None:
        """The same as a whole in C; None where the encoder's engine, or what is around its loops, is another."""
        cells = self.encoder.plain_cells()
        if cells is None or self.encoder.running_engine != "native" or not isinstance(self.head, SoftmaxHead):
            return None
        known = self.table is not None
        table = self.table if known else self.embedding.embeddings
        layers = [native.layer_of(cell, projected=known and i == 0) for i, cell in enumerate(cells)]
        kernel, bias = (ops.convert_to_numpy(weight) for weight in self.head.matrix_and_bias())
        return NativeTextGenerator(ops.convert_to_numpy(table), layers, kernel, bias - self._below)
