"""Facts about the data of a run that the model and prediction need: base class for all task types."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from seqtasks.core.errors import DataError

S = TypeVar("S", bound="Spec")


def _none() -> None:
    """Factory of the default None of an optional field.

    A plain default would be an attribute of the class, which a subclass that declares the field again as a
    required one would inherit as its default.
    """


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Facts about the data of a run, `Splits.spec`.

    A task type subclasses this as a frozen dataclass and sets it as class attribute: `Spec = TaggingSpec`.
    Fields hold values that JSON can represent; lists are stored as tuples. The run folder stores `to_dict()`,
    from which prediction restores the facts.

    Attributes:
        classes: Names of the classes, in the order of their numbers; None: the task has no classes.
        tokens: Number of tokens of each split; None: they are not counted.
        counts: Number of examples of each split; None: not stored.

    Example:
        >>> from dataclasses import dataclass
        >>> from seqtasks import Spec
        >>> @dataclass(frozen=True, kw_only=True)
        ... class SeriesSpec(Spec):
        ...     mean: float
        >>> spec = SeriesSpec(mean=0.5, classes=["no", "yes"])
        >>> spec.to_dict()
        {'mean': 0.5, 'classes': ['no', 'yes']}
        >>> SeriesSpec.from_dict(spec.to_dict()) == spec
        True
    """

    classes: Sequence[str] | None = field(default_factory=_none)
    tokens: Mapping[str, int] | None = field(default_factory=_none)
    counts: Mapping[str, int] | None = field(default_factory=_none)

    def __post_init__(self) -> None:
        for part in dataclasses.fields(self):
            object.__setattr__(self, part.name, _frozen(getattr(self, part.name)))

    def to_dict(self) -> dict[str, Any]:
        """The facts as a dictionary for JSON and `from_dict`; fields that are None are left out."""
        values = {name: getattr(self, name) for name in _names(type(self))}
        return {name: _plain(value) for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls: type[S], values: Mapping[str, Any]) -> S:
        """Restores the facts from the dictionary of `to_dict`.

        Raises:
            DataError: A name is not that of a field, or a required field is missing.
        """
        parts = {part.name: part for part in dataclasses.fields(cls)}
        unknown = [name for name in values if name not in parts]
        optional = {
            name
            for name, part in parts.items()
            if part.default is not dataclasses.MISSING or part.default_factory is not dataclasses.MISSING
        }
        missing = [name for name in _names(cls) if name not in values and name not in optional]
        if unknown or missing:
            received = [f"have the unknown {_listed(unknown)}"] if unknown else []
            received += [f"lack {_listed(missing)}"] if missing else []
            raise DataError(
                f"the facts of the data {' and '.join(received)}; {cls.__name__} has {', '.join(_names(cls))}; "
                "train again with this version of the task"
            )
        return cls(**values)

    # The facts were a dictionary in version 0.1. Plugins that read them as a dictionary work until version 0.3.

    def __getitem__(self, name: str) -> Any:
        _warn(f"spec[{name!r}] is now spec.{name}")
        return self.to_dict()[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Deprecated: a fact by name, as in the dictionary of `to_dict`."""
        _warn(f"spec.get({name!r}) is now spec.{name}")
        return self.to_dict().get(name, default)

    def __contains__(self, name: object) -> bool:
        _warn(f"{name!r} in spec is now spec.{name} is not None")
        return name in self.to_dict()

    def keys(self) -> Iterable[str]:
        """Deprecated: names of the facts, for `{**spec}`."""
        _warn("spec.keys() is now spec.to_dict().keys()")
        return self.to_dict().keys()


@dataclass(frozen=True, kw_only=True)
class UntypedSpec(Spec):
    """Facts from a dictionary with names that are not fields of the `Spec` of the task.

    Attributes:
        entries: The dictionary; each entry can also be read as an attribute.
    """

    entries: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        known = {name: getattr(self, name) for name in _names(Spec)}
        values = {**self.entries, **{name: value for name, value in known.items() if value is not None}}
        return {name: _plain(value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> UntypedSpec:
        """Makes an instance from a dictionary with any names."""
        return cls(entries=values, **{name: values[name] for name in _names(Spec) if name in values})

    def __getattr__(self, name: str) -> Any:
        entries = vars(self).get("entries", {})
        if name in entries:
            return entries[name]
        raise AttributeError(f"the facts of the data have no {name!r}; they have {', '.join(entries)}")


def as_spec(facts: Spec | Mapping[str, Any], kind: type[Spec] = Spec) -> Spec:
    """Converts facts to an instance of a class if their names are its fields.

    Otherwise, an instance of another class is returned unchanged, and a dictionary becomes an `UntypedSpec`.

    Args:
        facts: An instance of any `Spec`, or a dictionary.
        kind: The class.
    """
    if isinstance(facts, kind):
        return facts
    values = facts.to_dict() if isinstance(facts, Spec) else facts
    try:
        return kind.from_dict(values)
    except DataError:
        return facts if isinstance(facts, Spec) else UntypedSpec.from_dict(values)


def _names(cls: type[Spec]) -> list[str]:
    """Names of the fields in the order of the run folder: first those of subclasses, then those of `Spec`.

    A field that a subclass declares again takes its position in that subclass.
    """
    order: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Spec) and base is not Spec:
            for name in vars(base).get("__annotations__", {}):
                order.pop(name, None)
                order[name] = None
    known = [part.name for part in dataclasses.fields(cls)]
    return [name for name in dict.fromkeys([*order, *known]) if name in known]


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_frozen(part) for part in value)
    return {name: _frozen(part) for name, part in value.items()} if isinstance(value, Mapping) else value


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return {name: _plain(part) for name, part in value.items()} if isinstance(value, Mapping) else value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _warn(text: str) -> None:
    warnings.warn(text, DeprecationWarning, stacklevel=3)
