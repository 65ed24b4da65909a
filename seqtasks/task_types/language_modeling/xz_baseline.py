"""Baseline: compression of the test text by xz."""

from __future__ import annotations

import lzma
import math

from seqtasks.data.splits import Splits
from seqtasks.data.text.vocabulary import Vocabulary
from seqtasks.layers.metrics import language_scores
from seqtasks.task_types.base import Baseline


def baseline(vocabulary: Vocabulary, splits: Splits, most: int = 1 << 25) -> Baseline:
    """What `xz` makes of it: the bytes that the test text adds to the compressed training text.

    Args:
        vocabulary: of characters.
        splits: of the text.
        most: characters of the training text, the last ones, that are compressed.
    """

    def size(text: str) -> int:
        return len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))

    before = vocabulary.decode(splits.train.inputs["tokens"][-most:])
    text = vocabulary.decode(splits.test.targets)
    bits = 8 * (size(before + text) - size(before))
    scores = language_scores(bits * math.log(2), len(splits.test))
    # A compressor goes on learning from the text that it compresses, as dynamic evaluation does.
    return Baseline(scores | {f"dynamic_{name}": value for name, value in scores.items()}, 0, "xz")
