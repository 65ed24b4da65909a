"""Saliency of words in a text classifier: gradient times input."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Colored

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.files import check_output, write_output
from seqtasks.engines.backend.gradients import input_gradient
from seqtasks.task_types.common.columns import Shaded
from seqtasks.task_types.common.plots import export_figure
from seqtasks.task_types.text_classification.model import TextClassifierParts

SUFFIXES = (".html", ".htm", ".png")

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle


def gradient_times_input(model: keras.Model) -> Callable[[IntArray, IntArray], FloatArray]:
    """How much each token speaks for a class: the slope of its logit, less the mean of the others, along the embedding.

    Reference: Shrikumar et al. 2016, https://arxiv.org/abs/1605.01713

    Args:
        model: of `text_classifier`.

    Returns:
        A function of tokens (batch, time), 0 at padding, and class numbers (batch,); it gives
        (batch, time), above zero where a token speaks for the class.
    """
    embedding = TextClassifierParts.of(model).embedding
    classifier = keras.Model([embedding.output, model.inputs[0]], model.outputs[0])

    def margin(vectors: Any, tokens: Any, classes: Any) -> Any:
        logits = classifier([vectors, tokens])
        one = ops.one_hot(classes, logits.shape[-1])
        return ops.sum(logits * (one - (1 - one) / max(1, logits.shape[-1] - 1)))

    slope = input_gradient(margin)

    def products(tokens: IntArray, classes: IntArray) -> FloatArray:
        tokens, classes = tokens.astype(np.int32), classes.astype(np.int32)
        vectors = embedding(tokens)
        _, slopes = slope(vectors, tokens, classes)
        scores = (ops.convert_to_numpy(slopes) * ops.convert_to_numpy(vectors)).sum(-1)
        return np.where(tokens > 0, scores, 0.0)

    return products


def colorize(text: str, spans: Sequence[tuple[int, int]], weights: Sequence[float] | FloatArray) -> Shaded:
    """A text, its words greener the more they speak for the answer, redder the more against it.

    Args:
        text: of one line.
        spans: where each word begins and ends.
        weights: of the words.
    """
    most = max((abs(weight) for weight in weights), default=0.0) or 1.0
    shown = Shaded(text)
    shown.legend = legend()
    for (begin, end), weight in zip(spans, weights, strict=True):
        strength = abs(weight) / most
        if strength > 0.15:
            shown.stylize(_style(weight / most), begin, end)
    return shown


def legend() -> Colored:
    """What the colours of `colorize` mean."""
    return Colored.assemble((" for the answer ", _style(1.0)), " ", (" against it ", _style(-1.0)))


def _style(weight: float) -> str:
    """Of a word with a weight from -1 to 1."""
    faded = round(255 * (1 - 0.75 * abs(weight)))
    colour = f"#{faded:02x}ff{faded:02x}" if weight > 0 else f"#ff{faded:02x}{faded:02x}"
    return f"black on {colour}"


def write(path: Path, texts: Sequence[Colored], answers: Sequence[str] = ()) -> None:
    """The coloured texts as HTML or PNG, by the suffix, below a legend.

    Args:
        path: the file.
        texts: as `colorize` gives them.
        answers: that of each text, above it; none: they are left out.

    Raises:
        ConfigError: another suffix, or the file cannot be written.
    """
    check_output(path, "--heat", SUFFIXES)
    blocks = [legend()]
    for number, text in enumerate(texts):
        blocks += [Colored(), *([Colored(f"answer: {answers[number]}", "bold")] if answers else []), text]
    if path.suffix.lower() == ".png":
        export_figure(_picture(blocks), path)
        return
    console = Console(record=True, file=io.StringIO(), width=120, force_terminal=True)
    for block in blocks:
        console.print(block)
    data = console.export_html().encode("utf-8", "backslashreplace")
    write_output(path, lambda file: file.write_bytes(data))


def _picture(blocks: Sequence[Colored], width: int = 100) -> Figure:
    from matplotlib.figure import Figure

    console = Console(width=width)
    lines = [line for block in blocks for line in block.wrap(console, width)]
    figure = Figure(figsize=(0.085 * width + 0.4, 0.2 * len(lines) + 0.3))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set(xlim=(0, width), ylim=(len(lines), 0))
    axes.axis("off")
    for row, line in enumerate(lines):
        columns = [0, *accumulate(map(cell_len, line.plain))]  # Chinese signs are two cells wide, marks none.
        for span in line.spans:
            colour = str(span.style).rpartition(" ")[2]
            if colour.startswith("#"):
                left, right = columns[span.start], columns[span.end]
                axes.add_patch(_box(left, row, right - left, colour))
        for left, right, sign in _signs(line.plain):
            middle = (left + right) / 2
            weight = "bold" if line.style == "bold" or any(span.style == "bold" for span in line.spans) else "normal"
            axes.text(middle, row + 0.5, sign, family="monospace", fontsize=9, weight=weight, ha="center", va="center")
    return figure


def _signs(text: str) -> Iterator[tuple[int, int, str]]:
    """Each sign with the marks on it, and the columns where it begins and ends."""
    begin, sign = 0, ""
    for character in text:
        if sign and cell_len(character):
            yield begin, begin + cell_len(sign), sign
            begin, sign = begin + cell_len(sign), ""
        sign += character
    if sign:
        yield begin, begin + cell_len(sign), sign


def _box(left: float, top: float, width: float, colour: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), width, 1, color=colour, linewidth=0)
