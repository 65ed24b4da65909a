"""Synthetic syllables, the built-in set of spoken words.

Each word glides between two of five vowels, so that what was said first decides: "ai" and
"ia" have the same sounds. A voice is a pitch and the length of a vocal tract; the sound is
a train of pulses through two resonators (Klatt 1980, https://doi.org/10.1121/1.383940).
"""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import FloatArray

RATE = 8000
FORMANTS = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "o": (570, 840), "u": (300, 870)}  # Hz
WORDS = ["ai", "ia", "ou", "uo", "ea", "ae", "iu", "ui", "eo", "oe"]
VOICES = {"ada": (210, 1.12), "ben": (110, 0.95), "cora": (180, 1.04), "dan": (130, 1.0)}  # pitch in Hz, formants
RECORDINGS = 12  # of each word and voice


def syllables() -> list[tuple[str, str, int, FloatArray]]:
    """Word, voice, number and sound, float32 (samples,) of `RATE`, of every recording."""
    rng = np.random.default_rng(0)
    return [
        (word, voice, number, _speak(word, *VOICES[voice], rng))
        for number in range(RECORDINGS)
        for voice in VOICES
        for word in WORDS
    ]


def _speak(word: str, pitch: float, tract: float, rng: np.random.Generator) -> FloatArray:
    from scipy.signal import lfilter

    samples = int(RATE * rng.uniform(0.18, 0.3))
    time = np.linspace(0, 1, samples)
    hertz = pitch * rng.uniform(0.92, 1.08) * (1.05 - 0.15 * time)
    pulses = np.diff(np.floor(np.cumsum(hertz) / RATE + rng.random()), prepend=0).clip(0)
    source = lfilter([1], [1, -0.9], pulses) + 0.02 * rng.normal(size=samples)
    tract *= rng.uniform(0.96, 1.04)
    # Filters that change are out of the reach of `lfilter`: two sounds, the first fading into the second.
    first, second = (_vowel(source, FORMANTS[vowel], tract) for vowel in word)
    middle = rng.uniform(0.4, 0.6)
    share = 1 / (1 + np.exp(-(time - middle) / 0.08))
    wave = ((1 - share) * first + share * second) * np.minimum(1, 8 * np.minimum(time, 1 - time))
    wave = wave / np.abs(wave).max() * rng.uniform(0.2, 0.8) + 0.002 * rng.normal(size=samples)
    return np.asarray(wave, np.float32)


def _vowel(source: FloatArray, formants: tuple[int, int], tract: float) -> FloatArray:
    from scipy.signal import lfilter

    for hertz, wide in zip(formants, (80, 120), strict=True):
        radius = np.exp(-np.pi * wide / RATE)
        source = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hertz * tract / RATE), radius**2], source)
    return np.asarray(source / np.sqrt(np.mean(source**2)))
