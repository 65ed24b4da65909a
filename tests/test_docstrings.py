"""Every public name has a docstring with a short first line, an example and, where it takes arrays, their shapes."""

from __future__ import annotations

import doctest
import functools
import importlib
import inspect
import re
import types
from collections.abc import Iterator
from typing import Any

import keras

from seqtasks import layers

PACKAGES = ("cells", "decoding", "layers", "losses", "metrics", "task_types")
TAKES_ARRAYS = ("decoding", "layers", "losses", "metrics")
CALLS = ("call", "step", "__call__")
LONGEST_FIRST_LINE = 88


def public_names() -> dict[str, Any]:
    """The objects that the packages list in `__all__`, by name; an object with two names has the first."""
    names: dict[str, Any] = {}
    for package in (*(f"seqtasks.{name}" for name in PACKAGES), "seqtasks"):
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            documented = isinstance(value, type | types.FunctionType | types.ModuleType)
            if documented and not any(value is other for other in names.values()):
                names[f"{package}.{name}"] = value
    return names


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """An object and, of a class, the public methods and properties that it defines."""
    yield "", value
    for name, member in vars(value).items() if isinstance(value, type) else ():
        if not name.startswith("_") and isinstance(member, types.FunctionType | classmethod | staticmethod | property):
            yield f".{name}", member


@functools.cache
def examples(module: str) -> set[str]:
    """Names of the docstrings with examples that tests/test_docs.py runs in a module."""
    return {test.name for test in doctest.DocTestFinder().find(importlib.import_module(module)) if test.examples}


def has_example(value: Any) -> bool:
    """Whether its docstring has a section of examples that is run."""
    section = re.search(r"^Example:\n +>>> ", inspect.getdoc(value) or "", re.M)
    return bool(section) and f"{value.__module__}.{value.__qualname__}" in examples(value.__module__)


def has_shape(value: Any) -> bool:
    """Whether its docstring, or that of the method that is called with arrays, names the axes of an array."""
    calls = [getattr(value, name, None) for name in CALLS] if isinstance(value, type) else []
    ours = [call for call in calls if getattr(call, "__module__", "").startswith("seqtasks.")]
    return any("(batch" in (inspect.getdoc(documented) or "") for documented in (value, *ours))


def problems(name: str, value: Any) -> list[str]:
    """What the documentation of a public name lacks."""
    if not (value.__doc__ or "").strip():
        return ["no docstring"]
    messages = []
    for member, documented in members(value):
        first = inspect.cleandoc(documented.__doc__ or "").partition("\n")[0]
        if len(first) > LONGEST_FIRST_LINE:
            messages.append(f"first line{member and f' of {member[1:]}'} has {len(first)} characters")
    if isinstance(value, types.ModuleType):
        return messages
    if not has_example(value):
        messages.append("no example")
    is_layer = isinstance(value, type) and issubclass(value, keras.layers.Layer)
    if (is_layer or name.split(".")[1] in TAKES_ARRAYS) and not has_shape(value):
        messages.append("no shape such as `(batch, time)`")
    return messages


def test_public_names_are_documented():
    messages = [
        f"{name}: {', '.join(lacks)}" for name, value in public_names().items() if (lacks := problems(name, value))
    ]
    assert not messages, "\n".join(messages)


def test_the_checks_find_what_is_missing():
    def undocumented(x):
        pass

    def brief(x):
        """Sums an array, whose shape is not given here, and explains this in a line that is too long."""

    assert problems("seqtasks.layers.undocumented", undocumented) == ["no docstring"]
    missing = ["first line has 91 characters", "no example", "no shape such as `(batch, time)`"]
    assert problems("seqtasks.layers.brief", brief) == missing
    assert problems("seqtasks.brief", brief) == missing[:2]
    brief.__doc__ = "Sums an array.\n\nArgs:\n    x: `(batch, time)`.\n\nExample:\n    >>> 1 + 1\n    2\n"
    assert problems("seqtasks.layers.brief", brief) == ["no example"]  # not one that is run: a function in a function
    assert problems("seqtasks.layers.Pooling", layers.Pooling) == []
