"""Resolves `data.source` to a source: tensorflow-datasets, files, sets of other packages, or the built-in set."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from seqtasks.core.errors import MANY, TASK_SETTINGS, ConfigError, DataError, nearest, suggest
from seqtasks.core.files import is_utf8, shown, usable
from seqtasks.data import cache, package_data
from seqtasks.data.network import network
from seqtasks.data.source import Source, data_dir, prepared_folder, unavailable


def announce(text: str) -> None:
    """Prints one line to standard error; default of `resolve_source`."""
    print(text, file=sys.stderr)


def resolve_source(
    spec: str,
    *,
    tfds: str | Sequence[str] | None,
    files: bool | Literal["any"],
    builtin: str | None,
    packages: Mapping[str, Sequence[str]] | None = None,
    tfds_dir: str | None = None,
    announce: Callable[[str], None] = announce,
) -> Source:
    """Returns the source that `data.source` names; downloads it if needed.

    `auto` is the first of these that is available: prepared tensorflow-datasets, a download, the built-in
    set. The download is made here, so that `auto` can use the built-in set if the download fails.

    Args:
        spec: `auto`, `tfds`, `tfds:NAME`, `builtin`, `files:DIR`, or a set of another package such as `aeon:NAME`;
            also `builtin:NAME`, as in result rows.
        tfds: Names of the tensorflow-datasets that the task reads; the first is the default. None: it reads none.
        files: Whether the task reads folders of files; `"any"`: also a single file.
        builtin: Name of the built-in set of the task; None: it has none.
        packages: Packages whose data files the task reads, and the names of these files, see `package_data`.
        tfds_dir: Value of `data.tfds_dir`.
        announce: Function that receives one line with the chosen source and the reason.

    Raises:
        ConfigError: The source is unknown, or the task cannot read it.
        DataError: The data does not exist and cannot be downloaded.
    """
    packages = packages or {}
    check_source(spec, {"tfds": tfds, "files": files, "builtin": builtin, "packages": packages})
    if builtin is not None and spec == f"builtin:{builtin}":
        spec = "builtin"
    if spec.startswith("files:"):
        return _files(spec, files == "any", announce)
    kind, _, name = spec.partition(":")
    if name and kind in packages:
        folder = package_data.folder_of(kind, name, packages[kind])
        announce(f"data: {spec}, in {folder}")
        return Source(cast(Literal["aeon", "statsmodels"], kind), name, folder)
    names = _names(tfds)
    reason = "" if spec == "builtin" else " (this task has no tensorflow-datasets set)"
    if names and spec != "builtin":
        name = spec.removeprefix("tfds:") if spec.startswith("tfds:") else names[0]
        source = Source("tfds", name, data_dir(tfds_dir))
        problem = _obtain(source, announce)
        if problem is None:
            return source
        if spec != "auto" or builtin is None:
            raise unavailable(source, problem)
        reason = f" ({source} is not prepared and {problem})"
    assert builtin is not None, "check_source raises for every other source"
    announce(f"data: built-in set builtin:{builtin}{reason}")
    return Source("builtin", builtin)


def check_source(spec: str, facts: Mapping[str, Any]) -> None:
    """Checks `data.source` without reading data and without network access.

    Args:
        spec: Value of `data.source`, see `resolve_source`.
        facts: Arguments `tfds`, `files`, `builtin` and `packages` of `resolve_source` for the task. An argument that
            is left out is not known and not checked.

    Raises:
        ConfigError: The source is unknown, or the task cannot read it.
        DataError: The folder of files does not exist or is empty, or a package is not installed.
    """
    packages = facts.get("packages", {})
    kind, _, name = spec.partition(":")
    if name and kind in packages:
        package_data.folder_of(kind, name, packages[kind])
        return
    if name and kind in package_data.PACKAGES and "packages" not in facts:
        return
    if spec.startswith("files:") and facts.get("files", True):
        _files(spec, facts.get("files", "any") == "any", announce=lambda text: None)
        return
    known = [f"tfds:{one}" for one in _names(facts["tfds"])] if "tfds" in facts else ["tfds:NAME"]
    forms = ["auto", *(["tfds", *known] if known else []), *(["builtin"] if facts.get("builtin", True) else [])]
    if spec == "auto" and len(forms) == 1:
        raise ConfigError("data.source=auto: this task reads only files; set data.source=files:DIR")
    if spec in forms or (spec.startswith("tfds:") and "tfds" not in facts):
        return
    if spec.startswith("builtin:") and spec == f"builtin:{facts.get('builtin', spec.removeprefix('builtin:'))}":
        return
    if spec.startswith("tfds:") and known:
        if len(known) > MANY:
            hint = suggest(spec, known, see=TASK_SETTINGS)
            raise ConfigError(f"data.source={spec}: this task reads {len(known)} sets, but not this one; {hint}")
        raise ConfigError(
            f"data.source={spec}: this task reads {', '.join(known)}; set {' or '.join(known)}, or another source"
        )
    if len(known) > MANY:
        forms = ["auto", "tfds", "tfds:NAME", *forms[2 + len(known) :]]
    forms += [f"files:{'PATH' if facts.get('files', 'any') == 'any' else 'DIR'}"] if facts.get("files", True) else []
    forms += package_data.forms(packages)
    hint = suggest(spec, forms)
    if _is_path(spec, facts.get("files", "any")):
        hint = f"did you mean files:{spec}?"
    similar = f"{hint} " if hint.startswith("did") else ""
    raise ConfigError(f"unknown data.source={spec}; {similar}allowed for this task: {', '.join(forms)}")


def source_forms(task: Any) -> list[str]:
    """Allowed values of `data.source` of a task besides `auto`.

    Args:
        task: A `Task` or `core.declared_task.DeclaredTask`.
    """
    values = [f"tfds:{name}" for name in _names(task.tfds)]
    values += [f"files:{'PATH' if task.files == 'any' else 'DIR'}"] if task.files else []
    return [*values, *package_data.forms(task.packages), *([f"builtin:{task.builtin}"] if task.builtin else [])]


def _names(tfds: str | Sequence[str] | None) -> list[str]:
    return [tfds] if isinstance(tfds, str) else list(tfds or ())


def _obtain(source: Source, announce: Callable[[str], None]) -> str | None:
    """Downloads a tfds source unless it is prepared or cached; returns the problem, None if there is none."""
    if folder := prepared_folder(source):
        announce(f"data: {source}, prepared in {folder}")
        return None
    if cache.newest(f"{source} "):
        announce(f"data: {source}, decoded in the cache {cache.cache_dir()}")
        return None
    if not network():
        return "there is no network"
    from seqtasks.data.tfds import download  # imports NumPy, which `check_source` does not need

    announce(f"data: {source}, not prepared yet: downloading it to {source.folder}")
    try:
        download(source)
    except DataError as error:
        return str(error)
    return None


def _files(spec: str, single: bool, announce: Callable[[str], None]) -> Source:
    text = spec.removeprefix("files:")
    taken = "a file or folder" if single else "a folder"
    if not text.strip():
        form = f"files:{'PATH' if single else 'DIR'}, {taken} with the data"
        raise ConfigError(
            f"data.source={shown(spec)} names no {taken.removeprefix('a ')}; allowed: {form}; add its path"
        )
    try:
        folder = Path(text).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links, a NUL byte, or ~ of an unknown user
        raise ConfigError(f"data.source={shown(spec)}: {error}; give {taken} with the data") from error
    usable(folder, f"data.source={shown(spec)}:")
    if not is_utf8(str(folder)):  # the result row, which is UTF-8, stores the name
        raise DataError(f"data.source: the name of {shown(folder)} is not UTF-8; rename the folder")
    if single and folder.is_file():
        announce(f"data: files:{folder}")
        return Source("files", str(folder), folder)
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        hint = "" if folder.exists() else _similar(text, folder, single)
        raise DataError(f"data.source={spec}: {folder} {problem}; {hint}give {taken} with the data")
    if not any(folder.iterdir()):
        raise DataError(f"data.source={spec}: the folder {folder} is empty; put the data into it")
    announce(f"data: files:{folder}")
    return Source("files", str(folder), folder)


def _similar(text: str, path: Path, single: bool) -> str:
    """A hint at the most similar names beside a path that does not exist; empty if there is none.

    Args:
        text: The path as it was typed.
        path: The path that does not exist.
        single: Whether the task also reads single files.
    """
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = [entry.name for entry in path.parent.iterdir() if single or entry.is_dir()]
    names = [name for name in names if is_utf8(name) and not name.startswith(".")]
    close = nearest(path.name, names, 0.6)
    return f"did you mean files:{Path(text).with_name(close[0])}? " if close else ""


def _is_path(text: str, files: bool | Literal["any"]) -> bool:
    """Whether a text without `files:` is the path of data that the task reads.

    Args:
        text: A value of `data.source`.
        files: Whether the task reads folders; `"any"`: also files.
    """
    try:
        path = Path(text).expanduser()
        return bool(files) and (path.is_dir() or (files == "any" and path.is_file()))
    except (OSError, ValueError, RuntimeError):  # a name that no file can have
        return False
