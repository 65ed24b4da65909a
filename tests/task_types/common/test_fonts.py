"""Fonts of figures: fallback fonts for characters, and a warning for a script without a font."""

import logging
import warnings

import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from seqtasks.task_types.common import fonts
from seqtasks.task_types.common.plots import save_figure

YI = "\ua000\ua001"  # in no font that matplotlib includes


def make_font(path, characters):
    """Writes a font in which every glyph is a square."""
    builder = pytest.importorskip("fontTools.fontBuilder").FontBuilder(1000)
    pen = pytest.importorskip("fontTools.pens.ttGlyphPen").TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(point)
    pen.closePath()
    names = [".notdef", *(f"u{ord(character):04X}" for character in characters)]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(character): name for character, name in zip(characters, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def only_included(monkeypatch):
    """Restricts the fonts to those that matplotlib includes, and forgets earlier warnings."""
    entries = [entry for entry in font_manager.fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", entries)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    monkeypatch.setattr(fonts, "_warned", set())
    font_manager.fontManager._findfont_cached.cache_clear()


def draw(path, text):
    figure = Figure()
    axes = figure.subplots()
    axes.set_xticks([0], [text])
    title = axes.set_title(f"a {text}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, path)
    return title.get_fontfamily()


def test_a_font_that_was_installed_since_is_chosen(tmp_path, only_included, monkeypatch, caplog):
    make_font(tmp_path / "squares.ttf", YI)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / "squares.ttf")])
    assert draw(tmp_path / "a.png", YI) == ["sans-serif", "Squares"]
    assert draw(tmp_path / "b.png", "plain é Ж \n") == ["sans-serif"]
    assert not caplog.records


def test_a_script_without_a_font_is_named_once(tmp_path, only_included, caplog):
    with caplog.at_level(logging.WARNING):
        for name in ("a.png", "b.png"):
            assert draw(tmp_path / name, YI) == ["sans-serif"]
    (record,) = caplog.records
    assert "no installed font has the characters of YI, such as \ua000 \ua001" in record.getMessage()
