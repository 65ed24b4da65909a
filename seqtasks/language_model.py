"""The network of a language model, and its parts: after a text, step by step, given what follows."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.encoder import Encoder
from seqtasks.errors import ConfigError
from seqtasks.layers.adaptive import AdaptiveSoftmaxHead
from seqtasks.layers.auxiliary import AuxiliaryLoss
from seqtasks.layers.embedding import Embedding
from seqtasks.layers.head import SoftmaxHead
from seqtasks.layers.regularization import ActivityPenalty, WordDropout

MOST_SYMBOLS = 1024
# Of a table that encoders read: its gradient is a whole table, and most of a larger one would be zeros.
MOST_ROWS = 2**15


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
    embedding = Embedding(size, o.embedding or encoder.output_size, name="embedding")
    x, looked_up = embedding(tokens), {}
    if o.word_dropout:
        x = WordDropout(o.word_dropout, size)(x, tokens)
    elif size <= MOST_ROWS:
        looked_up = {"tokens": tokens, "table": embedding(tokens, whole=True)}
    outputs, _ = encoder(x, reset=reset, keep=o.window if o.back > 1 else None, **looked_up)
    x = outputs
    if o.output_dropout:
        x = keras.layers.Dropout(o.output_dropout, noise_shape=(None, 1, None))(x)
    if o.activation_penalty or o.temporal_penalty:
        x = ActivityPenalty(o.activation_penalty, o.temporal_penalty)(x, outputs)
    x = keras.layers.Identity(name="read")(x)
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
    encoder, head = model.get_layer("encoder"), model.get_layer("head")
    tokens = model.inputs[0]
    backward = Encoder(encoder.config, name="backward")
    x, _ = backward(ops.flip(encoder.input[0], axis=1))
    before = head(ops.flip(x, axis=1)[:, 1:], tokens[:, :-1])
    return keras.Model(model.inputs, AuxiliaryLoss(name="loss")(model.outputs[0], before), name=model.name)


def _head(embedding: keras.layers.Embedding, encoder: Encoder, size: int, options: Any) -> keras.layers.Layer:
    cutoffs = [cutoff for cutoff in options.adaptive or () if cutoff < size]
    if options.tied and cutoffs:
        raise ConfigError("options.tied=true with options.adaptive; their matrices differ in shape; set one of them")
    if cutoffs:
        return AdaptiveSoftmaxHead(size, cutoffs, name="head")
    if options.tied and embedding.output_dim != encoder.output_size:
        raise ConfigError(
            f"options.tied=true with an embedding of {embedding.output_dim} and an encoder output of "
            f"{encoder.output_size}; tied they must agree: set options.embedding={encoder.output_size}"
        )
    return SoftmaxHead(size, embedding if options.tied else None, name="head")


def forced(model: keras.Model) -> keras.Model:
    """The model of `tokens` and `reset` that gives the logits (batch, time, size) of every token."""
    return keras.Model(model.inputs[:2], model.get_layer("head")(model.get_layer("read").output))


def read(model: keras.Model, tokens: np.ndarray) -> tuple[Any, Any]:
    """The logits after some tokens (batch, time), and the states."""
    encoder = model.get_layer("encoder")
    x = model.get_layer("embedding")(ops.convert_to_tensor(tokens))
    out, states = encoder(x, initial_state=encoder.initial_state(len(tokens)), return_sequences=False)
    return model.get_layer("head")(out), states


def step_of(model: keras.Model) -> Any:
    """The model as `seqtasks.generate` wants it, with the weights that it has now."""
    embedding, encoder, head = (model.get_layer(name) for name in ("embedding", "encoder", "head"))
    # The first layer's product with each of few symbols, once: a quarter of what a step of two layers reads.
    table = encoder.project(embedding(ops.arange(embedding.input_dim))) if embedding.input_dim <= MOST_SYMBOLS else None

    def step(tokens: Any, states: Any) -> tuple[Any, Any]:
        known = table is not None
        x = ops.take(table, tokens[:, None], axis=0) if known else embedding(tokens[:, None])
        out, states = encoder(x, initial_state=states, return_sequences=False, projected=known)
        return head(out), states

    return step
