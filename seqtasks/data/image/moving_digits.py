"""Videos of digits that move over a small black canvas, generated on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seqtasks.core.arrays import BoolArray, IntArray, PixelArray
from seqtasks.core.errors import ConfigError
from seqtasks.data.bucketing import Buckets
from seqtasks.data.splits import Examples

# Row and column of a step; rows count downwards.
DIRECTIONS = {"N": (-1, 0), "NE": (-1, 1), "E": (0, 1), "SE": (1, 1), "S": (1, 0), "SW": (1, -1), "W": (0, -1),
              "NW": (-1, -1)}  # fmt: skip
_STEPS = np.array(list(DIRECTIONS.values()))
FIXED = (1502, 4681)  # seeds the videos of validation and test: the same for every run
CHANGE = 0.15  # chance, between two frames, that the picture behind comes to the front
INK = 48  # of 255: darker pixels of a picture hide nothing


@dataclass(frozen=True)
class Clips:
    """Videos that are not drawn yet: pictures, and the numbers that the videos are drawn from.

    Attributes:
        pictures: uint8 (pictures, height, width).
        labels: class numbers (pictures,).
        numbers: one a video, (videos,).
    """

    pictures: PixelArray
    labels: IntArray
    numbers: IntArray

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> Clips:
        return Clips(self.pictures, self.labels, self.numbers[index])


@dataclass(frozen=True)
class Video:
    """How videos are drawn.

    With the label `"front"` two pictures of different classes move; the one in front hides what is
    near its ink, and which one that is changes at random times; a frame's label is its class. With
    `"direction"` one picture moves, and a frame's label is where it goes next.

    Args:
        shape: height and width of the pictures.
        side: of the square canvas, in pixels.
        label: what is asked.
        shortest, longest: frames of a video.
        margin: pixels around the ink of the front picture that hide what is behind.
        noise: share of the pixels of each frame with a random brightness.

    Raises:
        ConfigError: the pictures cannot move, or no length is allowed.
    """

    shape: tuple[int, int]
    side: int
    label: Literal["front", "direction"]
    shortest: int
    longest: int
    margin: int
    noise: float

    def __post_init__(self) -> None:
        least = max(self.shape) + 2
        if self.side < least:
            raise ConfigError(
                f"on a canvas of {self.side}×{self.side} pictures of {self.shape[1]}×{self.shape[0]} cannot move; "
                f"set options.canvas to {least} or more"
            )
        if self.longest < self.shortest:
            raise ConfigError(
                f"videos of {self.shortest} to {self.longest} frames; allowed: the longest is at least as long as the "
                "shortest; set options.min_length or options.max_length"
            )

    def lengths(self, rng: np.random.Generator, count: int) -> IntArray:
        """Frames of each of `count` videos, all lengths equally likely."""
        return rng.integers(self.shortest, self.longest + 1, size=count)

    def draw(self, rng: np.random.Generator, clips: Clips, length: int) -> tuple[PixelArray, IntArray]:
        """One video.

        Args:
            rng: decides all of it.
            clips: whose pictures it shows.
            length: frames.

        Returns:
            uint8 (length, side, side), and the label of each frame, (length,).
        """
        first = int(rng.integers(len(clips.pictures)))
        path, headings = self._path(rng, length)
        video = np.zeros((length, self.side, self.side), np.uint8)
        if self.label == "direction":
            labels = headings
            for frame, place in zip(video, path, strict=True):
                self._put(frame, clips.pictures[first], place)
        else:
            others = np.flatnonzero(clips.labels != clips.labels[first])
            pair = [first, int(rng.choice(others)) if len(others) else first]
            paths = [path, self._path(rng, length)[0]]
            front = (np.cumsum(rng.random(length) < CHANGE) + rng.integers(2)) % 2
            labels = clips.labels[np.array(pair)][front]
            plates = [_plate(clips.pictures[number], self.margin) for number in pair]
            for t, frame in enumerate(video):
                for which in (1 - front[t], front[t]):
                    self._put(frame, clips.pictures[pair[which]], paths[which][t], plates[which])
        if self.noise:
            hit = rng.random(video.shape) < self.noise
            video[hit] = rng.integers(256, size=int(hit.sum()), dtype=np.uint8)
        return video, labels.astype(np.int32)

    def _path(self, rng: np.random.Generator, length: int) -> tuple[IntArray, IntArray]:
        """The upper left corner of a picture in each frame, (length, 2), and where it goes next, (length,)."""
        most = np.array([self.side - n for n in self.shape])
        place, step = rng.integers(most + 1), _STEPS[rng.integers(len(_STEPS))].copy()
        speed = int(rng.integers(1, min(2, most.min()) + 1))
        path, headings = np.zeros((length, 2), np.int64), np.zeros(length, np.int64)
        for t in range(length):
            after = place + speed * step
            step[(after < 0) | (after > most)] *= -1  # a border is met before it would be crossed
            path[t], headings[t] = place, np.flatnonzero((step == _STEPS).all(axis=1))[0]
            place = np.clip(place + speed * step, 0, most)
        return path, headings

    def _put(self, frame: PixelArray, picture: PixelArray, place: IntArray, plate: BoolArray | None = None) -> None:
        part = frame[place[0] : place[0] + self.shape[0], place[1] : place[1] + self.shape[1]]
        np.copyto(part, picture, where=True if plate is None else plate)


def _plate(picture: PixelArray, margin: int) -> BoolArray:
    """The ink of a picture and what is near it, bool (height, width)."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(picture, size=2 * margin + 1, mode="constant") >= INK)


class VideoBatches(Buckets):
    """Inputs `image`, uint8 (batch, time, side, side), and `mask`, (batch, time), true at real frames; targets
    and weights (batch, time), 0 at padding.

    With `shuffle` every epoch has new videos, by the seed, the epoch and the number of the video; without it they
    are always the same.

    Args:
        examples: `clip`, `Clips`.
        video: how they are drawn.
        batch_size: the most videos in a batch.
        shuffle: for training.
        seed: of videos and order.
    """

    def __init__(self, examples: Examples, video: Video, batch_size: int, shuffle: bool = False, seed: int = 0):
        self.video = video
        super().__init__(examples, batch_size, None, shuffle, seed)

    def measure(self) -> IntArray:
        return np.zeros(len(self.examples), np.int64)  # every epoch has its own

    def _draw(self) -> None:
        self.stream = (self.seed, self.epoch) if self.shuffle else FIXED
        clips = self.examples.inputs["clip"]
        every = self.video.lengths(np.random.default_rng(self.stream), int(clips.numbers.max(initial=0)) + 1)
        self.lengths = every[clips.numbers]
        super()._draw()

    def one(self, row: int) -> tuple[PixelArray, IntArray]:
        """The video of an example and its labels, see `Video.draw`."""
        clips = self.examples.inputs["clip"]
        rng = np.random.default_rng((*self.stream, 1 + int(clips.numbers[row])))
        return self.video.draw(rng, clips, int(self.lengths[row]))

    def make(self, index: int, extra: int = 0) -> Any:
        rows, side = self.rows(index), self.video.side
        width = int(self.lengths[rows].max()) + extra
        images, targets = np.zeros((len(rows), width, side, side), np.uint8), np.zeros((len(rows), width), np.int32)
        for i, row in enumerate(rows):
            video, labels = self.one(row)
            images[i, : len(video)], targets[i, : len(video)] = video, labels
        mask = np.arange(width)[None] < self.lengths[rows][:, None]
        return {"image": images, "mask": mask}, targets, mask.astype(np.float32)
