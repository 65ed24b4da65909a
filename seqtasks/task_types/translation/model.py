"""Translation model and its inference."""

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
    source = keras.Input((None,), name="source", dtype="int32")
    mask = ops.not_equal(source, 0)
    written = embedding(sizes[1], o.embedding_dim, EMBEDDING)
    read = written if shared else embedding(sizes[0], o.embedding_dim, "read")
    memory, finals = encoder(keras.layers.Dropout(o.dropout)(read(source)), mask=mask)
    config = dataclasses.replace(encoder.config, cell=o.decoder_cell or encoder.config.cell)
    decoder = Decoder(config, o.attention, o.input_feeding, name=DECODER)
    inputs, losses = seq2seq_head(memory, finals, mask, decoder, written, o)
    return keras.Model([source, *inputs], losses, name=name)


class Translator(Seq2SeqGenerator):
    """Writes targets for sources, those of about one length together.

    Args:
        model: of `translation_model`.
        rows: sources at a time.
        most: tokens of the longest target; None: 10 more than twice those of the source.
        settings: of `Seq2SeqGenerator`.
    """

    def __init__(self, model: keras.Model, *, rows: int = 64, most: int | None = None, **settings: Any):
        super().__init__(model, **settings)
        self.rows, self.most = rows, most

    def __call__(self, sources: Ragged) -> list[list[Hypothesis]]:
        """The best targets of each source, the best first.

        Args:
            sources: token numbers, as of `Pairs`.
        """
        hypotheses: list[list[Hypothesis]] = [[] for _ in range(len(sources))]
        for chosen, batch in self._batches(sources):
            best = self.write(batch, batch > 0, self.most or 2 * batch.shape[1] + 10)
            for row, ranked in zip(chosen, best, strict=False):
                hypotheses[row] = ranked
        return hypotheses

    def attention(self, sources: Ragged, targets: Sequence[IntArray]) -> list[FloatArray]:
        """How much each token of a target, and its end, reads of each token of its source.

        Args:
            sources: token numbers.
            targets: those of a target for each, without ends.

        Returns:
            (tokens + 1, steps) each; they sum to one over the steps.
        """
        maps: list[FloatArray] = []
        for begin in range(0, len(sources), self.rows):
            chunk = sources[begin : begin + self.rows]
            batch = chunk.padded(least=2)
            weights = self.weights(batch, batch > 0, targets[begin : begin + self.rows])
            maps += [row[:, :steps] for row, steps in zip(weights, chunk.lengths, strict=True)]
        return maps

    def _batches(self, sources: Ragged) -> Iterator[tuple[IntArray, IntArray]]:
        """Rows of about one length; the last ones of a length are filled up, so that few shapes are compiled."""
        widths = LEAST << np.ceil(np.log2(np.maximum(sources.lengths, LEAST) / LEAST)).astype(int)
        for width in np.unique(widths):
            rows = np.flatnonzero(widths == width)
            full = self.rows if len(rows) >= self.rows else 1 << (len(rows) - 1).bit_length()
            for begin in range(0, len(rows), full):
                chosen = rows[begin : begin + full]
                filled = np.concatenate([chosen, np.full(full - len(chosen), chosen[0])])
                yield chosen, sources[filled].padded(least=int(width))
