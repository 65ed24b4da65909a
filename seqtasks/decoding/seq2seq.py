"""Sequence-to-sequence decoder: training head, and greedy and beam-search inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import BoolArray, FloatArray, IntArray
from seqtasks.core.settings import setting
from seqtasks.data.bucketing import Ragged
from seqtasks.data.seq2seq_batches import END
from seqtasks.decoding.beam_search import BeamSearch
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.layers.bridge import Bridge
from seqtasks.layers.decoder import Decoder
from seqtasks.layers.scheduled_sampling import ScheduledSampling
from seqtasks.layers.softmax_heads import LabelSmoothingHead, SoftmaxHead


@dataclass(frozen=True)
class Seq2SeqOptions:
    """The decoder, its training and its search."""

    embedding_dim: int = setting(256, "embedding size of source and target tokens", ge=1, affects_data=False)
    tie_embeddings: bool = setting(
        True, "share the weights of the target embedding and the output layer", affects_data=False
    )
    attention: Literal["additive", "multiplicative", "none"] = setting(
        "additive", "attention over the encoder outputs", affects_data=False
    )
    input_feeding: bool = setting(
        False, "input feeding: the decoder also reads its previous output (Luong et al. 2015)", affects_data=False
    )
    dropout: float = setting(0.3, "dropout rate on embeddings and decoder outputs", ge=0, lt=1, affects_data=False)
    label_smoothing: float = setting(
        0.1, "label smoothing: share of the target spread over all tokens", ge=0, lt=1, affects_data=False
    )
    scheduled_sampling: float = setting(
        0.0,
        "final share of target tokens replaced by predictions in training (scheduled sampling)",
        ge=0,
        le=1,
        affects_data=False,
    )
    sampling_steps: int = setting(
        5000, "number of updates until scheduled_sampling reaches its final share", ge=1, affects_data=False
    )
    num_beams: int = setting(5, "number of beams of the beam search that is scored", ge=1, affects_data=False)
    length_penalty: float = setting(
        1.0, "length penalty of the beam search; 0 prefers short outputs", ge=0, affects_data=False
    )
    coverage: float = setting(
        0.0, "weight of the coverage penalty for unattended source positions", ge=0, affects_data=False
    )


# Names of layers, by which a saved model finds them again.
EMBEDDING, MEMORY, BRIDGE, DECODER = "written", "memory", "bridge", "decoder"
PROJECTION, LOSSES = "to_vectors", "losses"


def embedding(size: int, width: int, name: str) -> keras.layers.Embedding:
    """Vectors of tokens; Keras's own are so small that outputs become constant before they learn to differ."""
    return keras.layers.Embedding(size, width, keras.initializers.RandomNormal(stddev=0.3), name=name)


def seq2seq_head(
    memory: Any, states: Any, mask: Any, decoder: Decoder, vectors: keras.layers.Embedding, options: Seq2SeqOptions
) -> tuple[list[Any], Any]:
    """The end of a model that writes: bridge, decoder, softmax.

    Args:
        memory: (batch, steps, width), what is attended to.
        states: the states of whatever read it, nested lists of (batch, size).
        mask: (batch, steps), true at real steps.
        decoder: its name is `DECODER`.
        vectors: of the tokens, padding and end included; its name is `EMBEDDING`.
        options: of the model.

    Returns:
        The inputs `previous` and `targets`, see `seqtasks.data.seq2seq_batches`; and the smoothed loss
        and the negative log-likelihood of each target, (batch, time, 2).
    """
    o = options
    previous, targets = (keras.Input((None,), name=name, dtype="int32") for name in ("previous", "targets"))
    memory = keras.layers.Identity(name=MEMORY)(memory)
    begun = Bridge(decoder.state_sizes, name=BRIDGE)(states)
    head = SoftmaxHead(vectors.input_dim, vectors if o.tie_embeddings else None, name="head")
    narrow = o.tie_embeddings and decoder.output_size != vectors.output_dim
    to_vectors = keras.layers.Dense(vectors.output_dim, use_bias=False, name=PROJECTION) if narrow else None
    losses, drop = (
        LabelSmoothingHead(head, o.label_smoothing, name=LOSSES),
        keras.layers.Dropout(o.dropout),
    )

    def write(decoder_inputs: Any) -> Any:
        outputs = drop(decoder(drop(vectors(decoder_inputs)), begun, memory, mask=mask)[0])
        return losses(outputs if to_vectors is None else to_vectors(outputs), targets)

    decoder_inputs = previous
    if o.scheduled_sampling:
        decoder_inputs = ScheduledSampling(o.scheduled_sampling, o.sampling_steps, name="sampling")(
            previous, write(previous)[1]
        )
    return [previous, targets], write(decoder_inputs)[0]


@dataclass(frozen=True)
class Seq2SeqParts:
    """Layers of a model that ends in `seq2seq_head`.

    Attributes:
        embedding: of target tokens.
        memory: its output is what the decoder attends to, (batch, steps, width).
        bridge: its outputs are the first states of the decoder.
        decoder: over target tokens.
        projection: of decoder outputs to the size of the embedding; None: they have it.
        head: softmax over target tokens.
    """

    embedding: keras.layers.Embedding
    memory: keras.layers.Layer
    bridge: Bridge
    decoder: Decoder
    projection: keras.layers.Dense | None
    head: SoftmaxHead

    @classmethod
    def of(cls, model: keras.Model) -> Seq2SeqParts:
        """The layers of a model, one loaded from a file, too."""
        names = {layer.name for layer in model.layers}
        return cls(
            embedding=model.get_layer(EMBEDDING),
            memory=model.get_layer(MEMORY),
            bridge=model.get_layer(BRIDGE),
            decoder=model.get_layer(DECODER),
            projection=model.get_layer(PROJECTION) if PROJECTION in names else None,
            head=model.get_layer(LOSSES).head,
        )


@dataclass(frozen=True)
class Hypothesis:
    """One sequence.

    Attributes:
        tokens: without the end, (length,).
        score: log-probability, the end included.
        rank: what several were sorted by.
    """

    tokens: IntArray
    score: float
    rank: float


class Seq2SeqGenerator:
    """Writes sequences with a trained model that ends in `seq2seq_head`; compiled once for each shape.

    Args:
        model: whose first input is what is read.
        beams: 1 is greedy.
        n_best: sequences for each row.
        length_penalty: of `BeamSearch`.
        coverage: β of the coverage penalty of Wu et al. 2016 (https://arxiv.org/abs/1609.08144).
    """

    def __init__(
        self,
        model: keras.Model,
        beams: int = 1,
        n_best: int = 1,
        length_penalty: float = 0.0,
        coverage: float = 0.0,
    ):
        self.beams, self.n_best, self.length_penalty, self.coverage = beams, n_best, length_penalty, coverage
        self.parts = parts = Seq2SeqParts.of(model)
        # Keras gives the outputs of a layer as one flat list.
        states = keras.tree.flatten(parts.bridge.output)
        self._reader = keras.Model(model.inputs[0], [parts.memory.output, *states])
        self._searches: dict[int, Callable[..., list[list[Hypothesis]]]] = {}

    def read(self, batch: np.ndarray) -> tuple[Any, Any]:
        """The memory of a batch, (batch, steps, width), and the states that the decoder begins with."""
        memory, *flat = map(ops.convert_to_tensor, self._reader.predict_on_batch(batch))
        return memory, [[flat.pop(0) for _ in layer] for layer in self.parts.decoder.state_sizes]

    def write(self, batch: np.ndarray, mask: BoolArray | None, length: int) -> list[list[Hypothesis]]:
        """The best sequences of up to `length` tokens for each row, the best first.

        Args:
            batch: what is read.
            mask: (batch, steps) of the memory; None: all are real.
            length: the most tokens.
        """
        memory, states = self.read(batch)
        mask = np.ones(memory.shape[:2], bool) if mask is None else mask
        if length not in self._searches:
            self._searches[length] = self._search(length)
        return self._searches[length](memory, states, mask)

    def weights(self, batch: np.ndarray, mask: BoolArray | None, targets: Sequence[IntArray]) -> list[FloatArray]:
        """How much each token of a target, and its end, reads of each step of the memory.

        Args:
            batch: what is read.
            mask: (batch, steps) of the memory; None: all are real.
            targets: tokens for each row, without ends.

        Returns:
            (tokens + 1, steps) each; they sum to one over the real steps.
        """
        memory, states = self.read(batch)
        previous = Ragged.of([np.append(END, target) for target in targets])
        vectors = self.parts.embedding(previous.padded())
        attention = np.asarray(self.parts.decoder(vectors, states, memory, mask=mask)[1])
        return [row[:tokens] for row, tokens in zip(attention, previous.lengths, strict=True)]

    def _search(self, length: int) -> Callable[..., list[list[Hypothesis]]]:
        decoder = self.parts.decoder
        covers = bool(self.coverage) and decoder.attention is not None
        # The step that begins a target is that of END.
        sampler = Sampler(self._step, temperature=0, end=END)
        beam = BeamSearch(
            self._step,
            self.beams,
            length,
            END,
            self.length_penalty,
            self.n_best,
            bonus=self._covered if covers else None,
        )

        def search(memory: Any, states: Any, mask: BoolArray) -> list[list[Hypothesis]]:
            rows, steps = mask.shape
            context = [memory, ops.convert_to_tensor(mask)]
            if decoder.attention is not None:
                context.append(decoder.attention.keys(context[0]))
            states = list(states)
            if decoder.feeding:
                states.append([ops.zeros((rows, decoder.output_size), dtype=states[0][0].dtype)])
            states.append([ops.zeros((rows, steps if covers else 1), dtype="float32")])  # attention so far
            logits, states = self._step(ops.full((rows,), END, "int32"), states, *context)
            if self.beams == 1 and self.n_best == 1:
                one = sampler(logits, states, uniform(length, [0] * rows), *context)
                return [[_cut(t, s, s)] for t, s in zip(one.tokens, one.scores.tolist(), strict=True)]
            ranked_beams = beam(logits, states, *context)
            ranked = zip(ranked_beams.tokens, ranked_beams.scores.tolist(), ranked_beams.ranks.tolist(), strict=True)
            return [[_cut(*each) for each in zip(*row, strict=True)] for row in ranked]

        return search

    def _step(self, tokens: Any, states: Any, memory: Any, mask: Any, keys: Any = None) -> tuple[Any, Any]:
        *states, (seen,) = states
        parts = self.parts
        vectors = parts.embedding(tokens[:, None])
        out, weights, states = parts.decoder(vectors, states, memory, mask=mask, keys=keys)
        x = out if parts.projection is None else parts.projection(out)
        if self.coverage and weights.shape[-1]:
            seen = seen + weights[:, 0]
        never = 1e9 * ops.one_hot(0, parts.head.size)  # padding is no token
        return parts.head(x)[:, 0] - never, [*states, [seen]]

    def _covered(self, states: Any, memory: Any, mask: Any, keys: Any = None) -> Any:
        seen = ops.log(ops.clip(states[-1][0], 1e-6, 1.0))
        return self.coverage * ops.sum(ops.where(mask, seen, 0.0), axis=-1)


def _cut(tokens: IntArray, score: float, rank: float) -> Hypothesis:
    ends = np.flatnonzero(tokens == END)
    return Hypothesis(tokens[: ends[0]] if len(ends) else tokens, score, rank)
