"""Data files that come inside other Python packages; the packages are not imported, and nothing is downloaded."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtasks.core.errors import ConfigError, DataError, nearest


@dataclass(frozen=True)
class Package:
    """A package with data files.

    Attributes:
        inside: Folder of the data sets in the package; each set is a folder of its own.
        requirement: What pip installs it by.
    """

    inside: str
    requirement: str


PACKAGES = {
    "aeon": Package("datasets/data", "seqtasks[series-aeon]"),
    "statsmodels": Package("datasets", "seqtasks[series]"),
}


def data_folder(package: str) -> Path | None:
    """The folder of a package's data sets; None where the package is not installed."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / PACKAGES[package].inside
        if folder.is_dir():
            return folder
    return None


def names(package: str, patterns: Sequence[str]) -> list[str]:
    """The data sets of an installed package that have a file of one of some forms, sorted; empty without the package.

    Args:
        package: Its name.
        patterns: Names of files; NAME stands for the name of the set, e.g. `NAME_TRAIN.ts`, `NAME.csv`. They are in
            the folder NAME, unless a pattern has a folder: `NAME/S*.csv`, `UnitTest/NAME_TEST.csv`. `*` stands for
            any text.
    """
    return sorted(_sets(package, patterns))


def folder_of(package: str, name: str, patterns: Sequence[str]) -> Path:
    """The folder of a data set in a package.

    Args:
        package: Name of the package.
        name: Name of the set.
        patterns: As for `names`.

    Raises:
        DataError: The package is not installed.
        ConfigError: It has no such set; the message lists those that it has.
    """
    if data_folder(package) is None:
        raise DataError(
            f"data.source={package}:{name}: the package {package} is not installed; allowed: data files of installed "
            f"packages; run pip install '{PACKAGES[package].requirement}'"
        )
    known = _sets(package, patterns)
    if name not in known:
        near = nearest(name, known, 0.6)[:1]
        meant = f"did you mean {package}:{near[0]}? " if near else ""
        raise ConfigError(
            f"data.source={package}:{name}: the installed package {package} has no such set for this task; {meant}"
            f"allowed: {', '.join(f'{package}:{one}' for one in sorted(known)) or 'none'}; choose one of them, or give "
            "files: data.source=files:PATH"
        )
    return known[name]


def summary(package: str, patterns: Sequence[str]) -> str:
    """The names of a package's sets, or how to install it; arguments as for `names`."""
    known = ", ".join(names(package, patterns))
    return known or f"not installed: pip install '{PACKAGES[package].requirement}'"


def forms(packages: Mapping[str, Sequence[str]]) -> list[str]:
    """The values of `data.source` for packages, e.g. `aeon:NAME`."""
    return [f"{package}:NAME" for package in packages]


def _sets(package: str, patterns: Sequence[str]) -> dict[str, Path]:
    """The folder of each data set, by its name."""
    root = data_folder(package)
    sets: dict[str, Path] = {}
    if root is None:
        return sets
    for pattern in patterns:
        path = pattern if "/" in pattern else f"NAME/{pattern}"
        parts = re.split(r"(NAME|\*)", path)
        form = "".join({"*": "[^/]*", "NAME": "([^/]+)"}.get(part, re.escape(part)) for part in parts)
        form = form.replace("([^/]+)", "(?P<name>[^/]+)", 1).replace("([^/]+)", "(?P=name)")
        for file in root.glob(path.replace("NAME", "*")):
            if match := re.fullmatch(form, file.relative_to(root).as_posix()):
                sets[match["name"]] = file.parent
    return sets
