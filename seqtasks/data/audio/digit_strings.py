"""Strings of spoken words, composed of recordings of single words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.data.audio.features import LEVEL, Spectra
from seqtasks.data.audio.frame_batches import Frames, padded
from seqtasks.data.audio.recordings import Recordings
from seqtasks.data.bucketing import Buckets, Ragged, uneven_width
from seqtasks.data.splits import Examples

LOUDER = 6.0  # dB that a word may be louder or softer than others
NOISE = (-55.0, -35.0)  # dB, of the noise under a string, against words
VERSION = 1  # of how strings are made: cached ones are of one version


@dataclass(frozen=True)
class Recipe:
    """A string before it is heard.

    Attributes:
        recordings: of its words.
        gaps: silence before each word and after the last, in samples.
        gains: factors of the words.
        noise: its root mean square.
        seed: of the noise.
    """

    recordings: tuple[int, ...]
    gaps: tuple[int, ...]
    gains: tuple[float, ...]
    noise: float
    seed: int


class Composer:
    """Makes strings of some recordings, each a function of the numbers that it is asked for by.

    Args:
        recordings: all.
        rows: those that may be used.
        longest: words of a string; any number up to it is equally likely.
        gap: the longest silence, in seconds.
        mixed: any speaker may say each word; false: one says all of a string.
    """

    def __init__(self, recordings: Recordings, rows: IntArray, longest: int, gap: float, mixed: bool):
        self.recordings, self.longest = recordings, longest
        self.gap = round(gap * recordings.rate)
        names = sorted({recordings.speakers[i] for i in rows})
        self.choices = [rows] if mixed else [np.array([i for i in rows if recordings.speakers[i] == n]) for n in names]
        classes = recordings.classes
        # By what is said first, so that no label is likelier than another.
        self.by_label = [
            [group for label in classes if len(group := np.array([i for i in who if recordings.labels[i] == label]))]
            for who in self.choices
        ]
        self.numbers = {label: number for number, label in enumerate(classes, 1)}

    @property
    def shortest(self) -> int:
        """Samples of the shortest word."""
        lengths = self.recordings.waves.lengths
        return int(min(lengths[who].min() for who in self.choices))

    @property
    def most_samples(self) -> int:
        """Of a string."""
        return self.longest * int(self.recordings.waves.lengths.max()) + (self.longest + 1) * self.gap

    def recipe(self, *numbers: int) -> Recipe:
        """The string of some numbers, such as the seed, the epoch and its place."""
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
        """Of the words, from 1."""
        return [self.numbers[self.recordings.labels[i]] for i in recipe.recordings]

    def samples(self, recipe: Recipe) -> int:
        """Of the sound."""
        return int(self.recordings.waves.lengths[list(recipe.recordings)].sum()) + sum(recipe.gaps)

    def sound(self, recipe: Recipe) -> np.ndarray:
        """Float32 (samples,)."""
        wave = np.random.default_rng(recipe.seed).normal(scale=recipe.noise, size=self.samples(recipe))
        begin = 0
        for i, gap, gain in zip(recipe.recordings, recipe.gaps, recipe.gains, strict=False):
            word = self.recordings.waves.row(i)
            begin += gap
            loud = float(np.sqrt(np.mean(np.square(word, dtype=np.float64))))
            wave[begin : begin + len(word)] += word * (gain * LEVEL / loud if loud > 0 else 0.0)
            begin += len(word)
        return wave.astype(np.float32)

    def examples(self, spectra: Spectra, part: int, count: int) -> tuple[Frames, Ragged]:
        """The frames and labels of the first `count` strings of a split that never changes.

        Args:
            spectra: makes frames.
            part: the number of the split.
            count: of strings.
        """
        recipes = [self.recipe(0, part, n) for n in range(count)]
        frames = Frames.stack([spectra(self.sound(recipe)) for recipe in recipes], spectra.width)
        return frames, Ragged.of([self.labels(recipe) for recipe in recipes])


class StringBatches(Buckets):
    """Strings composed anew each epoch: inputs `sound` and `mask`, targets (batch, labels), 0 at padding.

    A string is a function of the seed, the epoch and its place, so a killed run goes on with the same ones.

    Args:
        examples: `place` of each string.
        composer: of training recordings.
        spectra: makes frames.
        batch_size: the most strings in a batch.
        seed: of all that is drawn.
    """

    def __init__(self, examples: Examples, composer: Composer, spectra: Spectra, batch_size: int, seed: int = 0):
        self.composer, self.spectra = composer, spectra
        super().__init__(examples, batch_size, None, True, seed)

    def measure(self) -> np.ndarray:
        return np.zeros(len(self.examples), np.int64)  # until the strings of an epoch are drawn

    def _draw(self) -> None:
        places = self.examples.inputs["place"]
        self.recipes = [self.composer.recipe(1, self.seed, self.epoch, int(n)) for n in places]
        self.lengths = self.spectra.count([self.composer.samples(recipe) for recipe in self.recipes])
        super()._draw()

    def __getitem__(self, index: int) -> Any:
        rows, made = self.rows(index), self.composer
        recipes = [self.recipes[i] for i in rows]
        frames = Frames.stack([self.spectra(made.sound(recipe)) for recipe in recipes], self.spectra.width)
        time = uneven_width(int(self.lengths[rows].max()), index)
        if self.batches_per_epoch == 1:  # Keras takes its shape for that of all epochs
            time = int(self.spectra.count(made.most_samples))
        return padded(frames, time), Ragged.of(map(made.labels, recipes)).padded(least=made.longest)
