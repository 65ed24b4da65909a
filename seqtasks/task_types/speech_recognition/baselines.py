"""Baseline: words cut at pauses, each classified by itself."""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.audio.frame_batches import Frames

LONGEST_HOLE = 60.0  # ms within a word that may be quiet
SHORTEST_WORD = 80.0  # ms


def isolated_words(single: Frames, targets: IntArray, strings: Frames, hop: float) -> tuple[list[tuple[int, ...]], int]:
    """The labels of strings, and how many numbers were fitted.

    Logistic regression on the mean and standard deviation of the frames of a word, over time.

    Args:
        single: training recordings of one word each.
        targets: (recordings,) their labels.
        strings: to be labelled.
        hop: from frame to frame, in milliseconds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    fitted.fit(np.array([_summary(single.row(i)) for i in range(len(single))]), targets)
    labels = []
    for i in range(len(strings)):
        row = strings.row(i)
        pieces = [_summary(row[begin:end]) for begin, end in segments(row, hop)]
        labels.append(tuple(int(n) for n in fitted.predict(np.array(pieces))) if pieces else ())
    weights = fitted[-1]
    return labels, weights.coef_.size + weights.intercept_.size


def segments(row: FloatArray, hop: float) -> list[tuple[int, int]]:
    """Where frames (time, width) are loud: first frame and the one after the last of each piece.

    Louder than halfway between the tenth and the ninetieth percentile of the mean over the bands.

    Args:
        row: frames.
        hop: from frame to frame, in milliseconds.
    """
    loudness = row.mean(axis=1)
    low, high = np.percentile(loudness, [10, 90])
    loud = np.concatenate([[False], loudness > (low + high) / 2, [False]])
    begins, ends = (np.flatnonzero(loud[1:] & ~loud[:-1]), np.flatnonzero(~loud[1:] & loud[:-1]))
    pieces: list[tuple[int, int]] = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if pieces and begin - pieces[-1][1] <= LONGEST_HOLE / hop:
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((begin, end))
    return [(begin, end) for begin, end in pieces if end - begin >= SHORTEST_WORD / hop]


def _summary(row: FloatArray) -> FloatArray:
    return np.concatenate([row.mean(axis=0), row.std(axis=0)])
