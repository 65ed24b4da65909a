"""Strings of spoken words, composed of recordings of single words, for speech recognition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.data.audio.features import LEVEL, Spectra
from seqtasks.data.audio.frame_batches import Frames, padded
from seqtasks.data.audio.recordings import Recordings
from seqtasks.data.block_files import release
from seqtasks.data.bucketing import Buckets, Ragged, uneven_width
from seqtasks.data.splits import Examples

LOUDER = 6.0  # maximum change of the level of a word in dB
NOISE = (-55.0, -35.0)  # range of the level of the background noise, in dB relative to words
VERSION = 1  # version of the composition, part of the key of cached strings


@dataclass(frozen=True)
class Recipe:
    """Recordings, pauses, gains and noise of which the sound of a string is composed.

    Attributes:
        recordings: Index of the recording of each word.
        gaps: Pause before each word and after the last, in samples.
        gains: Gain of each word, a factor.
        noise: Root mean square of the noise.
        seed: Seed of the noise.
    """

    recordings: tuple[int, ...]
    gaps: tuple[int, ...]
    gains: tuple[float, ...]
    noise: float
    seed: int


class Composer:
    """Composes strings of recordings of single words; equal seeds give equal strings.

    Args:
        recordings: All recordings.
        rows: Indices of the recordings to use, `(recordings,)`.
        longest: Maximum number of words in a string; all numbers from 1 are equally likely.
        gap: Maximum pause between words in seconds.
        mixed: Whether the words of a string may have different speakers.
    """

    def __init__(self, recordings: Recordings, rows: IntArray, longest: int, gap: float, mixed: bool):
        self.recordings, self.longest = recordings, longest
        self.gap = round(gap * recordings.rate)
        classes, names = recordings.classes, recordings.speakers.used
        labels, speakers = recordings.labels.numbered(classes), recordings.speakers.numbered(names)[rows]
        self.choices = [rows] if mixed else [rows[speakers == number] for number in np.unique(speakers)]
        # A label is drawn first and then a recording of it, so that all labels are equally likely.
        self.by_label = [
            [group for number in range(len(classes)) if len(group := usable[labels[usable] == number])]
            for usable in self.choices
        ]
        self.numbers = {label: number for number, label in enumerate(classes, 1)}

    @property
    def shortest(self) -> int:
        """Number of samples of the shortest word."""
        lengths = self.recordings.waves.lengths
        return int(min(lengths[usable].min() for usable in self.choices))

    @property
    def most_samples(self) -> int:
        """Maximum number of samples of a string."""
        return self.longest * int(self.recordings.waves.lengths.max()) + (self.longest + 1) * self.gap

    def recipe(self, *numbers: int) -> Recipe:
        """Draws the recipe of a string.

        Args:
            numbers: Random seed, such as the seed of the run, the epoch and the index of the string.
        """
        rng = np.random.default_rng(numbers)
        groups = self.by_label[rng.integers(len(self.by_label))]
        words = int(rng.integers(1, self.longest + 1))
        spoken = [groups[n] for n in rng.integers(len(groups), size=words)]
        return Recipe(
            tuple(int(group[rng.integers(len(group))]) for group in spoken),
            tuple(rng.integers(self.gap + 1, size=words + 1).tolist()),
            tuple((10 ** (rng.uniform(-LOUDER, LOUDER, words) / 20)).tolist()),
            float(LEVEL * 10 ** (rng.uniform(*NOISE) / 20)),
            int(rng.integers(2**31)),
        )

    def labels(self, recipe: Recipe) -> list[int]:
        """Label numbers of the words of a string, from 1; 0 is padding."""
        return [self.numbers[self.recordings.labels[i]] for i in recipe.recordings]

    def samples(self, recipe: Recipe) -> int:
        """Number of samples of a string."""
        return int(self.recordings.waves.lengths[list(recipe.recordings)].sum()) + sum(recipe.gaps)

    def sound(self, recipe: Recipe) -> np.ndarray:
        """Sound of a string, float32 `(samples,)`."""
        wave = np.random.default_rng(recipe.seed).normal(scale=recipe.noise, size=self.samples(recipe))
        begin = 0
        for i, gap, gain in zip(recipe.recordings, recipe.gaps, recipe.gains, strict=False):
            word = self.recordings.waves.row(i)
            begin += gap
            rms = float(np.sqrt(np.mean(np.square(word, dtype=np.float64))))
            wave[begin : begin + len(word)] += word * (gain * LEVEL / rms if rms > 0 else 0.0)
            begin += len(word)
        return wave.astype(np.float32)

    def examples(self, spectra: Spectra, part: int, count: int) -> tuple[Frames, Ragged]:
        """Frames and labels of the strings of a fixed split, for validation and test.

        Args:
            spectra: Computes the frames.
            part: Number of the split, part of the seed.
            count: Number of strings.
        """
        recipes = [self.recipe(0, part, n) for n in range(count)]
        frames = Frames.stack([spectra(self.sound(recipe)) for recipe in recipes], spectra.width)
        return frames, Ragged.of([self.labels(recipe) for recipe in recipes])


class StringBatches(Buckets):
    """Batches of strings of spoken words, with new strings in each epoch, for training.

    A batch is `(inputs, targets)`. Inputs are `sound`, `(batch, time, features)`, and `mask`, `(batch, time)`, true
    at valid frames; targets are label numbers, `(batch, labels)`, 0 at padding. A string depends on the seed, the
    epoch and its index only, so that a resumed run continues with the same strings.

    Args:
        examples: Input `place`, the index of each string, `(strings,)`.
        composer: Composes the strings of training recordings.
        spectra: Computes the frames.
        batch_size: Maximum number of strings in a batch.
        seed: Seed of the strings and their order.
    """

    def __init__(self, examples: Examples, composer: Composer, spectra: Spectra, batch_size: int, seed: int = 0):
        self.composer, self.spectra = composer, spectra
        super().__init__(examples, batch_size, None, True, seed)

    def measure(self) -> np.ndarray:
        return np.zeros(len(self.examples), np.int64)  # `_draw` computes the lengths of each epoch

    def _draw(self) -> None:
        indices = self.examples.inputs["place"]
        self.recipes = [self.composer.recipe(1, self.seed, self.epoch, int(n)) for n in indices]
        self.lengths = self.spectra.count([self.composer.samples(recipe) for recipe in self.recipes])
        super()._draw()

    def __getitem__(self, index: int) -> Any:
        rows, composer = self.rows(index), self.composer
        recipes = [self.recipes[i] for i in rows]
        frames = Frames.stack([self.spectra(composer.sound(recipe)) for recipe in recipes], self.spectra.width)
        release(composer.recordings.waves.values)
        time = uneven_width(int(self.lengths[rows].max()), index)
        if self.batches_per_epoch == 1:  # Keras infers a static length from the only batch
            time = int(self.spectra.count(composer.most_samples))
        return padded(frames, time), Ragged.of(map(composer.labels, recipes)).padded(least=composer.longest)
