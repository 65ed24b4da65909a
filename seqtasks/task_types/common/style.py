"""One style for all figures: sizes, colours, lines, and the title with task, cell and seed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

F = TypeVar("F", bound=Callable[..., Any])

# Okabe and Ito, https://jfly.uni-koeln.de/color/: distinct for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6A3D9A", "#8B5A2B", "#555555", "#B2182B")
FOR, AGAINST = "#55cc55", "#ff6655"  # background of what speaks for an answer, and against it
RIGHT, WRONG = "#1a7f37", "#cf222e"  # text of right and wrong answers
SHARE = "Blues"  # colours of shares and weights from 0 to 1
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "figure.titlesize": 10,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.4",
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}


def context() -> AbstractContextManager[Any]:
    """Context in which new figures have the style."""
    import matplotlib
    from cycler import cycler

    return matplotlib.rc_context({**STYLE, "axes.prop_cycle": cycler(color=COLOURS)})


def styled(draw: F) -> F:
    """Decorator of a function that draws a figure: it is drawn in the style."""

    @functools.wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        with context():
            return draw(*args, **kwargs)

    return drawn  # type: ignore[return-value]


def new_figure(width: float, height: float) -> Figure:
    """Creates an empty figure whose parts do not overlap.

    Args:
        width: Width in inches.
        height: Height in inches.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def colour(number: int) -> str:
    """Colour of a line; the colours repeat after the last one.

    Args:
        number: Number of the line, from 0.
    """
    return COLOURS[number % len(COLOURS)]


def whole_numbers(axis: Any) -> None:
    """Sets ticks at whole numbers.

    Args:
        axis: Axis of matplotlib.
    """
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def baseline(axes: Any, name: str, value: float) -> None:
    """Draws the test score of a baseline as a horizontal line.

    Args:
        axes: Axes of matplotlib.
        name: Name of the baseline.
        value: Its test score.
    """
    axes.axhline(value, color="0.35", linestyle="--", linewidth=1, label=f"{name} (baseline, test)")


def add_title(figure: Figure, text: str) -> None:
    """Adds a line with task, cell and seed above a figure that does not have such a title.

    Args:
        figure: Figure of matplotlib.
        text: The line.
    """
    if not figure.get_suptitle():
        figure.suptitle(text, fontsize=8, color="0.35")
