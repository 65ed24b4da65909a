"""Labelled images of a folder: splits, limits, and labels with a single image."""

import numpy as np
from PIL import Image

from seqtasks.data.image.labelled_images import load
from seqtasks.data.source import Source


def test_the_only_picture_of_a_label_stays_in_training(tmp_path):
    for label, count in (("a", 20), ("b", 20), ("c", 1)):
        (tmp_path / label).mkdir()
        for i in range(count):
            Image.fromarray(np.full((3, 4), i, np.uint8)).save(tmp_path / label / f"{i}.png")
    splits = load(Source("files", str(tmp_path), tmp_path))
    counts = [np.bincount(part.targets, minlength=3) for part in (splits.train, splits.validation, splits.test)]
    assert [count[2] for count in counts] == [1, 0, 0]
    assert [count.sum() for count in counts] == [28, 7, 6]


def test_a_limit_cuts_before_validation_is_held_out_and_leaves_the_test_split(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(30):
            Image.fromarray(np.full((3, 4), i, np.uint8)).save(tmp_path / label / f"{i}.png")
    whole = load(Source("files", str(tmp_path), tmp_path))
    small = load(Source("files", str(tmp_path), tmp_path, limit=20))
    assert len(small.train) + len(small.validation) == 20 and len(small.validation) == 4
    np.testing.assert_array_equal(small.test.inputs["image"], whole.test.inputs["image"])
    assert len(load(Source("files", str(tmp_path), tmp_path, limit_test=3)).test) == 3
