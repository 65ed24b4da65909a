"""Fonts of matplotlib figures: draws texts literally, with fallback fonts for their characters."""

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
_warned: set[str] = set()  # scripts without a font that were already in a warning


@contextmanager
def plain_text(figure: Figure) -> Iterator[None]:
    """Context in which a figure is drawn with literal texts and fallback fonts.

    `$`, `_` and `^` are drawn as characters, not parsed as formulas. If the font of a text lacks some of its
    characters, installed fonts that have them are added as fallbacks. Each script without a font is named in one
    warning, in place of matplotlib's warnings for each missing glyph.

    Args:
        figure: The complete figure; texts that are added later are not prepared.
    """
    from matplotlib.text import Text

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # places the ticks; until then, tick labels are empty
    texts = figure.findobj(Text)
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
    characters_of: dict[tuple[str, ...], set[str]] = {}
    for text in texts:
        characters_of.setdefault(tuple(text.get_fontfamily()), set()).update(text.get_text())
    fallbacks = {
        families: _fallbacks(families, frozenset(characters)) for families, characters in characters_of.items()
    }
    for text in texts:
        families = tuple(text.get_fontfamily())
        if fallbacks.get(families):
            text.set_fontfamily([*families, *fallbacks[families]])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def _fallbacks(families: tuple[str, ...], characters: frozenset[str]) -> list[str]:
    """Chooses few font families that have the characters that `families` lack, by greedy set cover."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    path = fontManager.findfont(FontProperties(family=list(families)))
    visible = {char for char in characters if not unicodedata.category(char).startswith(("C", "Z"))}
    missing = visible - set(map(chr, get_font(path).get_charmap()))
    chosen: list[str] = []
    while missing:
        name, charmap = max(_characters().items(), key=lambda item: len(item[1] & missing), default=("", frozenset()))
        if not charmap & missing:
            _warn(missing)
            break
        chosen.append(name)
        missing -= charmap
    return chosen


def _characters() -> dict[str, frozenset[str]]:
    """Characters of each installed font family that has an upright outline font."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():  # matplotlib's cached list of fonts lacks those that were installed later
        if path not in known:
            try:
                fontManager.addfont(path)
            except (OSError, RuntimeError, ValueError):
                log.debug("matplotlib cannot read the font %s", path)
    # Upright fonts come last, because the last entry of a family stays in the dictionary.
    entries = sorted(fontManager.ttflist, key=lambda entry: entry.style == "normal")
    # matplotlib includes the font "Last Resort", whose glyphs are boxes with the kind of the character.
    return {entry.name: _charmap(entry.fname) for entry in entries if not entry.name.startswith("Last Resort")}


@functools.cache
def _charmap(path: str) -> frozenset[str]:
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _warn(missing: set[str]) -> None:
    """Logs a warning for the scripts of these characters that no earlier warning named."""
    scripts = {unicodedata.name(char, "unnamed characters").split()[0] for char in missing} - _warned
    if scripts:
        _warned.update(scripts)
        log.warning(
            "no installed font has the characters of %s, such as %s; figures show boxes instead; install a font that "
            "has them, such as Noto Sans",
            ", ".join(sorted(scripts)),
            " ".join(sorted(missing)[:5]),
        )
