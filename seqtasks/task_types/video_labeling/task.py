"""Video labelling task: a label for each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray, PixelArray
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data import cache
from seqtasks.data.image import labelled_images
from seqtasks.data.image.moving_digits import DIRECTIONS, Clips, Video, VideoBatches
from seqtasks.data.image.video_files import read_video
from seqtasks.data.resolve import resolve_source
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import classification_scores, log_softmax
from seqtasks.layers.vision import FrameEncoder
from seqtasks.task_types.base import Baseline, Task
from seqtasks.task_types.common.columns import class_row
from seqtasks.task_types.common.linear_baseline import logistic_regression
from seqtasks.task_types.common.plots import class_pictures
from seqtasks.task_types.common.step_heads import ClassHead
from seqtasks.task_types.image_classification.task import ImagePredictOptions, ImageSpec
from seqtasks.task_types.video_labeling.plots import SUFFIXES, frame_strip, write_video

COUNTS = {"validation": 1000, "test": 2000}
SHOWN = 6  # number of test videos in the plot
BASELINE_FRAMES = 20_000  # number of frames that the logistic regression is fitted on


@dataclass(frozen=True)
class FramesOptions:
    """Options of video labelling: composition of videos and convolutions over a frame."""

    label: Literal["front", "direction"] = setting(
        "front", "label of a frame: class of the digit in front, or direction of the only digit"
    )
    canvas: int | None = setting(
        None, "side of the canvas in pixels; null: 40 for images of 28, others in proportion", ge=1
    )
    min_length: int = setting(8, "minimum number of frames of a video", ge=1)
    max_length: int = setting(20, "maximum number of frames of a video", ge=1)
    margin: int | None = setting(
        None, "margin in pixels around the front digit that hides the one behind; null: 3 for images of 28", ge=0
    )
    noise: float = setting(0.1, "share of pixels with random brightness in each frame", ge=0, lt=1)
    examples: int = setting(10_000, "number of training videos generated in each epoch", ge=1)
    filters: tuple[int, ...] = setting(
        (16, 32, 64), "number of filters of each convolution over a frame", affects_data=False
    )
    frame_dim: int = setting(128, "size of the frame embedding", ge=1, affects_data=False)
    dropout: float = setting(0.0, "dropout rate on frame embeddings", ge=0, lt=1, affects_data=False)


@dataclass(frozen=True)
class FramesPredictOptions(ImagePredictOptions):
    """Options of `predict`: reading of images, and a picture of the video with its labels."""

    strip: str | None = setting(
        None, "file of the video with its labels: an animated .gif, or a .png of all frames", output=SUFFIXES
    )


@dataclass(frozen=True, kw_only=True)
class FramesSpec(ImageSpec):
    """Facts about the images that videos are composed of, as the run folder stores them.

    Attributes:
        shape: Shape of an image in pixels, `(height, width)`.
        classes: Names of the classes of images, in the order of their numbers.
        counts: Number of videos of each split.
        pictures: Source of the images, such as `tfds:mnist`.

    Example:
        >>> from seqtasks.task_types import FramesSpec
        >>> spec = FramesSpec(shape=(28, 28), classes=["0", "1"], counts={"train": 100}, pictures="tfds:mnist")
        >>> FramesSpec.from_dict(spec.to_dict()) == spec
        True
    """

    pictures: str


class FramesTask(Task):
    """Base class of tasks that label each frame of a video of moving images.

    Padding of shorter videos is masked in the encoder and excluded from loss and scores.

    Example:
        >>> from seqtasks.task_types import FramesTask
        >>> class Videos(FramesTask):  # in a plugin file, below @register_task("videos")
        ...     topology, metric, builtin = "synced", "accuracy", "digits"
        >>> Videos.sources()
        ['files:DIR', 'builtin:digits']
    """

    files = True
    unit = "videos"
    step_inputs = ("image",)
    Options = FramesOptions
    options: FramesOptions
    PredictOptions = FramesPredictOptions
    Spec = FramesSpec
    spec: FramesSpec
    reads = "paths"

    def load(self, source: Source, seed: int) -> Splits:
        images = labelled_images.load(source.whole())  # `data.limit` counts videos, not images
        counts = {"train": self.options.examples, **COUNTS}
        self.spec = FramesSpec(
            shape=images.spec.shape, classes=images.spec.classes, counts=counts, pictures=str(source)
        )
        parts = {part: _videos(getattr(images, part), count) for part, count in counts.items()}
        batch = self.batches(parts["test"].take(20), 20)[0]  # the fingerprint covers how videos are drawn
        data = {"pictures": np.array(images.fingerprint), "films": batch[0]["image"], "labels": batch[1]}
        return Splits(**parts, source=images.source, fingerprint=cache.fingerprint(data), spec=self.spec)

    @property
    def classes(self) -> list[str]:
        """Names of the labels."""
        return list(DIRECTIONS if self.options.label == "direction" else self.spec.classes)

    @property
    def video(self) -> Video:
        """Composer of videos with the settings of `options`."""
        o, (height, width) = self.options, self.spec.shape
        side = o.canvas or round(max(height, width) * 40 / 28)
        margin = max(1, round(min(height, width) * 3 / 28)) if o.margin is None else o.margin
        return Video((height, width), side, o.label, o.min_length, o.max_length, margin, o.noise)

    def build_model(self, encoder: Encoder) -> keras.Model:
        """Builds the model.

        Returns:
            A model of `image`, `(batch, time, side, side)`, and `mask`, `(batch, time)`, whose output is the
            logits, `(batch, time, classes)`.
        """
        o, side = self.options, self.video.side
        image = keras.Input((None, side, side), name="image", dtype="uint8")
        mask = keras.Input((None,), name="mask", dtype="bool")
        x = FrameEncoder(o.filters, o.frame_dim, name="reader")(keras.layers.Rescaling(1 / 255)(image))
        x, _ = encoder(keras.layers.Dropout(o.dropout)(x), mask=mask)
        return keras.Model([image, mask], ClassHead(self.classes).outputs(x), name=self.name)

    def loss(self) -> Any:
        return ClassHead(self.classes).loss()

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> VideoBatches:
        return VideoBatches(examples, self.video, batch_size, shuffle, seed)

    def videos(self, model: keras.Model, batches: VideoBatches) -> Iterator[tuple[int, FloatArray, IntArray]]:
        """Runs the model on a split and yields each video, in the order of the batches.

        Yields:
            The number of the video, its logits, `(frames, classes)`, and labels, `(frames,)`, without padding.
        """
        for index in range(len(batches)):
            inputs, targets, _ = batches[index]
            logits = np.asarray(model.predict_on_batch(inputs), np.float64)
            for row, video_logits, true in zip(batches.rows(index), logits, targets, strict=True):
                length = int(batches.lengths[row])
                yield int(row), video_logits[:length], true[:length]

    def score(self, model: keras.Model, batches: VideoBatches) -> dict[str, float]:
        """Scores all valid frames; `whole` is the share of videos whose frames are all right."""
        videos = list(self.videos(model, batches))
        logits, targets = (np.concatenate(part) for part in list(zip(*videos, strict=True))[1:])
        right = [video_logits.argmax(axis=-1) == true for _, video_logits, true in sorted(videos, key=itemgetter(0))]
        self.keep_outputs([[row.sum(), len(row)] for row in right])
        whole = np.mean([row.all() for row in right])
        return {**classification_scores(logits, targets), "whole": float(whole)}

    def predict(self, model: keras.Model, inputs: Sequence[str], options: FramesPredictOptions) -> list[dict[str, Any]]:
        if not inputs:
            raise ConfigError(
                "no video given; allowed: a GIF, a folder of PNG files, several PNG files in order, or test:0, the "
                "first video of the test split; name one, as in seqtasks predict RUN video.gif"
            )
        video, targets = self._load_video(inputs, options)
        batch = {"image": video[None], "mask": np.ones((1, len(video)), bool)}
        predicted = np.exp(log_softmax(np.asarray(model.predict_on_batch(batch))[0]))
        rows = [
            class_row({"frame": t + 1}, self.classes, p, {"true": targets[t]} if targets else None)
            for t, p in enumerate(predicted)
        ]
        if options.strip is not None:
            write_video(Path(options.strip), video, [row["answer"] for row in rows], targets)
        return rows

    def _load_video(self, inputs: Sequence[str], options: FramesPredictOptions) -> tuple[PixelArray, list[str]]:
        """Loads a video, and its labels if it is one of the test split, else an empty list."""
        kind, _, number = inputs[0].partition(":")
        if kind != "test" or len(inputs) > 1 or not number:
            return read_video(inputs, self.video.side, options.invert), []
        if not number.isdecimal() or int(number) >= COUNTS["test"]:
            raise ConfigError(f"{inputs[0]}: no such video; allowed: test:0 to test:{COUNTS['test'] - 1}; name one")
        source = resolve_source(self.spec.pictures, tfds=self.tfds, files=self.files, builtin=self.builtin)
        test = _videos(labelled_images.load(source).test, COUNTS["test"])
        video, labels = self.batches(test, 1).one(int(number))
        return video, [self.classes[label] for label in labels]

    def survey(self, splits: Splits) -> Survey:
        return Survey(self.spec.counts)  # no counts of labels: frames are drawn only in the batches

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        return {"logistic regression": 20.0}  # mostly for drawing the frames

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        return {
            "most frequent label": lambda: self._majority(splits),
            "logistic regression": lambda: self._single(splits),
        }

    def _frames(self, examples: Examples, limit: int | None = None) -> tuple[PixelArray, IntArray]:
        """Draws the frames of videos.

        Args:
            examples: Videos.
            limit: Maximum number of frames; None: those of all videos.

        Returns:
            Frames, `(frames, pixels)`, 0 to 255, and their labels, `(frames,)`.
        """
        batches = self.batches(examples, 1)
        count = len(examples) if limit is None else int(np.searchsorted(np.cumsum(batches.lengths), limit)) + 1
        drawn = [batches.one(row) for row in range(min(count, len(examples)))]
        videos, labels = (np.concatenate(part)[:limit] for part in zip(*drawn, strict=True))
        return videos.reshape(len(videos), -1), labels

    def _majority(self, splits: Splits) -> Baseline:
        """Predicts the label frequencies of the training split for each frame."""
        size, targets = len(self.classes), self._frames(splits.test)[1]
        counts = np.bincount(self._frames(splits.train)[1], minlength=size) + 1e-9
        logits = np.broadcast_to(np.log(counts / counts.sum()), (len(targets), size))
        return Baseline(self._frame_scores(logits, targets, splits), size, "NumPy")

    def _single(self, splits: Splits) -> Baseline:
        """Fits a logistic regression on the pixels of single frames."""
        pixels, labels = self._frames(splits.train, BASELINE_FRAMES)
        test_pixels, targets = self._frames(splits.test)
        return logistic_regression(
            (pixels.astype(np.float32) / 255, labels),
            test_pixels.astype(np.float32) / 255,
            len(self.classes),
            lambda logits: self._frame_scores(logits, targets, splits),
            C=0.01,  # a weaker penalty fits the noise and does not converge in 200 iterations
            max_iter=200,
            tol=1e-3,
        )

    def _frame_scores(self, logits: FloatArray, targets: IntArray, splits: Splits) -> dict[str, float]:
        """Computes the scores of `score` from all frames, in the order of the test videos."""
        right = logits.argmax(axis=-1) == targets
        begins = np.cumsum([0, *self.batches(splits.test, 1).lengths[:-1]])
        whole = np.logical_and.reduceat(right, begins)
        return {**classification_scores(logits, targets), "whole": float(whole.mean())}

    def plots(self, model: keras.Model, batches: VideoBatches) -> Iterator[tuple[str, Any]]:
        videos = list(self.videos(model, batches))
        logits, targets = (np.concatenate(part) for part in list(zip(*videos, strict=True))[1:])
        yield from class_pictures(self.name, logits, targets, self.classes, "test frames")
        first = sorted(videos, key=lambda video: video[0])[:SHOWN]
        predicted = [[self.classes[n] for n in logits.argmax(axis=-1)] for _, logits, _ in first]
        true_labels = [[self.classes[n] for n in true] for _, _, true in first]
        yield "strip", frame_strip([batches.one(number)[0] for number, _, _ in first], predicted, true_labels)


def _videos(pictures: Examples, count: int) -> Examples:
    """Returns the examples of a split: numbers of videos; the batches draw them."""
    numbers = np.arange(count)
    return Examples({"clip": Clips(pictures.inputs["image"], pictures.targets, numbers)}, numbers)
