"""Heat map of the matrix of a suite: models by tasks, grouped by family of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqtasks.experiments.matrix import Matrix
from seqtasks.experiments.matrix_formats import cells
from seqtasks.task_types.common import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style.styled
def draw(matrix: Matrix) -> Figure:
    """Draws the means of all models; the colour is where a mean lies between chance and the ceiling.

    Args:
        matrix: The matrix; only its models are drawn. Beside them stands whether they are linear in the state.
    """
    header, body = cells(matrix)
    numbers = [i for i, line in enumerate(matrix.lines) if line.kind == "model"]
    lines = [matrix.lines[i] for i in numbers]
    shares = [[matrix.share(entry, i) for i, entry in enumerate(line.entries)] for line in lines]
    values = np.array([[np.nan if one is None else one for one in line] for line in shares], float)
    longest = max(len(line.label) for line in lines)
    figure = style.new_figure(0.085 * longest + 0.95 * len(header[2:]) + 1.6, max(2.6, 0.27 * len(lines) + 1.5))
    axes = figure.subplots()
    image = axes.imshow(values, cmap=style.SHARE, vmin=0, vmax=1, aspect="auto")
    for row, number in enumerate(numbers):
        for column, text in enumerate(body[number][2:]):
            shade = "white" if values[row, column] > 0.55 else "black"
            axes.text(column, row, text.partition(" ")[0], ha="center", va="center", fontsize=7, color=shade)
    families = [line.family for line in lines]
    for row in range(1, len(lines)):
        if families[row] != families[row - 1]:
            axes.axhline(row - 0.5, color="black", linewidth=1.2)
    axes.set_xticks(range(len(header[2:])), header[2:], rotation=30, ha="left")
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(lines)), [line.label for line in lines])
    for family in dict.fromkeys(families):
        rows = [row for row, one in enumerate(families) if one == family]
        place = (1.01, float(np.mean(rows)))
        axes.annotate(family, place, xycoords=("axes fraction", "data"), va="center", fontsize=8, annotation_clip=False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="chance (0) to ceiling (1)", pad=0.09)
    return figure
