"""Loads labelled grey images from any source in training, validation and test splits.

Images of folders that have more than `stored_images.LARGE` pixels are converted once and kept in the cache, from
where they are mapped into memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError
from seqtasks.data import cache, tfds
from seqtasks.data.image import idx_files, label_folders, stored_images
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
        source: A tfds source with the features `image` and `label`, a folder with IDX files or label folders, or the
            built-in digits of scikit-learn (8×8 pixels, handwritten).

    Raises:
        DataError: Data is missing or damaged.
    """
    if source.kind == "files":
        assert source.folder is not None
        if not source.folder.is_dir():
            raise DataError(f"{source.folder} is not a folder; give one with {label_folders.EXPECTED}")
        has_files = idx_files.has_files(source.folder)
        return _of_folder((idx_files if has_files else label_folders).find(source.folder), source)
    if source.kind == "tfds":
        loaded = tfds.load(source, ["train", "test"], ["image", "label"])
        arrays, fingerprint = loaded.arrays, loaded.fingerprint
    else:
        arrays = _digits()
        fingerprint = cache.fingerprint(arrays)
    targets = {split: arrays[f"{split}/label"] for split in ("train", "test") if f"{split}/label" in arrays}
    rows = _members(targets, source)
    images = {part: arrays[f"{split}/image"][index] for part, (split, index) in rows.items()}
    classes = arrays.get("classes", np.arange(int(targets["train"].max()) + 1))
    return _splits(images, targets, rows, [str(name) for name in classes], source, fingerprint)


def _of_folder(stored: label_folders.LabelFolders | idx_files.IdxImages, source: Source) -> LabelledImages:
    rows = _members(stored.targets, source)
    images, fingerprint = stored_images.load(stored, rows, [source.limit, source.limit_test])
    return _splits(images, stored.targets, rows, [str(name) for name in stored.classes], source, fingerprint)


def _members(targets: Mapping[str, IntArray], source: Source) -> dict[str, tuple[str, IntArray]]:
    """Where the examples of each split are: `train` or `test` of the source, and their indices there, ascending.

    Args:
        targets: Class numbers of all images of `train` and, if there is one, of `test`.
        source: The source with its limits.

    Raises:
        DataError: There are too few images to hold some out.
    """
    test: IntArray
    train: IntArray = np.arange(len(targets["train"]))
    if "test" in targets:
        place, test = "test", np.arange(len(targets["test"]))
    else:
        train, test = hold_out(targets["train"], len(train) // 6, SPLIT_SEED)
        place = "train"
    train, numbers = train[: source.limit], targets["train"][train[: source.limit]]
    kept, held_out = hold_out(numbers, held_out_count(len(train), 12, len(np.unique(numbers))), SPLIT_SEED)
    members = {"train": ("train", train[kept]), "validation": ("train", train[held_out])}
    return {**members, "test": (place, test[: source.limit_test])}


def _splits(
    images: Mapping[str, np.ndarray],
    targets: Mapping[str, IntArray],
    rows: Mapping[str, tuple[str, IntArray]],
    classes: Sequence[str],
    source: Source,
    fingerprint: str,
) -> LabelledImages:
    parts = {part: Examples({"image": images[part]}, targets[split][index]) for part, (split, index) in rows.items()}
    spec = ImageSpec(
        shape=images["train"].shape[1:], classes=classes, counts={part: len(rows) for part, rows in parts.items()}
    )
    return LabelledImages(**parts, source=str(source), fingerprint=fingerprint, spec=spec)


def _digits() -> dict[str, np.ndarray]:
    """The handwritten digits of scikit-learn, with brightness 0 to 255."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return {
        "train/image": np.round(data.images * (255 / 16)).astype(np.uint8),
        "train/label": data.target.astype(np.int64),
    }
