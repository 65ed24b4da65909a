"""A cell's description read from its source text: docstring, options and facts, without importing Keras."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.core import plugins
from seqtasks.core.declared import PACKAGE, SourceClass, UnreadableError, line_of, tree_of
from seqtasks.core.declared_task import evaluated
from seqtasks.core.errors import ConfigError, suggest

_BASE = PACKAGE / "cells" / "base.py"


@dataclass(frozen=True)
class DeclaredCell:
    """Description of a cell, as far as its text shows it.

    Attributes:
        name: Name of the cell.
        about: Docstring of its class.
        facts: As in the registry: `states`, `inputs`, `params`, `engines`, `paper`, `year`.
        options: Arguments other than `units`, also those of its base classes, with their defaults.
        file: Its file.
    """

    name: str
    about: str
    facts: Mapping[str, Any]
    options: Mapping[str, Any]
    file: Path


def cell_of(text: str) -> DeclaredCell | None:
    """The description of a cell; None if its text does not show all of it, as for cells of other packages.

    Args:
        text: Name of a registered cell, `FILE.py`, or `FILE.py:NAME`.

    Raises:
        UnknownNameError: There is no such file, or it has no such cell.

    Example:
        >>> cell_of("lem").options["dt"]
        1.0
    """
    place = plugins.cell_file(text)
    if place is not None:
        name, files = plugins.cell_in_file(*place), [place[0]]
    else:
        modules = [entry.module for entry in plugins.cells.entries() if entry.name == text]
        files = [plugins.CELLS / f"{module.rpartition('.')[2]}.py" for module in modules if _is_bundled(module)]
        name = text
    try:
        for file in files:
            for node in ast.walk(tree_of(file)):
                if isinstance(node, ast.ClassDef):
                    facts = dict(plugins.about_cells(ast.Module([node], [])))
                    if name in facts:
                        if not _is_literal(node):
                            return None
                        about = ast.get_docstring(node) or ""
                        options = _options(SourceClass(file, node))
                        return DeclaredCell(str(name), inspect.cleandoc(about), facts[name], options, file)
    except (UnreadableError, ValueError, NameError, TypeError):
        pass
    return None


def check_options(name: str, options: Iterable[str], allowed: Collection[str]) -> None:
    """Checks the names of a cell's options.

    Args:
        name: Name of the cell.
        options: Names that were given.
        allowed: Names of the options that the cell has.

    Raises:
        ConfigError: The cell has no such option.
    """
    for key in options:
        if key not in allowed:
            hint = suggest(key, allowed, "encoder.options.", f"`seqtasks show cell {name}`")
            raise ConfigError(f"cell {name} has no option {key!r}; {hint}")


def _is_literal(node: ast.ClassDef) -> bool:
    """Whether every argument of the decorators is a literal, which needs no code to run."""
    calls = [call for call in node.decorator_list if isinstance(call, ast.Call)]
    return all(isinstance(keyword.value, ast.Constant) for call in calls for keyword in call.keywords)


def _is_bundled(module: str) -> bool:
    return module.startswith("seqtasks.cells.")


def _options(cls: SourceClass) -> dict[str, Any]:
    """The arguments of `__init__` of a class and of its base classes up to `Cell`, with their defaults."""
    bases = []
    for base in line_of(cls):
        bases.append(base)
        if base.file == _BASE and base.node.name == "Cell":
            break
    options: dict[str, Any] = {}
    for base in reversed(bases):
        for part in base.node.body:
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                options |= _arguments(base.file, part)
    options.pop("units", None)
    return options


def _arguments(file: Path, function: ast.FunctionDef) -> dict[str, Any]:
    names = [argument.arg for argument in function.args.args[1:]]
    defaults = [evaluated(file, node) for node in function.args.defaults]
    without = [inspect.Parameter.empty] * (len(names) - len(defaults))
    alone = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    keywords = {argument.arg: evaluated(file, node) if node else inspect.Parameter.empty for argument, node in alone}
    return dict(zip(names, [*without, *defaults], strict=True)) | keywords
