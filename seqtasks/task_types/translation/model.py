"""Translation model: encoder, decoder, and inference in batches of similar length."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.bucketing import Ragged
from seqtasks.decoding.seq2seq import DECODER, EMBEDDING, Hypothesis, Seq2SeqGenerator, embedding, seq2seq_head
from seqtasks.layers.decoder import Decoder
from seqtasks.layers.encoder import Encoder

# Sources are padded to 16, 32, 64 … steps, because the search is compiled anew for each shape.
MIN_STEPS = 16


def translation_model(encoder: Encoder, sizes: Sequence[int], shared: bool, options: Any, name: str) -> keras.Model:
    """Builds the translation model: encoder, bridge, decoder and softmax.

    Padding of the source, token 0, is masked in the encoder and in the attention.

    References: Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473 (additive attention); Luong et al. 2015,
    https://arxiv.org/abs/1508.04025 (multiplicative attention, input feeding)

    Args:
        encoder: Encoder of the source.
        sizes: Sizes of the source and of the target vocabulary, padding and end included.
        shared: Whether source and target share one embedding.
        options: Options of the task, `TranslationOptions`.
        name: Name of the model.

    Returns:
        A model with the inputs `source`, `(batch, steps)`, `previous` and `targets`, `(batch, time)`, see `Pairs`.
        Its output is the smoothed loss and the negative log-likelihood of each target, `(batch, time, 2)`.
    """
    o = options
    source = keras.Input((None,), name="source", dtype="int32")
    mask = ops.not_equal(source, 0)
    target_embedding = embedding(sizes[1], o.embedding_dim, EMBEDDING)
    source_embedding = target_embedding if shared else embedding(sizes[0], o.embedding_dim, "read")
    memory, states = encoder(keras.layers.Dropout(o.dropout)(source_embedding(source)), mask=mask)
    config = dataclasses.replace(encoder.config, cell=o.decoder_cell or encoder.config.cell)
    decoder = Decoder(config, o.attention, o.input_feeding, name=DECODER)
    inputs, losses = seq2seq_head(memory, states, mask, decoder, target_embedding, o)
    return keras.Model([source, *inputs], losses, name=name)


class Translator(Seq2SeqGenerator):
    """Translates sources in batches of similar length.

    Args:
        model: Model that `translation_model` returned.
        rows: Maximum batch size.
        most: Maximum number of tokens of a target; None: 10 more than twice the padded length of the sources.
        settings: Keyword arguments of `Seq2SeqGenerator`.
    """

    def __init__(self, model: keras.Model, *, rows: int = 64, most: int | None = None, **settings: Any):
        super().__init__(model, **settings)
        self.rows, self.most = rows, most

    def __call__(self, sources: Ragged) -> list[list[Hypothesis]]:
        """Returns the best hypotheses for each source, the best first.

        Args:
            sources: Token numbers, as in `Pairs`.
        """
        hypotheses: list[list[Hypothesis]] = [[] for _ in range(len(sources))]
        for chosen, batch in self._batches(sources):
            best = self.write(batch, batch > 0, self.max_tokens(batch.shape[1]))
            for row, ranked in zip(chosen, best, strict=False):
                hypotheses[row] = ranked
        return hypotheses

    def max_tokens(self, steps: int) -> int:
        """Maximum number of tokens of the target of a source with this number of steps."""
        return int(self.most or 2 * _padded_steps(np.array(steps)) + 10)

    def attention(self, sources: Ragged, targets: Sequence[IntArray]) -> list[FloatArray]:
        """Computes the attention weights of given targets over their sources.

        Args:
            sources: Token numbers, as in `Pairs`.
            targets: Target tokens of each source, without their ends.

        Returns:
            For each source the weights of the target's tokens and its end, `(tokens + 1, steps)`; they sum to one
            over the steps.
        """
        maps: list[FloatArray] = []
        for begin in range(0, len(sources), self.rows):
            chunk = sources[begin : begin + self.rows]
            batch = chunk.padded(least=2)
            weights = self.weights(batch, batch > 0, targets[begin : begin + self.rows])
            maps += [row[:, :steps] for row, steps in zip(weights, chunk.lengths, strict=True)]
        return maps

    def _batches(self, sources: Ragged) -> Iterator[tuple[IntArray, IntArray]]:
        """Yields the row numbers and the padded sources of each batch.

        Lengths are rounded up to 16, 32, 64 …, and the last batch of a length is filled up with copies of a row, so
        that few shapes are compiled.
        """
        widths = _padded_steps(sources.lengths)
        for width in np.unique(widths):
            rows = np.flatnonzero(widths == width)
            full = self.rows if len(rows) >= self.rows else 1 << (len(rows) - 1).bit_length()
            for begin in range(0, len(rows), full):
                chosen = rows[begin : begin + full]
                filled = np.concatenate([chosen, np.full(full - len(chosen), chosen[0])])
                yield chosen, sources[filled].padded(least=int(width))


def _padded_steps(lengths: IntArray) -> IntArray:
    """The lengths 16, 32, 64 … to which sources are padded."""
    doublings = np.ceil(np.log2(np.maximum(lengths, MIN_STEPS) / MIN_STEPS)).astype(int)
    return np.asarray(MIN_STEPS << doublings)
