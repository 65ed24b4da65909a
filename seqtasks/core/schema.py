"""JSON Schema (draft 2020-12) of configuration files, made from the dataclasses of settings.

An editor reads it to complete and check a YAML file, see `config_files.MODELINE`. It accepts what `config.resolve`
accepts; of a number in quotes neither type nor limits are checked.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union

from seqtasks.core.aliases import VALUES, former_names
from seqtasks.core.config import Config
from seqtasks.core.settings import describe

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LIMITS = {"≥": "minimum", ">": "exclusiveMinimum", "≤": "maximum", "<": "exclusiveMaximum"}
# Texts that `settings.build` converts. YAML 1.1, which seqtasks reads, takes 1e-3 for text; YAML 1.2, which editors
# read, takes yes and 1_000 for text.
_NUMBER = "^[-+]?[0-9.][0-9._]*([eE][-+]?[0-9]+)?$"
_SWITCH = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff])$"
_TYPES: dict[Any, dict[str, Any]] = {
    bool: {"type": ["boolean", "string"], "pattern": _SWITCH},
    int: {"type": ["integer", "string"], "pattern": _NUMBER},
    float: {"type": ["number", "string"], "pattern": _NUMBER},
    str: {"type": "string"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    Any: {},
}


def schema(task: str | None = None, options: type | None = None, predict_options: type | None = None) -> dict[str, Any]:
    """The schema of the configuration files of a task.

    Args:
        task: Name of the task; None: settings of every task.
        options: The task's `Options` dataclass; None: `options` may hold anything.
        predict_options: The task's `PredictOptions`; the schema only describes them, for completion in a shell.

    Returns:
        The schema, which JSON can store.

    Example:
        >>> made = schema("my_task")
        >>> made["$defs"]["encoder"]["properties"]["units"]["minimum"]
        1
    """
    groups = {name: cls for name, cls in typing.get_type_hints(Config).items() if dataclasses.is_dataclass(cls)}
    definitions = {name: group(cls) for name, cls in groups.items()}
    definitions["options"] = {"type": "object"} if options is None else group(options)
    definitions["options"] |= {"description": "Settings `options.*` of the task.", "type": ["object", "null"]}
    settings: dict[str, Any] = {name: {"$ref": f"#/$defs/{name}"} for name in definitions}
    whole = group(Config)["properties"]
    settings = {"task": whole["task"] | ({} if task is None else {"const": task}), "seed": whole["seed"], **settings}
    definitions["section"] = _object(settings)
    if predict_options is not None:
        about = {"description": "Options of `seqtasks predict`, which are no settings of a file."}
        definitions["predict"] = group(predict_options) | about
    section = {"$ref": "#/$defs/section"}
    sources = {
        "description": "Settings for a data source, by its kind or its full name, such as tfds:imdb_reviews.",
        "type": ["object", "null"],
        "properties": dict.fromkeys(("tfds", "files", "builtin"), section),
        "additionalProperties": section,
    }
    sizes = {
        "description": "Settings for small data, by the maximum number of training examples; the smallest that fits.",
        "type": ["object", "null"],
        "patternProperties": {"^[1-9][0-9_]*$": section},
        "additionalProperties": False,
    }
    whose = "every task" if task is None else f"the task {task}"
    top = _object({**settings, "sources": sources, "sizes": sizes}) | {"type": ["object", "null"]}  # null: empty file
    return {"$schema": _DIALECT, "title": f"seqtasks: settings of {whose}", **top, "$defs": definitions}


def to_text(schema: Mapping[str, Any]) -> str:
    """A schema as JSON, with one line for each setting."""
    return _lines(schema, "") + "\n"


def _lines(value: Any, indent: str) -> str:
    inner = indent + "  "
    if not isinstance(value, Mapping) or not any(isinstance(part, Mapping) and part for part in value.values()):
        return json.dumps(value, ensure_ascii=False, default=str)
    parts = [f"{inner}{json.dumps(key)}: {_lines(part, inner)}" for key, part in value.items()]
    return "{\n" + ",\n".join(parts) + f"\n{indent}}}"


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def group(cls: Any) -> dict[str, Any]:
    """The schema of a dataclass; former names of its fields are deprecated properties.

    Args:
        cls: Dataclass whose fields are settings.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    properties = {name: _setting(field, hints[name]) for name, field in fields.items()}
    for former, name in former_names(fields).items():
        same = {key: value for key, value in properties[name].items() if key != "default"}
        if former in VALUES:
            same = {**same, **_TYPES[bool]}
            same.pop("items", None)
        # yaml-language-server suggests no name with a deprecationMessage.
        properties[former] = same | {"deprecated": True, "deprecationMessage": f"{former} is now called {name}"}
    text = inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]
    about = {} if text.startswith(f"{cls.__name__}(") else {"description": text}  # written by `dataclass`
    return {**about, **_object(properties)}


def _setting(field: dataclasses.Field[Any], annotation: Any) -> dict[str, Any]:
    about = {"description": field.metadata["help"]} if field.metadata.get("help") else {}
    limits = {_LIMITS[sign]: bound for sign, bound in field.metadata.get("limits", {}).items()}
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    known = default is not dataclasses.MISSING and not dataclasses.is_dataclass(default)
    value = _value(annotation)
    for option in (value, *value.get("anyOf", ())):  # the limits of a list are those of each value
        if option.get("type") in ("array", ["array", "null"]) and "items" in option:
            option["items"] = {**option["items"], **limits}
            if option is not value:  # beside a single value, a list has one for each layer
                option["minItems"] = 1
    if "pattern" in value:
        value["patternErrorMessage"] = f"allowed: {describe(annotation)}"  # shown by yaml-language-server
    return {**about, **value, **limits, **({"default": default} if known else {})}


def _value(annotation: Any) -> dict[str, Any]:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return group(annotation)
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (list, tuple):
        inner = [arg for arg in args if arg is not Ellipsis]
        return {"type": "array", **({"items": _value(inner[0])} if inner else {})}
    if origin in (Union, types.UnionType):
        return _union([_value(arg) for arg in args])
    return dict(_TYPES.get(origin or annotation, {"not": {}}))  # `settings.build` converts to no other type


def _union(options: list[dict[str, Any]]) -> dict[str, Any]:
    """The schema of a value that fits one of several; in one level if there is a single one beside null."""
    others = [option for option in options if option != _TYPES[type(None)]]
    if len(others) != 1 or len(others) == len(options):
        return {"anyOf": options}
    only = dict(others[0])
    if "enum" in only:
        only["enum"] = [*only["enum"], None]
    elif "type" in only:
        only["type"] = [*([only["type"]] if isinstance(only["type"], str) else only["type"]), "null"]
    return only
