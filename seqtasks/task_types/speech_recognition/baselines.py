"""Baseline of speech recognition: words are cut at pauses and classified one by one."""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.data.audio.frame_batches import Frames

MAX_PAUSE = 60.0  # ms; a quiet piece of at most this length belongs to the word around it
MIN_WORD = 80.0  # ms; a shorter loud piece is noise


def isolated_words(single: Frames, targets: IntArray, strings: Frames, hop: float) -> tuple[list[tuple[int, ...]], int]:
    """Labels strings of words that are cut at pauses, by logistic regression of each piece.

    The features of a piece are the mean and standard deviation of its frames over time.

    Args:
        single: Training recordings of one word each.
        targets: Labels of the training recordings, `(recordings,)`.
        strings: Strings to label.
        hop: Distance between frames in milliseconds.

    Returns:
        The labels of each string, and the number of fitted coefficients.
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
    """Finds the loud pieces of a recording.

    A frame is loud if its mean over the features is above the midpoint of the 10th and the 90th percentile of these
    means. Pieces with a pause of at most `MAX_PAUSE` between them are joined; pieces shorter than `MIN_WORD` are
    dropped.

    Args:
        row: Features of the recording, `(frames, features)`.
        hop: Distance between frames in milliseconds.

    Returns:
        First frame of each piece, and the frame after its last one.
    """
    loudness = row.mean(axis=1)
    low, high = np.percentile(loudness, [10, 90])
    loud = np.concatenate([[False], loudness > (low + high) / 2, [False]])
    begins, ends = (np.flatnonzero(loud[1:] & ~loud[:-1]), np.flatnonzero(~loud[1:] & loud[:-1]))
    pieces: list[tuple[int, int]] = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if pieces and begin - pieces[-1][1] <= MAX_PAUSE / hop:
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((begin, end))
    return [(begin, end) for begin, end in pieces if end - begin >= MIN_WORD / hop]


def _summary(row: FloatArray) -> FloatArray:
    return np.concatenate([row.mean(axis=0), row.std(axis=0)])
