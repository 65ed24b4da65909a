"""Images with captions: folders, COCO, errors, and reading of images."""

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import DataError
from seqtasks.data.cache import fingerprint
from seqtasks.data.image import captions
from seqtasks.data.source import Source

COUNTS = {"train": 10, "validation": 5, "test": 5}


def folder_of(path, rows, images=8, header="image,caption", subfolder=""):
    (path / subfolder).mkdir(parents=True, exist_ok=True)
    for i in range(images):
        Image.fromarray(np.full((20, 30 + i, 3), 10 * i, np.uint8)).save(path / subfolder / f"{i}.png")
    (path / "captions.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return Source("files", str(path), path)


def caption_rows(images=8):
    return [f'{i}.png,"A dog, {n} cats "' for i in range(images) for n in range(1 + i % 3)]


@pytest.mark.parametrize("subfolder", ["", "Images"])
def test_images_and_their_captions(tmp_path, subfolder):
    captioned = captions.load(folder_of(tmp_path, caption_rows(), subfolder=subfolder), COUNTS, 16)
    assert {part: len(images) for part, images in captioned.images.items()} == {"train": 6, "validation": 1, "test": 1}
    for part, images in captioned.images.items():
        assert images.shape == (16, 16, 3)
        for image, texts in zip(images.images(0), captioned.captions[part], strict=True):
            assert texts == tuple(f"A dog, {n} cats" for n in range(1 + int(image[0, 0, 0]) // 10 % 3))
    again = captions.load(Source("files", str(tmp_path), tmp_path), COUNTS, 16)
    assert again.fingerprint == captioned.fingerprint and again.captions == captioned.captions


def test_mapped_images_are_those_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    source = folder_of(tmp_path / "data", caption_rows())
    memory = captions.load(source, COUNTS, 16)
    arrays = {
        **{f"{part}/image": images.images(0) for part, images in memory.images.items()},
        **{
            f"{part}/captions": np.frombuffer("\n".join("\t".join(row) for row in rows).encode(), np.uint8)
            for part, rows in memory.captions.items()
        },
    }
    assert memory.fingerprint == fingerprint(arrays)  # as it was before images could be mapped
    monkeypatch.setattr(captions, "LARGE", 0)
    for _ in range(2):
        mapped = captions.load(source, COUNTS, 16)
        assert mapped.fingerprint == memory.fingerprint
        for part, images in mapped.images.items():
            assert isinstance(images.array, np.memmap)
            np.testing.assert_array_equal(images[::-1].images(0), memory.images[part].images(0)[::-1])
        monkeypatch.setattr(captions, "read_image", lambda *_: pytest.fail("read again"))
    monkeypatch.undo()
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(captions, "LARGE", 0)
    Image.fromarray(np.full((20, 30, 3), 99, np.uint8)).save(tmp_path / "data" / "0.png")
    assert captions.load(source, COUNTS, 16).fingerprint != memory.fingerprint


def test_a_column_may_name_the_split(tmp_path):
    rows = [f"{i}.png,a dog,{split}" for i, split in enumerate(["train", "val", "test", "train"])]
    captioned = captions.load(folder_of(tmp_path, rows, 4, "image,caption,split"), COUNTS, 16)
    assert captioned.images["train"].images(0)[:, 0, 0, 0].tolist() == [0, 30]
    assert captioned.images["validation"].images(0)[0, 0, 0, 0] == 10


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (caption_rows(), "file,text", r"has no column 'image'; it has: file, text; name the columns image,caption"),
        ([*caption_rows(), "9.png,x"], "image,caption", r"1 of 9 images do not exist, such as 9\.png"),
        (["0.png,a", "1.png, "], "image,caption", r"row 3: the caption is empty"),
        (["0.png,a"], "image,caption", r"has 1 images, none for train"),
        (
            ["0.png,a big, brown dog", "1.png,a, b"],
            "image,caption",
            r"captions\.csv, line 2: 3 fields \(and 1 more such rows\), but the header has 2 \(image, caption\)",
        ),
        (["0.png,a,x"], "image,caption,split", r"split is 'x'; allowed: train, validation, test"),
    ],
)
def test_errors_name_what_is_wrong(tmp_path, rows, header, message):
    with pytest.raises(DataError, match=message):
        captions.load(folder_of(tmp_path, rows, header=header), COUNTS, 16)


def test_a_folder_without_captions_and_a_broken_image(tmp_path):
    with pytest.raises(DataError, match=r"has no captions\.csv"):
        captions.load(Source("files", str(tmp_path), tmp_path), COUNTS, 16)
    source = folder_of(tmp_path, caption_rows())
    (tmp_path / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"3\.png cannot be read as an image"):
        captions.load(source, COUNTS, 16)


def test_what_tensorflow_datasets_prepared_as_coco_captions_is_read(tmp_path, monkeypatch):
    """The set is prepared by tensorflow-datasets, with those features of COCO captions that are read."""
    import tensorflow_datasets as tfds

    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    caption = {"id": tfds.features.Scalar(np.int64), "text": tfds.features.Text()}
    features = {"image": tfds.features.Image(shape=(None, None, 3)), "captions": tfds.features.Sequence(caption)}

    def examples(first, count):
        for i in range(first, first + count):
            rows = [{"id": 10 * i + n, "text": f"A dog,  {n} cats\n"} for n in range(1 + i % 3)]
            yield i, {"image": np.full((20, 30 + i, 3), i, np.uint8), "captions": rows}

    tfds.dataset_builders.store_as_tfds_dataset(
        name="coco_captions",
        version="1.1.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": examples(0, 20), "val": examples(20, 4)},
        data_dir=tmp_path / "tfds",
    )
    captioned = captions.load(Source("tfds", "coco_captions", tmp_path / "tfds"), COUNTS, 16)
    seen = {part: sorted(images.array[:, 0, 0, 0].tolist()) for part, images in captioned.images.items()}
    assert {part: len(numbers) for part, numbers in seen.items()} == {"train": 18, "validation": 2, "test": 4}
    assert sorted(seen["train"] + seen["validation"]) == list(range(20)) and seen["test"] == [20, 21, 22, 23]
    for part, images in captioned.images.items():
        for number, texts in zip(images.array[:, 0, 0, 0], captioned.captions[part], strict=True):
            assert texts == tuple(f"A dog, {n} cats" for n in range(1 + int(number) % 3))


def test_images_are_read_as_they_are_shown(tmp_path):
    """Images are rotated by EXIF, 16 bits keep their upper 8, and transparent parts do not show their colour."""
    upright = np.zeros((24, 24, 3), np.uint8)
    upright[:8, :, 0] = 255
    turned = Image.fromarray(np.rot90(upright))  # orientation 6: turn it clockwise to show it
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(captions.read_image(tmp_path / "turned.png", 24), upright)
    deep = np.repeat(np.arange(16, dtype=np.uint16)[None] << 12, 16, 0)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert captions.read_image(tmp_path / "deep.png", 16)[0, :, 1].tolist() == [i << 4 for i in range(16)]
    hidden = np.full((16, 16, 4), [0, 255, 0, 0], np.uint8)  # green, but transparent
    hidden[:4] = [200, 100, 250, 255]
    Image.fromarray(hidden, "RGBA").save(tmp_path / "hidden.png")
    pixels = captions.read_image(tmp_path / "hidden.png", 16)
    assert pixels[0, 0].tolist() == [200, 100, 250] and not pixels[4:].any()


def test_only_formats_that_are_named_are_opened(tmp_path):
    """Pillow runs Ghostscript for EPS files, also if their name ends in `.png`."""
    (tmp_path / "eps.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(DataError, match=r"eps\.png cannot be read as an image .*; give a PNG, JPG or BMP file"):
        captions.read_image(tmp_path / "eps.png", 16)


@pytest.mark.parametrize("cut", [20, 33, 41])
def test_a_damaged_image_is_one_line(tmp_path, cut):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:cut] + b"\0\0\0\4IHDRbroken")
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image") as caught:
        captions.read_image(path, 16)
    assert "\n" not in str(caught.value)


def test_the_middle_of_an_image_is_kept():
    image = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(1, 60).repeat(20, 0))
    kept = captions._square(image, 20)
    assert kept.shape == (20, 20, 3) and kept[0, :, 0].tolist() == list(range(20, 40))
