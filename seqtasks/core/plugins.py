"""Registries of tasks, cells and trackers, and discovery of plugins.

Bundled tasks are the files of `tasks/`, bundled cells the `@register_cell` classes in
`seqtasks/cells/`, bundled trackers the files of `seqtasks/training/trackers/`. They are discovered from
their source text, without importing them. Other packages provide theirs through the entry-point groups
`seqtasks.tasks`, `seqtasks.cells` and `seqtasks.trackers`; `seqtasks run ./my_task.py encoder.cell=./my_cell.py`
loads single files.
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
from typing import Any

from seqtasks.core.declared import attribute_of_task, facts_of_task
from seqtasks.core.declared_task import DeclaredTask, task_of_file
from seqtasks.core.errors import ConfigError, PluginError, SeqtasksError, UnknownNameError, listed
from seqtasks.core.files import usable
from seqtasks.core.registry import FILE_MODULE, Registry

CELLS = Path(__file__).parents[1] / "cells"
TRACKERS = Path(__file__).parents[1] / "training" / "trackers"


def check_task(name: str) -> bool:
    """Checks that a task exists, without importing it.

    Args:
        name: Name of a task, or path of a task file.

    Returns:
        Whether it is a file of the user.

    Raises:
        UnknownNameError: There is no such task or file.
        ConfigError: No file can have that name.
    """
    name = task_name(name)
    from_file = name.endswith(".py") or "/" in name
    if from_file:
        check_file(Path(name), "task")
    elif name not in tasks:
        raise UnknownNameError(f"unknown task {name!r}; {tasks.suggest(name)}")
    return from_file


def load_task(name: str) -> type[Any]:
    """Loads a task class.

    Args:
        name: Name of a registered task, or path of a task file.

    Raises:
        UnknownNameError: There is no such task or file.
        PluginError: The module cannot be imported.

    Example:
        >>> load_task("mnist_rows").topology
        'many-to-one'
    """
    name = task_name(name)
    if name.endswith(".py") or "/" in name:
        return load_task_file(Path(name))
    return tasks.get(name)


def load_task_file(path: Path) -> type[Any]:
    """Loads the task that a file defines.

    Raises:
        UnknownNameError: There is no such file, or it defines no task.
        ConfigError: The file defines several tasks.
        PluginError: The file cannot be imported.
    """
    path, module = _execute(path, "task", tasks, FILE_MODULE)
    classes = [entry.value for entry in tasks.entries() if entry.module == module and entry.value is not None]
    if not classes:
        raise UnknownNameError(f"{path} defines no task; decorate its class with @register_task")
    if len(classes) > 1:
        names = ", ".join(cls.name for cls in classes if cls is not None)
        raise ConfigError(
            f"{path} defines {len(classes)} tasks: {names}; allowed: one task; write each into a separate file"
        )
    classes[0].file = path
    return classes[0]


def loaded_files() -> list[Path]:
    """The files of tasks and cells that were loaded by their paths in this process."""
    modules = [module for name, module in sys.modules.items() if name.startswith(FILE_MODULE)]
    return sorted({Path(str(module.__file__)) for module in modules if getattr(module, "__file__", None)})


def task_name(task: str) -> str:
    """The name of a bundled task whose file is given, e.g. in a checkout; any other name or path as it is.

    Example:
        >>> from seqtasks.core import plugins
        >>> file = next(entry.about["file"] for entry in plugins.tasks.entries() if entry.name == "adding")
        >>> plugins.task_name(file), plugins.task_name("./my_task.py"), plugins.task_name("adding")
        ('adding', './my_task.py', 'adding')
    """
    if task.endswith(".py"):
        for entry in tasks.entries():
            if entry.name == Path(task).stem and _same_content(Path(task), Path(entry.about.get("file", ""))):
                return entry.name
    return task


def cell_file(text: str) -> tuple[Path, str | None] | None:
    """Splits `FILE.py` or `FILE.py:NAME` into path and name; None for a cell's name."""
    path, sign, name = text.rpartition(":")
    if sign and path.endswith(".py"):
        return Path(path), name
    return (Path(text), None) if text.endswith(".py") or "/" in text else None


def cell_in_file(path: Path, name: str | None) -> str | None:
    """Reads the name of the cell that a file registers, without importing the file.

    Args:
        path: Path of the file.
        name: Name of one of several cells; None: the file has one cell.

    Returns:
        The name; None if the text does not show it, as for a computed name.

    Raises:
        UnknownNameError: There is no such file, or it has no cell of that name.
        ConfigError: The file has several cells, and no name is given.
        PluginError: The file is not Python.
    """
    check_file(path, "cell")
    tree = _guard(f"cell file {path}", lambda: ast.parse(path.read_text(encoding="utf-8"), str(path)))
    names = [cell_name for cell_name, _ in about_cells(tree)]
    hidden = not names and "register_cell" in ast.unparse(tree)  # in a loop, or with a computed name
    return None if hidden else _pick_cell(path, name, names)


def load_cell_file(path: Path, name: str | None = None) -> type[Any]:
    """Loads the cell that a file defines; `about["code"]` of its entry keeps the text.

    Args:
        path: Path of the file.
        name: Name of one of several cells; None: the file has one cell.

    Raises:
        SeqtasksError: As for `cell_in_file`.
        PluginError: The file cannot be imported.
        DuplicateNameError: An installed cell has the same name.
    """
    in_file = cell_in_file(path, name)
    if in_file is not None and _same_content(path, CELLS / path.name):
        return cells.get(in_file)
    code = path.read_text(encoding="utf-8")
    path, module = _execute(path, "cell", cells, f"{FILE_MODULE}cell_")
    registered = {entry.name: entry for entry in cells.entries() if entry.module == module}
    entry = registered[_pick_cell(path, name, list(registered))]
    entry.about["code"] = code
    assert entry.value is not None
    return entry.value


def load_cell(text: str) -> type[Any]:
    """Loads a cell class.

    Args:
        text: Name of a registered cell, `FILE.py`, or `FILE.py:NAME`.

    Raises:
        UnknownNameError: There is no such cell or file.
        PluginError: The module cannot be imported.
    """
    file = cell_file(text)
    return cells.get(text) if file is None else load_cell_file(*file)


def code_of_cell(name: str) -> str | None:
    """Source text of a cell that was loaded from a file; None for cells of packages."""
    return next((entry.about.get("code") for entry in cells.entries() if entry.name == name), None)


def check_file(path: Path, kind: str) -> None:
    """Checks that the file of a plugin exists.

    Args:
        path: Path of the file.
        kind: "task" or "cell".

    Raises:
        UnknownNameError: There is no such file.
        ConfigError: No file can have that name.
    """
    if not usable(path, f"{kind} file").is_file():
        raise UnknownNameError(
            f"there is no {kind} file {path}; give the path of a .py file with a @register_{kind} class"
        )


def _pick_cell(path: Path, name: str | None, names: list[str]) -> str:
    if not names:
        raise UnknownNameError(f"{path} defines no cell; decorate its class with @register_cell")
    if name is None and len(names) > 1:
        raise ConfigError(
            f"{path} defines {len(names)} cells: {listed(names)}; name one: encoder.cell={path}:{names[0]}"
        )
    if name is not None and name not in names:
        raise UnknownNameError(
            f"{path} defines no cell {name!r}; allowed: {listed(names)}; name one: encoder.cell={path}:{names[0]}"
        )
    return name or names[0]


def _execute(path: Path, kind: str, registry: Registry[Any], prefix: str) -> tuple[Path, str]:
    """Imports a file as a new module, even if it was imported before.

    Args:
        path: Path of the file.
        kind: "task" or "cell".
        registry: Registry from which the definitions of an earlier import are removed.
        prefix: Prefix of the module's name.

    Returns:
        The absolute path of the file and the name of the module.
    """
    check_file(path, kind)
    path = path.resolve()
    module = f"{prefix}{path.stem}"
    sys.modules.pop(module, None)
    registry.forget(module)  # from an older version of the file, or another file of the same name
    spec = importlib.util.spec_from_file_location(module, path)
    if spec is None or spec.loader is None:
        raise UnknownNameError(
            f"{path} is not a Python file; give the path of a .py file with a @register_{kind} class"
        )
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    _guard(f"{kind} file {path}", lambda: spec.loader.exec_module(loaded))  # type: ignore[union-attr]
    return path, module


def _same_content(path: Path, bundled: Path) -> bool:
    """Whether a file is a bundled one, or a copy of it with the same content."""
    try:
        return bundled.is_file() and path.read_bytes() == bundled.read_bytes()
    except (OSError, ValueError):  # no such file, or a name that no file can have
        return False


def declared(task: str) -> dict[str, Any]:
    """Facts that a task class declares, read without importing it; see `core.declared`.

    Args:
        task: Name or file of a task. There are no facts for tasks of other packages.
    """
    file = _file_of_task(task)
    return {} if file is None else facts_of_task(file)


def declared_attribute(task: str, name: str) -> Any:
    """A class attribute of a task, read without importing it; None if it is not known.

    Args:
        task: Name or file of a task.
        name: Name of the attribute.

    Example:
        >>> declared_attribute("adding", "topology")
        'many-to-one'
    """
    file = _file_of_task(task)
    return None if file is None else attribute_of_task(file, name)


def declared_task(task: str) -> DeclaredTask | None:
    """All that a task class declares, with its options, made without importing it; see `core.declared_task`.

    Args:
        task: Name or file of a task. Nothing is known of tasks of other packages.
    """
    file = _file_of_task(task)
    return None if file is None else task_of_file(file)


def _file_of_task(task: str) -> Path | None:
    task = task_name(task)
    if task.endswith(".py") or "/" in task:
        return Path(task)
    entry = next((entry for entry in tasks.entries() if entry.name == task), None)
    return Path(entry.about["file"]) if entry is not None and "file" in entry.about else None


def _discover_tasks(registry: Registry[Any]) -> None:
    folder = Path(str(resources.files("seqtasks.tasks")))
    for file in sorted(folder.glob("[!_]*.py")):
        module = f"seqtasks.tasks.{file.stem}"
        registry.add_lazy(file.stem, _importer(f"task {file.stem}", module), module, _about_task(file))
    _add_entry_points(registry, "seqtasks.tasks")


def _discover_cells(registry: Registry[Any]) -> None:
    for file in sorted(CELLS.glob("[!_]*.py")):
        module = f"seqtasks.cells.{file.stem}"
        for name, about in about_cells(_parse(file)):
            registry.add_lazy(name, _importer(f"cell {name}", module), module, about)
    _add_entry_points(registry, "seqtasks.cells")


def _discover_trackers(registry: Registry[Any]) -> None:
    for file in sorted(TRACKERS.glob("[!_]*.py")):
        module = f"seqtasks.training.trackers.{file.stem}"
        about = {"summary": _summary(_parse(file))}
        registry.add_lazy(file.stem, _importer(f"tracker {file.stem}", module), module, about)
    _add_entry_points(registry, "seqtasks.trackers")


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
    except (Exception, SystemExit) as error:  # a plugin may fail in any way
        frames = traceback.extract_tb(error.__traceback__)
        # Where the package importlib_metadata is installed, entry points are loaded by it.
        backport = getattr(sys.modules.get("importlib_metadata"), "__file__", None)
        ours = (__file__, importlib.__file__, metadata.__file__, backport)
        stack = [f for f in frames if f.filename not in ours and not f.filename.startswith("<frozen")] or frames[-1:]
        frame = [f for f in stack if f.filename == stack[0].filename][-1]  # in the plugin, not in a library it calls
        where = f"{frame.filename}:{frame.lineno}"
        if isinstance(error, SyntaxError):
            where = f"{error.filename}:{error.lineno}"
        raise PluginError(
            f"{what} cannot be imported: {type(error).__name__}: {error} ({where}); correct the file or uninstall it"
        ) from error


def _about_task(file: Path) -> dict[str, Any]:
    tree = _parse(file)
    about: dict[str, Any] = {"summary": _summary(tree), "file": str(file)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ) and node.targets[0].id in ("topology", "metric"):
            about[node.targets[0].id] = str(node.value.value)
    return about


def about_cells(tree: ast.Module) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "register_cell":
                facts = {k.arg: k.value.value for k in call.keywords if k.arg and isinstance(k.value, ast.Constant)}
                facts |= {"states": "h"} | _about_body(node)
                name = call.args[0] if call.args else None
                if isinstance(name, ast.Constant):
                    yield str(name.value), {"summary": _summary(node), **facts}


def _about_body(node: ast.ClassDef) -> dict[str, str]:
    """States, inputs and engines of a cell, read from the text of its class."""
    facts: dict[str, str] = {}
    flags = {"uses_gaps": "time_gaps", "uses_observed": "observed"}
    used = set()
    for part in node.body:
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            name = part.targets[0].id
            if name == "states":
                facts["states"] = ", ".join(ast.literal_eval(part.value))
            elif name in flags and ast.literal_eval(part.value):
                used.add(name)
    facts["inputs"] = ", ".join(["x", *(argument for flag, argument in flags.items() if flag in used)])
    defined = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    defined |= {
        name.id
        for part in node.body
        if isinstance(part, ast.Assign)
        for name in part.targets
        if isinstance(name, ast.Name)
    }
    methods = {"native": "native_loop", "keras": "keras_layer", "parallel": "scan"}
    engines = [engine for engine, method in methods.items() if method in defined]
    return facts | {"engines": ", ".join(["loop", *engines])}


def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError):
        return ast.Module(body=[], type_ignores=[])  # importing this plugin reports the error


def _summary(node: ast.Module | ast.ClassDef) -> str:
    lines = (ast.get_docstring(node) or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else ""


tasks: Registry[type[Any]] = Registry("task", _discover_tasks)
cells: Registry[type[Any]] = Registry("cell", _discover_cells)
trackers: Registry[type[Any]] = Registry("tracker", _discover_trackers)
