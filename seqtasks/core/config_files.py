"""YAML files of settings, with sections for a data source or a small training split.

A file has settings, and may have two more sections:

    sources:              # settings for a data source, by its kind or its full name
      builtin: {train: {batch_size: 32}}
      tfds:imdb_reviews: {train: {min_updates: 9000}}
    sizes:                # settings for training splits of at most this many examples; the smallest size that fits
      2000: {train: {batch_size: 8}}

Settings of the section for the source override those for the size, and both override the other settings of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from seqtasks.core.errors import ConfigError, suggest
from seqtasks.core.files import usable
from seqtasks.core.parsing import LENGTH, parse_yaml

SUITES = "suites"  # the file in configs/ that holds names for several tasks, see `experiments.suites`
# First line of a YAML file, before the path of its JSON Schema, by which editors complete and check it.
MODELINE = "# yaml-language-server: $schema="


def read(path: Path, source: str | None = None, size: int | None = None) -> dict[str, Any]:
    """Loads the settings of a file, including its sections that apply.

    Args:
        path: Path of a YAML file.
        source: Data source, e.g. `builtin:digits`; None: no section for a source applies.
        size: Number of training examples; None: no section for a size applies.

    Raises:
        ConfigError: The file cannot be read, or a section is not a group of settings.
    """
    values = read_yaml(path)
    sources, sizes = (_section(path, values, name) for name in ("sources", "sizes"))
    if wrong := [key for key in sizes if not isinstance(key, int) or isinstance(key, bool) or key < 1]:
        raise ConfigError(
            f"{path}: sizes has {wrong[0]!r}; allowed: numbers of training examples, e.g. 2000; correct the file"
        )
    fitting = sorted(most for most in sizes if size is not None and size <= most)
    merge(values, sizes[fitting[0]] if fitting else {})
    if source is not None:
        for key in (source.partition(":")[0], source):
            merge(values, sources.get(key, {}))
    return values


def _section(path: Path, values: dict[str, Any], name: str) -> dict[Any, Any]:
    section = values.pop(name, None) or {}
    parts = section.values() if isinstance(section, dict) else [section]
    if wrong := [part for part in parts if not isinstance(part, dict)]:
        raise ConfigError(f"{path}: {name} has {wrong[0]!r}; allowed: groups of settings, see configs/mnist_rows.yaml")
    return dict(section)


def read_yaml(path: Path) -> dict[str, Any]:
    """Loads a mapping from a YAML file; an empty file is an empty mapping.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or is not a mapping.
    """
    try:
        with path.open(encoding="utf-8") as file:
            loaded = parse_yaml(file.read(LENGTH + 1))  # enough to be refused
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}; give a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}; correct the file") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} is a {type(loaded).__name__}; allowed: settings; write lines `key: value`")
    return loaded


def bundled() -> dict[str, Path]:
    """The bundled YAML files, by name."""
    folder = Path(str(resources.files("seqtasks.configs")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml")) if path.stem != SUITES}


def schema_file(task: str) -> Path:
    """The JSON Schema of a bundled task's configuration, or, for the name `base`, of the settings of every task."""
    return Path(str(resources.files("seqtasks.configs"))) / "schemas" / f"{task}.json"


def command_line(path: Path) -> str:
    """The first comment of a bundled file, the command that runs it; empty if it does not begin with a comment.

    Args:
        path: Path of the file. The line that names its schema is skipped.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((line for line in lines if not line.startswith(MODELINE)), "")
    return first.lstrip("# ") if first.startswith("#") else ""


def paths(task: str, config_file: str | Path | None, task_file: Path | None) -> list[Path]:
    """The configuration files of a run; a later file overrides an earlier one.

    Args:
        task: Name of the task.
        config_file: Value of `--config`: a YAML file, or the name of a bundled one.
        task_file: YAML file beside the task, for a task that is not bundled.

    Raises:
        ConfigError: `config_file` does not exist, or no file can have that name.
    """
    names = bundled()
    files = [names["base"]]
    if task_file is not None and task_file.is_file():
        files.append(task_file)
    elif task_file is None and task in names:
        files.append(names[task])
    if config_file is not None:
        path = usable(config_file, "--config")
        if not path.exists() and path.stem in names and path.parent in (Path(), Path("configs")):
            path = names[path.stem]
        elif not path.exists():
            hint = suggest(path.stem, names, see="`seqtasks list configs`")
            raise ConfigError(f"there is no configuration file {path}; {hint}; give a YAML file or a bundled name")
        files.append(path)
    return files


def nest(key: str, value: Any) -> dict[str, Any]:
    """Nested dictionaries for a dotted key.

    Example:
        >>> nest("encoder.units", 64)
        {'encoder': {'units': 64}}
    """
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Updates nested settings in place, group by group.

    Args:
        into: Settings to change.
        new: Settings that replace those of the same key.
    """
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value
