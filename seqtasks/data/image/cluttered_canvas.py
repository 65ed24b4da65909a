"""Images at random locations of a larger black canvas, among pieces of other images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray, PixelArray
from seqtasks.core.errors import ConfigError
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.image import files
from seqtasks.data.splits import Examples

FIXED = (2014, 6247)  # seeds the canvases of validation and test: the same for every run


@dataclass(frozen=True)
class Placements:
    """What is drawn at random for canvases.

    Attributes:
        corners: (canvases, 2), upper left corner of each picture, row and column.
        pieces: (canvases, clutter, 5): the picture a piece is cut from, its corner there, its
            corner on the canvas.
    """

    corners: IntArray
    pieces: IntArray


@dataclass(frozen=True)
class Canvas:
    """How canvases are made.

    Args:
        shape: height and width of the pictures.
        side: of the square canvas, in pixels.
        clutter: pieces of other pictures on each canvas.
        piece: side of a piece; Mnih et al. 2014 have 8 of 28 pixels.

    Raises:
        ConfigError: the pictures do not fit.
    """

    shape: tuple[int, int]
    side: int
    clutter: int = 0
    piece: int = 8

    def __post_init__(self) -> None:
        if self.side < max(self.shape):
            raise ConfigError(
                f"a canvas of {self.side}×{self.side} is too small for pictures of {self.shape[1]}×{self.shape[0]}; "
                f"set options.canvas to {max(self.shape)} or more"
            )

    def draw(self, rng: np.random.Generator, count: int) -> Placements:
        """Places for `count` canvases, all equally likely."""
        free = [self.side - n + 1 for n in self.shape]
        corners = rng.integers(free, size=(count, 2))
        bounds = [max(1, count - 1), *(n - self.piece + 1 for n in self.shape), *[self.side - self.piece + 1] * 2]
        pieces = rng.integers(bounds, size=(count, self.clutter, 5))
        # Never of the picture itself: the others follow it, in a circle.
        pieces[..., 0] = (np.arange(count)[:, None] + 1 + pieces[..., 0]) % count
        return Placements(corners, pieces)

    def compose(self, pictures: PixelArray, places: Placements, rows: IntArray) -> PixelArray:
        """The canvases of some pictures; where two things overlap the brighter pixel shows.

        Args:
            pictures: all, (count, height, width), uint8.
            places: of all.
            rows: which canvases, (n,).

        Returns:
            uint8 (n, side, side).
        """
        height, width = self.shape
        canvases = np.zeros((len(rows), self.side, self.side), np.uint8)
        for canvas, row in zip(canvases, rows, strict=True):
            y, x = places.corners[row]
            canvas[y : y + height, x : x + width] = pictures[row]
            for source, top, left, y, x in places.pieces[row]:
                part = canvas[y : y + self.piece, x : x + self.piece]
                np.maximum(part, pictures[source, top : top + self.piece, left : left + self.piece], out=part)
        return canvases


class CanvasBatches(ArrayBatches):
    """Inputs `image`, uint8 (batch, side, side), and `noise`, (batch, glimpses, 2); targets (batch,).

    With `shuffle` every epoch has new canvases and new noise, by the seed, the epoch and the
    example; without it canvases are always the same.

    Args:
        examples: `image`, uint8 (examples, height, width), and class numbers.
        canvas: how canvases are made.
        glimpses: steps of noise.
        noise: `"normal"`, `"uniform"` in [-1, 1], or `"none"`, zeros.
        batch_size: rows a batch.
        shuffle: for training.
        seed: of order, canvases and noise.
    """

    def __init__(
        self,
        examples: Examples,
        canvas: Canvas,
        glimpses: int,
        noise: Literal["normal", "uniform", "none"],
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
    ):
        self.canvas, self.glimpses, self.kind = canvas, glimpses, noise
        super().__init__(examples, batch_size, shuffle, seed)

    def __getitem__(self, index: int) -> tuple[Any, IntArray]:
        begin = (self.start + index) * self.batch_size
        rows = self._order[begin : begin + self.batch_size]
        return {"image": self.images(rows), "noise": self.noise[rows]}, self.examples.targets[rows]

    def images(self, rows: IntArray) -> PixelArray:
        """The canvases of some examples, uint8 (rows, side, side)."""
        return self.canvas.compose(self.examples.inputs["image"], self.places, rows)

    def _draw(self) -> None:
        super()._draw()
        stream, n = (self.seed, self.epoch) if self.shuffle else FIXED, len(self.examples)
        self.places = self.canvas.draw(np.random.default_rng((*stream, 0)), n)
        self.noise = draw_noise(self.kind, (n, self.glimpses, 2), (*stream, 1))


def draw_noise(kind: str, shape: tuple[int, ...], seed: tuple[int, ...]) -> FloatArray:
    """float32 noise of a shape: `"normal"`, `"uniform"` in [-1, 1], or zeros for `"none"`."""
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.standard_normal(shape, np.float32)
    return rng.uniform(-1, 1, shape).astype(np.float32) if kind == "uniform" else np.zeros(shape, np.float32)


def load_canvas(path: Path, side: int, invert: Literal["auto", "yes", "no"] = "auto") -> tuple[PixelArray, bool]:
    """One picture for prediction, and whether it was inverted.

    A smaller one stands in the middle of the canvas as large as it is, a larger one is scaled.

    Returns:
        uint8 (side, side), and true where bright and dark were exchanged.

    Raises:
        DataError: no such file, or not a picture.
    """
    shape = (side, side)
    small, inverted = files.load_image(path, None, invert)
    height, width = small.shape
    if max(height, width) > side:
        return files.load_image(path, shape, invert)
    ground = int(np.median(np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])))
    canvas = np.full(shape, ground, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = small
    return canvas, inverted
