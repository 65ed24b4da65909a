"""Compression baseline: bits of the test text under xz."""

from __future__ import annotations

import lzma
import math

from seqtasks.data.splits import Splits
from seqtasks.data.text.vocabulary import Vocabulary
from seqtasks.layers.metrics import language_scores
from seqtasks.task_types.base import Baseline


def baseline(vocabulary: Vocabulary, splits: Splits, most: int = 1 << 25) -> Baseline:
    """Scores the test text by the bytes that it adds to the training text when both are compressed by xz.

    Args:
        vocabulary: Vocabulary of characters.
        splits: Splits of a language model.
        most: Maximum number of training characters to compress; the last ones are taken.
    """

    def size(text: str) -> int:
        return len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))

    train = vocabulary.decode(splits.train.inputs["tokens"][-most:])
    test = vocabulary.decode(splits.test.targets)
    bits = 8 * (size(train + test) - size(train))
    scores = language_scores(bits * math.log(2), len(splits.test))
    # A compressor adapts to the text that it compresses, so its scores are those of dynamic evaluation, too.
    return Baseline(scores | {f"dynamic_{name}": value for name, value in scores.items()}, 0, "xz")
