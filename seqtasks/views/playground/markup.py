"""HTML of answers: tables, probabilities as bars, coloured texts, pictures."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

MOST_ROWS = 200  # maximum number of rows of a table
SHORT = 20  # number of rows above which a table is scrolled

CSS = """
.answer { overflow-x: auto; }
.answer table { border-collapse: collapse; font-size: .9rem; border: 0 !important; margin: .4rem 0; }
.answer tr { border: 0 !important; background: none !important; }
.answer th, .answer td { text-align: left; padding: .15rem .8rem .15rem 0; border: 0 !important; }
.answer th { font-size: .8rem; font-weight: 600; opacity: .75; }
.answer .number { text-align: right; font-variant-numeric: tabular-nums; }
.answer .long { max-height: 28rem; overflow-y: auto; }
.answer .best { font-size: 1.3rem; font-weight: 600; overflow-wrap: anywhere; }
.answer .bar { background: #0072B2; height: .8rem; border-radius: 2px; min-width: 1px; }
.answer .track { width: 9rem; }
.answer mark { color: #000; padding: .05rem 0; border-radius: 2px; }
.answer img { max-width: 100%; max-height: 48rem; object-fit: contain; background: #fff; }
.answer ruby { ruby-position: under; white-space: pre; margin-right: .5rem; line-height: 3; }
.answer rt { font-size: .7rem; opacity: .85; }
.answer .text { white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, Menlo, Consolas, monospace; }
.answer .note { opacity: .75; font-size: .85rem; }
"""


def escape(text: str) -> str:
    """The text with `<`, `&` and quotes written for HTML."""
    return html.escape(text)


def block(*parts: str) -> str:
    """Joins the parts of an answer to one element."""
    return f'<div class="answer">{"".join(parts)}</div>'


def paragraph(text: str, name: str = "") -> str:
    """A paragraph of plain text with a CSS class."""
    return f'<p class="{name}">{html.escape(text)}</p>'


def picture(png: bytes, alt: str) -> str:
    """A PNG file inside the page, so that no file is left on the server.

    Args:
        png: Content of the file.
        alt: Text in place of the picture.
    """
    return f'<img alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def number(value: Any) -> str:
    """Text of a value; numbers have at most five digits.

    Example:
        >>> number(0.123456789), number(12), number(None)
        ('0.12346', '12', '')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of rows with the same columns; of long ones the beginning.

    Args:
        rows: Values by the name of the column.

    Example:
        >>> table([{"a<b": 2}])
        '<table><tr><th class="number">a&lt;b</th></tr><tr><td class="number">2</td></tr></table>'
    """
    if not rows:
        return ""
    columns = list(dict.fromkeys(key for row in rows[:MOST_ROWS] for key in row))
    first = {name: next((row[name] for row in rows if row.get(name) is not None), None) for name in columns}
    lines = ["".join(f"<th{_class(first[name])}>{html.escape(str(name))}</th>" for name in columns)]
    lines += ["".join(_cell(row.get(name)) for name in columns) for row in rows[:MOST_ROWS]]
    more = len(rows) - MOST_ROWS
    note = paragraph(f"… and {more:,} more rows", "note") if more > 0 else ""
    whole = f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>{note}"
    return f'<div class="long">{whole}</div>' if len(rows) > SHORT else whole


def bars(probabilities: Mapping[str, float], most: int = 10) -> str:
    """Probabilities as bars, the largest first.

    Args:
        probabilities: Probability of each name.
        most: Maximum number of bars.
    """
    largest = sorted(probabilities.items(), key=lambda pair: -pair[1])[:most]
    lines = [
        f"<tr><td>{html.escape(name)}</td>"
        f'<td class="track"><div class="bar" style="width: {100 * min(1.0, max(0.0, p)):.1f}%"></div></td>'
        f'<td class="number">{p:.3f}</td></tr>'
        for name, p in largest
    ]
    return f"<table>{''.join(lines)}</table>"


def colored(text: Text) -> str:
    """A text of rich with the backgrounds of its spans.

    Args:
        text: Text whose spans have styles such as `black on #55cc55` and do not overlap.

    Example:
        >>> text = Text("a < b")
        >>> text.stylize("black on #ff0000", 2, 3)
        >>> colored(text)
        'a <mark style="background: #ff0000">&lt;</mark> b'
    """
    pieces, end = [], 0
    for span in sorted(text.spans, key=lambda span: span.start):
        background = str(span.style).rpartition(" ")[2]
        if span.start < end or not background.startswith("#"):
            continue
        piece = html.escape(text.plain[span.start : span.end])
        pieces += [
            html.escape(text.plain[end : span.start]),
            f'<mark style="background: {background}">{piece}</mark>',
        ]
        end = span.end
    return "".join([*pieces, html.escape(text.plain[end:])])


def tagged(words: Iterable[str], tags: Iterable[str]) -> str:
    """Words above their tags."""
    pairs = zip(words, tags, strict=True)
    return "".join(f"<ruby>{html.escape(word)}<rt>{html.escape(tag)}</rt></ruby> " for word, tag in pairs)


def _cell(value: Any) -> str:
    if isinstance(value, Text):
        return f"<td>{colored(value)}</td>"
    return f"<td{_class(value)}>{html.escape(number(value))}</td>"


def _class(value: Any) -> str:
    """The class of a cell, by the type of its value."""
    return ' class="number"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
