"""Packages of optional extras: whether they are installed, and the error that says how to install them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from seqtasks.core.errors import ConfigError


def require(packages: Iterable[str], what: str, extra: str) -> None:
    """Checks that packages are installed, without importing them.

    Args:
        packages: Names by which they are imported.
        what: The command or option that needs them, for the message.
        extra: The extra of seqtasks that installs them.

    Raises:
        ConfigError: One of them is missing.

    Example:
        >>> require(["numpy"], "seqtasks serve", "serve")
        >>> require(["no_such_package"], "seqtasks serve", "serve")
        Traceback (most recent call last):
        ...
        seqtasks.core.errors.ConfigError: seqtasks serve needs no_such_package, not installed; run pip install \
'seqtasks[serve]'
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{what} needs {', '.join(missing)}, not installed; run pip install 'seqtasks[{extra}]'")
