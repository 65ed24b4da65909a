"""Digits row by row: MNIST itself, files in every layout, prediction of image files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.reporter import Reporter
from seqtasks.data.image import labelled_images
from seqtasks.data.source import Source
from seqtasks.experiments import run_folder
from seqtasks.training import train

from ..helpers import predict

QUIET = Reporter(quiet=True)


def write_idx(folder: Path, images: np.ndarray, labels: np.ndarray, test: int) -> None:
    folder.mkdir()
    for name, part in (("train", slice(test, None)), ("t10k", slice(0, test))):
        n, height, width = images[part].shape
        head = np.array([0x803, n, height, width], ">i4").tobytes()
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(head + images[part].tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(
            np.array([0x801, n], ">i4").tobytes() + labels[part].astype(np.uint8).tobytes()
        )


def digits() -> tuple[np.ndarray, np.ndarray]:
    splits = labelled_images.load(Source("builtin", "digits"))
    return splits.train.inputs["image"], splits.train.targets


def test_mnist_is_split_55000_5000_10000_the_same_every_time(tfds_dir: Path) -> None:
    splits = labelled_images.load(Source("tfds", "mnist", tfds_dir))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [55000, 5000, 10000]
    assert splits.train.inputs["image"].shape[1:] == (28, 28)
    share = np.bincount(splits.train.targets) / 55000
    np.testing.assert_allclose(np.bincount(splits.validation.targets) / 5000, share, atol=2e-4)  # stratified
    assert np.bincount(splits.test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    again = labelled_images.load(Source("tfds", "mnist", tfds_dir))
    assert (splits.validation.inputs["image"] == again.validation.inputs["image"]).all()
    assert splits.fingerprint == again.fingerprint


def test_a_little_real_mnist_is_learnt(tfds_dir: Path, tmp_path: Path) -> None:
    task = plugins.load_task("mnist_rows")
    words = [f"data.tfds_dir={tfds_dir}", "data.source=tfds", "data.limit=3000", "train.epochs=3", "encoder.units=32",
             "train.learning_rate=1e-2", "train.batch_size=64"]  # fmt: skip
    row, _ = train.run(resolve("mnist_rows", task.Options, words), task, tmp_path, QUIET)
    assert row.source == "tfds:mnist"
    assert row.value > 0.6
    folder = run_folder.open_run(tmp_path / row.run)
    test = labelled_images.load(Source("tfds", "mnist", tfds_dir)).test
    right = 0
    for i in range(8):
        Image.fromarray(test.inputs["image"][i]).save(tmp_path / f"{i}.png")
        Image.fromarray(255 - test.inputs["image"][i]).resize((56, 56)).save(tmp_path / f"inverted{i}.png")
    plain = predict(folder, [str(tmp_path / f"{i}.png") for i in range(8)])
    inverted = predict(folder, [str(tmp_path / f"inverted{i}.png") for i in range(8)])
    right = sum(answer["answer"] == str(test.targets[i]) for i, answer in enumerate(plain))
    assert right >= 5
    assert {a["inverted"] for a in plain} == {"no"}
    assert {a["inverted"] for a in inverted} == {"yes"}
    assert sum(a["answer"] == b["answer"] for a, b in zip(plain, inverted, strict=True)) >= 6


@pytest.mark.parametrize("layout", ["idx", "folders"])
def test_files_of_ones_own(tmp_path: Path, layout: str) -> None:
    images, labels = digits()
    folder = tmp_path / "data"
    if layout == "idx":
        write_idx(folder, images, labels, test=100)
    else:
        for i, (image, label) in enumerate(zip(images[:400], labels[:400], strict=True)):
            label_folder = folder / str(label)
            label_folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(label_folder / f"{i}.png")
    task = plugins.load_task("mnist_rows")
    words = [f"data.source=files:{folder}", "train.epochs=1", "encoder.units=8", "train.batch_size=32"]
    row, _ = train.run(resolve("mnist_rows", task.Options, words), task, tmp_path / "runs", QUIET)
    assert row.source == f"files:{folder.resolve()}"
    facts = json.loads((tmp_path / "runs" / row.run / "run.json").read_text(encoding="utf-8"))
    assert facts["spec"]["classes"] == [str(i) for i in range(10)]
    assert facts["spec"]["shape"] == [8, 8]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (
            lambda f: (f / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b\x08 broken"),
            "train-images-idx3-ubyte.gz",
        ),
        (lambda f: (f / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x05\1"), "t10k-labels-idx1-ubyte"),
        (lambda f: (f / "train-labels-idx1-ubyte").unlink(), "train-labels"),
    ],
)
def test_damaged_files_are_named_on_one_line(cli, tmp_path: Path, damage, named: str) -> None:
    images, labels = digits()
    write_idx(tmp_path / "data", images, labels, test=100)
    damage(tmp_path / "data")
    code, _, err = cli("run", "mnist_rows", "data.source=files:data")
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("seqtasks: ")]
    assert named in line
    assert not (tmp_path / "runs").exists()
