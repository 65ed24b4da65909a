"""Baseline of speech recognition: cutting at pauses, and classification of the pieces."""

import numpy as np

from seqtasks.data.audio.frame_batches import Frames
from seqtasks.task_types.speech_recognition.baselines import isolated_words, segments

RNG = np.random.default_rng(0)


def row(*pieces, width=4):
    """Frames of `(loudness, frames, slope)` pieces; the slope over the bands is the word."""
    frames = [np.full((n, width), loud) + tilt * np.linspace(-1, 1, width) for loud, n, tilt in pieces]
    return (np.concatenate(frames) + 0.1 * RNG.normal(size=(sum(n for _, n, _ in pieces), width))).astype("float32")


def test_pieces_are_where_it_is_loud():
    assert segments(row((-5, 20, 0), (5, 30, 0), (-5, 15, 0), (5, 25, 0), (-5, 10, 0)), 10) == [(20, 50), (65, 90)]


def test_short_holes_belong_to_a_word_and_short_noises_to_none():
    frames = row((-5, 20, 0), (5, 10, 0), (-5, 4, 0), (5, 10, 0), (-5, 20, 0), (5, 3, 0), (-5, 20, 0))
    assert segments(frames, 10) == [(20, 44)]
    assert segments(frames, 40) == [(20, 30), (34, 44), (64, 67)]  # longer frames


def test_silence_has_no_word():
    assert segments(np.zeros((30, 4), "float32"), 10) == []


def test_strings_are_read():
    single = Frames.stack([row((5, 20, tilt)) for tilt in (1, 2, 3) * 20], 4)
    quiet = (-5, 20, 0)
    strings = Frames.stack(
        [row(quiet, (5, 20, 2), quiet, (5, 20, 3), quiet), row(quiet, (5, 20, 1), quiet), np.zeros((9, 4), "float32")],
        4,
    )
    labels, size = isolated_words(single, np.array([1, 2, 3] * 20), strings, 10)
    assert labels == [(2, 3), (1,), ()] and size == 3 * 9
