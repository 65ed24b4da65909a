"""Reads data sources and option names of a task class without importing it.

This allows checks before the slow import of Keras. A fact that the text does not show, such as a
computed value, is left out.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
FACTS = ("tfds", "files", "builtin", "packages")


class UnreadableError(Exception):
    """The source text does not show a fact."""


@dataclass(frozen=True)
class SourceClass:
    file: Path
    node: ast.ClassDef


def facts_of_task(file: Path) -> dict[str, Any]:
    """Reads `tfds`, `files`, `builtin`, `packages` and `options` of the one task that a file registers.

    Args:
        file: Path of a Python file; it is not imported.

    Returns:
        The facts that the text shows; `options` is a list of names.
    """
    try:
        return dict(_facts(file, file.stat().st_mtime_ns))
    except OSError:
        return {}


def attribute_of_task(file: Path, name: str) -> Any:
    """Reads a class attribute of the one task that a file registers, perhaps inherited.

    Args:
        file: Path of a Python file; it is not imported.
        name: Name of the attribute.

    Returns:
        The value; None if the text does not show it.
    """
    try:
        classes = [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.ClassDef) and registers(node)]
        return ast.literal_eval(value_of(SourceClass(file, classes[0]), name)[0]) if len(classes) == 1 else None
    except (UnreadableError, ValueError):
        return None


@functools.lru_cache
def _facts(file: Path, _changed: int) -> dict[str, Any]:
    try:
        classes = [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.ClassDef)]
        tasks = [SourceClass(file, node) for node in classes if registers(node)]
    except UnreadableError:
        return {}
    facts: dict[str, Any] = {}
    if len(tasks) != 1:
        return facts
    for name in FACTS:
        try:
            facts[name] = ast.literal_eval(value_of(tasks[0], name)[0])
        except (UnreadableError, ValueError):
            continue
    try:
        value, where = value_of(tasks[0], "Options")
        options = SourceClass(where, value) if isinstance(value, ast.ClassDef) else named(where, value)
        facts["options"] = [name for cls in line_of(options) for name in _fields(cls.node)]
    except UnreadableError:
        pass
    return facts


def registers(node: ast.ClassDef) -> bool:
    calls = [part.func for part in node.decorator_list if isinstance(part, ast.Call)]
    return any(ast.unparse(call).rpartition(".")[2] == "register_task" for call in calls)


def tree_of(file: Path) -> ast.Module:
    try:
        return _parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError) as error:
        raise UnreadableError from error


@functools.lru_cache(maxsize=64)  # each fact parses its file again
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def value_of(cls: SourceClass, name: str) -> tuple[Any, Path]:
    """The node of a class attribute's value, perhaps inherited, and the file it is in."""
    for one in line_of(cls):
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
    raise UnreadableError


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the statements of a class body and of blocks in it, such as `if`.

    Statements of functions and classes in the body are left out.
    """
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt):
            yield part
            if not isinstance(part, ast.FunctionDef | ast.ClassDef):
                yield from _statements(part)


def line_of(cls: SourceClass) -> Iterator[SourceClass]:
    """Yields a class and its base classes, in the order of inheritance.

    Raises:
        UnreadableError: A class has several bases, or one whose source cannot be found.
    """
    yield cls
    bases = [base for base in cls.node.bases if ast.unparse(base) != "ABC"]
    if len(bases) > 1:
        raise UnreadableError
    if bases:
        yield from line_of(named(cls.file, bases[0]))


def named(file: Path, node: Any) -> SourceClass:
    """The class that a name refers to in a file; imports from seqtasks are followed."""
    module, _, name = ast.unparse(node).rpartition(".")
    if module.split(".")[0] == "seqtasks":
        return _in(module, name)
    tree = tree_of(file)
    for part in tree.body:
        if isinstance(part, ast.ClassDef) and part.name == name and not module:
            return SourceClass(file, part)
        if isinstance(part, ast.ImportFrom) and not module:
            for alias in part.names:
                if (alias.asname or alias.name) == name:
                    return _in(module_of(file, part), alias.name)
    raise UnreadableError


def module_of(file: Path, node: ast.ImportFrom) -> str:
    """The absolute module name of an import; only stubs of seqtasks have relative ones."""
    if not node.level:
        return str(node.module)
    package = ".".join(("seqtasks", *file.parent.relative_to(PACKAGE).parts))
    return f"{package}.{node.module}"


def _in(module: str, name: str) -> SourceClass:
    package, *parts = module.split(".")
    if package != "seqtasks":
        raise UnreadableError
    file = PACKAGE.joinpath(*parts)
    stub = file / "__init__.pyi"  # lists the names that a package imports lazily
    if stub.is_file():
        return named(stub, ast.Name(name))
    return named(file / "__init__.py" if file.is_dir() else file.with_suffix(".py"), ast.Name(name))


def _fields(node: ast.ClassDef) -> list[str]:
    return [
        part.target.id for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    ]
