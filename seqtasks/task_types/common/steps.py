"""Descriptions of time steps that `seqtasks look` shows beside the states: texts, numbers, properties."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from seqtasks.core.arrays import BoolArray, FloatArray, IntArray

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


def course_properties(
    signal: FloatArray, names: Sequence[str], season: int = 1, positions: IntArray | None = None
) -> dict[str, FloatArray]:
    """Properties of the course of series that the present value alone does not determine.

    They are those of `signal_properties`, whether each channel rises, and the position in the season as sine and cosine
    of its angle, as the last step of a season is next to the first one.

    Args:
        signal: `(batch, time, features)`.
        names: Names of the features; if they are more than eight, only their mean is used.
        season: Number of steps of the season; 1: there is none.
        positions: Step of the whole series that each step is, from 0, `(batch, time)`; None: windows begin with it.

    Returns:
        Properties by name, `(batch, time)`; rising is not defined at the first step.

    Example:
        >>> from seqtasks.task_types.common.steps import course_properties
        >>> course_properties(np.array([[[1.0], [3.0], [2.0]]]), ["flow"])["flow, rising"]
        array([[nan,  1.,  0.]])
    """
    signal = np.asarray(signal, np.float64)
    if len(names) > MOST_CHANNELS:
        signal, names = signal.mean(axis=-1, keepdims=True), ["mean of the features"]
    properties = signal_properties(signal, names)
    rising = np.full(signal.shape, np.nan)
    rising[:, 1:] = signal[:, 1:] > signal[:, :-1]
    properties |= {f"{name}, rising": rising[..., i] for i, name in enumerate(names)}
    if season > 1:
        steps = np.broadcast_to(np.arange(signal.shape[1]), signal.shape[:2]) if positions is None else positions
        angle = 2 * np.pi * (steps % season) / season
        properties |= {"position in the season, sine": np.sin(angle), "position in the season, cosine": np.cos(angle)}
    return properties


def loudness_properties(loudness: FloatArray, mask: BoolArray) -> dict[str, FloatArray]:
    """Properties of recordings: loudness and its course, sounds and pauses.

    A sound is where the loudness is above the middle between the 10th and the 90th percentile of the recording.

    Args:
        loudness: Loudness of each frame, in any unit, `(batch, time)`.
        mask: True at valid frames, `(batch, time)`.

    Example:
        >>> from seqtasks.task_types.common.steps import loudness_properties
        >>> made = loudness_properties(np.array([[0.0, 0.0, 5.0, 6.0, 0.0]]), np.ones((1, 5), bool))
        >>> made["sound, not a pause"].tolist(), made["frames since the sound began"].tolist()
        ([[0.0, 0.0, 1.0, 1.0, 0.0]], [[nan, nan, 1.0, 2.0, nan]])
    """
    properties = course_properties(loudness[..., None], ["loudness"])
    valid = np.where(mask, loudness, np.nan)
    low, high = np.nanpercentile(valid, [10, 90], axis=1, keepdims=True)
    sounds = valid > (low + high) / 2
    lengths = np.zeros(loudness.shape)
    for step in range(loudness.shape[1]):
        lengths[:, step] = np.where(sounds[:, step], 1 + (lengths[:, step - 1] if step else 0), 0)
    properties["sound, not a pause"] = sounds.astype(np.float64)
    return properties | {"frames since the sound began": np.where(sounds, lengths, np.nan)}


def sentence_properties(lengths: IntArray, time: int) -> dict[str, FloatArray]:
    """Position in a sentence that is written word by word, and number of words to its end; not defined at padding.

    Args:
        lengths: Number of words of each sentence, `(batch,)`.
        time: Number of steps.

    Example:
        >>> from seqtasks.task_types.common.steps import sentence_properties
        >>> sentence_properties(np.array([2]), 3)["words to the end"].tolist()
        [[2.0, 1.0, nan]]
    """
    steps = np.broadcast_to(np.arange(time, dtype=np.float64), (len(lengths), time))
    inside = steps < lengths[:, None]
    columns = {"position in the sentence": steps, "words to the end": lengths[:, None] - steps}
    return {name: np.where(inside, values, np.nan) for name, values in columns.items()}


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
