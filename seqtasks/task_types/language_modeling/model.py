"""Language model: training model, single steps for generation, logits by teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import BoolArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.engines import native
from seqtasks.engines.native.text_generation import NativeTextGenerator
from seqtasks.layers.embedding import ActivityPenalty, Embedding, WordDropout
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import AuxiliaryLoss
from seqtasks.layers.softmax_heads import AdaptiveSoftmaxHead, SoftmaxHead

# Maximum vocabulary size for which generation keeps the first layer's projection of every token.
MOST_SYMBOLS = 1024
# Maximum vocabulary size for which the encoder projects the embedding table instead of the embedded tokens. The
# gradient is then a dense table, which would be mostly zeros for a larger vocabulary.
MOST_ROWS = 2**15
# Names of layers; the layers of a loaded model are looked up by them. The caller names the encoder.
EMBEDDING, ENCODER, BACKWARD, READ, HEAD = "embedding", "encoder", "backward", "read", "head"


@dataclass(frozen=True)
class LanguageModelParts:
    """Layers of `language_model`.

    Attributes:
        embedding: Token embedding.
        encoder: Forward encoder.
        backward: Backward encoder, of a model made by `with_backward`; None: there is none.
        read: Layer whose output, `(batch, time, units)`, is the input of the head.
        head: Softmax over the vocabulary.
    """

    embedding: Embedding
    encoder: Encoder
    backward: Encoder | None
    read: keras.layers.Layer
    head: SoftmaxHead | AdaptiveSoftmaxHead

    @classmethod
    def of(cls, model: keras.Model) -> LanguageModelParts:
        """Looks up the layers of a model by name; the model can be one loaded from a file."""
        names = {layer.name for layer in model.layers}
        return cls(
            embedding=model.get_layer(EMBEDDING),
            encoder=model.get_layer(ENCODER),
            backward=model.get_layer(BACKWARD) if BACKWARD in names else None,
            read=model.get_layer(READ),
            head=model.get_layer(HEAD),
        )


def language_model(encoder: Encoder, size: int, options: Any, name: str) -> keras.Model:
    """Builds a language model: embedding, encoder, softmax.

    There are no masks: padding is at the ends of windows only, and the loss has weight 0 there.

    Args:
        encoder: Stateful encoder, named `encoder`.
        size: Vocabulary size.
        options: `LanguageOptions`.
        name: Name of the model.

    Returns:
        A model of `tokens`, `(batch, time)`; `reset`, `(batch,)`, true for rows that start from the initial state; and
        `targets`, `(batch, time)`, the next tokens. The output is the negative log-likelihood of the targets,
        `(batch, time)`, in nats.

    Raises:
        ConfigError: Tied weights with different widths, or together with an adaptive softmax.

    Example:
        >>> import numpy as np
        >>> from seqtasks.task_types import LanguageOptions
        >>> encoder = Encoder(units=8, stateful=True, name="encoder")
        >>> model = language_model(encoder, 10, LanguageOptions(), "lm")
        >>> tuple(model([np.array([[1, 2, 3]]), np.array([True]), np.array([[2, 3, 4]])]).shape)
        (1, 3)
    """
    o = options
    tokens = keras.Input((None,), name="tokens", dtype="int32")
    reset = keras.Input((), name="reset", dtype="bool")
    targets = keras.Input((None,), name="targets", dtype="int32")
    embedding = Embedding(size, o.embedding_dim or encoder.output_size, name=EMBEDDING)
    x, table_arguments = embedding(tokens), {}
    if o.word_dropout:
        x = WordDropout(o.word_dropout, size)(x, tokens)
    elif size <= MOST_ROWS:
        table_arguments = {"tokens": tokens, "table": embedding(tokens, whole=True)}
    outputs, _ = encoder(x, reset=reset, keep=o.bptt if o.bptt_windows > 1 else None, **table_arguments)
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
    """Adds a backward language model, which predicts each token from those after it in the window.

    A second encoder, the layer `backward`, reads each window from its end, always from the initial state; embedding and
    softmax are shared. Its loss is added in training only, and the output of the model does not change. A bidirectional
    classifier can start from the two encoders. The padding of the last window of a text counts as unknown tokens.

    Reference: Peters et al. 2018, https://arxiv.org/abs/1802.05365 (two language models, one softmax)

    Args:
        model: Model of `language_model`; the returned model shares its layers.
    """
    parts, tokens = LanguageModelParts.of(model), model.inputs[0]
    backward = Encoder(parts.encoder.config, name=BACKWARD)
    x, _ = backward(ops.flip(parts.encoder.input[0], axis=1))
    backward_nll = parts.head(ops.flip(x, axis=1)[:, 1:], tokens[:, :-1])
    return keras.Model(model.inputs, AuxiliaryLoss(name="loss")(model.outputs[0], backward_nll), name=model.name)


def _head(embedding: keras.layers.Embedding, encoder: Encoder, size: int, options: Any) -> keras.layers.Layer:
    """Creates the output layer: softmax, possibly tied to the embedding, or adaptive softmax."""
    cutoffs = [cutoff for cutoff in options.adaptive or () if cutoff < size]
    if options.tie_embeddings and cutoffs:
        raise ConfigError(
            "options.tie_embeddings=true with options.adaptive; allowed: one of them, as their matrices have different "
            "shapes; set options.tie_embeddings=false or options.adaptive=null"
        )
    if cutoffs:
        return AdaptiveSoftmaxHead(size, cutoffs, name=HEAD)
    if options.tie_embeddings and embedding.output_dim != encoder.output_size:
        raise ConfigError(
            f"options.tie_embeddings=true with an embedding of {embedding.output_dim} and an encoder output of "
            f"{encoder.output_size}; allowed: equal sizes; set options.embedding_dim={encoder.output_size}"
        )
    return SoftmaxHead(size, embedding if options.tie_embeddings else None, name=HEAD)


def forced(model: keras.Model) -> keras.Model:
    """Returns the model from `tokens` and `reset` to the logits of each next token, `(batch, time, size)`.

    Args:
        model: Language model; the returned model shares its layers.
    """
    parts = LanguageModelParts.of(model)
    return keras.Model(model.inputs[:2], parts.head(parts.read.output))


def read(
    model: keras.Model, tokens: IntArray, states: Sequence[Sequence[Any]] | None = None, mask: BoolArray | None = None
) -> tuple[Any, Any]:
    """Reads texts, each from a state of its own.

    Args:
        model: Language model; the states that its encoder keeps between calls do not change.
        tokens: Token numbers of the texts, `(batch, time)`.
        states: States before the texts, nested lists of `(batch, …)`; None: the initial states.
        mask: `(batch, time)`, true at tokens and false at padding; None: there is no padding.

    Returns:
        The logits of the next token, `(batch, size)`, and the final states.
    """
    parts = LanguageModelParts.of(model)
    x = parts.embedding(ops.convert_to_tensor(tokens))
    states = parts.encoder.initial_state(len(tokens)) if states is None else states
    last, states = parts.encoder(x, mask=mask, initial_state=states, return_sequences=False)
    return parts.head(last), states


class LanguageStep:
    """Step function of a language model for `seqtasks.decoding.Sampler`, with its present weights.

    Args:
        model: Language model.
        never: Tokens that are never generated.
    """

    def __init__(self, model: keras.Model, never: Sequence[int] = ()):
        parts = LanguageModelParts.of(model)
        self.embedding, self.encoder, self.head = parts.embedding, parts.encoder, parts.head
        size = self.embedding.input_dim
        # For a small vocabulary, the first layer's projection of every token is computed once. It is a quarter of the
        # weights that one step of two layers reads.
        self.table = self.encoder.project(self.embedding(ops.arange(size))) if size <= MOST_SYMBOLS else None
        self._penalty = 1e9 * np.isin(np.arange(size), list(never)).astype("float32")

    def allowed(self, logits: Any) -> Any:
        """Lowers the logits of tokens that are never generated.

        Args:
            logits: `(batch, size)`.
        """
        return logits - self._penalty

    def __call__(self, tokens: Any, states: Any) -> tuple[Any, Any]:
        """Computes one step.

        Args:
            tokens: Token numbers, `(batch,)`.
            states: States before the step.

        Returns:
            The logits of the next token, `(batch, size)`, and the states after the step.
        """
        projected = self.table is not None
        x = ops.take(self.table, tokens[:, None], axis=0) if projected else self.embedding(tokens[:, None])
        last, states = self.encoder(x, initial_state=states, return_sequences=False, projected=projected)
        return self.allowed(self.head(last)), states

    def writer(self) -> NativeTextGenerator | None:
        """Returns the generator in C with the present weights.

        Returns:
            The generator; None if the encoder does not run on the engine `native` or has more than plain recurrent
            layers, or if the head is no softmax.
        """
        cells = self.encoder.plain_cells()
        if cells is None or self.encoder.running_engine != "native" or not isinstance(self.head, SoftmaxHead):
            return None
        projected = self.table is not None
        table = self.table if projected else self.embedding.embeddings
        layers = [native.layer_of(cell, projected=projected and i == 0) for i, cell in enumerate(cells)]
        kernel, bias = (ops.convert_to_numpy(weight) for weight in self.head.matrix_and_bias())
        return NativeTextGenerator(ops.convert_to_numpy(table), layers, kernel, bias - self._penalty)
