"""Registry of named classes, imported on first use; listing names imports nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from seqtasks.core.errors import DuplicateNameError, UnknownNameError, suggest

T = TypeVar("T")
FILE_MODULE = "seqtasks_file_"  # prefix of the module names of single files of a user


@dataclass
class Entry(Generic[T]):
    """One name of a registry.

    Attributes:
        name: Name in the registry.
        module: Name of the module that defines the object.
        value: The object; None until it is loaded.
        load: Function that imports the module. It returns the object, or the module registers it.
        about: Facts for `seqtasks list`, known without an import.
        loading: Whether `load` is running.
    """

    name: str
    module: str
    value: T | None = None
    load: Callable[[], Any] | None = None
    about: dict[str, Any] = field(default_factory=dict)
    loading: bool = False


class Registry(Generic[T]):
    """Objects of one kind by name, loaded on first use.

    Args:
        kind: Kind of the objects in messages, e.g. `"cell"`.
        discover: Function that adds the lazy entries; called once, before the first look-up.

    Example:
        >>> registry = Registry("cell")
        >>> class Cell: pass
        >>> _ = registry.add("my_cell", Cell, "my_module")
        >>> registry.names(), "my_cell" in registry
        (['my_cell'], True)
    """

    def __init__(self, kind: str, discover: Callable[[Registry[T]], None] | None = None):
        self.kind = kind
        self._discover = discover
        self._entries: dict[str, Entry[T]] = {}

    def add(self, name: str, value: T, module: str, about: dict[str, Any] | None = None) -> T:
        """Registers an object.

        The same definition (module and qualified name) may be registered again and replaces the former one. An
        object from a file of the user also replaces one from another file: the copy of a file in a run folder
        registers the same name as the file itself. A file that was loaded by its path may be imported as a module, too.

        Args:
            name: Name to register the object under.
            value: The object.
            module: Name of the module that defines it.
            about: Facts for listings.

        Returns:
            The object.

        Raises:
            DuplicateNameError: Another object has the name.
        """
        self._fill()
        entry = self._entries.get(name)
        if entry is not None:
            lazy = entry.value is None
            # A package may define the class in a submodule of the module that its entry point names.
            ours = entry.loading or module.split(".")[0] == entry.module.split(".")[0]
            files = module.startswith(FILE_MODULE) and entry.module.startswith(FILE_MODULE)
            same = _same(entry.value, value) or _same_file(entry.module, module)
            if (lazy and not ours) or not (lazy or files or same):
                raise DuplicateNameError(
                    f"{self.kind} {name} is defined by both {entry.module} and {module}; give one another name"
                )
        # Keep the facts read from the text of a bundled module, such as its file.
        known = entry.about if entry is not None and not module.startswith(FILE_MODULE) else {}
        self._entries[name] = Entry(name, module, value, None, {**known, **(about or {})})
        return value

    def add_lazy(self, name: str, load: Callable[[], Any], module: str, about: dict[str, Any] | None = None) -> None:
        """Registers a name whose object is imported on first use.

        If two modules provide the name, its use raises DuplicateNameError, not this method: a clash between two
        plugins does not affect the use of others.

        Args:
            name: Name of the object.
            load: Function that imports it, see `Entry`.
            module: Name of the module that defines it.
            about: Facts for listings.
        """
        entry = self._entries.get(name)
        if entry is None:
            self._entries[name] = Entry(name, module, None, load, about or {})
        elif entry.module != module:
            message = f"{self.kind} {name} is offered by both {entry.module} and {module}; uninstall or rename one"
            entry.value, entry.load = None, _refuse(message)

    def forget(self, module: str) -> None:
        """Removes the entries of a module, before the module is executed again."""
        self._fill()
        self._entries = {name: entry for name, entry in self._entries.items() if entry.module != module}

    def get(self, name: str) -> T:
        """Returns the object of that name; imports it on first use.

        Raises:
            UnknownNameError: Unknown name; the message suggests similar ones.
            DuplicateNameError: Two modules provide the name.
        """
        self._fill()
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownNameError(f"unknown {self.kind} {name!r}; {self.suggest(name)}")
        if entry.value is None:
            assert entry.load is not None
            entry.loading = True
            try:
                loaded = entry.load()
            finally:
                entry.loading = False
            entry = self._entries[name]  # the import may have registered the object
            if entry.value is None and isinstance(loaded, type):
                entry.value = loaded  # type: ignore[assignment]
            if entry.value is None:
                raise UnknownNameError(
                    f"{entry.module} defines no {self.kind} {name!r}; register it there by that name"
                )
        return entry.value

    def suggest(self, name: str) -> str:
        """Second half of the message for an unknown name: similar names, where all are listed."""
        return suggest(name, self.names(), see=f"`seqtasks list {self.kind}s`")

    def entries(self) -> Iterator[Entry[T]]:
        """All entries, sorted by name, without importing anything."""
        self._fill()
        return iter(sorted(self._entries.values(), key=lambda e: e.name))

    def names(self) -> list[str]:
        """All names, sorted, without importing anything."""
        return [entry.name for entry in self.entries()]

    def __contains__(self, name: object) -> bool:
        self._fill()
        return name in self._entries

    def _fill(self) -> None:
        if self._discover is not None:
            discover, self._discover = self._discover, None
            discover(self)


def _same(a: Any, b: Any) -> bool:
    return a is b or all(getattr(a, k, None) == getattr(b, k, a) for k in ("__module__", "__qualname__"))


def _same_file(*modules: str) -> bool:
    """Whether modules were loaded from one file."""
    files = [getattr(sys.modules.get(name), "__file__", None) for name in modules]
    return None not in files and len({os.path.realpath(str(file)) for file in files}) == 1


def _refuse(message: str) -> Callable[[], Any]:
    def load() -> Any:
        raise DuplicateNameError(message)

    return load
