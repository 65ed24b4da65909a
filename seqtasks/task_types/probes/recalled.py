"""Labels of probes that ask for stored symbols in their order."""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import BoolArray, IntArray


def recalled_in_order(stored: IntArray, asked: BoolArray) -> IntArray:
    """Labels of steps that ask, one after another, for the labels that were stored before.

    Args:
        stored: Label that a step stores, `(sequences, time)`; -1: it stores none.
        asked: Whether a step asks, `(sequences, time)`.

    Returns:
        Labels, `(sequences, time)`; -1 where a step does not ask, or more were asked for than stored.

    Example:
        >>> import numpy as np
        >>> from seqtasks.task_types import recalled_in_order
        >>> stored = np.array([[4, -1, 7, -1, -1]])
        >>> recalled_in_order(stored, np.array([[False, False, False, True, True]])).tolist()
        [[-1, -1, -1, 4, 7]]
    """
    rows, labels = np.arange(len(stored)), np.full(stored.shape, -1)
    memory = np.full((len(stored), stored.shape[1] + 1), -1)
    count, place = np.zeros(len(stored), int), np.zeros(len(stored), int)
    for t, (values, asks) in enumerate(zip(stored.T, asked.T, strict=True)):
        stores = values >= 0
        memory[rows[stores], count[stores]] = values[stores]
        count += stores
        labels[:, t] = np.where(asks, memory[rows, place], -1)
        place += asks
    return labels
