"""Panels of tasks that read images and videos: draw or load, classes, captions, glimpses."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqtasks.core.arrays import FloatArray, PixelArray
from seqtasks.data.image.files import load_image
from seqtasks.deploy.examples import PAPER, SIDE, example_image
from seqtasks.deploy.opened_run import Answer
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types import ImageTask
from seqtasks.task_types.common import style
from seqtasks.task_types.common.fonts import plain_text
from seqtasks.views.playground import markup
from seqtasks.views.playground.opened import TURNS, OpenedRun
from seqtasks.views.playground.panels.panel import Panel

ROWS = "class probabilities after each row"


class ImagePanel(Panel):
    """Panel of images, drawn or loaded; of classifiers, the answer after each row."""

    LABEL = "Read the image"

    def component(self) -> Any:
        import gradio as gr

        return gr.ImageEditor(
            type="pil",
            sources=("upload", "clipboard"),
            brush=gr.Brush(default_size=22, colors=["#000000"], color_mode="fixed"),
            transforms=(),
            layers=False,
            canvas_size=(SIDE, SIDE),
            label="Draw, or load an image",
            elem_classes="input-sketch",
        )

    @property
    def missing(self) -> str:
        return "the sketch pad is empty; allowed: one image; draw or load one"

    def words(self, value: Any, folder: Path) -> list[str]:
        image = value.get("composite") if isinstance(value, dict) else value
        if image is None:
            return []
        flat = on_paper(image)
        if not np.ptp(np.asarray(flat)):
            return []
        flat.save(folder / "image.png")
        return [str(folder / "image.png")]

    def present(self, run: OpenedRun, answer: Answer, inputs: Sequence[str]) -> str:
        rows = [{key: value for key, value in row.items() if key != "image"} for row in answer.rows]
        pictures = [markup.picture(png, name) for name, png in answer.pictures.items()]
        if ROWS in answer.pictures:
            pictures.append(markup.paragraph("What the model answers if it has read the rows down to a line.", "note"))
        return markup.block(self.one(rows[0]) if len(rows) == 1 else markup.table(rows), *pictures)

    def draw(
        self, run: OpenedRun, answer: Answer, inputs: Sequence[str], options: Mapping[str, Any]
    ) -> dict[str, bytes]:
        if not (isinstance(self.task, ImageTask) and self.task.uses_encoder):
            return super().draw(run, answer, inputs, options)
        image, _ = load_image(Path(inputs[0]), self.task.shape, "yes" if answer.rows[0]["inverted"] else "no")
        with TURNS.turn(drawing=True):
            return {ROWS: row_by_row(run, image)}

    def predict_example(self, run: OpenedRun) -> None:
        for _ in self.answer(run, example_image(), *(option.default for option in self.options)):
            pass


class VideoPanel(Panel):
    """Panel of videos: a GIF or several images in order, or a video of the test split."""

    LABEL = "Label the frames"

    def inputs(self) -> list[Any]:
        import gradio as gr

        files = gr.File(file_count="multiple", label="A GIF, or images in order", height=120)
        number = gr.Number(
            0, precision=0, minimum=0, label="or the number of a test video", elem_classes="input-number"
        )
        return [files, number, *self.option_components()]

    def answer(self, run: OpenedRun, value: Any, number: Any = 0, *options: Any) -> Any:
        yield from super().answer(run, value or [f"test:{int(number or 0)}"], *options)

    def predict_example(self, run: OpenedRun) -> None:
        run.ask(["test:0"], {})


def on_paper(image: Image.Image) -> Image.Image:
    """The image with white in place of its transparent parts.

    Args:
        image: A drawing.
    """
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (PAPER, PAPER, PAPER, 255)), image).convert("RGB")


def row_by_row(run: OpenedRun, image: PixelArray) -> bytes:
    """Draws an image and its class probabilities after each row.

    Args:
        run: Run of an image classifier.
        image: `(height, width)`, 0 for the background.

    Returns:
        A PNG file.
    """
    p = partial_probabilities(run, image)
    return _draw(image, p, run.task.classes)


def partial_probabilities(run: OpenedRun, image: PixelArray) -> FloatArray:
    """Class probabilities of an image after each row: the rows below are empty.

    Args:
        run: Run of an image classifier.
        image: `(height, width)`, 0 for the background.

    Returns:
        Probabilities, `(height, classes)`.
    """
    visible = np.tri(len(image), dtype=image.dtype)  # row r of the batch has the image rows 0 to r
    logits = run.model.predict_on_batch(visible[:, :, None] * image[None])
    return np.exp(log_softmax(np.asarray(logits)))


@style.styled
def _draw(image: PixelArray, p: FloatArray, classes: Sequence[str]) -> bytes:
    figure = style.new_figure(max(4.2, 2.4 + 0.22 * len(classes)), 2.6)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, max(1.2, 0.12 * len(classes))))
    left.imshow(image, cmap="gray_r", aspect="auto")
    left.set(ylabel="row ↓", xticks=[])
    heat = right.imshow(p, cmap=style.SHARE, vmin=0, vmax=1, aspect="auto")
    right.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0)
    figure.colorbar(heat, ax=right, label="probability")
    file = io.BytesIO()
    with plain_text(figure):
        figure.savefig(file, format="png", dpi=120)
    return file.getvalue()
