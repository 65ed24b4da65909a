"""Loads labelled grey images from any source in training, validation and test splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.data import cache, tfds
from seqtasks.data.image import files
from seqtasks.data.source import Source
from seqtasks.data.spec import Spec
from seqtasks.data.splits import Examples, Splits, held_out_count, hold_out

# Equal splits in every run: the seed of a run changes the training, not the data.
SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class ImageSpec(Spec):
    """Facts about labelled images.

    Attributes:
        shape: Height and width of an image in pixels.
        classes: Names of the classes, in the order of their numbers.
        counts: Number of examples of each split.

    Example:
        >>> from seqtasks.task_types import ImageSpec
        >>> counts = {"train": 80, "validation": 10, "test": 10}
        >>> spec = ImageSpec(shape=(28, 28), classes=["cat", "dog"], counts=counts)
        >>> spec.shape, spec.classes[1]
        ((28, 28), 'dog')
    """

    shape: Sequence[int]
    classes: Sequence[str]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class LabelledImages(Splits):
    """Splits of labelled images.

    The input is `image`, uint8 `(examples, height, width)`; targets are class numbers, `(examples,)`.

    Attributes:
        spec: Facts about the images.
    """

    spec: ImageSpec


def load(source: Source) -> LabelledImages:
    """Loads labelled grey images, 0 to 255, in stratified splits.

    If the source has no test split, one sixth of the training images is held out for it. Of the remaining
    images, at most `source.limit`, one twelfth is held out for validation (5,000 of the 60,000 of MNIST). Small
    sets hold out more for validation, see `held_out_count`.

    Args:
        source: A tfds source with the features `image` and `label`, a folder, see `files.read_folder`, or the
            built-in digits of scikit-learn (8×8 pixels, handwritten).

    Raises:
        DataError: Data is missing or damaged.
    """
    if source.kind == "tfds":
        loaded = tfds.load(source, ["train", "test"], ["image", "label"])
        arrays, fingerprint = loaded.arrays, loaded.fingerprint
    else:
        arrays = _digits() if source.kind == "builtin" else files.read_folder(_folder(source))
        fingerprint = cache.fingerprint(arrays)
    train = Examples({"image": arrays["train/image"]}, arrays["train/label"])
    classes = arrays.get("classes", np.arange(int(train.targets.max()) + 1))
    if "test/image" in arrays:
        test = Examples({"image": arrays["test/image"]}, arrays["test/label"])
    else:
        kept, held_out = hold_out(train.targets, len(train) // 6, SPLIT_SEED)
        train, test = train.take(kept), train.take(held_out)
    train = train if source.limit is None else train.take(source.limit)
    test = test if source.limit_test is None else test.take(source.limit_test)
    class_count = len(np.unique(train.targets))
    kept, held_out = hold_out(train.targets, held_out_count(len(train), 12, class_count), SPLIT_SEED)
    train, validation = train.take(kept), train.take(held_out)
    spec = ImageSpec(
        shape=train.inputs["image"].shape[1:],
        classes=[str(c) for c in classes],
        counts={"train": len(train), "validation": len(validation), "test": len(test)},
    )
    return LabelledImages(train, validation, test, str(source), fingerprint, spec)


def _folder(source: Source) -> Any:
    assert source.folder is not None
    return source.folder


def _digits() -> dict[str, np.ndarray]:
    """The handwritten digits of scikit-learn, with brightness 0 to 255."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return {
        "train/image": np.round(data.images * (255 / 16)).astype(np.uint8),
        "train/label": data.target.astype(np.int64),
    }
