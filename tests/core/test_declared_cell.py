"""A cell's description from its text: equal to that of its class."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from seqtasks.core import plugins
from seqtasks.core.declared_cell import cell_of
from seqtasks.core.errors import UnknownNameError

CELL = '''from seqtasks.cells import GRU, register_cell

@register_cell("mine", paper="none", year=2026, params="n")
class Mine(GRU):
    """A cell of my own.

    Its equations.
    """

    def __init__(self, units, leak=0.5, *, steps: int = 2, **kwargs):
        super().__init__(units, **kwargs)
'''


def bundled() -> list[str]:
    return [entry.name for entry in plugins.cells.entries() if entry.module.startswith("seqtasks.cells.")]


def test_bundled_cells_are_known_whole() -> None:
    from seqtasks.cells.base import cell_options

    assert len(bundled()) > 60
    for name in bundled():
        cell, cls = cell_of(name), plugins.load_cell(name)
        assert cell is not None, name
        assert list(cell.options.items()) == list(cell_options(cls).items()), name
        assert (cell.name, cell.about) == (name, inspect.cleandoc(cls.__doc__)), name
        assert str(cell.file) == inspect.getfile(cls)
        assert (cell.facts["params"], cell.facts["year"]) == (cls.params, cls.year)


def test_a_cell_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CELL, encoding="utf-8")
    for text in (str(path), f"{path}:mine"):
        cell = cell_of(text)
        assert cell is not None
        assert (cell.name, cell.about.split("\n")[0], cell.facts["year"]) == ("mine", "A cell of my own.", 2026)
        assert list(cell.options)[-2:] == ["leak", "steps"]
        assert (cell.options["leak"], cell.options["steps"]) == (0.5, 2)
    assert "seqtasks_file_cell_mine" not in sys.modules
    with pytest.raises(UnknownNameError, match="defines no cell 'other'"):
        cell_of(f"{path}:other")


@pytest.mark.parametrize(("old", "new"), [("(GRU)", "(Elsewhere)"), ("leak=0.5", "leak=LEAK"), ('"mine"', "NAME")])
def test_what_the_text_does_not_show_is_unknown(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CELL.replace(old, new), encoding="utf-8")
    assert cell_of(str(path)) is None
    assert cell_of("no_such_cell") is None
