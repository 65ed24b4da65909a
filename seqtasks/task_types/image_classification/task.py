"""Image classification: data, augmentation, prediction from files, baselines, plots."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, PixelArray
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.image import labelled_images
from seqtasks.data.image.files import load_image
from seqtasks.data.source import Source
from seqtasks.data.splits import Splits
from seqtasks.data.survey import Survey
from seqtasks.layers.metrics import classification_scores, log_softmax
from seqtasks.layers.vision import RandomAffine
from seqtasks.task_types.base import Baseline, Task
from seqtasks.task_types.common.columns import class_row
from seqtasks.task_types.common.linear_baseline import logistic_regression
from seqtasks.task_types.common.plots import class_pictures

ImageSpec = labelled_images.ImageSpec


@dataclass(frozen=True)
class ImagePredictOptions:
    """How pictures are read for prediction."""

    invert: Literal["auto", "yes", "no"] = setting("auto", "invert dark ink on white paper; auto: detect it")


class ImageTask(Task):
    """A label for an image; a subclass writes `model`."""

    files = True
    unit = "images"
    PredictOptions = ImagePredictOptions
    Spec = ImageSpec
    spec: ImageSpec
    reads = "paths"

    def load(self, source: Source, seed: int) -> Splits:
        return labelled_images.load(source)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = self.spec.shape
        return height, width

    def pixels(self, augment: bool) -> tuple[Any, Any]:
        """The input, (batch, height, width) of 0 to 255, and the same scaled to 0 to 1.

        Args:
            augment: while training, move, turn and scale each image at random: up to
                2 pixels of 28, 10 degrees, 10 %.
        """
        inputs = keras.Input(self.shape, name="image", dtype="uint8")
        x = keras.layers.Rescaling(1 / 255)(inputs)
        if augment:
            x = RandomAffine(degrees=10, zoom=0.1, shift=2 / 28)(x)
        return inputs, x

    def predict(self, model: keras.Model, inputs: Sequence[str], options: ImagePredictOptions) -> list[dict[str, Any]]:
        check_images(inputs)
        read = [load_image(Path(name), self.shape, options.invert) for name in inputs]
        logits = model.predict(np.stack([image for image, _ in read]), verbose=0)
        return image_rows(inputs, [inverted for _, inverted in read], logits, self.classes)

    def survey(self, splits: Splits) -> Survey:
        keys = {part: [hash(image.tobytes()) for image in rows.inputs["image"]] for part, rows in splits.parts.items()}
        return dataclasses.replace(super().survey(splits), keys=keys)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        count, pixels = len(splits.train), self.shape[0] * self.shape[1]
        return {"logistic regression": 2e-7 * count * pixels, "SVM (RBF)": 2e-10 * count**2 * pixels}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        return {"logistic regression": lambda: _logistic(splits, len(self.classes)), "SVM (RBF)": lambda: _svm(splits)}

    def plots(self, model: keras.Model, batches: ArrayBatches) -> Iterator[tuple[str, Any]]:
        targets = batches.examples.targets
        return class_pictures(self.name, self.predict_logits(model, batches), targets, self.classes, "test images")


def check_images(inputs: Sequence[str]) -> None:
    """Refuses a prediction without an image.

    Raises:
        ConfigError: no file was named.
    """
    if not inputs:
        raise ConfigError("no image given; name one or more: seqtasks predict RUN image.png")


def image_rows(
    names: Sequence[str], inverted: Sequence[bool], logits: FloatArray, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Prediction rows of labelled images.

    Args:
        names: of the files.
        inverted: whether each image was inverted when it was read.
        logits: (images, classes).
        classes: names of the classes.
    """
    return [
        class_row({"image": name}, classes, p, {"inverted": "yes" if changed else "no"})
        for name, changed, p in zip(names, inverted, np.exp(log_softmax(logits)), strict=True)
    ]


def _flat(pictures: PixelArray) -> FloatArray:
    return pictures.reshape(len(pictures), -1).astype(np.float32) / 255


def _logistic(splits: Splits, classes: int) -> Baseline:
    return logistic_regression(
        (_flat(splits.train.inputs["image"]), splits.train.targets),
        _flat(splits.test.inputs["image"]),
        classes,
        lambda logits: classification_scores(logits, splits.test.targets),
        max_iter=200,
        tol=1e-3,
    )


def _svm(splits: Splits) -> Baseline:
    from sklearn.svm import SVC

    fitted = SVC(C=10, cache_size=1000)
    fitted.fit(_flat(splits.train.inputs["image"]), splits.train.targets)
    # No probabilities, hence no likelihood: Platt scaling would cost five more fits.
    accuracy = float(np.mean(fitted.predict(_flat(splits.test.inputs["image"])) == splits.test.targets))
    return Baseline({"accuracy": accuracy}, fitted.support_vectors_.size + fitted.dual_coef_.size)
