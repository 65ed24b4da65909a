"""Settings: dataclass fields with help and limits, built from YAML and command line.

`setting` declares a field; `build` makes the frozen dataclass from nested dictionaries and names
the key in every error.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import re
import types
import typing
import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, TypeVar, Union

import yaml

from seqtasks.core.aliases import VALUES, present_name
from seqtasks.core.errors import TASK_SETTINGS, ConfigError, suggest
from seqtasks.core.parsing import parse_yaml

D = TypeVar("D")
_log = logging.getLogger(__name__)
_MISSING: Any = object()
_OLD_KEYWORDS = {
    "least": "ge",
    "above": "gt",
    "most": "le",
    "below": "lt",
    "identity": "hashed",
    "model_only": "affects_data",
}
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def setting(
    default: Any = _MISSING,
    help: str = "",
    *,
    factory: Any = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    hashed: bool = True,
    affects_data: bool = True,
    output: tuple[str, ...] = (),
    column: bool = False,
    absent: Any = _MISSING,
    **old: Any,
) -> Any:
    """Declares a dataclass field with a help text and limits.

    Args:
        default: Default value; left out: the setting is required.
        help: One phrase for `seqtasks show`, with the unit.
        factory: Function that makes the default, for dictionaries and lists.
        ge: Smallest allowed value.
        gt: Lower limit, itself not allowed.
        le: Largest allowed value.
        lt: Upper limit, itself not allowed.
        hashed: False for a setting that does not change a result, such as a folder. It stays out of the hash
            that names the run folder.
        affects_data: False for an option that changes neither data nor score, so that stored baselines stay valid.
        output: Allowed suffixes of a file name, for an option of `seqtasks predict` that writes a file. The name is
            checked before the model is loaded.
        column: Whether the value names columns of a table, whose header is checked before Keras is imported.
        absent: Value of a setting in runs that were stored before it existed. It stays out of the hash at this value,
            so that they keep their names.
        **old: Keywords of version 0.1: least, above, most, below, identity, model_only.

    Returns:
        A `dataclasses.field`.

    Raises:
        TypeError: Unknown keyword.

    Example:
        >>> from dataclasses import dataclass
        >>> from seqtasks import setting
        >>> @dataclass(frozen=True)
        ... class Options:
        ...     length: int = setting(100, "number of time steps of a sequence", ge=1)
        >>> Options().length
        100
    """
    for name in old:
        if name not in _OLD_KEYWORDS:
            raise TypeError(f"setting() got an unexpected keyword argument {name!r}")
        new = _OLD_KEYWORDS[name]
        warnings.warn(f"setting({name}=…) is now setting({new}=…)", DeprecationWarning, stacklevel=2)
    ge, gt, le, lt = old.get("least", ge), old.get("above", gt), old.get("most", le), old.get("below", lt)
    limits = {"≥": ge, ">": gt, "≤": le, "<": lt}
    metadata = {
        "help": help,
        "limits": {k: v for k, v in limits.items() if v is not None},
        "hashed": old.get("identity", hashed),
        "affects_data": not old["model_only"] if "model_only" in old else affects_data,
        "output": output,
        "column": column,
    }
    if absent is not _MISSING:
        metadata["absent"] = absent
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    if default is _MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def parse(text: str) -> Any:
    """Parses the value of a `key=TEXT` as YAML: numbers, booleans, `null`, lists and mappings in brackets, else text.

    Example:
        >>> parse("64"), parse("[1, 2]"), parse("null"), parse("lstm"), parse("files:")
        (64, [1, 2], None, 'lstm', 'files:')
    """
    if text.strip().lower() == "none":
        return None
    try:
        value = parse_yaml(text)
    except yaml.YAMLError:
        return text
    # YAML reads `files:` as a mapping and `- a` as a list; on a command line both are texts.
    return text if isinstance(value, dict | list | set) and text.lstrip()[0] not in "{[" else value


def build(cls: type[D], values: Mapping[str, Any], where: str = "", raw: Mapping[str, str] | None = None) -> D:
    """Makes a dataclass from a nested mapping and checks every key and value.

    Args:
        cls: A dataclass type.
        values: Nested mappings, as loaded from YAML.
        where: Prefix of the keys in messages, e.g. `"encoder."`.
        raw: Values as the user typed them, by full key. A field of type `str` takes this text: `1e3`
            is not a number there.

    Raises:
        ConfigError: Unknown key, wrong type, or value outside the limits.
    """
    hints = _hints(cls)  # type: ignore[arg-type]
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = dict(values)
    for key in list(values):
        present = field_name(str(key), fields, where, raw)
        if present == key:
            continue
        value = values.pop(key)
        typed = (raw or {}).get(where + key)
        former, name = (where + text.replace("_", "-") if where == "--" else where + text for text in (key, present))
        if key in VALUES:
            value = VALUES[key][_convert(value, bool, where + key, raw or {})]
            former, name = f"{former}={typed}", f"{name}=[{','.join(value)}]"
        elif typed is not None:
            raw = {**(raw or {}), where + present: typed}
        values[present] = value
        if typed is not None:
            _warn_of_name(former, name)
    made: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in values:
            continue
        path = where + name
        made[name] = _convert(values[name], hints[name], path, raw or {})
        _check_limits(made[name], field.metadata.get("limits", {}), path)
    missing = [
        n
        for n, f in fields.items()
        if n not in made and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"setting {where}{missing[0]} has no value; give {where}{missing[0]}=…")
    return cls(**made)


@functools.cache  # evaluating the annotations takes longer than all checks
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def field_name(key: str, fields: Collection[str], where: str = "", raw: Mapping[str, str] | None = None) -> str:
    """The present name of a setting, which may be given by its name in seqtasks 0.1.

    Args:
        key: Name of the setting, present or former.
        fields: Present names.
        where: Prefix of the keys in messages, e.g. `"options."`.
        raw: Values as the user typed them, by full key.

    Raises:
        ConfigError: Unknown name; or a former name, although the present one was typed.

    Example:
        >>> field_name("beams", ["num_beams", "dropout"])
        'num_beams'
    """
    if key in fields:
        return key
    present = present_name(key, fields)
    if present is not None and key in VALUES and where + present in (raw or {}):
        raise ConfigError(
            f"{where}{key} and {where}{present} are both set, but the first is a former name of the second; allowed: "
            f"one of them; remove {where}{key}"
        )
    if present is None or where + present in (raw or {}):
        raise ConfigError(f"unknown setting {where}{key}; {suggest(key, fields, where, TASK_SETTINGS)}")
    return present


@functools.cache  # warn once, although a command builds its configuration several times
def _warn_of_name(former: str, name: str) -> None:
    _log.warning("%s is now called %s", former, name)


def describe(annotation: Any) -> str:
    """Describes a type annotation in words.

    Example:
        >>> describe(int | None), describe(list[float])
        ('integer or null', 'list of number')
    """
    origin = typing.get_origin(annotation)
    args = typing.get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(_show(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(a) for a in args)
    if origin in (list, tuple):
        inner = [a for a in args if a is not Ellipsis]
        return f"list of {describe(inner[0])}" if inner else "list"
    if origin is dict or annotation is dict:
        return "mapping"
    names = {int: "integer", float: "number", bool: "true or false", str: "text", type(None): "null"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def is_hashed(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Whether the value of a setting belongs to the hash that names the run folder.

    Example:
        >>> late = dataclasses.make_dataclass("Late", [("a", int, setting(1, absent=1))])
        >>> [is_hashed(value, dataclasses.fields(late)[0]) for value in (1, 2)]
        [False, True]
    """
    if not field.metadata.get("hashed", True):
        return False
    return "absent" not in field.metadata or bool(value != field.metadata["absent"])


def table_rows(settings: Any) -> Iterator[tuple[str, str, str, str]]:
    """Yields `(name, value, type with limits, help text)` for every setting of a dataclass instance."""
    hints = typing.get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        limits = field.metadata.get("limits", {})
        kind = describe(hints[field.name]) + "".join(f", {sign} {bound:g}" for sign, bound in limits.items())
        value = getattr(settings, field.name)
        value = list(value) if isinstance(value, tuple) and value else value  # as it is typed
        text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        yield field.name, text if text.isprintable() else repr(text), kind, field.metadata.get("help", "")


def flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, dataclasses.Field[Any]]]:
    """Yields `(dotted key, value, field)` for every leaf of nested dataclasses."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from flatten(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value, field


def _convert(value: Any, annotation: Any, path: str, raw: Mapping[str, str]) -> Any:
    origin = typing.get_origin(annotation)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} is {_show(value)}; allowed: a group of settings; set {path}.<name>=…")
        return build(annotation, value, path + ".", raw)
    if origin in (Union, types.UnionType):
        return _convert_union(value, annotation, path, raw)
    if origin in (list, tuple):
        return _convert_list(value, annotation, path, raw)
    if origin is dict or annotation is dict:
        if isinstance(value, Mapping):
            return {k: float(v) if isinstance(v, str) and _EXPONENT.fullmatch(v) else v for k, v in value.items()}
    elif annotation is Any:
        return value
    elif origin is Literal:
        allowed = typing.get_args(annotation)
        for candidate in (value, raw.get(path)):
            for item in allowed:
                if candidate == item and type(candidate) is type(item):  # True == 1
                    return item
        if isinstance(value, str):
            names = [str(a) for a in allowed]
            hint = suggest(value, names)
            listing = f"; allowed: {', '.join(names)}" if hint.startswith("did") else ""
            raise ConfigError(f"{path} is {_show(value)}; {hint}{listing}; set {path}=…")
    elif annotation is type(None):
        if value is None:
            return None
    else:
        made = _scalar(value, annotation, raw.get(path))
        if made is not _MISSING:
            return made
    advice = f"write {path}={{name: value}}" if dict in (origin, annotation) else f"set {path}=…"
    raise ConfigError(f"{path} is {_show(value)}; allowed: {describe(annotation)}; {advice}")


def _convert_union(value: Any, annotation: Any, path: str, raw: Mapping[str, str]) -> Any:
    options = typing.get_args(annotation)
    if value is None and type(None) in options:
        return None
    if isinstance(value, str) and {int, float} & set(options):  # 8,16 without brackets are two values of a grid
        options = tuple(option for option in options if typing.get_origin(option) not in (list, tuple))
    for option in options:
        try:
            return _convert(value, option, path, raw)
        except ConfigError:
            continue
    advice = f"write {path}=[{value}]" if isinstance(value, str) and "," in value else f"set {path}=…"
    raise ConfigError(f"{path} is {_show(value)}; allowed: {describe(annotation)}; {advice}")


def _convert_list(value: Any, annotation: Any, path: str, raw: Mapping[str, str]) -> Any:
    if isinstance(value, str) and path in raw and "," in value:
        value = [parse(part) for part in value.split(",")]
    elif isinstance(value, str) and value and path in raw and str in typing.get_args(annotation):
        value = [value]
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{path} is {_show(value)}; allowed: {describe(annotation)}; write {path}=[a,b]")
    args = [a for a in typing.get_args(annotation) if a is not Ellipsis] or [Any]
    items = [_convert(item, args[0], f"{path}[{i}]", raw) for i, item in enumerate(value)]
    return tuple(items) if typing.get_origin(annotation) is tuple else items


def _scalar(value: Any, annotation: Any, raw: str | None) -> Any:
    if annotation is bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "yes", "on"):
            return True
        if isinstance(value, str) and value.lower() in ("false", "no", "off"):
            return False
    elif annotation is int:
        if raw is not None and not isinstance(value, bool):
            value = raw  # YAML 1.1 reads 010 as 8 and 1:30 as 90
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float | str) and not isinstance(value, bool):
            number = _number(value)
            if number is not None and number.is_integer():
                return int(number)
    elif annotation is float:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            number = _number(value)
            if number is not None:
                return number
    elif annotation is str:
        if raw is not None and not isinstance(value, list | dict):
            return raw
        if isinstance(value, str):
            return value
    return _MISSING


def _number(value: Any) -> float | None:
    try:
        number = float(value)  # YAML 1.1 reads 1e-3 as text
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _check_limits(value: Any, limits: Mapping[str, float], path: str) -> None:
    if isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_limits(item, limits, f"{path}[{i}]")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    tests = {"≥": lambda a, b: a >= b, ">": lambda a, b: a > b, "≤": lambda a, b: a <= b, "<": lambda a, b: a < b}
    if not all(tests[sign](value, bound) for sign, bound in limits.items()):
        allowed = " and ".join(f"{sign} {bound:g}" for sign, bound in limits.items())
        raise ConfigError(f"{path} is {value:g}; allowed: {allowed}; set {path}=…")


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else str(value)
