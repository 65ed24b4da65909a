"""`seqtasks new`: a task plugin, its configuration and its test, which work as they are."""

from __future__ import annotations

import keyword
from importlib import resources
from pathlib import Path

from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import write_text
from seqtasks.experiments.run_folder import writing


def write(name: str, folder: Path) -> list[Path]:
    """Writes the three files of a new task and returns their paths.

    In a checkout of seqtasks they go to `tasks/`, `configs/` and `tests/tasks/`;
    elsewhere side by side into `folder`.

    Args:
        name: of the task: lower-case letters, digits and `_`.
        folder: where to write.

    Raises:
        ConfigError: the name is not allowed or taken, or a file exists.
        RunError: the folder cannot be written.
    """
    if not name.isidentifier() or name != name.lower() or keyword.iskeyword(name):
        raise ConfigError(f"{name!r} cannot name a task; allowed: lower-case letters, digits and _, e.g. my_task")
    if name in plugins.tasks:
        raise ConfigError(f"there is a task {name} already; choose another name")
    checkout = all((folder / part).is_dir() for part in ("seqtasks", "tasks", "configs", "tests"))
    if checkout:
        task, config, test = (
            folder / p for p in (f"tasks/{name}.py", f"configs/{name}.yaml", f"tests/tasks/test_{name}.py")
        )
        load = f'"{name}"'
    else:
        task, config, test = (folder / p for p in (f"{name}.py", f"{name}.yaml", f"test_{name}.py"))
        load = f'str(Path(__file__).with_name("{name}.py"))'
    for path in (task, config, test):
        if path.exists():
            raise ConfigError(f"{path} exists; choose another name or remove it")
    words = {"NAME": name, "CLASS": "".join(part.capitalize() for part in name.split("_")), "LOAD": load}
    words["RUN"] = name if checkout else f"./{name}.py"
    templates = resources.files("seqtasks.cli") / "templates"
    for path, template in ((task, "task.py.txt"), (config, "task.yaml.txt"), (test, "test_task.py.txt")):
        text = (templates / template).read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
    return [task, config, test]


def next_steps(task: Path, test: Path) -> str:
    """The commands that run and test a new task, see `write`."""
    name = task.stem if test.parent.name == "tasks" else task if task.is_absolute() else f"./{task}"
    return f"next: seqtasks run {name} && pytest {test}"
