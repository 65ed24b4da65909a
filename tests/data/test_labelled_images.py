"""Labelled images of a folder, and labels with few of them."""

import logging

import numpy as np
from PIL import Image

from seqtasks.data.labelled_images import load
from seqtasks.data.sources import Source


def test_the_only_picture_of_a_label_stays_in_training(tmp_path, caplog):
    for label, count in (("a", 20), ("b", 20), ("c", 1)):
        (tmp_path / label).mkdir()
        for i in range(count):
            Image.fromarray(np.full((3, 4), i, np.uint8)).save(tmp_path / label / f"{i}.png")
    with caplog.at_level(logging.WARNING):
        splits = load(Source("files", str(tmp_path), tmp_path))
    counts = [np.bincount(part.targets, minlength=3) for part in (splits.train, splits.validation, splits.test)]
    assert np.array(counts).tolist() == [[16, 16, 1], [1, 1, 0], [3, 3, 0]]
    assert f"files:{tmp_path}: only one picture has the label 'c'; it stays in the training split" in caplog.text
