"""Visual attention task: classification of images on a large canvas by glimpses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.settings import setting
from seqtasks.data import cache
from seqtasks.data.image import labelled_images
from seqtasks.data.image.cluttered_canvas import Canvas, CanvasBatches, draw_noise, load_canvas
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import classification_scores, log_softmax
from seqtasks.layers.recurrent_attention import split
from seqtasks.task_types.base import Baseline, Task
from seqtasks.task_types.common.linear_baseline import logistic_regression
from seqtasks.task_types.common.plots import class_pictures, export_figure
from seqtasks.task_types.image_classification.task import ImagePredictOptions, ImageSpec, check_images, image_rows
from seqtasks.task_types.visual_attention.model import AnswerAccuracy, RecurrentAttentionLoss, glimpse_model
from seqtasks.task_types.visual_attention.plots import glimpse_paths

NOISE = {"learned": "normal", "random": "uniform", "centre": "none"}
SHOWN = 12  # number of test canvases in the plot of paths


@dataclass(frozen=True)
class GlimpseOptions:
    """Options of visual attention: canvas, glimpses, policy and its training."""

    canvas: int | None = setting(
        None, "side of the canvas in pixels; null: 60 for images of 28, others in proportion", ge=1
    )
    clutter: int = setting(0, "number of pieces of other images on each canvas", ge=0)
    glimpses: int = setting(6, "number of glimpses; the first is at the centre", ge=1, affects_data=False)
    glimpse_size: int | None = setting(
        None, "side of a glimpse in pixels; null: 12 for images of 28", ge=1, affects_data=False
    )
    scales: int = setting(
        3, "number of patches of a glimpse, each twice as wide as the one before", ge=1, affects_data=False
    )
    filters: tuple[int, ...] = setting(
        (), "number of filters of each convolution over a glimpse; none: a dense layer only", affects_data=False
    )
    hidden: int = setting(
        128,
        "size of the content and location embeddings; a glimpse embedding has twice this size",
        ge=1,
        affects_data=False,
    )
    policy: Literal["learned", "random", "centre"] = setting(
        "learned", "choice of locations: by the network, at random, or always the centre", affects_data=False
    )
    location_std: float = setting(0.15, "standard deviation of sampled locations in training; 1: half a canvas", gt=0,
                               affects_data=False)  # fmt: skip
    reinforce: float = setting(1.0, "weight of the REINFORCE term in the loss", ge=0, affects_data=False)
    draws: int = setting(
        0,
        "number of sampled location sequences whose mean prediction is also scored; 0: none",
        ge=0,
        affects_data=False,
    )


@dataclass(frozen=True)
class GlimpsePredictOptions(ImagePredictOptions):
    """Options of `predict`: reading of images, and a plot of the glimpses."""

    path: str | None = setting(None, "PNG file of a plot of the glimpse locations", output=(".png",))


class GlimpseTask(Task):
    """Base class of tasks that classify an image on a large canvas by a few glimpses.

    The network reads patches of the canvas at locations that it chooses, and never the whole canvas in full
    resolution. All examples have the same number of glimpses, so there is no mask.

    Reference: Mnih et al. 2014, https://arxiv.org/abs/1406.6247

    Example:
        >>> from seqtasks.task_types import GlimpseTask
        >>> class Search(GlimpseTask):  # in a plugin file, below @register_task("search")
        ...     topology, metric, builtin = "one-to-one", "accuracy", "digits"
        >>> Search.sources(), Search.Options(glimpses=4).policy
        (['files:DIR', 'builtin:digits'], 'learned')
    """

    files = True
    unit = "images"
    Options = GlimpseOptions
    hub_task = "image-classification"
    options: GlimpseOptions
    PredictOptions = GlimpsePredictOptions
    Spec = ImageSpec
    spec: ImageSpec
    reads = "paths"

    def load(self, source: Source, seed: int) -> Splits:
        images = labelled_images.load(source)
        self.spec = images.spec
        canvases = self.batches(images.test.take(100), 100)[0][0]["image"]  # the fingerprint covers how they are drawn
        data = {"pictures": np.array(images.fingerprint), "canvases": canvases}
        return dataclasses.replace(images, fingerprint=cache.fingerprint(data))

    @property
    def canvas(self) -> Canvas:
        """Composer of canvases with the settings of `options`."""
        height, width = self.spec.shape
        side = self.options.canvas or round(max(height, width) * 60 / 28)
        return Canvas((height, width), side, self.options.clutter, max(1, round(min(height, width) * 8 / 28)))

    @property
    def size(self) -> int:
        """Side of a glimpse in pixels."""
        height, width = self.spec.shape
        return int(self.options.glimpse_size or max(1, round(max(height, width) * 12 / 28)))

    def build_model(self, encoder: Encoder) -> keras.Model:
        side = self.canvas.side
        return glimpse_model(encoder, (side, side), len(self.classes), self.size, self.options, self.name)

    def loss(self) -> Any:
        return RecurrentAttentionLoss(len(self.classes), self.options.glimpses, self.options.reinforce)

    def metrics(self) -> list[Any]:
        return [AnswerAccuracy(len(self.classes))]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> CanvasBatches:
        policy = self.options.policy
        # Learned locations have noise in training only; with the policy "random" the noise is the location.
        noise: Any = "none" if policy == "learned" and not shuffle else NOISE[policy]
        return CanvasBatches(examples, self.canvas, self.options.glimpses, noise, batch_size, shuffle, seed)

    def look(self, model: keras.Model, batches: CanvasBatches) -> tuple[FloatArray, FloatArray]:
        """Runs the model on a split.

        Returns:
            Logits, `(examples, classes)`, and locations, `(examples, glimpses, 2)`, in the order of the examples.
        """
        outputs = model.predict(UntunedDataAdapter(batches), verbose=0)
        logits, locations, _, _ = split(outputs, len(self.classes), self.options.glimpses)
        return np.asarray(logits, np.float64), np.asarray(locations)

    def predict_logits(self, model: keras.Model, batches: Any) -> FloatArray:
        return self.look(model, batches)[0]

    def score(self, model: keras.Model, batches: CanvasBatches) -> dict[str, float]:
        logits, locations = self.look(model, batches)
        targets = batches.examples.targets
        self.example_outputs = self.outputs_from_logits(logits, targets)
        scores = {**classification_scores(logits, targets), "on_picture": on_picture(locations, batches)}
        if self.options.draws:
            mean = self._mean_of_draws(model, batches)
            scores[f"accuracy_mean_of_{self.options.draws}"] = classification_scores(mean, targets)["accuracy"]
        return scores

    def _mean_of_draws(self, model: keras.Model, batches: CanvasBatches) -> FloatArray:
        """Averages the predictions of `options.draws` sampled sequences of locations.

        Returns:
            Logarithms of the mean probabilities, `(examples, classes)`.
        """
        original_noise, draws = batches.noise, []
        for draw in range(self.options.draws):
            batches.noise = draw_noise(NOISE[self.options.policy], original_noise.shape, (draw, 3))
            draws.append(log_softmax(self.predict_logits(model, batches)))
        batches.noise = original_noise
        return np.asarray(np.logaddexp.reduce(draws) - math.log(len(draws)))

    def predict(
        self, model: keras.Model, inputs: Sequence[str], options: GlimpsePredictOptions
    ) -> list[dict[str, Any]]:
        check_images(inputs)
        loaded = [load_canvas(Path(name), self.canvas.side, options.invert) for name in inputs]
        canvases = np.stack([image for image, _ in loaded])
        kind = "uniform" if self.options.policy == "random" else "none"
        noise = draw_noise(kind, (len(loaded), self.options.glimpses, 2), (0,))
        outputs = model.predict({"image": canvases, "noise": noise}, verbose=0)
        logits, locations, _, _ = map(np.asarray, split(outputs, len(self.classes), self.options.glimpses))
        rows = image_rows(inputs, [inverted for _, inverted in loaded], logits, self.classes)
        if options.path is not None:
            titles = [f"{Path(name).name}: {row['answer']}" for name, row in zip(inputs, rows, strict=True)]
            export_figure(glimpse_paths(canvases, locations, titles, self.size), Path(options.path))
        return rows

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        return {"logistic regression": 5e-7 * len(splits.train) * self.canvas.side**2}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        return {"logistic regression": lambda: self._logistic(splits)}

    def _logistic(self, splits: Splits) -> Baseline:
        """Fits a logistic regression on the pixels of whole canvases."""
        from scipy.sparse import csr_matrix, vstack

        def flat(examples: Examples) -> Any:
            batches, n = self.batches(examples, 1000), len(examples)
            parts = [batches.images(np.arange(i, min(n, i + 1000))) for i in range(0, n, 1000)]
            # Sparse matrices save memory, because most pixels of a canvas are black.
            return vstack([csr_matrix(part.reshape(len(part), -1).astype(np.float32) / 255) for part in parts])

        return logistic_regression(
            (flat(splits.train), splits.train.targets),
            flat(splits.test),
            len(self.classes),
            lambda logits: classification_scores(logits, splits.test.targets),
            max_iter=100,
            tol=1e-3,
        )

    def plots(self, model: keras.Model, batches: CanvasBatches) -> Iterator[tuple[str, Any]]:
        logits, locations = self.look(model, batches)
        targets = batches.examples.targets
        yield from class_pictures(self.name, logits, targets, self.classes, "test canvases")
        rows = np.arange(min(SHOWN, len(targets)))
        answers = logits.argmax(axis=-1)
        titles = [f"{self.classes[targets[i]]}, answer {self.classes[answers[i]]}" for i in rows]
        yield "paths", glimpse_paths(batches.images(rows), locations[rows], titles, self.size)


def on_picture(locations: FloatArray, batches: CanvasBatches) -> float:
    """Returns the share of glimpses after the first whose centre is on the image.

    If there is only one glimpse, it is counted.

    Args:
        locations: Locations, `(examples, glimpses, 2)`, row and column in [-1, 1].
        batches: Batches of the same examples, with the positions of the images on their canvases.
    """
    centres = (locations[:, min(1, locations.shape[1] - 1) :] + 1) / 2 * batches.canvas.side
    corners = batches.places.corners[:, None]
    inside = (centres >= corners) & (centres <= corners + np.array(batches.canvas.shape))
    return float(inside.all(axis=-1).mean())
