"""A task's declarations made from its source text: settings with types and limits, data sources, inputs of `predict`.

Importing a task imports Keras, which takes seconds. Its options are plain dataclasses: their classes, with the
constants and type aliases they name, are executed alone.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqtasks.core.declared import PACKAGE, SourceClass, UnreadableError, module_of, registers, tree_of, value_of

_LIGHT = ("seqtasks.core.",)  # modules that may be imported, besides the standard library


@dataclass(frozen=True)
class DeclaredTask:
    """Declarations of a task class; attributes as those of `seqtasks.Task`.

    Attributes:
        name: Name of the task.
        about: Docstring of its file, else of its class.
        topology: As `Task.topology`, and so on.
    """

    name: str
    about: str
    topology: str
    metric: str
    higher_is_better: bool
    version: int
    Options: type
    PredictOptions: type
    tfds: str | tuple[str, ...] | None
    files: bool | Literal["any"]
    builtin: str | None
    packages: Mapping[str, Sequence[str]]
    reads: str
    fills: tuple[str, ...]


def task_of_class(cls: type[Any]) -> DeclaredTask:
    """The declarations of a task that is imported.

    Args:
        cls: Subclass of `seqtasks.Task`.
    """
    values = {
        field.name: getattr(cls, field.name) for field in dataclasses.fields(DeclaredTask) if field.name != "about"
    }
    module = inspect.getmodule(cls)
    return DeclaredTask(about=inspect.cleandoc((module.__doc__ if module else None) or cls.__doc__ or ""), **values)


def task_of_file(file: Path) -> DeclaredTask | None:
    """The declarations of the one task that a file registers.

    Args:
        file: Path of a Python file; it is not imported.

    Returns:
        The declarations; None if the text does not show all of them, as for options that need another package.

    Example:
        >>> from importlib.util import find_spec
        >>> task_of_file(Path(find_spec("seqtasks.tasks.adding").origin)).Options().length
        100
    """
    try:
        return _task(file, file.stat().st_mtime_ns)
    except OSError:
        return None


@functools.lru_cache(maxsize=8)
def _task(file: Path, _changed: int) -> DeclaredTask | None:
    try:
        classes = [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.ClassDef)]
        (node,) = [node for node in classes if registers(node)]
        cls = SourceClass(file, node)
        values = {field.name: _fact(cls, field.name) for field in dataclasses.fields(DeclaredTask)[2:]}
        if not all(dataclasses.is_dataclass(values[name]) for name in ("Options", "PredictOptions")):
            return None
        about = ast.get_docstring(tree_of(file)) or ast.get_docstring(node) or ""
        return DeclaredTask(_name(node), about, **values)
    except Exception:  # what is executed is the text of a plugin, and may fail in any way
        return None


def _name(node: ast.ClassDef) -> str:
    """The name that `@register_task` gives a class."""
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and call.args:
            return str(ast.literal_eval(call.args[0]))
    raise UnreadableError


def _fact(cls: SourceClass, name: str) -> Any:
    """The value of a class attribute, perhaps inherited."""
    node, file = value_of(cls, name)
    if isinstance(node, ast.ClassDef):
        return _executed(file, node)
    if not isinstance(node, ast.expr):
        raise UnreadableError
    return evaluated(file, node)


def evaluated(file: Path, node: ast.expr) -> Any:
    """The value of an expression at the top level of a file."""
    return eval(compile(ast.Expression(node), str(file), "eval"), _names(file, node))


def _executed(file: Path, node: ast.ClassDef | ast.FunctionDef) -> Any:
    """The class or function of a definition at the top level of a file; annotations are evaluated."""
    names = _names(file, node)
    code = compile(ast.Module([node], []), str(file), "exec", dont_inherit=True)
    exec(code, names)
    return names[node.name]


def _names(file: Path, node: ast.AST) -> dict[str, Any]:
    """The names that code needs, by their values."""
    names: dict[str, Any] = {"__name__": f"seqtasks_text_{file.stem}"}
    for name in dict.fromkeys(_used(node)):
        if not hasattr(builtins, name):
            names[name] = _resolved(file, name)
    return names


def _used(node: ast.AST) -> Iterator[str]:
    """The names that are read in code, without those in the bodies of functions other than `__post_init__`."""
    if isinstance(node, ast.FunctionDef) and node.name != "__post_init__":
        parts: list[ast.AST] = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
    else:
        parts = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    for part in parts:
        yield from _used(part)


def _resolved(file: Path, name: str) -> Any:
    """The value of a name at the top level of a file.

    Raises:
        UnreadableError: It comes from a package that is not imported here.
    """
    return _made(file, file.stat().st_mtime_ns, name)


@functools.lru_cache(maxsize=512)
def _made(file: Path, _changed: int, name: str) -> Any:
    for part in tree_of(file).body:
        if isinstance(part, ast.ClassDef | ast.FunctionDef) and part.name == name:
            return _executed(file, part)
        if isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None:
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return evaluated(file, part.value)
        if isinstance(part, ast.Import):
            for alias in part.names:
                if (alias.asname or alias.name) == name:
                    return _module_of_library(alias.name)
        if isinstance(part, ast.ImportFrom):
            for alias in part.names:
                if (alias.asname or alias.name) == name:
                    return _imported(module_of(file, part), alias.name)
    raise UnreadableError


def _imported(module: str, name: str) -> Any:
    package, *parts = module.split(".")
    if package != "seqtasks" or module.startswith(_LIGHT):
        return getattr(_module_of_library(module), name)
    path = PACKAGE.joinpath(*parts)
    if (path / name).with_suffix(".py").is_file():
        return _Text((path / name).with_suffix(".py"))
    stub = path / "__init__.pyi"  # lists the names that a package imports lazily
    if stub.is_file():
        return _resolved(stub, name)
    return _resolved(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"), name)


class _Text:
    """A module of seqtasks that is not imported.

    Args:
        file: Its file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return _resolved(self._file, name)


def _module_of_library(name: str) -> Any:
    if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(_LIGHT):
        raise UnreadableError
    return importlib.import_module(name)
