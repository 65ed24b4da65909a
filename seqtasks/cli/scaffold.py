"""`seqtasks new`: writes a task or cell that runs, with its test, from templates."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.core.errors import ConfigError, RunError, UnknownNameError, suggest
from seqtasks.core.files import write_text

if TYPE_CHECKING:
    from seqtasks.core.registry import Registry

EXAMPLE, CONFIGURATION = "example.py.txt", "example.yaml.txt"  # templates in the folder of each task type
_TEMPLATES = Path(__file__).parent / "templates"
_TYPES = Path(__file__).parents[1] / "task_types"


def task_types() -> list[str]:
    """Names of the task types with an example: folders of `seqtasks/task_types/`, sorted."""
    return sorted(path.parent.name for path in _TYPES.glob(f"*/{EXAMPLE}"))


def write_task(name: str, folder: Path, task_type: str | None = None) -> list[Path]:
    """Writes the three files of a new task: the task, its configuration and its test.

    In a checkout of seqtasks they go to `tasks/`, `configs/` and `tests/tasks/`, and the configuration names
    its schema; elsewhere side by side into `folder`.

    Args:
        name: Name of the task: lower-case letters, digits and `_`.
        folder: Folder to write into.
        task_type: One of `task_types()`; None: a task that derives from `Task` itself.

    Returns:
        Paths of the task, its configuration and its test.

    Raises:
        ConfigError: The name is not allowed or taken, or a file exists.
        UnknownNameError: There is no such task type.
        RunError: The folder cannot be written.
    """
    from seqtasks.core import plugins  # imported here to keep `--help` fast
    from seqtasks.core.config_files import MODELINE

    types = task_types()
    if task_type is not None and task_type not in types:
        hint = suggest(task_type, types, see="`seqtasks new --help`")
        raise UnknownNameError(f"unknown task type {task_type!r}; {hint}")
    checkout = all((folder / part).is_dir() for part in ("seqtasks", "tasks", "configs", "tests"))
    if checkout:
        names = [f"tasks/{name}.py", f"configs/{name}.yaml", f"tests/tasks/test_{name}.py"]
    else:
        names = [f"{name}.py", f"{name}.yaml", f"test_{name}.py"]
    paths = [folder / path for path in names]
    _check_name(name, plugins.tasks, paths)
    if task_type is None:
        task, config = _TEMPLATES / "task.py.txt", _TEMPLATES / "task.yaml.txt"
    else:
        task, config = _TYPES / task_type / EXAMPLE, _TYPES / task_type / CONFIGURATION
    words = {
        "NAME": name,
        "CLASS": _class_name(name),
        "LOAD": f'"{name}"' if checkout else f'str(Path(__file__).with_name("{name}.py"))',
        "RUN": name if checkout else f"./{name}.py",
    }
    _fill(dict(zip(paths, (task, config, _TEMPLATES / "test_task.py.txt"), strict=True)), words)
    if checkout:
        write_text(paths[1], f"{MODELINE}schemas/{name}.json\n" + paths[1].read_text(encoding="utf-8"))
    return paths


def write_cell(name: str, folder: Path) -> list[Path]:
    """Writes the two files of a new cell into one folder: the cell and its test.

    Args:
        name: Name of the cell: lower-case letters, digits and `_`.
        folder: Folder to write into.

    Returns:
        Paths of the cell and its test.

    Raises:
        ConfigError: The name is not allowed or taken, or a file exists.
        RunError: The folder cannot be written.
    """
    from seqtasks.core import plugins

    paths = [folder / f"{name}.py", folder / f"test_{name}.py"]
    _check_name(name, plugins.cells, paths)
    words = {"NAME": name, "CLASS": _class_name(name)}
    return _fill(dict(zip(paths, (_TEMPLATES / "cell.py.txt", _TEMPLATES / "test_cell.py.txt"), strict=True)), words)


def next_steps(task: Path, test: Path) -> str:
    """One line with the commands that run and test a new task, see `write_task`."""
    if test.parent.name != "tasks":
        return f"next: seqtasks run {_argument(task)} && pytest {test}"
    schema = task.parents[1] / "configs" / "schemas" / f"{task.stem}.json"
    return f"next: seqtasks run {task.stem} && seqtasks schema {task.stem} --out {schema} && pytest {test}"


def next_steps_of_cell(cell: Path, test: Path) -> str:
    """One line with the commands that show, run and test a new cell, see `write_cell`."""
    file = _argument(cell)
    return f"next: seqtasks show cell {file} && seqtasks run mnist_rows encoder.cell={file} && pytest {test}"


def _argument(path: Path) -> str:
    """A path as an argument that commands recognise as a file and not as a name."""
    return str(path) if path.is_absolute() else f"./{path}"


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _check_name(name: str, registry: Registry[Any], paths: list[Path]) -> None:
    kind = registry.kind
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} cannot name a {kind}; allowed: lower-case letters, digits and _, beginning with a letter, no "
            f"Python keyword; give a name such as my_{kind}"
        )
    if name in registry:
        raise ConfigError(f"the {kind} {name} exists already; allowed: a new name; choose another one")
    for path in paths:
        if path.exists():
            raise ConfigError(f"{path} exists already; choose another name or remove the file")
    # Python would import a file keras.py beside a test in place of the installed module.
    if importlib.util.find_spec(name) is not None:
        raise ConfigError(f"{name!r} is the name of a Python module, which the file would hide; choose another name")


def _fill(templates: Mapping[Path, Path], words: Mapping[str, str]) -> list[Path]:
    """Writes each file from its template and returns the files."""
    for path, template in templates.items():
        text = template.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        except OSError as error:
            raise RunError(
                f"cannot write {path}: {error.strerror or error}; give another folder: --folder DIR"
            ) from error
    return list(templates)
