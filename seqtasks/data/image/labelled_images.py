"""Labelled grey images from any source, in training, validation and test splits."""

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

# The splits are the same for every run: seeds vary the training, not the data.
SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class ImageSpec(Spec):
    """Facts about labelled images.

    Attributes:
        shape: (height, width) of an image in pixels.
        classes: Names of the classes, in the order of their numbers.
        counts: Number of examples of each split.

    Example:
        >>> from seqtasks.task_types import ImageSpec
        >>> spec = ImageSpec(shape=(28, 28), classes=["cat", "dog"], counts={"train": 8, "validation": 1, "test": 1})
        >>> spec.to_dict()["shape"]
        [28, 28]
    """

    shape: Sequence[int]
    classes: Sequence[str]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class LabelledImages(Splits):
    """Labelled images in splits: input `image` (examples, height, width), targets (examples,)."""

    spec: ImageSpec


def load(source: Source) -> LabelledImages:
    """Reads images of (height, width), 0 to 255, and their class numbers.

    One twelfth of the training images are held out for validation (5,000 of MNIST's
    60,000), stratified; where the source has no test split, one sixth is held out first. Small
    sets hold out more, see `held_out_count`. `source.limit` cuts the training images before that.

    Args:
        source: `tfds:…` with features `image` and `label`, a folder, or the built-in
            digits of scikit-learn (8×8, real handwriting).

    Raises:
        DataError: missing or damaged data.
    """
    if source.kind == "tfds":
        read = tfds.load(source, ["train", "test"], ["image", "label"])
        arrays, fingerprint = read.arrays, read.fingerprint
    else:
        arrays = _digits() if source.kind == "builtin" else files.read_folder(_folder(source))
        fingerprint = cache.fingerprint(arrays)
    train = Examples({"image": arrays["train/image"]}, arrays["train/label"])
    classes = arrays.get("classes", np.arange(int(train.targets.max()) + 1))
    if "test/image" in arrays:
        test = Examples({"image": arrays["test/image"]}, arrays["test/label"])
    else:
        kept, held = hold_out(train.targets, len(train) // 6, SPLIT_SEED)
        train, test = train.take(kept), train.take(held)
    train = train if source.limit is None else train.take(source.limit)
    test = test if source.limit_test is None else test.take(source.limit_test)
    present = len(np.unique(train.targets))
    kept, held = hold_out(train.targets, held_out_count(len(train), 12, present), SPLIT_SEED)
    train, validation = train.take(kept), train.take(held)
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
    from sklearn.datasets import load_digits

    data = load_digits()
    return {
        "train/image": np.round(data.images * (255 / 16)).astype(np.uint8),
        "train/label": data.target.astype(np.int64),
    }
