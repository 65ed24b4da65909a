"""Descriptions of time steps that `seqtasks look` shows beside the states: texts, numbers, properties."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray

MOST_CLASSES = 20  # above this number of classes, none is a property
MOST_CHANNELS = 8  # above this number of channels, only their mean is a property
PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, eq=False)
class Steps:
    """Description of a batch of sequences.

    Attributes:
        labels: Text of each step, such as its character or word, for every sequence; None: the steps have no text.
        separator: Text between two labels, such as a space between words.
        tokens: Number of the symbol that each step reads, `(batch, time)`; None: there are no symbols.
        signal: Numbers of each step, `(batch, time, features)`, drawn above the states; None: there are none.
        properties: Properties of the steps by name, `(batch, time)`, NaN where not defined.
        titles: A title for each sequence; empty: no titles.

    Example:
        >>> from seqtasks.task_types.common.steps import Steps
        >>> Steps(labels=[["a", "cat"]], separator=" ").labels[0]
        ['a', 'cat']
    """

    labels: Sequence[Sequence[str]] | None = None
    separator: str = ""
    tokens: IntArray | None = None
    signal: FloatArray | None = None
    properties: Mapping[str, FloatArray] = field(default_factory=dict)
    titles: Sequence[str] = ()


def class_properties(targets: IntArray, classes: Sequence[str], time: int) -> dict[str, FloatArray]:
    """Whether a sequence, at all of its steps, or each step is of a class.

    Args:
        targets: Class numbers of the sequences, `(batch,)`, or of the steps, `(batch, time)`.
        classes: Names of the classes.
        time: Number of steps.
    """
    if not 2 <= len(classes) <= MOST_CLASSES:
        return {}
    targets = np.asarray(targets)
    of_steps = np.repeat(targets[:, None], time, axis=1) if targets.ndim == 1 else targets
    if of_steps.shape != (len(targets), time):
        return {}
    numbers = range(1, 2) if len(classes) == 2 else range(len(classes))
    return {f"class {classes[n]}": (of_steps == n).astype(np.float64) for n in numbers}


def signal_properties(signal: FloatArray, names: Sequence[str]) -> dict[str, FloatArray]:
    """Properties of sequences of numbers: present value and mean so far of each channel, and the step.

    Args:
        signal: `(batch, time, features)`.
        names: Names of the features; if they are more than eight, only their mean is used.
    """
    if len(names) > MOST_CHANNELS:
        signal, names = signal.mean(axis=-1, keepdims=True), ["mean of the features"]
    signal = np.asarray(signal, np.float64)
    steps = np.arange(1, signal.shape[1] + 1)
    means = signal.cumsum(axis=1) / steps[None, :, None]
    properties: dict[str, FloatArray] = {"step": np.broadcast_to(steps.astype(np.float64), signal.shape[:2])}
    for i, name in enumerate(names):
        properties |= {name: signal[..., i], f"{name}, mean so far": means[..., i]}
    return properties


def text_properties(labels: Sequence[Sequence[str]], separator: str, time: int) -> dict[str, FloatArray]:
    """Properties of texts that the present symbol alone does not determine.

    The value at a symbol is that at its last character. Positions in lines and paragraphs are not defined before the
    first line break or blank line, because a text may begin inside of one.

    Args:
        labels: Text of each step of every sequence.
        separator: Text between two steps.
        time: Number of steps of the arrays, the longest sequence or more.

    Returns:
        Properties by name, `(batch, time)`.

    Example:
        >>> from seqtasks.task_types.common.steps import text_properties
        >>> text_properties([list("a\\nbc")], "", 4)["position in the line"]
        array([[nan,  0.,  1.,  2.]])
    """
    properties: dict[str, FloatArray] = {}
    for row, pieces in enumerate(labels):
        ends = np.cumsum([len(piece) + len(separator) for piece in pieces], dtype=np.int64) - len(separator) - 1
        for name, values in _of_text(separator.join(pieces)).items():
            array = properties.setdefault(name, np.full((len(labels), time), np.nan))
            array[row, : len(pieces)] = values[np.maximum(ends, 0)] if len(values) else np.nan
    return properties


def _of_text(text: str) -> dict[str, FloatArray]:
    """Properties of each character of a text."""
    columns: dict[str, list[float]] = {}

    def add(name: str, values: Iterable[float]) -> None:
        columns.setdefault(name, []).extend(values)

    lines, line_of_paragraph = text.split("\n"), float("nan")
    quoted, depth = False, 0
    for number, line in enumerate(lines):
        size, known = len(line) + (number + 1 < len(lines)), number > 0  # the size includes the line break
        # The line break begins the next line: its position is 0.
        add(
            "position in the line",
            ((i + 1.0) % (len(line) + 1) if known or i == len(line) else math.nan for i in range(size)),
        )
        add("indentation of the line", [float(len(line) - len(line.lstrip(" "))) if known else math.nan] * size)
        add("line of the paragraph", [line_of_paragraph] * size)
        first = line_of_paragraph == 1
        unknown = math.isnan(line_of_paragraph)
        add("first line after a blank line", [math.nan if unknown else float(first)] * size)
        colon = line.find(":") if first and line.rstrip().endswith(":") else -1
        add("inside a name before a colon", (math.nan if unknown else float(i <= colon) for i in range(size)))
        for character in line + "\n" * (size - len(line)):
            quoted = not quoted if character == '"' else character != "”" and (quoted or character == "“")
            depth = max(0, depth + (character in PAIRS) - (character in PAIRS.values()))
            add("inside quotes", [float(quoted)])
            add("inside brackets", [float(depth > 0)])
        line_of_paragraph += 1
        if not line.strip():
            line_of_paragraph, quoted, depth = 1.0, False, 0
    start, capital = 0, False
    for i, character in enumerate(text):
        if not character.isalnum():
            start, capital = i + 1, False
        elif i == start:
            capital = character.isupper()
        add("position in the word", [i - start + 1.0])
        add("inside a word with a capital", [float(capital)])
    return {name: np.array(values) for name, values in columns.items()}
