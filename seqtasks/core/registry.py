"""Registry: named classes that are imported on first use.

An entry is an object, or a function that imports it when it is first asked for, so
that listing names costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from seqtasks.core.errors import DuplicateNameError, UnknownNameError, suggest

T = TypeVar("T")
FILE_MODULE = "seqtasks_file_"  # how names of modules begin that are single files of a user


@dataclass
class Entry(Generic[T]):
    """One name of a registry.

    Attributes:
        name: the name in the registry.
        module: the module that defines the object.
        value: the object, once loaded.
        load: imports the module that defines the object; it may return the object
            or register it by itself.
        about: facts shown by `seqtasks list` that need no import.
    """

    name: str
    module: str
    value: T | None = None
    load: Callable[[], Any] | None = None
    about: dict[str, Any] = field(default_factory=dict)
    loading: bool = False


class Registry(Generic[T]):
    """Names of one kind, loaded lazily.

    Args:
        kind: the word used in messages, e.g. `"cell"`.
        discover: called once, before the first look-up; adds the lazy entries.
    """

    def __init__(self, kind: str, discover: Callable[[Registry[T]], None] | None = None):
        self.kind = kind
        self._discover = discover
        self._entries: dict[str, Entry[T]] = {}

    def add(self, name: str, value: T, module: str, about: dict[str, Any] | None = None) -> T:
        """Registers an object.

        Args:
            name: the name to register under.
            value: the object.
            module: the module that defines it.
            about: facts for listings.

        Raises:
            DuplicateNameError: another object has the name. Executing one definition
                twice (same module and qualified name) replaces it, and what a file of
                the user defines replaces what an earlier file defined: the copy in a
                run folder is another file than the one it was made of.
        """
        self._fill()
        entry = self._entries.get(name)
        if entry is not None:
            lazy = entry.value is None
            # A package may define the class in a submodule of the module its entry point names.
            ours = entry.loading or module.split(".")[0] == entry.module.split(".")[0]
            files = module.startswith(FILE_MODULE) and entry.module.startswith(FILE_MODULE)
            if (lazy and not ours) or not (lazy or files or _same(entry.value, value)):
                raise DuplicateNameError(
                    f"{self.kind} {name} is defined by both {entry.module} and {module}; give one another name"
                )
        # What the text of a bundled module shows, such as its file, stays known once it is imported.
        known = entry.about if entry is not None and not module.startswith(FILE_MODULE) else {}
        self._entries[name] = Entry(name, module, value, None, {**known, **(about or {})})
        return value

    def add_lazy(self, name: str, load: Callable[[], Any], module: str, about: dict[str, Any] | None = None) -> None:
        """Registers a name whose object is imported when first asked for.

        A name offered by two modules is refused when it is asked for, not here: a
        clash between two plugins must not stop the use of all the others.
        """
        entry = self._entries.get(name)
        if entry is None:
            self._entries[name] = Entry(name, module, None, load, about or {})
        elif entry.module != module:
            message = f"{self.kind} {name} is offered by both {entry.module} and {module}; uninstall or rename one"
            entry.value, entry.load = None, _refuse(message)

    def forget(self, module: str) -> None:
        """Removes what a module defines, before it is executed anew."""
        self._fill()
        self._entries = {name: entry for name, entry in self._entries.items() if entry.module != module}

    def get(self, name: str) -> T:
        """The object of that name, imported now if need be.

        Raises:
            UnknownNameError: no such name; the message suggests the nearest one.
            DuplicateNameError: the name is offered twice.
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
            entry = self._entries[name]  # the import may have registered it by itself
            if entry.value is None and isinstance(loaded, type):
                entry.value = loaded  # type: ignore[assignment]
            if entry.value is None:
                raise UnknownNameError(
                    f"{entry.module} defines no {self.kind} {name!r}; register it there by that name"
                )
        return entry.value

    def suggest(self, name: str) -> str:
        """The tail of the error for an unknown name: the nearest ones, and where all are listed."""
        return suggest(name, self.names(), see=f"`seqtasks list {self.kind}s`")

    def entries(self) -> Iterator[Entry[T]]:
        """All entries by name, without importing anything."""
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


def _refuse(message: str) -> Callable[[], Any]:
    def load() -> Any:
        raise DuplicateNameError(message)

    return load
