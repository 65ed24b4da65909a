"""Draws user texts literally in matplotlib figures, in fonts that have their characters."""

from __future__ import annotations

import functools
import logging
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
_noted: set[str] = set()  # scripts without a font that a warning named


@contextmanager
def plain_text(figure: Figure) -> Iterator[None]:
    """Prepares the texts of a figure and silences matplotlib's warning of each missing glyph while it is drawn.

    `$`, `_` and `^` are characters, not formulas. Where the font of a text lacks some of its characters,
    installed fonts that have them follow it; a script that no font has is named by one warning.

    Args:
        figure: Complete; texts that are added later are not prepared.
    """
    from matplotlib.text import Text

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # Tick labels are empty until their ticks are placed.
    texts = figure.findobj(Text)
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
    written: dict[tuple[str, ...], set[str]] = {}
    for text in texts:
        written.setdefault(tuple(text.get_fontfamily()), set()).update(text.get_text())
    fallbacks = {families: _fallbacks(families, frozenset(signs)) for families, signs in written.items()}
    for text in texts:
        families = tuple(text.get_fontfamily())
        if fallbacks.get(families):
            text.set_fontfamily([*families, *fallbacks[families]])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def _fallbacks(families: tuple[str, ...], signs: frozenset[str]) -> list[str]:
    """Families to append so that all signs can be drawn, as few as possible."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    path = fontManager.findfont(FontProperties(family=list(families)))
    drawn = {sign for sign in signs if not unicodedata.category(sign).startswith(("C", "Z"))}
    missing = drawn - set(map(chr, get_font(path).get_charmap()))
    chosen: list[str] = []
    while missing:
        name, has = max(_characters().items(), key=lambda item: len(item[1] & missing), default=("", frozenset()))
        if not has & missing:
            _note(missing)
            break
        chosen.append(name)
        missing -= has
    return chosen


def _characters() -> dict[str, frozenset[str]]:
    """The characters of each installed font family that has an upright outline font."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():  # matplotlib keeps its list for good: fonts that were installed since are not in it
        if path not in known:
            try:
                fontManager.addfont(path)
            except (OSError, RuntimeError, ValueError):
                log.debug("matplotlib cannot read the font %s", path)
    entries = sorted(fontManager.ttflist, key=lambda entry: entry.style == "normal")  # the last of a family counts
    # Of "Last Resort", which matplotlib carries, every glyph is a box with the kind of the character.
    return {entry.name: _charmap(entry.fname) for entry in entries if not entry.name.startswith("Last Resort")}


@functools.cache
def _charmap(path: str) -> frozenset[str]:
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _note(missing: set[str]) -> None:
    scripts = {unicodedata.name(sign, "unnamed characters").split()[0] for sign in missing} - _noted
    if scripts:
        _noted.update(scripts)
        log.warning(
            "no installed font has the characters of %s, such as %s; pictures show boxes in their place; install a "
            "font that has them, such as Noto Sans",
            ", ".join(sorted(scripts)),
            " ".join(sorted(missing)[:5]),
        )
