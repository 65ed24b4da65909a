"""Image files of the user: IDX files, label folders, and single images for prediction."""

import gzip
import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import DataError
from seqtasks.data.image import idx_files, label_folders, labelled_images
from seqtasks.data.image.files import load_image
from seqtasks.data.source import Source

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def read_folder(folder):
    folders = (idx_files if idx_files.has_files(folder) else label_folders).find(folder)
    data = {f"{split}/image": np.stack(list(folders.images(split))) for split in folders.paths}
    return {
        **data,
        **{f"{split}/label": targets for split, targets in folders.targets.items()},
        "classes": folders.classes,
    }


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder, pattern="{}-{}-idx{}-ubyte", test=True):
    for stem, n in (("train", 6), ("t10k", 3))[: 2 if test else 1]:
        for part, array in (("images", IMAGES[:n]), ("labels", LABELS[:n])):
            name = pattern.format(stem, part, array.ndim)
            data = idx(array)
            (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


def write_png(path, array=IMAGES[0], mode=None, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).convert(mode).save(path, **more)
    return path


def write_labels(root, labels=("10", "9"), each=3):
    for label in labels:
        for i in range(each):
            write_png(root / label / f"{i}.png", np.full((5, 4), 10 * int(label) + i, np.uint8))
    return root


@pytest.mark.parametrize("pattern", ["{}-{}-idx{}-ubyte", "{}-{}.idx{}-ubyte", "{}-{}-idx{}-ubyte.gz"])
def test_idx_files(tmp_path, pattern):
    data = read_folder(write_idx(tmp_path, pattern))
    np.testing.assert_array_equal(data["train/image"], IMAGES)
    np.testing.assert_array_equal(data["test/image"], IMAGES[:3])
    assert data["train/label"].tolist() == LABELS.tolist() and data["train/label"].dtype == np.int64
    assert data["train/image"].dtype == np.uint8 and data["classes"].tolist() == ["0", "1", "2"]


def test_idx_files_without_a_test_set_and_with_labels_from_one(tmp_path):
    write_idx(tmp_path, test=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS + 1))
    data = read_folder(tmp_path)
    assert sorted(data) == ["classes", "train/image", "train/label"]
    assert data["classes"].tolist() == ["1", "2", "3"] and data["train/label"].tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("train-images-idx3-ubyte", b"\x00\x00\x08", "expected .00 00 08 03."),
        ("train-images-idx3-ubyte", idx(LABELS), "3 dimensions"),
        ("train-images-idx3-ubyte", b"\x00\x00\x0d" + idx(IMAGES)[3:], r"starts with the bytes \[00 00 0d 03\]"),
        ("train-images-idx3-ubyte", idx(IMAGES)[:-1], "has 135 bytes, expected 136"),
        ("train-images-idx3-ubyte", idx(IMAGES) + b"x", "has 137 bytes, expected 136"),
        ("train-images-idx3-ubyte", idx(IMAGES[:0]), "without a 0"),
        ("train-labels-idx1-ubyte", idx(LABELS[:5]), "has 5 labels, expected 6"),
        ("t10k-labels-idx1-ubyte", idx(LABELS[:3] + 7), "has the label 7, expected one of"),
        ("t10k-images-idx3-ubyte", idx(IMAGES[:3, 1:]), "4×4 pixels, expected 4×5"),
        ("t10k-labels-idx1-ubyte", None, "no t10k-labels"),
        ("train-images-idx3-ubyte", None, "no train-images"),
    ],
)
def test_damaged_idx_files_are_named(tmp_path, name, content, expected):
    path = write_idx(tmp_path) / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=expected) as caught:
        read_folder(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "flipped", "plain"])
def test_broken_gzip_is_named(tmp_path, damage):
    path = write_idx(tmp_path, "{}-{}-idx{}-ubyte.gz") / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    flipped = whole[:40] + bytes([whole[40] ^ 255]) + whole[41:]
    path.write_bytes({"cut": whole[:-20], "flipped": flipped, "plain": idx(IMAGES)}[damage])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz cannot be read"):
        read_folder(tmp_path)


def test_a_gzip_file_of_another_length_is_not_read(tmp_path, monkeypatch):
    path = write_idx(tmp_path, "{}-{}-idx{}-ubyte.gz") / "train-images-idx3-ubyte.gz"
    data = bytes([0, 0, 8, 3]) + struct.pack(">3I", 60_000, 100, 100) + bytes(10_000_000)
    path.write_bytes(gzip.compress(data, 1))
    monkeypatch.setattr(idx_files, "PIECE", None)  # reading would fail
    message = "has 10000016 bytes by its last four, expected 600000016 by the shape"
    with pytest.raises(DataError, match=message):
        read_folder(tmp_path)


def test_warnings_of_pillow_are_not_shown(tmp_path, recwarn):
    path = write_png(tmp_path / "a.png")
    data = path.read_bytes()  # the header has 33 bytes
    chunk = b"acTL" + struct.pack(">2I", 0, 0)
    path.write_bytes(data[:33] + struct.pack(">I", 8) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:])
    load_image(path, (5, 4))
    assert not recwarn.list


def test_label_folders_sort_by_number_and_come_mixed(tmp_path):
    data = read_folder(write_labels(tmp_path))
    assert data["classes"] == ["9", "10"]
    assert "test/image" not in data
    assert sorted(data["train/image"][:, 0, 0].tolist()) == [90, 91, 92, 100, 101, 102]
    np.testing.assert_array_equal(data["train/image"][:, 0, 0] >= 100, data["train/label"] == 1)
    assert sorted(data["train/label"][:3].tolist()) != [0, 0, 0]


def test_label_folders_with_a_test_set(tmp_path):
    write_labels(tmp_path / "train")
    write_labels(tmp_path / "test", labels=["10"])
    data = read_folder(tmp_path)
    assert data["train/image"].shape == (6, 5, 4) and data["test/label"].tolist() == [1, 1, 1]


def test_other_files_are_counted(tmp_path, caplog):
    write_labels(tmp_path)
    for name in ("9/.hidden.png", "9/notes.txt", "README", ".DS_Store"):
        (tmp_path / name).write_text("")
    with caplog.at_level(logging.INFO):
        read_folder(tmp_path)
    assert "4 hidden or other files ignored" in caplog.text


def test_folders_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="not a folder"):
        labelled_images.load(Source("files", "none", tmp_path / "none"))
    with pytest.raises(DataError, match="no labelled images"):
        read_folder(tmp_path)
    write_labels(tmp_path, ["7"])
    with pytest.raises(DataError, match="only the label 7"):
        read_folder(tmp_path)
    write_labels(tmp_path, ["8"])
    (tmp_path / "9").mkdir()
    with pytest.raises(DataError, match="9 has no image"):
        read_folder(tmp_path)
    write_png(tmp_path / "9" / "wide.png", np.zeros((5, 9), np.uint8))
    with pytest.raises(DataError, match=r"wide.png is 9×5 pixels, expected 4×5"):
        read_folder(tmp_path)
    (tmp_path / "9" / "wide.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"wide\.png cannot be read"):
        read_folder(tmp_path)


def test_a_test_label_that_training_lacks(tmp_path):
    write_labels(tmp_path / "train")
    write_labels(tmp_path / "test", ["11"])
    with pytest.raises(DataError, match="11: no such label"):
        read_folder(tmp_path)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_every_mode_comes_through_bit_exact(tmp_path, mode):
    ramp = np.arange(0, 200, 10, dtype=np.uint8).reshape(5, 4)
    grey, inverted = load_image(write_png(tmp_path / "a.png", ramp, mode), (5, 4), invert="no")
    np.testing.assert_array_equal(grey, ramp)
    assert grey.dtype == np.uint8 and not inverted


def test_one_bit_and_sixteen_bits(tmp_path):
    write_png(tmp_path / "one.png", np.eye(4, dtype=np.uint8) * 255, "1")
    np.testing.assert_array_equal(load_image(tmp_path / "one.png", (4, 4))[0], np.eye(4) * 255)
    write_png(tmp_path / "deep.png", np.arange(16, dtype=np.uint16).reshape(4, 4) * 4096)
    np.testing.assert_array_equal(load_image(tmp_path / "deep.png", (4, 4), "no")[0].ravel(), np.arange(16) * 16)


@pytest.mark.parametrize("ink", [0, 255])
def test_drawings_on_transparent_ground_end_bright_on_black(tmp_path, ink):
    stroke = np.zeros((5, 5), np.uint8)
    stroke[1:4, 2] = 255
    picture = np.dstack([np.full_like(stroke, ink), stroke])
    grey, inverted = load_image(write_png(tmp_path / "a.png", picture), (5, 5))
    np.testing.assert_array_equal(grey, stroke)
    assert inverted == (ink == 0)


def test_dark_ink_on_paper_is_inverted_only_when_asked(tmp_path):
    paper = np.full((28, 28), 250, np.uint8)
    paper[8:20, 14] = 5
    path = write_png(tmp_path / "a.png", paper)
    np.testing.assert_array_equal(load_image(path, (28, 28))[0], 255 - paper)
    assert load_image(path, (28, 28))[1] and not load_image(path, (28, 28), "no")[1]
    np.testing.assert_array_equal(load_image(write_png(path, 255 - paper), (28, 28))[0], 255 - paper)
    assert load_image(path, (28, 28), "yes")[1]


def test_another_size_keeps_its_proportions_on_its_ground(tmp_path):
    wide = np.full((50, 100), 20, np.uint8)
    wide[10:40, 20:80] = 220
    grey, _ = load_image(write_png(tmp_path / "a.png", wide), (28, 28))
    assert grey.shape == (28, 28) and (grey[:7] == 20).all() and (grey[-7:] == 20).all()
    assert abs(int(grey[14, 14]) - 220) <= 1
    assert load_image(write_png(tmp_path / "b.png", np.zeros((1, 999), np.uint8)), (28, 14))[0].shape == (28, 14)


def test_pictures_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"none\.png does not exist"):
        load_image(tmp_path / "none.png", (28, 28))
    with pytest.raises(DataError, match="is a folder"):
        load_image(tmp_path, (28, 28))
    path = write_png(tmp_path / "a.png", np.zeros((50, 50), np.uint8))
    for content in (b"", b"text", path.read_bytes()[:60], b"GIF89a" + bytes(20), b"BM" + bytes(60)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.png cannot be read"):
            load_image(path, (28, 28))
