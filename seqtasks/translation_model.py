"""The network that translates, and its use: a reader of sources, a writer of targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.beam import BeamSearch
from seqtasks.data.pairs import END
from seqtasks.data.ragged import Ragged
from seqtasks.decoder import Decoder
from seqtasks.encoder import Encoder
from seqtasks.generate import Sampler, uniform
from seqtasks.layers.bridge import Bridge
from seqtasks.layers.head import SoftmaxHead
from seqtasks.layers.smoothing import SmoothedHead

LEAST = 16  # sources are padded to it, or to twice it and so on: what is compiled is compiled for a shape


def translation_model(encoder: Encoder, sizes: Sequence[int], shared: bool, options: Any, name: str) -> keras.Model:
    """Encoder, bridge, decoder, softmax.

    Args:
        encoder: of the source.
        sizes: of the two vocabularies, padding and end included.
        shared: both languages have one embedding.
        options: `TranslationOptions`.
        name: of the model.

    Returns:
        A model of `source`, `previous` and `targets`, see `Pairs`; it gives the smoothed
        loss and the negative log-likelihood of each target, (batch, time, 2).
    """
    o = options
    source, previous, targets = (
        keras.Input((None,), name=name, dtype="int32") for name in ("source", "previous", "targets")
    )
    mask = ops.not_equal(source, 0)
    # Keras's own vectors are so small that the outputs become constant before they learn to differ.
    reading, writing = (
        keras.layers.Embedding(size, o.embedding, keras.initializers.RandomNormal(stddev=0.3), name=f"{side}_embedding")
        for size, side in zip(sizes, ("source", "target"), strict=True)
    )
    writing = reading if shared else writing
    drop = keras.layers.Dropout(o.dropout)
    memory, finals = encoder(drop(reading(source)), mask=mask)
    config = dataclasses.replace(encoder.config, cell=o.decoder_cell or encoder.config.cell)
    decoder = Decoder(config, o.attention, o.feeding, name="decoder")
    begun = Bridge(decoder.state_sizes, name="bridge")(finals)
    outputs, _, _ = decoder(drop(writing(previous)), begun, memory, mask=mask)
    x = drop(outputs)
    if o.tied and x.shape[-1] != o.embedding:
        x = keras.layers.Dense(o.embedding, use_bias=False, name="to_embedding")(x)
    head = SoftmaxHead(sizes[1], writing if o.tied else None, name="head")
    found = SmoothedHead(head, o.smoothing, name="losses")(x, targets)
    return keras.Model([source, previous, targets], found, name=name)


@dataclass(frozen=True)
class Translation:
    """One sequence.

    Attributes:
        tokens: without the end, (length,).
        score: log-probability, the end included.
        rank: what several were sorted by.
    """

    tokens: np.ndarray
    score: float
    rank: float


class Translator:
    """Writes targets for sources with a trained model; compiled once for each length of sources.

    Args:
        model: of `translation_model`.
        beams: 1 is greedy.
        n_best: targets for each source.
        length_penalty: of `BeamSearch`.
        coverage: β of the coverage penalty of Wu et al. 2016 (https://arxiv.org/abs/1609.08144).
        rows: sources at a time.
        most: tokens of the longest target; None: 10 more than twice those of the source.
    """

    def __init__(
        self,
        model: keras.Model,
        beams: int = 1,
        n_best: int = 1,
        length_penalty: float = 0.0,
        coverage: float = 0.0,
        rows: int = 64,
        most: int | None = None,
    ):
        self.beams, self.n_best, self.length_penalty, self.coverage = beams, n_best, length_penalty, coverage
        self.rows, self.most = rows, most
        self.encoder, self.decoder = model.get_layer("encoder"), model.get_layer("decoder")
        self.head = model.get_layer("losses").head
        names = {layer.name for layer in model.layers}
        self.embedding = model.get_layer("target_embedding" if "target_embedding" in names else "source_embedding")
        self.to_embedding = model.get_layer("to_embedding") if "to_embedding" in names else None
        # Keras gives the outputs of a layer as one flat list.
        states = keras.tree.flatten(model.get_layer("bridge").output)
        self.reader = keras.Model(model.inputs[0], [self.encoder.output[0], *states])
        self._searches: dict[int, Callable[..., Any]] = {}

    def __call__(self, sources: Ragged) -> list[list[Translation]]:
        """The best targets of each source, the best first.

        Args:
            sources: token numbers, as of `Pairs`.
        """
        found: list[list[Translation]] = [[] for _ in range(len(sources))]
        for chosen, batch in self._batches(sources):
            for row, best in zip(chosen, self._translate(batch), strict=False):
                found[row] = best
        return found

    def _batches(self, sources: Ragged) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of about one length; the last ones of a length are filled up, so that few shapes are compiled."""
        widths = LEAST << np.ceil(np.log2(np.maximum(sources.lengths, LEAST) / LEAST)).astype(int)
        for width in np.unique(widths):
            rows = np.flatnonzero(widths == width)
            full = self.rows if len(rows) >= self.rows else 1 << (len(rows) - 1).bit_length()
            for begin in range(0, len(rows), full):
                chosen = rows[begin : begin + full]
                filled = np.concatenate([chosen, np.full(full - len(chosen), chosen[0])])
                yield chosen, sources[filled].padded(least=int(width))

    def _translate(self, batch: np.ndarray) -> list[list[Translation]]:
        memory, *flat = self.reader.predict_on_batch(batch)
        states = [[flat.pop(0) for _ in layer] for layer in self.decoder.state_sizes]
        mask, length = batch > 0, self.most or 2 * batch.shape[1] + 10
        if length not in self._searches:
            self._searches[length] = self._search(length)
        return self._searches[length](memory, states, mask)

    def _search(self, length: int) -> Callable[..., list[list[Translation]]]:
        covers = bool(self.coverage) and self.decoder.attention is not None
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

        def search(memory: Any, states: Any, mask: np.ndarray) -> list[list[Translation]]:
            rows, steps = mask.shape
            given = [ops.convert_to_tensor(memory), ops.convert_to_tensor(mask)]
            if self.decoder.attention is not None:
                given.append(self.decoder.attention.keys(given[0]))
            states = [[ops.convert_to_tensor(s) for s in layer] for layer in states]
            if self.decoder.feeding:
                states.append([ops.zeros((rows, self.decoder.output_size), dtype=states[0][0].dtype)])
            states.append([ops.zeros((rows, steps if covers else 1), dtype="float32")])  # attention so far
            logits, states = self._step(ops.full((rows,), END, "int32"), states, *given)
            if self.beams == 1 and self.n_best == 1:
                one = sampler(logits, states, uniform(length, [0] * rows), *given)
                return [[_cut(t, s, s)] for t, s in zip(one.tokens, one.scores.tolist(), strict=True)]
            found = beam(logits, states, *given)
            ranked = zip(found.tokens, found.scores.tolist(), found.ranks.tolist(), strict=True)
            return [[_cut(*each) for each in zip(*row, strict=True)] for row in ranked]

        return search

    def _step(self, tokens: Any, states: Any, memory: Any, mask: Any, keys: Any = None) -> tuple[Any, Any]:
        *states, (seen,) = states
        out, weights, states = self.decoder(self.embedding(tokens[:, None]), states, memory, mask=mask, keys=keys)
        x = out if self.to_embedding is None else self.to_embedding(out)
        if self.coverage and weights.shape[-1]:
            seen = seen + weights[:, 0]
        never = 1e9 * ops.one_hot(0, self.head.size)  # padding is no token
        return self.head(x)[:, 0] - never, [*states, [seen]]

    def _covered(self, states: Any, memory: Any, mask: Any, keys: Any = None) -> Any:
        seen = ops.log(ops.clip(states[-1][0], 1e-6, 1.0))
        return self.coverage * ops.sum(ops.where(mask, seen, 0.0), axis=-1)


def _cut(tokens: np.ndarray, score: float, rank: float) -> Translation:
    ends = np.flatnonzero(tokens == END)
    return Translation(tokens[: ends[0]] if len(ends) else tokens, score, rank)


def attention_weights(model: keras.Model, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How much each token of a target, and its end, reads of each token of its source: (target + 1, source).

    Args:
        model: of `translation_model`.
        source: token numbers (source,).
        target: token numbers without the end, (target,).
    """
    weights = keras.Model(model.inputs[:2], model.get_layer("decoder").output[1])
    previous = np.concatenate([[END], target]).astype(np.int32)
    return np.asarray(weights.predict_on_batch([source[None], previous[None]]))[0]
