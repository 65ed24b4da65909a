"""Text whose background shows the value of a unit at each character or word: HTML and terminal."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from rich.text import Text

from seqtasks.core.arrays import FloatArray, IntArray

LEVELS = 8  # shades of each sign
NEGATIVE, POSITIVE = (33, 102, 172), (178, 24, 43)  # the ends of matplotlib's RdBu_r

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
html { color: #222; background: #fff; }
h2 { font-size: 1rem; margin: 2rem 0 .4rem; }
pre { font: 14px/1.55 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  border: 1px solid #ddd; padding: .8rem; max-height: 26rem; overflow-y: auto; }
.legend span { padding: 0 .5em; }
"""


def levels(values: FloatArray) -> IntArray:
    """Shade of each value, from -8 to 8, of the 99th percentile of the absolute values.

    Args:
        values: Values of a unit, `(steps,)`.

    Example:
        >>> levels(np.array([-1.0, 0.0, 0.5])).tolist()
        [-8, 0, 4]
    """
    limit = float(np.quantile(np.abs(values), 0.99)) if len(values) else 0.0
    scaled = np.zeros(len(values)) if limit == 0 else np.clip(values / limit, -1, 1)
    return np.rint(scaled * LEVELS).astype(np.int64)


def colour(level: int) -> tuple[int, int, int]:
    """Background of a shade, as red, green and blue from 0 to 255; white for 0."""
    end, share = (POSITIVE if level > 0 else NEGATIVE), 0.8 * abs(level) / LEVELS
    red, green, blue = (round(255 + (part - 255) * share) for part in end)
    return red, green, blue


def page(title: str, labels: Sequence[str], separator: str, units: Sequence[tuple[str, FloatArray]]) -> str:
    """Returns an HTML page with the text once for each unit, coloured by it.

    The page is one file without scripts or links.

    Args:
        title: Title of the page.
        labels: Text of each step, `(steps,)`.
        separator: Text between two steps.
        units: Title and values, `(steps,)`, of each unit.
    """
    shades = [level for level in range(-LEVELS, LEVELS + 1) if level]
    legend = "".join(f'<span class="{_name(level)}">&nbsp;</span>' for level in shades)
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{STYLE}{rules()}</style></head><body><h1>{html.escape(title)}</h1>",
        f'<p class="legend">lowest value {legend} highest value of a unit, after the character or word was read; white '
        "is 0</p>",
    ]
    for name, values in units:
        parts.append(f"<h2>{html.escape(name)}</h2>\n<pre>{spans(labels, separator, levels(values))}</pre>")
    return "\n".join([*parts, "</body></html>\n"])


def terminal(labels: Sequence[str], separator: str, values: FloatArray) -> Text:
    """Returns the text with a background that shows the values, for a terminal of 24-bit colours.

    Args:
        labels: Text of each step, `(steps,)`.
        separator: Text between two steps.
        values: Values of a unit, `(steps,)`.
    """
    text = Text()
    for label, level in zip(labels, levels(values).tolist(), strict=True):
        red, green, blue = colour(level)
        text.append(label + separator, style=f"#000000 on #{red:02x}{green:02x}{blue:02x}" if level else "")
    return text


def _name(level: int) -> str:
    """Name of the CSS class of a shade."""
    return f"{'p' if level > 0 else 'n'}{abs(level)}"


def rules() -> str:
    """The style sheet of the shades in `spans`."""
    shades = [level for level in range(-LEVELS, LEVELS + 1) if level]
    return "".join(f".{_name(level)} {{ background: rgb{colour(level)}; color: #000; }}\n" for level in shades)


def spans(labels: Sequence[str], separator: str, shades: IntArray) -> str:
    """Returns the text as HTML; neighbours of the same shade share an element.

    Args:
        labels: Text of each step, `(steps,)`.
        separator: Text between two steps.
        shades: Shade of each step, see `levels`; `rules` is their style sheet.

    Example:
        >>> spans(["a", "b", "<"], "", np.array([3, 3, 0]))
        '<span class="p3">ab</span>&lt;'
    """
    pieces: list[str] = []
    begin = 0
    for end in range(1, len(labels) + 1):
        if end == len(labels) or shades[end] != shades[begin]:
            text = html.escape("".join(label + separator for label in labels[begin:end]))
            level = int(shades[begin])
            pieces.append(f'<span class="{_name(level)}">{text}</span>' if level else text)
            begin = end
    return "".join(pieces)
