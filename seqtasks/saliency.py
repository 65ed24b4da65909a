"""Which tokens of a text moved a classifier: gradient times input."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from rich.console import Console
from rich.text import Text as Colored

from seqtasks.errors import ConfigError
from seqtasks.files import check_output, write_output

SUFFIXES = (".html", ".htm", ".png")

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle


def gradient_times_input(model: keras.Model) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """How much each token speaks for a class: the slope of its logit, less the mean of the others, along the embedding.

    Reference: Shrikumar et al. 2016, https://arxiv.org/abs/1605.01713

    Args:
        model: of tokens, with a layer `embedding`.

    Returns:
        A function of tokens (batch, time), 0 at padding, and class numbers (batch,); it gives
        (batch, time), above zero where a token speaks for the class.

    Raises:
        ConfigError: another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(f"gradients of words on the backend {keras.backend.backend()}; they need tensorflow")
    import tensorflow as tf

    embedding = model.get_layer("embedding")
    rest = keras.Model([embedding.output, model.inputs[0]], model.outputs[0])

    # Compiled: step by step, ten thousand words would take minutes.
    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32)])  # type: ignore[untyped-decorator]
    def products(tokens: Any, classes: Any) -> Any:
        vectors = tf.convert_to_tensor(embedding(tokens))
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            logits = rest([vectors, tokens])
            one = tf.one_hot(classes, logits.shape[-1])
            margin = tf.reduce_sum(logits * (one - (1 - one) / max(1, logits.shape[-1] - 1)))
        slopes = tape.gradient(margin, vectors)
        return tf.where(tokens > 0, tf.reduce_sum(slopes * vectors, -1), 0.0)

    return lambda tokens, classes: np.asarray(products(tokens.astype(np.int32), classes.astype(np.int32)))


def coloured(text: str, spans: Sequence[tuple[int, int]], weights: Sequence[float] | np.ndarray) -> Colored:
    """A text, its words greener the more they speak for the answer, redder the more against it.

    Args:
        text: of one line.
        spans: where each word begins and ends.
        weights: of the words.
    """
    most = max((abs(weight) for weight in weights), default=0.0) or 1.0
    shown = Colored(text)
    for (begin, end), weight in zip(spans, weights, strict=True):
        strength = abs(weight) / most
        faded = round(255 * (1 - 0.75 * strength))
        colour = f"#{faded:02x}ff{faded:02x}" if weight > 0 else f"#ff{faded:02x}{faded:02x}"
        if strength > 0.15:
            shown.stylize(f"black on {colour}", begin, end)
    return shown


def write(path: Path, texts: Sequence[Colored]) -> None:
    """Writes the coloured texts as HTML or PNG, by the suffix.

    Raises:
        ConfigError: another suffix, or the file cannot be written.
    """
    check_output(path, "--heat", SUFFIXES)
    if path.suffix.lower() == ".png":
        write_output(path, partial(_picture(texts).savefig, dpi=120))
        return
    console = Console(record=True, file=io.StringIO(), width=120, force_terminal=True)
    for text in texts:
        console.print(text, end="\n\n")
    data = console.export_html().encode("utf-8", "backslashreplace")
    write_output(path, lambda file: file.write_bytes(data))


def _picture(texts: Sequence[Colored], width: int = 100) -> Figure:
    from matplotlib.figure import Figure

    lines = [line for text in texts for line in [*text.wrap(Console(width=width), width), Colored()]]
    figure = Figure(figsize=(0.085 * width + 0.4, 0.2 * len(lines) + 0.3))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set(xlim=(0, width), ylim=(len(lines), 0))
    axes.axis("off")
    for row, line in enumerate(lines):
        for span in line.spans:
            colour = str(span.style).rpartition(" ")[2]
            if colour:
                axes.add_patch(_box(span.start, row, span.end - span.start, colour))
        for column, character in enumerate(line.plain):
            axes.text(column + 0.5, row + 0.5, character, family="monospace", fontsize=9, ha="center", va="center")
    return figure


def _box(left: float, top: float, width: float, colour: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), width, 1, color=colour, linewidth=0)
