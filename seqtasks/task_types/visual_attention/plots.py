"""Plots of glimpse locations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqtasks.core.arrays import FloatArray, PixelArray
from seqtasks.task_types.common import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style.styled
def glimpse_paths(
    images: PixelArray, locations: FloatArray, titles: Sequence[str], size: int, columns: int = 4
) -> Figure:
    """Draws the path of the glimpses over each image: a numbered square around each location.

    Args:
        images: Images, `(images, height, width)`, uint8.
        locations: Locations, `(images, glimpses, 2)`, row and column in [-1, 1].
        titles: Title of each image.
        size: Side of the finest patch of a glimpse in pixels, which the square shows.
        columns: Number of images in a row.
    """
    from matplotlib.patches import Rectangle

    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = style.new_figure(2.6 * columns, 2.8 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    colours = _colours(locations.shape[1])
    for axes, image, path, title in zip(grid, images, locations, titles, strict=False):
        # Locations are relative to the edges of the image; matplotlib's pixel coordinates to the centre of a pixel.
        y, x = ((path + 1) / 2 * image.shape - 0.5).T
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.plot(x, y, color="white", linewidth=0.8, alpha=0.7)
        for t, colour in enumerate(colours):
            corner = (x[t] - size / 2, y[t] - size / 2)
            axes.add_patch(Rectangle(corner, size, size, fill=False, edgecolor=colour, linewidth=1.2, clip_on=False))
            axes.annotate(str(t + 1), corner, color=colour, fontsize=7, annotation_clip=False)
        axes.set_title(title, fontsize=8)
    return figure


def _colours(count: int) -> list[tuple[float, ...]]:
    """Returns colours from dark to bright that are all visible on black."""
    from matplotlib import colormaps

    return [tuple(colormaps["plasma"](0.25 + 0.7 * i / max(1, count - 1))) for i in range(count)]
