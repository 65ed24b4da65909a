"""Moving MNIST: videos of digits that move over a black canvas, generated on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seqtasks.core.arrays import BoolArray, IntArray, PixelArray
from seqtasks.core.errors import ConfigError
from seqtasks.data.bucketing import Buckets
from seqtasks.data.splits import Examples

# Change of row and column in a step; rows are counted downwards.
DIRECTIONS = {"N": (-1, 0), "NE": (-1, 1), "E": (0, 1), "SE": (1, 1), "S": (1, 0), "SW": (1, -1), "W": (0, -1),
              "NW": (-1, -1)}  # fmt: skip
_STEPS = np.array(list(DIRECTIONS.values()))
FIXED = (1502, 4681)  # seed of the videos for validation and test, equal in every run
CHANGE = 0.15  # probability between two frames that the image behind comes to the front
INK = 48  # minimum brightness, of 255, of the pixels of an image that hide what is behind


@dataclass(frozen=True)
class Clips:
    """Images and the numbers of the videos that are drawn of them on demand.

    Attributes:
        pictures: Images, uint8 `(images, height, width)`.
        labels: Class numbers of the images, `(images,)`.
        numbers: Number of each video, part of its seed, `(videos,)`.
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
    """Draws videos of moving images with a label for each frame.

    With the label `"front"`, two images of different classes move. The one in front hides the other near its
    bright pixels; at random times the other comes to the front. The label of a frame is the class of the image
    in front. With `"direction"`, one image moves, and the label of a frame is the direction of its next step.

    Args:
        shape: Height and width of the images in pixels.
        side: Height and width of the canvas in pixels.
        label: `"front"` or `"direction"`.
        shortest: Minimum number of frames of a video.
        longest: Maximum number of frames of a video.
        margin: Number of pixels around the bright pixels of the image in front in which the other is hidden.
        noise: Fraction of the pixels of each frame that have a random brightness.

    Raises:
        ConfigError: The canvas is too small for movement, or `longest` is smaller than `shortest`.
    """

    shape: tuple[int, int]
    side: int
    label: Literal["front", "direction"]
    shortest: int
    longest: int
    margin: int
    noise: float

    def __post_init__(self) -> None:
        minimum = max(self.shape) + 2
        if self.side < minimum:
            raise ConfigError(
                f"on a canvas of {self.side}×{self.side} images of {self.shape[1]}×{self.shape[0]} cannot move; "
                f"allowed: ≥ {minimum}; set options.canvas to {minimum} or more"
            )
        if self.longest < self.shortest:
            raise ConfigError(
                f"videos of {self.shortest} to {self.longest} frames; allowed: the longest is at least as long as the "
                "shortest; set options.min_length or options.max_length"
            )

    def lengths(self, rng: np.random.Generator, count: int) -> IntArray:
        """Draws the number of frames of each of some videos, `(count,)`; all lengths are equally likely."""
        return rng.integers(self.shortest, self.longest + 1, size=count)

    def draw(self, rng: np.random.Generator, clips: Clips, length: int) -> tuple[PixelArray, IntArray]:
        """Draws a video.

        Args:
            rng: Random generator.
            clips: Images of which the video is drawn.
            length: Number of frames.

        Returns:
            The video, uint8 `(length, side, side)`, and the label of each frame, `(length,)`.
        """
        first = int(rng.integers(len(clips.pictures)))
        path, headings = self._path(rng, length)
        video = np.zeros((length, self.side, self.side), np.uint8)
        if self.label == "direction":
            labels = headings
            for frame, corner in zip(video, path, strict=True):
                self._put(frame, clips.pictures[first], corner)
        else:
            others = np.flatnonzero(clips.labels != clips.labels[first])
            pair = [first, int(rng.choice(others)) if len(others) else first]
            paths = [path, self._path(rng, length)[0]]
            front = (np.cumsum(rng.random(length) < CHANGE) + rng.integers(2)) % 2
            labels = clips.labels[np.array(pair)][front]
            masks = [_opaque(clips.pictures[number], self.margin) for number in pair]
            for t, frame in enumerate(video):
                for layer in (1 - front[t], front[t]):
                    self._put(frame, clips.pictures[pair[layer]], paths[layer][t], masks[layer])
        if self.noise:
            noisy = rng.random(video.shape) < self.noise
            video[noisy] = rng.integers(256, size=int(noisy.sum()), dtype=np.uint8)
        return video, labels.astype(np.int32)

    def _path(self, rng: np.random.Generator, length: int) -> tuple[IntArray, IntArray]:
        """Draws the path of an image.

        Returns:
            Upper left corner in each frame, `(length, 2)`, and index of the direction of the next step,
            `(length,)`.
        """
        limit = np.array([self.side - n for n in self.shape])
        corner, step = rng.integers(limit + 1), _STEPS[rng.integers(len(_STEPS))].copy()
        speed = int(rng.integers(1, min(2, limit.min()) + 1))
        path, headings = np.zeros((length, 2), np.int64), np.zeros(length, np.int64)
        for t in range(length):
            after = corner + speed * step
            step[(after < 0) | (after > limit)] *= -1  # turn before the step that would cross a border
            path[t], headings[t] = corner, np.flatnonzero((step == _STEPS).all(axis=1))[0]
            corner = np.clip(corner + speed * step, 0, limit)
        return path, headings

    def _put(self, frame: PixelArray, picture: PixelArray, corner: IntArray, mask: BoolArray | None = None) -> None:
        """Copies an image into a frame in place; with a mask, only the pixels where it is true."""
        part = frame[corner[0] : corner[0] + self.shape[0], corner[1] : corner[1] + self.shape[1]]
        np.copyto(part, picture, where=True if mask is None else mask)


def _opaque(picture: PixelArray, margin: int) -> BoolArray:
    """Mask of the bright pixels of an image and of those within a margin around them, `(height, width)`."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(picture, size=2 * margin + 1, mode="constant") >= INK)


class VideoBatches(Buckets):
    """Batches of generated videos of similar length.

    A batch is `(inputs, targets, weights)`. Inputs are `image`, uint8 `(batch, time, side, side)`, and `mask`,
    `(batch, time)`, true at valid frames. Targets and weights are `(batch, time)`, 0 at padded frames; weights are 1
    at valid frames. With `shuffle`, each epoch has new videos, which depend on the seed, the epoch and the number
    of the video only. Without it, they are always the same.

    Args:
        examples: Input `clip`, a `Clips`.
        video: Draws the videos.
        batch_size: Maximum number of videos in a batch.
        shuffle: Whether each epoch has new videos and a new order; true for training.
        seed: Seed of videos and order.
    """

    def __init__(self, examples: Examples, video: Video, batch_size: int, shuffle: bool = False, seed: int = 0):
        self.video = video
        super().__init__(examples, batch_size, None, shuffle, seed)

    def measure(self) -> IntArray:
        return np.zeros(len(self.examples), np.int64)  # `_draw` draws the lengths of each epoch

    def _draw(self) -> None:
        self.stream = (self.seed, self.epoch) if self.shuffle else FIXED
        clips = self.examples.inputs["clip"]
        lengths = self.video.lengths(np.random.default_rng(self.stream), int(clips.numbers.max(initial=0)) + 1)
        self.lengths = lengths[clips.numbers]
        super()._draw()

    def one(self, row: int) -> tuple[PixelArray, IntArray]:
        """Draws the video of an example and its labels, see `Video.draw`."""
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
