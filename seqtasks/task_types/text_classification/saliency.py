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
    """Returns a function that computes the saliency of each token: gradient times input.

    The gradient is that of the logit of a class minus the mean of the other logits, with respect to the embedding of
    the token.

    Reference: Shrikumar et al. 2016, https://arxiv.org/abs/1605.01713

    Args:
        model: Model of `text_classifier`.

    Returns:
        A function of tokens, `(batch, time)`, 0 at padding, and class numbers, `(batch,)`. It returns the saliency,
        `(batch, time)`: above 0 if the token raises the score of the class, 0 at padding.
    """
    embedding = TextClassifierParts.of(model).embedding
    classifier = keras.Model([embedding.output, model.inputs[0]], model.outputs[0])

    def margin(vectors: Any, tokens: Any, classes: Any) -> Any:
        logits = classifier([vectors, tokens])
        one_hot = ops.one_hot(classes, logits.shape[-1])
        return ops.sum(logits * (one_hot - (1 - one_hot) / max(1, logits.shape[-1] - 1)))

    gradient = input_gradient(margin)

    def products(tokens: IntArray, classes: IntArray) -> FloatArray:
        tokens, classes = tokens.astype(np.int32), classes.astype(np.int32)
        vectors = embedding(tokens)
        _, gradients = gradient(vectors, tokens, classes)
        saliency = (ops.convert_to_numpy(gradients) * ops.convert_to_numpy(vectors)).sum(-1)
        return np.where(tokens > 0, saliency, 0.0)

    return products


def colorize(text: str, spans: Sequence[tuple[int, int]], weights: Sequence[float] | FloatArray) -> Shaded:
    """Colours the words of a text by their saliency: green for the predicted class, red against it.

    The largest absolute value has the full colour; words below 15 % of it are not coloured.

    Args:
        text: Text of one line.
        spans: First character and end (exclusive) of each word.
        weights: Saliency of each word.
    """
    largest = max((abs(weight) for weight in weights), default=0.0) or 1.0
    shaded = Shaded(text)
    shaded.legend = legend()
    for (begin, end), weight in zip(spans, weights, strict=True):
        if abs(weight) / largest > 0.15:
            shaded.stylize(_style(weight / largest), begin, end)
    return shaded


def legend() -> Colored:
    """Returns the explanation of the colours of `colorize`."""
    return Colored.assemble((" for the answer ", _style(1.0)), " ", (" against it ", _style(-1.0)))


def _style(weight: float) -> str:
    """Style of a word with a saliency from -1 to 1."""
    faded = round(255 * (1 - 0.75 * abs(weight)))
    colour = f"#{faded:02x}ff{faded:02x}" if weight > 0 else f"#ff{faded:02x}{faded:02x}"
    return f"black on {colour}"


def write(path: Path, texts: Sequence[Colored], answers: Sequence[str] = ()) -> None:
    """Writes coloured texts with a legend to an HTML or PNG file, by its suffix.

    Args:
        path: Path of the file.
        texts: Texts that `colorize` returned.
        answers: Predicted class of each text, written above it; empty: left out.

    Raises:
        ConfigError: Another suffix, or the file cannot be written.
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
    """Draws texts in a monospaced font, wrapped to a width in terminal cells."""
    from matplotlib.figure import Figure

    console = Console(width=width)
    lines = [line for block in blocks for line in block.wrap(console, width)]
    figure = Figure(figsize=(0.085 * width + 0.4, 0.2 * len(lines) + 0.3))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set(xlim=(0, width), ylim=(len(lines), 0))
    axes.axis("off")
    for row, line in enumerate(lines):
        # Chinese characters are two cells wide, combining marks none.
        columns = [0, *accumulate(map(cell_len, line.plain))]
        for span in line.spans:
            colour = str(span.style).rpartition(" ")[2]
            if colour.startswith("#"):
                left, right = columns[span.start], columns[span.end]
                axes.add_patch(_box(left, row, right - left, colour))
        for left, right, cluster in _clusters(line.plain):
            middle = (left + right) / 2
            weight = "bold" if line.style == "bold" or any(span.style == "bold" for span in line.spans) else "normal"
            axes.text(
                middle, row + 0.5, cluster, family="monospace", fontsize=9, weight=weight, ha="center", va="center"
            )
    return figure


def _clusters(text: str) -> Iterator[tuple[int, int, str]]:
    """Yields first column, end column and text of each character with its combining marks."""
    begin, cluster = 0, ""
    for character in text:
        if cluster and cell_len(character):
            yield begin, begin + cell_len(cluster), cluster
            begin, cluster = begin + cell_len(cluster), ""
        cluster += character
    if cluster:
        yield begin, begin + cell_len(cluster), cluster


def _box(left: float, top: float, width: float, colour: str) -> Rectangle:
    """Coloured background of a word, one line high."""
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), width, 1, color=colour, linewidth=0)
