"""The registries of tasks and cells, and where their plugins are found.

Bundled tasks are the files of `tasks/`, bundled cells the `@register_cell` classes in
`seqtasks/cells/`; both are read as text, so listing them imports nothing. Other
packages offer theirs through the entry-point groups `seqtasks.tasks` and
`seqtasks.cells`, and `seqtasks run ./my_task.py` loads one file.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.errors import ConfigError, PluginError, SeqtasksError, UnknownNameError
from seqtasks.files import usable
from seqtasks.registry import Registry

if TYPE_CHECKING:
    from seqtasks.cells.base import Cell
    from seqtasks.task import Task


def load_task(name: str) -> type[Task]:
    """The task class called `name`, or defined by the file `name`.

    Raises:
        UnknownNameError: no such task or file.
        PluginError: its module cannot be imported.
    """
    if name.endswith(".py") or "/" in name:
        return load_task_file(Path(name))
    return tasks.get(name)


def load_task_file(path: Path) -> type[Task]:
    """The one task that a file defines.

    Raises:
        UnknownNameError: no such file, or the file defines no task.
        PluginError: the file cannot be imported.
    """
    if not usable(path, "task file").is_file():
        raise UnknownNameError(f"there is no task file {path}; give the path of a .py file with a @register_task class")
    path = path.resolve()
    module = f"seqtasks_file_{path.stem}"
    sys.modules.pop(module, None)
    tasks.forget(module)  # an older version, or another file of that name
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    _guard(f"task file {path}", lambda: spec.loader.exec_module(loaded))  # type: ignore[union-attr]
    found = [entry.value for entry in tasks.entries() if entry.module == module and entry.value is not None]
    if not found:
        raise UnknownNameError(f"{path} defines no task; decorate its class with @register_task")
    if len(found) > 1:
        names = ", ".join(cls.name for cls in found if cls is not None)
        raise ConfigError(f"{path} defines {len(found)} tasks: {names}; write each in a file of its own")
    found[0].file = path
    return found[0]


def _discover_tasks(registry: Registry[Any]) -> None:
    folder = Path(str(resources.files("seqtasks.tasks")))
    for file in sorted(folder.glob("[!_]*.py")):
        module = f"seqtasks.tasks.{file.stem}"
        registry.add_lazy(file.stem, _importer(f"task {file.stem}", module), module, _about_task(file))
    _add_entry_points(registry, "seqtasks.tasks")


def _discover_cells(registry: Registry[Any]) -> None:
    folder = Path(__file__).parent / "cells"
    for file in sorted(folder.glob("[!_]*.py")):
        module = f"seqtasks.cells.{file.stem}"
        for name, about in _about_cells(file):
            registry.add_lazy(name, _importer(f"cell {name}", module), module, about)
    _add_entry_points(registry, "seqtasks.cells")


def _add_entry_points(registry: Registry[Any], group: str) -> None:
    for point in metadata.entry_points(group=group):
        package = point.dist.name if point.dist is not None else point.value
        what = f"{registry.kind} {point.name} of package {package} ({point.value})"
        about = {"summary": f"from package {package}"}
        registry.add_lazy(point.name, _entry_loader(what, point), point.module, about)


def _importer(what: str, module: str) -> Callable[[], Any]:
    return lambda: _guard(what, lambda: importlib.import_module(module))


def _entry_loader(what: str, point: metadata.EntryPoint) -> Callable[[], Any]:
    return lambda: _guard(what, point.load)


def _guard(what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except SeqtasksError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may fail in any way; the cause is told and chained
        frames = traceback.extract_tb(error.__traceback__)
        ours = (__file__, importlib.__file__, metadata.__file__)
        its = [f for f in frames if f.filename not in ours and not f.filename.startswith("<frozen")] or frames[-1:]
        frame = [f for f in its if f.filename == its[0].filename][-1]  # in the plugin, not in what it calls
        where = f"{frame.filename}:{frame.lineno}"
        if isinstance(error, SyntaxError):
            where = f"{error.filename}:{error.lineno}"
        raise PluginError(
            f"{what} cannot be imported: {type(error).__name__}: {error} ({where}); correct or uninstall it"
        ) from error


def _about_task(file: Path) -> dict[str, Any]:
    tree = _parse(file)
    about = {"summary": _summary(tree)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ) and node.targets[0].id in ("topology", "metric"):
            about[node.targets[0].id] = str(node.value.value)
    return about


def _about_cells(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in ast.walk(_parse(file)):
        if not isinstance(node, ast.ClassDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "register_cell":
                facts = {k.arg: k.value.value for k in call.keywords if k.arg and isinstance(k.value, ast.Constant)}
                facts |= {"states": "h"} | _about_body(node)
                name = call.args[0]
                if isinstance(name, ast.Constant):
                    yield str(name.value), {"summary": _summary(node), **facts}


def _about_body(node: ast.ClassDef) -> dict[str, str]:
    """The states and engines of a cell, from the text of its class."""
    found: dict[str, str] = {}
    for part in node.body:
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name) and part.targets[0].id == "states":
            found["states"] = ", ".join(ast.literal_eval(part.value))
    own = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    own |= {
        name.id
        for part in node.body
        if isinstance(part, ast.Assign)
        for name in part.targets
        if isinstance(name, ast.Name)
    }
    methods = {"native": "native_loop", "keras": "keras_layer", "parallel": "scan"}
    more = [engine for engine, method in methods.items() if method in own]
    return found | {"engines": ", ".join(["loop", *more])}


def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError):
        return ast.Module(body=[], type_ignores=[])  # said in full when this plugin is asked for


def _summary(node: ast.Module | ast.ClassDef) -> str:
    lines = (ast.get_docstring(node) or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else ""


tasks: Registry[type[Task]] = Registry("task", _discover_tasks)
cells: Registry[type[Cell]] = Registry("cell", _discover_cells)
