"""Reads what a task class declares from its source: data sources and names of options.

A check that must not wait for the import of Keras reads it here. What the text does not
show, such as a value that is computed, is left out.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
FACTS = ("tfds", "files", "builtin")


class _UnreadableError(Exception):
    """The text does not show it."""


@dataclass(frozen=True)
class _Class:
    file: Path
    node: ast.ClassDef


def facts_of_task(file: Path) -> dict[str, Any]:
    """The facts `tfds`, `files`, `builtin` and `options` of the only task that a file registers.

    Args:
        file: a Python file; it is not imported.

    Returns:
        The facts that the text shows; `options` is the list of names.
    """
    try:
        return dict(_facts(file, file.stat().st_mtime_ns))
    except OSError:
        return {}


@functools.lru_cache
def _facts(file: Path, _changed: int) -> dict[str, Any]:
    try:
        classes = [node for node in ast.walk(_tree(file)) if isinstance(node, ast.ClassDef)]
        tasks = [_Class(file, node) for node in classes if _registers(node)]
    except _UnreadableError:
        return {}
    facts: dict[str, Any] = {}
    if len(tasks) != 1:
        return facts
    for name in FACTS:
        try:
            facts[name] = ast.literal_eval(_value(tasks[0], name)[0])
        except (_UnreadableError, ValueError):
            continue
    try:
        value, where = _value(tasks[0], "Options")
        options = _Class(where, value) if isinstance(value, ast.ClassDef) else _named(where, value)
        facts["options"] = [name for cls in _line(options) for name in _fields(cls.node)]
    except _UnreadableError:
        pass
    return facts


def _registers(node: ast.ClassDef) -> bool:
    calls = [part.func for part in node.decorator_list if isinstance(part, ast.Call)]
    return any(ast.unparse(call).rpartition(".")[2] == "register_task" for call in calls)


def _tree(file: Path) -> ast.Module:
    try:
        return _parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError) as error:
        raise _UnreadableError from error


@functools.lru_cache(maxsize=64)  # a file is looked into for each fact
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def _value(cls: _Class, name: str) -> tuple[Any, Path]:
    """The node that a class attribute is assigned, its own or inherited, and the file that it stands in."""
    for one in _line(cls):
        node: ast.AST | None = None
        for part in _statements(one.node):
            if isinstance(part, ast.FunctionDef | ast.ClassDef) and part.name == name:
                node = part
            elif isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None:
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    node = part.value if part in one.node.body else part
        if node is not None:
            return node, one.file
    raise _UnreadableError


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements of a class body and of the blocks in it, without those of functions and classes."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt):
            yield part
            if not isinstance(part, ast.FunctionDef | ast.ClassDef):
                yield from _statements(part)


def _line(cls: _Class) -> Iterator[_Class]:
    """A class and those that it inherits from.

    Raises:
        _UnreadableError: several bases, or one whose source is not at hand.
    """
    yield cls
    bases = [base for base in cls.node.bases if ast.unparse(base) != "ABC"]
    if len(bases) > 1:
        raise _UnreadableError
    if bases:
        yield from _line(_named(cls.file, bases[0]))


def _named(file: Path, node: Any) -> _Class:
    """The class that a name means in a file, followed through imports from seqtasks."""
    module, _, name = ast.unparse(node).rpartition(".")
    if module.split(".")[0] == "seqtasks":
        return _in(module, name)
    tree = _tree(file)
    for part in tree.body:
        if isinstance(part, ast.ClassDef) and part.name == name and not module:
            return _Class(file, part)
        if isinstance(part, ast.ImportFrom) and not module:
            for alias in part.names:
                if (alias.asname or alias.name) == name:
                    return _in(_module(file, part), alias.name)
    raise _UnreadableError


def _module(file: Path, node: ast.ImportFrom) -> str:
    """The absolute name of the module that an import statement names; relative ones stand in our stubs only."""
    if not node.level:
        return str(node.module)
    package = ".".join(("seqtasks", *file.parent.relative_to(PACKAGE).parts))
    return f"{package}.{node.module}"


def _in(module: str, name: str) -> _Class:
    package, *parts = module.split(".")
    if package != "seqtasks":
        raise _UnreadableError
    file = PACKAGE.joinpath(*parts)
    stub = file / "__init__.pyi"  # it lists what a package imports lazily
    if stub.is_file():
        return _named(stub, ast.Name(name))
    return _named(file / "__init__.py" if file.is_dir() else file.with_suffix(".py"), ast.Name(name))


def _fields(node: ast.ClassDef) -> list[str]:
    return [
        part.target.id for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    ]
