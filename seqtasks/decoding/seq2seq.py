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
    """Options of a sequence-to-sequence model: decoder, training and beam search."""

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


# Names of layers; `Seq2SeqParts.of` finds them in a saved model by these, so they must not change.
EMBEDDING, MEMORY, BRIDGE, DECODER = "written", "memory", "bridge", "decoder"
PROJECTION, LOSSES = "to_vectors", "losses"


def embedding(size: int, width: int, name: str) -> keras.layers.Embedding:
    """Creates an embedding layer with a standard deviation of 0.3.

    Keras's default, uniform in ±0.05, is so small that the outputs of the decoder become constant before the
    tokens differ.

    Args:
        size: Vocabulary size, padding and end included.
        width: Size of a vector.
        name: Name of the layer.
    """
    return keras.layers.Embedding(size, width, keras.initializers.RandomNormal(stddev=0.3), name=name)


def seq2seq_head(
    memory: Any, states: Any, mask: Any, decoder: Decoder, vectors: keras.layers.Embedding, options: Seq2SeqOptions
) -> tuple[list[Any], Any]:
    """Training head of a sequence-to-sequence model: bridge, decoder, softmax and loss.

    Args:
        memory: Encoder outputs that the decoder attends to, `(batch, steps, width)`.
        states: Final states of the encoder, nested lists of `(batch, units)`.
        mask: Mask of the memory, `(batch, steps)`, true at valid steps; None: all steps are valid.
        decoder: Decoder layer, named `DECODER`.
        vectors: Embedding of the target tokens, padding and end included, named `EMBEDDING`.
        options: Options of the model.

    Returns:
        The inputs `previous` and `targets`, `(batch, time)` each, see `seqtasks.data.seq2seq_batches`; and the
        smoothed loss and the negative log-likelihood of each target, `(batch, time, 2)`. Padding of the targets
        is not masked here: the sample weights of the batches are 0 there.
    """
    o = options
    previous, targets = (keras.Input((None,), name=name, dtype="int32") for name in ("previous", "targets"))
    memory = keras.layers.Identity(name=MEMORY)(memory)
    initial_states = Bridge(decoder.state_sizes, name=BRIDGE)(states)
    head = SoftmaxHead(vectors.input_dim, vectors if o.tie_embeddings else None, name="head")
    narrow = o.tie_embeddings and decoder.output_size != vectors.output_dim
    to_vectors = keras.layers.Dense(vectors.output_dim, use_bias=False, name=PROJECTION) if narrow else None
    losses, drop = (
        LabelSmoothingHead(head, o.label_smoothing, name=LOSSES),
        keras.layers.Dropout(o.dropout),
    )

    def decode(decoder_inputs: Any) -> Any:
        outputs = drop(decoder(drop(vectors(decoder_inputs)), initial_states, memory, mask=mask)[0])
        return losses(outputs if to_vectors is None else to_vectors(outputs), targets)

    decoder_inputs = previous
    if o.scheduled_sampling:
        decoder_inputs = ScheduledSampling(o.scheduled_sampling, o.sampling_steps, name="sampling")(
            previous, decode(previous)[1]
        )
    return [previous, targets], decode(decoder_inputs)[0]


@dataclass(frozen=True)
class Seq2SeqParts:
    """Layers of a model that ends in `seq2seq_head`.

    Attributes:
        embedding: Embedding of target tokens.
        memory: Identity layer whose output is the memory, `(batch, steps, width)`.
        bridge: Layer whose outputs are the initial states of the decoder.
        decoder: Decoder over target tokens.
        projection: Projection of decoder outputs to the width of the embedding; None: the widths are equal, or
            the weights are not tied.
        head: Softmax over target tokens.
    """

    embedding: keras.layers.Embedding
    memory: keras.layers.Layer
    bridge: Bridge
    decoder: Decoder
    projection: keras.layers.Dense | None
    head: SoftmaxHead

    @classmethod
    def of(cls, model: keras.Model) -> Seq2SeqParts:
        """Finds the layers of a model by their names, also of a model loaded from a file."""
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
    """A generated sequence.

    Attributes:
        tokens: Tokens without the end, `(length,)`.
        score: Log-probability, the end included.
        rank: Sort key among the hypotheses of one input: the score divided by the length penalty, plus the
            coverage penalty. Greedy search: the score.
    """

    tokens: IntArray
    score: float
    rank: float


class Seq2SeqGenerator:
    """Generates sequences with a trained sequence-to-sequence model, by greedy or beam search.

    The model ends in `seq2seq_head`. The search is compiled once for each shape. The mask of the memory is an
    argument; padding, token 0, is never generated.

    Args:
        model: Trained model; its first input is the source.
        beams: Number of beams; 1 with `n_best=1`: greedy search.
        n_best: Number of hypotheses returned for each row.
        length_penalty: Exponent of the length penalty, see `BeamSearch`.
        coverage: Weight β of the coverage penalty (Wu et al. 2016, https://arxiv.org/abs/1609.08144); no effect
            without attention.

    Example:
        >>> import numpy as np
        >>> from seqtasks.decoding import Seq2SeqGenerator
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.task_types import TranslationOptions
        >>> from seqtasks.task_types.translation.model import translation_model
        >>> options = TranslationOptions(embedding_dim=8)
        >>> model = translation_model(Encoder(cell="gru", units=8), [9, 5], False, options, "tiny")
        >>> source = np.array([[2, 3, 4, 0], [5, 6, 7, 8]])  # (batch, steps), 0 is padding
        >>> hypotheses = Seq2SeqGenerator(model, beams=3, n_best=2).write(source, source > 0, length=6)
        >>> [[len(hypothesis.tokens) <= 6 for hypothesis in ranked] for ranked in hypotheses]
        [[True, True], [True, True]]
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
        # Keras returns the outputs of a layer as one flat list.
        states = keras.tree.flatten(parts.bridge.output)
        self._reader = keras.Model(model.inputs[0], [parts.memory.output, *states])
        self._searches: dict[int, Callable[..., list[list[Hypothesis]]]] = {}

    def read(self, batch: np.ndarray) -> tuple[Any, Any]:
        """Encodes a batch.

        Args:
            batch: Source batch, in the shape of the model's first input.

        Returns:
            The memory, `(batch, steps, width)`, and the initial states of the decoder, one list of
            `(batch, units)` for each layer.
        """
        memory, *flat = map(ops.convert_to_tensor, self._reader.predict_on_batch(batch))
        return memory, [[flat.pop(0) for _ in layer] for layer in self.parts.decoder.state_sizes]

    def write(self, batch: np.ndarray, mask: BoolArray | None, length: int) -> list[list[Hypothesis]]:
        """Generates the best hypotheses for each row, the best first.

        Args:
            batch: Source batch, in the shape of the model's first input.
            mask: Mask of the memory, `(batch, steps)`, true at valid steps; None: all steps are valid.
            length: Maximum number of tokens.
        """
        memory, states = self.read(batch)
        mask = np.ones(memory.shape[:2], bool) if mask is None else mask
        if length not in self._searches:
            self._searches[length] = self._search(length)
        return self._searches[length](memory, states, mask)

    def weights(self, batch: np.ndarray, mask: BoolArray | None, targets: Sequence[IntArray]) -> list[FloatArray]:
        """Computes the attention weights of given targets.

        Args:
            batch: Source batch, in the shape of the model's first input.
            mask: Mask of the memory, `(batch, steps)`, true at valid steps; None: all steps are valid.
            targets: Target tokens of each row, without their ends.

        Returns:
            For each row the weights of its tokens and its end, `(tokens + 1, steps)`; they sum to one over the
            valid steps.
        """
        memory, states = self.read(batch)
        previous = Ragged.of([np.append(END, target) for target in targets])
        vectors = self.parts.embedding(previous.padded())
        attention = np.asarray(self.parts.decoder(vectors, states, memory, mask=mask)[1])
        return [row[:tokens] for row, tokens in zip(attention, previous.lengths, strict=True)]

    def _search(self, length: int) -> Callable[..., list[list[Hypothesis]]]:
        decoder = self.parts.decoder
        use_coverage = bool(self.coverage) and decoder.attention is not None
        sampler = Sampler(self._step, temperature=0, end=END)
        beam = BeamSearch(
            self._step,
            self.beams,
            length,
            END,
            self.length_penalty,
            self.n_best,
            bonus=self._coverage_penalty if use_coverage else None,
        )

        def search(memory: Any, states: Any, mask: BoolArray) -> list[list[Hypothesis]]:
            rows, steps = mask.shape
            context = [memory, ops.convert_to_tensor(mask)]
            if decoder.attention is not None:
                context.append(decoder.attention.keys(context[0]))
            states = list(states)
            if decoder.feeding:
                states.append([ops.zeros((rows, decoder.output_size), dtype=states[0][0].dtype)])
            # The last state is the sum of attention weights so far, `(batch, steps)`.
            states.append([ops.zeros((rows, steps if use_coverage else 1), dtype="float32")])
            # END also precedes the first token of a target.
            logits, states = self._step(ops.full((rows,), END, "int32"), states, *context)
            if self.beams == 1 and self.n_best == 1:
                greedy = sampler(logits, states, uniform(length, [0] * rows), *context)
                return [[_hypothesis(t, s, s)] for t, s in zip(greedy.tokens, greedy.scores.tolist(), strict=True)]
            best = beam(logits, states, *context)
            rows_of_best = zip(best.tokens, best.scores.tolist(), best.ranks.tolist(), strict=True)
            return [[_hypothesis(*each) for each in zip(*row, strict=True)] for row in rows_of_best]

        return search

    def _step(self, tokens: Any, states: Any, memory: Any, mask: Any, keys: Any = None) -> tuple[Any, Any]:
        *states, (coverage,) = states
        parts = self.parts
        vectors = parts.embedding(tokens[:, None])
        out, weights, states = parts.decoder(vectors, states, memory, mask=mask, keys=keys)
        x = out if parts.projection is None else parts.projection(out)
        if self.coverage and weights.shape[-1]:
            coverage = coverage + weights[:, 0]
        padding = 1e9 * ops.one_hot(0, parts.head.size)  # excludes token 0, padding, from the search
        return parts.head(x)[:, 0] - padding, [*states, [coverage]]

    def _coverage_penalty(self, states: Any, memory: Any, mask: Any, keys: Any = None) -> Any:
        log_coverage = ops.log(ops.clip(states[-1][0], 1e-6, 1.0))
        return self.coverage * ops.sum(ops.where(mask, log_coverage, 0.0), axis=-1)


def _hypothesis(tokens: IntArray, score: float, rank: float) -> Hypothesis:
    """Cuts the tokens off at the first end."""
    ends = np.flatnonzero(tokens == END)
    return Hypothesis(tokens[: ends[0]] if len(ends) else tokens, score, rank)
