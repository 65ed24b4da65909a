"""Parses YAML and JSON that users wrote or that was damaged, with few types of errors."""

from __future__ import annotations

import json
from typing import Any

import yaml

LENGTH = 1_000_000  # maximum number of characters of a YAML text
NODES = 100_000  # maximum number of values in a YAML text, with those of aliases counted each time
DEPTH = 100  # maximum nesting of a YAML text: the time of PyYAML grows with its square
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with libyaml


def parse_yaml(text: str) -> Any:
    """Parses one YAML document.

    PyYAML raises errors of many types for values such as `2026-13-45`, for numbers of thousands of digits, and for
    deep nesting; and a few lines of aliases can stand for billions of values, or for a list that contains itself.
    Texts of more than `LENGTH` characters or `NODES` values are refused, so that an answer comes within seconds.

    Args:
        text: The text.

    Raises:
        yaml.YAMLError: It is not YAML, or one of these cases.

    Example:
        >>> from seqtasks.core.parsing import parse_yaml
        >>> parse_yaml("units: 64")
        {'units': 64}
    """
    if len(text) > LENGTH:
        raise yaml.YAMLError(f"it has more than {LENGTH:,} characters")
    try:
        _check_size(text)
        value = yaml.load(text, Loader=_LOADER)
        _count(value, 0)
    except yaml.YAMLError:
        raise
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply, or a value contains itself") from None
    except Exception as error:
        raise yaml.YAMLError(f"it has a value that cannot be read ({error})") from error
    return value


def parse_json(text: str) -> Any:
    """Parses JSON; like `json.loads`, but deep nesting is a ValueError, too.

    Args:
        text: The text.

    Raises:
        ValueError: It is not JSON, or nested too deeply.

    Example:
        >>> from seqtasks.core.parsing import parse_json
        >>> parse_json('{"units": 64}')
        {'units': 64}
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _check_size(text: str) -> None:
    """Raises yaml.YAMLError if a text is nested more deeply than `DEPTH`, or has more than `NODES` values."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        count += isinstance(event, yaml.NodeEvent)
        if count > NODES:
            raise yaml.YAMLError(f"it has more than {NODES:,} values")
        if depth > DEPTH:
            raise yaml.YAMLError(f"it is nested more than {DEPTH} levels deep")


def _count(value: Any, count: int) -> int:
    """Adds the number of values inside a value to a count.

    Raises:
        yaml.YAMLError: They are more than `NODES`.
        RecursionError: The value contains itself.
    """
    count += 1
    if count > NODES:
        raise yaml.YAMLError(f"it has more than {NODES:,} values, with those of aliases")
    if isinstance(value, dict):
        for key, part in value.items():
            count = _count(part, _count(key, count))
    elif isinstance(value, list | tuple | set):
        for part in value:
            count = _count(part, count)
    return count
