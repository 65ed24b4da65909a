"""The grid of `key=a,b` overrides."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

from seqtasks import plugins
from seqtasks.config import split_override
from seqtasks.errors import ConfigError
from seqtasks.settings import parse

_PAIRS = {"[": "]", "{": "}"}


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """The grid of `key=a,b` overrides, the first key slowest.

    `encoder.cell=all` stands for every registered cell. Commas inside brackets, braces and quotes
    do not separate; quotes around a whole value are taken off.

    Raises:
        ConfigError: a key or a value stands twice, a value is empty, a bracket or quote stays open.
    """
    axes: dict[str, list[str]] = {}
    for text in overrides:
        key, value = split_override(text)
        if key in axes:
            raise ConfigError(f"{key} is given twice; separate its values by commas: {key}=a,b")
        axes[key] = plugins.cells.names() if (key, value) == ("encoder.cell", "all") else _split(key, value)
    return [
        [f"{key}={value}" for key, value in zip(axes, point, strict=True)]
        for point in itertools.product(*axes.values())
    ]


def of_data(overrides: Sequence[str]) -> list[str]:
    """The overrides that decide the data and so the baselines: `data.*` and `options.*`."""
    return [text for text in overrides if split_override(text)[0].startswith(("data.", "options."))]


def _split(key: str, text: str) -> list[str]:
    """The values of `a,[1,2],"c,d"`."""
    values: list[str] = []
    word, closing = "", ""
    for sign in text:
        if sign == "," and not closing:
            values.append(word)
            word = ""
            continue
        if closing and sign == closing[-1]:
            closing = closing[:-1]
        elif sign in "\"'" and word.rstrip()[-1:] in ("", *"[{,:") and closing[-1:] not in ("'", '"'):
            closing += sign
        elif sign in _PAIRS and (not closing or closing[-1] not in "\"'"):
            closing += _PAIRS[sign]
        word += sign
    if closing:
        raise ConfigError(f"{key}={text} lacks a closing {closing[-1]}; close it, or quote the whole value")
    values = [value.strip() for value in (*values, word)]
    if "" in values:
        raise ConfigError(f"{key}={text} has an empty value; write {key}=a,b, or null for nothing")
    values = [v[1:-1] if len(v) > 1 and v[0] == v[-1] and v[0] in "\"'" else v for v in values]
    seen: set[str] = set()
    for value in values:
        same = _canonical(value)
        if same in seen:
            raise ConfigError(f"{key} has the value {value} twice; give each value once")
        seen.add(same)
    return values


def _canonical(text: str) -> str:
    try:
        return str(float(text))  # 64 and 64.0 are one value
    except ValueError:
        return json.dumps(parse(text), sort_keys=True, default=str)
