"""Image classification task: data, augmentation, prediction from files, baselines, plots."""

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
from seqtasks.data.block_files import row_hashes
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
from seqtasks.task_types.common.plots import class_pictures, wrong_images
from seqtasks.task_types.common.steps import Steps, class_properties, signal_properties

SHOWN = 18  # wrong images in the plot
CHUNK = 64  # number of images that are predicted at a time

ImageSpec = labelled_images.ImageSpec


@dataclass(frozen=True)
class ImagePredictOptions:
    """Options of `seqtasks predict` for image classification."""

    invert: Literal["auto", "yes", "no"] = setting(
        "auto", "invert images of dark ink on white paper; auto: detect such images"
    )


class ImageTask(Task):
    """Base class of image classification tasks: predicts the label of an image.

    A subclass overrides `build_model`, which turns the image into a sequence. The data are folders of image files, one
    for each label, or a data set of grey images. All images have the same size, so there are no masks.

    Example:
        >>> import keras
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.task_types import ImageSpec, ImageTask
        >>> class Rows(ImageTask):
        ...     topology, builtin, name = "many-to-one", "digits", "rows"
        ...     def build_model(self, encoder):
        ...         images, x = self.pixels(augment=True)
        ...         last, _ = encoder(x, return_sequences=False)
        ...         return keras.Model(images, keras.layers.Dense(len(self.classes))(last))
        >>> counts = {"train": 10, "validation": 2, "test": 2}
        >>> task = Rows(spec=ImageSpec(shape=(8, 8), classes=["0", "1"], counts=counts))
        >>> model = task.build_model(Encoder(units=4))
        >>> model.input_shape, model.output_shape  # (batch, height, width), (batch, classes)
        ((None, 8, 8), (None, 2))
    """

    files = True
    unit = "images"
    PredictOptions = ImagePredictOptions
    hub_task = "image-classification"
    Spec = ImageSpec
    spec: ImageSpec
    reads = "paths"
    separate_inputs = True

    def load(self, source: Source, seed: int) -> Splits:
        return labelled_images.load(source)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = self.spec.shape
        return height, width

    def pixels(self, augment: bool) -> tuple[Any, Any]:
        """Creates the input of the model and its scaled, optionally augmented pixels.

        Args:
            augment: Whether each image is shifted (up to 2 / 28 of its size), rotated (up to 10 degrees) and scaled (up
                to 10 %) at random in training.

        Returns:
            The input, `(batch, height, width)`, 0 to 255, and the pixels, `(batch, height, width)`, 0 to 1.
        """
        inputs = keras.Input(self.shape, name="image", dtype="uint8")
        x = keras.layers.Rescaling(1 / 255)(inputs)
        if augment:
            x = RandomAffine(degrees=10, zoom=0.1, shift=2 / 28)(x)
        return inputs, x

    def predict(self, model: keras.Model, inputs: Sequence[str], options: ImagePredictOptions) -> list[dict[str, Any]]:
        """Predicts class probabilities of image files.

        Args:
            model: Trained model.
            inputs: Paths of image files.
            options: Options of `seqtasks predict`.

        Returns:
            Rows with the columns `image`, `answer`, `inverted`, and a probability for each class.

        Raises:
            ConfigError: There is no path.
            DataError: A file is missing or no image.
        """
        check_images(inputs)
        loaded = [load_image(Path(name), self.shape, options.invert) for name in inputs]
        images = np.stack([image for image, _ in loaded])
        chunks = range(0, len(images), CHUNK)  # `Model.predict` takes a hundred times as long for one image
        logits = np.concatenate([model.predict_on_batch(images[begin : begin + CHUNK]) for begin in chunks])
        return image_rows(inputs, [inverted for _, inverted in loaded], logits, self.classes)

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        check_images(inputs)
        return np.stack([load_image(Path(name), self.shape, "auto")[0] for name in inputs])

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes the rows of images by their ink, and by the class of the image."""
        pixels = np.asarray(inputs, np.float64) / 255
        properties, titles = signal_properties(pixels.mean(axis=-1, keepdims=True), ["ink"]), []
        if targets is not None:
            properties |= class_properties(targets, self.classes, pixels.shape[1])
            titles = [self.classes[n] for n in targets]
        return Steps(signal=pixels, properties=properties, titles=titles)

    def survey(self, splits: Splits) -> Survey:
        keys = {part: row_hashes(rows.inputs["image"]) for part, rows in splits.parts.items()}
        return dataclasses.replace(super().survey(splits), keys=keys)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        count, pixels = len(splits.train), self.shape[0] * self.shape[1]
        return {"logistic regression": 2e-7 * count * pixels, "SVM (RBF)": 2e-10 * count**2 * pixels}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        return {"logistic regression": lambda: _logistic(splits, len(self.classes)), "SVM (RBF)": lambda: _svm(splits)}

    def plots(self, model: keras.Model, batches: ArrayBatches) -> Iterator[tuple[str, Any]]:
        logits, targets = self.predict_logits(model, batches), batches.examples.targets
        for name, picture in class_pictures(self.name, logits, targets, self.classes, "test images"):
            yield name, picture
            if name == "worst_errors":
                table: Any = picture
                rows = table[:SHOWN]
                titles = [f"{row.true}, not {row.predicted} ({row['P(predicted)']:.2f})" for _, row in rows.iterrows()]
                yield "worst_errors", wrong_images(batches.examples.inputs["image"][rows.index.to_numpy()], titles)


def check_images(inputs: Sequence[str]) -> None:
    """Checks that a prediction has an image.

    Args:
        inputs: Paths of image files.

    Raises:
        ConfigError: There is no path.
    """
    if not inputs:
        raise ConfigError("no image given; allowed: one or more files; write seqtasks predict RUN image.png")


def image_rows(
    names: Sequence[str], inverted: Sequence[bool], logits: FloatArray, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Builds the prediction rows of images.

    Args:
        names: Paths of the files.
        inverted: Whether each image was inverted when it was loaded.
        logits: `(images, classes)`.
        classes: Names of the classes.
    """
    return [
        class_row({"image": name}, classes, p, {"inverted": "yes" if is_inverted else "no"})
        for name, is_inverted, p in zip(names, inverted, np.exp(log_softmax(logits)), strict=True)
    ]


def _flat(images: PixelArray) -> FloatArray:
    """Pixels of images as vectors, `(images, pixels)`, 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


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
    # Only the accuracy: a likelihood needs probabilities, and Platt scaling would take five more fits.
    accuracy = float(np.mean(fitted.predict(_flat(splits.test.inputs["image"])) == splits.test.targets))
    return Baseline({"accuracy": accuracy}, fitted.support_vectors_.size + fitted.dual_coef_.size)
