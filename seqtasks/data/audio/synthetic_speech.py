"""Built-in set of spoken words: synthetic syllables.

Each word is a glide between two of five vowels. Their order matters: "ai" and "ia" have the same vowels. A voice
is a pitch and the length of a vocal tract; the sound is a train of pulses, filtered by two resonators (Klatt
1980, https://doi.org/10.1121/1.383940).
"""

from __future__ import annotations

import numpy as np

from seqtasks.core.arrays import FloatArray

RATE = 8000  # sampling rate in Hz
FORMANTS = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "o": (570, 840), "u": (300, 870)}  # in Hz
WORDS = ["ai", "ia", "ou", "uo", "ea", "ae", "iu", "ui", "eo", "oe"]
# Pitch in Hz and factor of the formants.
VOICES = {"ada": (210, 1.12), "ben": (110, 0.95), "cora": (180, 1.04), "dan": (130, 1.0)}
RECORDINGS = 12  # number of recordings of each word and voice


def syllables() -> list[tuple[str, str, int, FloatArray]]:
    """Generates all recordings, the same in every call.

    Returns:
        Word, voice, number and sound, float32 `(samples,)` with the sampling rate `RATE`, of each recording.
    """
    rng = np.random.default_rng(0)
    return [
        (word, voice, number, _speak(word, *VOICES[voice], rng))
        for number in range(RECORDINGS)
        for voice in VOICES
        for word in WORDS
    ]


def _speak(word: str, pitch: float, tract: float, rng: np.random.Generator) -> FloatArray:
    """Synthesizes a word with a pitch in Hz and a factor of the formants."""
    from scipy.signal import lfilter

    samples = int(RATE * rng.uniform(0.18, 0.3))
    time = np.linspace(0, 1, samples)
    hertz = pitch * rng.uniform(0.92, 1.08) * (1.05 - 0.15 * time)
    pulses = np.diff(np.floor(np.cumsum(hertz) / RATE + rng.random()), prepend=0).clip(0)
    source = lfilter([1], [1, -0.9], pulses) + 0.02 * rng.normal(size=samples)
    tract *= rng.uniform(0.96, 1.04)
    # `lfilter` has constant coefficients; therefore the sound of the first vowel is faded into that of the second.
    first, second = (_vowel(source, FORMANTS[vowel], tract) for vowel in word)
    middle = rng.uniform(0.4, 0.6)
    share = 1 / (1 + np.exp(-(time - middle) / 0.08))
    wave = ((1 - share) * first + share * second) * np.minimum(1, 8 * np.minimum(time, 1 - time))
    wave = wave / np.abs(wave).max() * rng.uniform(0.2, 0.8) + 0.002 * rng.normal(size=samples)
    return np.asarray(wave, np.float32)


def _vowel(source: FloatArray, formants: tuple[int, int], tract: float) -> FloatArray:
    """Filters a pulse train by resonators at the formants, scaled by a factor; root mean square 1."""
    from scipy.signal import lfilter

    for hertz, bandwidth in zip(formants, (80, 120), strict=True):
        radius = np.exp(-np.pi * bandwidth / RATE)
        source = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hertz * tract / RATE), radius**2], source)
    return np.asarray(source / np.sqrt(np.mean(source**2)))
