"""Images of label folders in the cache: equal to those in memory, converted once, never half-written."""

import gzip
import os

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import DataError
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.cache import fingerprint
from seqtasks.data.image import idx_files, label_folders, labelled_images, stored_images
from seqtasks.data.source import Source


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(25):
            Image.fromarray(rng.integers(0, 256, (3, 4), np.uint8)).save(tmp_path / f"data/{label}/{number}.png")
    return tmp_path / "data"


def load(folder, **limits):
    return labelled_images.load(Source("files", "data", folder, **limits))


def reads_of(monkeypatch):
    """Paths that are read from now on."""
    paths = []
    read = label_folders.read_picture
    monkeypatch.setattr(label_folders, "read_picture", lambda path: paths.append(path) or read(path))
    return paths


def test_mapped_images_are_those_in_memory(folder, monkeypatch):
    whole, few = load(folder), load(folder, limit=20, limit_test=3)
    assert not (folder.parent / "cache").exists()
    monkeypatch.setattr(stored_images, "LARGE", 0)
    monkeypatch.setattr(stored_images, "BLOCK", 7 * 12)  # several blocks
    for memory, limits in ((whole, {}), (few, {"limit": 20, "limit_test": 3})):
        for turn in ("converted", "mapped"):
            splits = load(folder, **limits)
            assert splits.fingerprint == memory.fingerprint and splits.spec == memory.spec, turn
            for part, examples in splits.parts.items():
                assert isinstance(examples.inputs["image"], np.memmap)
                np.testing.assert_array_equal(examples.inputs["image"], memory.parts[part].inputs["image"])
                np.testing.assert_array_equal(examples.targets, memory.parts[part].targets)
            batches = [ArrayBatches(s.train, 8, shuffle=True, seed=3) for s in (splits, memory)]
            for i in range(len(batches[0])):
                np.testing.assert_array_equal(batches[0][i][0], batches[1][i][0])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_mapped(tmp_path, monkeypatch, suffix):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 4), np.uint8)
    labels = (np.arange(40) % 2 + 3).astype(np.uint8)
    (folder := tmp_path / "data").mkdir()
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        data = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    memory = load(folder)
    arrays = {"train/image": images, "train/label": labels.astype(np.int64) - 3, "classes": np.array(["3", "4"], "U3")}
    assert memory.fingerprint == fingerprint(arrays) and list(memory.spec.classes) == ["3", "4"]
    monkeypatch.setattr(stored_images, "LARGE", 0)
    monkeypatch.setattr(stored_images, "BLOCK", 7 * 12)
    monkeypatch.setattr(idx_files, "PIECE", 5 * 12)
    for turn in ("converted", "mapped"):
        splits = load(folder)
        assert splits.fingerprint == memory.fingerprint and splits.spec == memory.spec, turn
        for part, examples in splits.parts.items():
            assert isinstance(examples.inputs["image"], np.memmap)
            np.testing.assert_array_equal(examples.inputs["image"], memory.parts[part].inputs["image"])
            np.testing.assert_array_equal(examples.targets, memory.parts[part].targets)
            np.testing.assert_array_equal(  # each image is where its label is
                [np.flatnonzero((images == image).all(axis=(1, 2)))[0] % 2 for image in examples.inputs["image"]],
                examples.targets,
            )
        monkeypatch.setattr(idx_files.IdxImages, "images", None)  # reading them again would fail


def test_the_fingerprint_is_that_of_the_arrays(folder):
    found = label_folders.find(folder)
    arrays = {
        "train/image": np.stack(list(found.images("train"))),
        "train/label": found.targets["train"],
        "classes": np.array(["a", "b"]),
    }
    assert load(folder).fingerprint == fingerprint(arrays)


def test_images_are_converted_once_and_again_when_a_file_changes(folder, monkeypatch):
    monkeypatch.setattr(stored_images, "LARGE", 0)
    first = load(folder)
    paths = reads_of(monkeypatch)
    assert load(folder).fingerprint == first.fingerprint and len(paths) == 1  # for the size
    os.utime(folder / "a" / "3.png", ns=(1, 1))
    load(folder)
    assert len(paths) == 1 + 51
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(folder / "a" / "3.png")
    assert load(folder).fingerprint != first.fingerprint


def test_a_damaged_image_is_named_and_leaves_nothing_that_looks_finished(folder, monkeypatch):
    monkeypatch.setattr(stored_images, "LARGE", 0)
    (folder / "b" / "7.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b/7\.png cannot be read as an image") as caught:
        load(folder)
    assert "\n" not in str(caught.value) and not list((folder.parent / "cache").iterdir())


@pytest.mark.parametrize("lost", ["facts", "cut", "other"])
def test_an_unfinished_or_damaged_entry_is_made_again(folder, monkeypatch, lost):
    monkeypatch.setattr(stored_images, "LARGE", 0)
    memory = np.array(load(folder).train.inputs["image"])
    cache = folder.parent / "cache"
    arrays = sorted(cache.glob("*-train-*.npy"))
    if lost == "facts":
        next(cache.glob("*-facts-*.json")).unlink()
    elif lost == "cut":
        arrays[0].write_bytes(arrays[0].read_bytes()[:-5])
    else:
        np.save(arrays[0], np.zeros((2, 3, 4), np.uint8))
    paths = reads_of(monkeypatch)
    again = load(folder)
    assert len(paths) == 51
    np.testing.assert_array_equal(again.train.inputs["image"], memory)


def test_a_cache_that_cannot_be_written_is_a_warning(folder, monkeypatch, caplog):
    monkeypatch.setattr(stored_images, "LARGE", 0)
    (folder.parent / "cache").write_text("a file")
    splits = load(folder)
    assert not isinstance(splits.train.inputs["image"], np.memmap) and "stay in memory" in caplog.text
