"""Images at random locations on a larger black canvas, with clutter: pieces of other images."""

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

FIXED = (2014, 6247)  # seed of the canvases for validation and test, equal in every run


@dataclass(frozen=True)
class Placements:
    """Random locations of images and clutter on canvases.

    Attributes:
        corners: Row and column of the upper left corner of each image, `(canvases, 2)`.
        pieces: Index of the image from which a piece is cut, its corner there and its corner on the canvas,
            `(canvases, clutter, 5)`.
    """

    corners: IntArray
    pieces: IntArray


@dataclass(frozen=True)
class Canvas:
    """Draws images on larger canvases with clutter (Mnih et al. 2014, https://arxiv.org/abs/1406.6247).

    Args:
        shape: Height and width of the images in pixels.
        side: Height and width of the canvas in pixels.
        clutter: Number of pieces of other images on each canvas.
        piece: Height and width of a piece in pixels; Mnih et al. use 8, with images of 28×28.

    Raises:
        ConfigError: The images are larger than the canvas.
    """

    shape: tuple[int, int]
    side: int
    clutter: int = 0
    piece: int = 8

    def __post_init__(self) -> None:
        if self.side < max(self.shape):
            raise ConfigError(
                f"a canvas of {self.side}×{self.side} is too small for images of {self.shape[1]}×{self.shape[0]}; "
                f"set options.canvas to {max(self.shape)} or more"
            )

    def draw(self, rng: np.random.Generator, count: int) -> Placements:
        """Draws the locations for some canvases; all are equally likely.

        Args:
            rng: Random generator.
            count: Number of canvases.
        """
        free = [self.side - n + 1 for n in self.shape]
        corners = rng.integers(free, size=(count, 2))
        bounds = [max(1, count - 1), *(n - self.piece + 1 for n in self.shape), *[self.side - self.piece + 1] * 2]
        pieces = rng.integers(bounds, size=(count, self.clutter, 5))
        # Pieces are never of the image itself: what was drawn is an offset to it, modulo the number of images.
        pieces[..., 0] = (np.arange(count)[:, None] + 1 + pieces[..., 0]) % count
        return Placements(corners, pieces)

    def compose(self, pictures: PixelArray, places: Placements, rows: IntArray) -> PixelArray:
        """Draws some canvases; where images and pieces overlap, the brighter pixel is visible.

        Args:
            pictures: All images, uint8 `(images, height, width)`.
            places: Locations for the canvases of all images.
            rows: Indices of the canvases, `(canvases,)`.

        Returns:
            uint8 `(canvases, side, side)`.
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
    """Batches of cluttered canvases, and noise for the locations of glimpses.

    A batch is `(inputs, targets)`. Inputs are `image`, uint8 `(batch, side, side)`, and `noise`,
    `(batch, glimpses, 2)`; targets are class numbers, `(batch,)`. With `shuffle`, each epoch has new canvases and
    noise, which depend on the seed, the epoch and the example only. Without it, they are always the same.

    Args:
        examples: Input `image`, uint8 `(examples, height, width)`, and class numbers.
        canvas: Draws the canvases.
        glimpses: Number of glimpses.
        noise: `"normal"`, `"uniform"` in [-1, 1], or `"none"` for zeros.
        batch_size: Number of rows in a batch.
        shuffle: Whether each epoch has a new order, new canvases and new noise; true for training.
        seed: Seed of order, canvases and noise.
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
        """The canvases of some examples, uint8 `(rows, side, side)`."""
        return self.canvas.compose(self.examples.inputs["image"], self.places, rows)

    def _draw(self) -> None:
        super()._draw()
        seed, n = (self.seed, self.epoch) if self.shuffle else FIXED, len(self.examples)
        self.places = self.canvas.draw(np.random.default_rng((*seed, 0)), n)
        self.noise = draw_noise(self.kind, (n, self.glimpses, 2), (*seed, 1))


def draw_noise(kind: str, shape: tuple[int, ...], seed: tuple[int, ...]) -> FloatArray:
    """Draws float32 noise.

    Args:
        kind: `"normal"`, `"uniform"` in [-1, 1], or `"none"` for zeros.
        shape: Shape of the result.
        seed: Random seed.
    """
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.standard_normal(shape, np.float32)
    return rng.uniform(-1, 1, shape).astype(np.float32) if kind == "uniform" else np.zeros(shape, np.float32)


def load_canvas(path: Path, side: int, invert: Literal["auto", "yes", "no"] = "auto") -> tuple[PixelArray, bool]:
    """Reads an image for prediction onto a canvas.

    An image that is smaller than the canvas is put into its middle; a larger one is scaled.

    Args:
        path: A PNG, JPG or BMP file.
        side: Height and width of the canvas in pixels.
        invert: Whether to invert the brightness; `"auto"`: if the border is bright.

    Returns:
        The canvas, uint8 `(side, side)`, and whether the brightness was inverted.

    Raises:
        DataError: The file does not exist, or is not an image.
    """
    shape = (side, side)
    small, inverted = files.load_image(path, None, invert)
    height, width = small.shape
    if max(height, width) > side:
        return files.load_image(path, shape, invert)
    background = int(np.median(np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])))
    canvas = np.full(shape, background, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = small
    return canvas, inverted
