"""Baselines of probes: the most frequent label, and the most frequent one after the last symbols."""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.data.splits import Examples, Splits


def chance(splits: Splits) -> tuple[list[IntArray], int]:
    """Predicts the most frequent label of the training split at every step.

    Args:
        splits: Sequences `tokens` and targets, each a `Ragged`.

    Returns:
        Predicted labels of each test sequence, `(time,)`, and the number of fitted values.
    """
    values = splits.train.targets.values
    likeliest = int(np.bincount(values[values >= 0]).argmax())
    return [np.full(length, likeliest) for length in splits.test.targets.lengths.tolist()], 1


def n_gram(splits: Splits, order: int) -> tuple[list[IntArray], int]:
    """Predicts the most frequent label of the training split after the same last symbols.

    A context that does not occur in training is shortened by its oldest symbol until it does.

    Args:
        splits: Sequences `tokens` and targets, each a `Ragged`.
        order: Number of symbols that are read, the present one included.

    Returns:
        Predicted labels of each test sequence, `(time,)`, and the number of contexts.
    """
    size = int(max(part.inputs["tokens"].values.max(initial=0) for part in (splits.train, splits.test))) + 1
    classes = int(splits.train.targets.values.max(initial=0)) + 1
    test = splits.test.inputs["tokens"]
    predicted = np.full(len(test.values), int(chance(splits)[0][0][0]))
    total = 1
    for length in range(1, order + 1):
        train, now = _contexts(splits.train, length, size), _contexts(splits.test, length, size)
        targets = splits.train.targets.values
        pairs, counts = np.unique(train[targets >= 0] * classes + targets[targets >= 0], return_counts=True)
        by_count = np.argsort(counts, kind="stable")  # the last label that is stored for a context is its likeliest
        contexts, labels = pairs[by_count] // classes, pairs[by_count] % classes
        known, first = np.unique(contexts[::-1], return_index=True)
        likeliest = labels[::-1][first]
        total += len(known)
        at = np.minimum(np.searchsorted(known, now), len(known) - 1)
        predicted = np.where(known[at] == now, likeliest[at], predicted)
    return np.split(predicted, test.ends[:-1]), total


def _contexts(examples: Examples, length: int, size: int) -> IntArray:
    """A number for the last symbols at each step of all sequences, `(steps,)`; 0 stands for what precedes the first."""
    tokens = examples.inputs["tokens"]
    begins = np.repeat(tokens.ends - tokens.lengths, tokens.lengths)
    steps = np.arange(len(tokens.values))
    contexts = np.zeros(len(steps), np.int64)
    for back in range(length - 1, -1, -1):
        symbols = np.where(steps - back >= begins, tokens.values[np.maximum(steps - back, 0)], 0)
        contexts = contexts * size + symbols
    return contexts
