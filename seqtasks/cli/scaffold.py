"""`seqtasks new`: writes a task or cell that runs, with its test, from templates."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.core.errors import ConfigError, RunError, UnknownNameError, suggest
from seqtasks.core.files import write_text

if TYPE_CHECKING:
    from seqtasks.cli.proposal import Proposal
    from seqtasks.core.registry import Registry

EXAMPLE, CONFIGURATION = "example.py.txt", "example.yaml.txt"  # templates in the folder of each task type
FROM_FILE = "from_file.py.txt"  # the template for a data file, in the folders of some types
_TEMPLATES = Path(__file__).parent / "templates"
_TYPES = Path(__file__).parents[1] / "task_types"


def task_types() -> list[str]:
    """Names of the task types with an example: folders of `seqtasks/task_types/`, sorted."""
    return sorted(path.parent.name for path in _TYPES.glob(f"*/{EXAMPLE}"))


def types_from_files() -> list[str]:
    """Names of the task types that `--from` knows: those with a template for a data file."""
    return sorted(path.parent.name for path in _TYPES.glob(f"*/{FROM_FILE}"))


def proposal_of(data: Path, task_type: str | None, words: Sequence[str] = ()) -> Proposal:
    """Proposes the options of a new task from a data file.

    Args:
        data: The file.
        task_type: One of `types_from_files()`.
        words: Roles of its columns that are known, such as `options.target=state`.

    Raises:
        ConfigError: The type reads no file of series, or a word is no role.
        DataError: The file cannot be read.
    """
    from seqtasks.cli.proposal import propose

    types, resolved = types_from_files(), _resolved(task_type)
    if resolved not in types:
        what = "no --type" if task_type is None else f"--type {task_type}"
        raise ConfigError(f"got --from with {what}; allowed: --type {' or '.join(types)}; choose one of them")
    return propose(data, resolved, words)


def write_task(name: str, folder: Path, task_type: str | None = None, proposal: Proposal | None = None) -> list[Path]:
    """Writes the three files of a new task: the task, its configuration and its test.

    In a checkout of seqtasks they go to `tasks/`, `configs/` and `tests/tasks/`, and the configuration names
    its schema; elsewhere side by side into `folder`.

    Args:
        name: Name of the task: lower-case letters, digits and `_`.
        folder: Folder to write into.
        task_type: One of `task_types()`; None: a task that derives from `Task` itself.
        proposal: Of `proposal_of`, for a task that reads a data file; None: the example of the type.

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
    task_type = _resolved(task_type)
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
        task = _TYPES / task_type / (EXAMPLE if proposal is None else FROM_FILE)
        config = _TYPES / task_type / CONFIGURATION
    facts = {
        "NAME": name,
        "CLASS": _class_name(name),
        "LOAD": f'"{name}"' if checkout else f'str(Path(__file__).with_name("{name}.py"))',
        "RUN": name if checkout else f"./{name}.py",
        "SOURCE": "builtin" if proposal is None else f"files:{proposal.data}",
    }
    texts = [path.read_text(encoding="utf-8") for path in (task, config, _TEMPLATES / "test_task.py.txt")]
    if proposal is not None:
        from seqtasks.cli.proposal import with_settings

        texts[1] = with_settings(texts[1], proposal.data, proposal.settings)
        facts |= proposal.words
    if checkout:
        texts[1] = f"{MODELINE}schemas/{name}.json\n{texts[1]}"
    _fill(dict(zip(paths, texts, strict=True)), facts)
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
    texts = [(_TEMPLATES / file).read_text(encoding="utf-8") for file in ("cell.py.txt", "test_cell.py.txt")]
    return _fill(dict(zip(paths, texts, strict=True)), {"NAME": name, "CLASS": _class_name(name)})


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


def _resolved(task_type: str | None) -> str | None:
    """The type of a task, which may be given by the beginning of its name."""
    types = task_types()
    close = [name for name in types if task_type and name.startswith(task_type)]
    return close[0] if len(close) == 1 and task_type not in types else task_type


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


def _fill(templates: Mapping[Path, str], words: Mapping[str, str]) -> list[Path]:
    """Writes each file from the text of its template and returns the files."""
    placeholder = re.compile(f"@({'|'.join(words)})@")
    for path, template in templates.items():
        text = placeholder.sub(lambda match: words[match[1]], template)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        except OSError as error:
            raise RunError(
                f"cannot write {path}: {error.strerror or error}; give another folder: --folder DIR"
            ) from error
    return list(templates)
