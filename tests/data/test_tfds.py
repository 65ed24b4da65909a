"""Loading tensorflow-datasets: MNIST, damaged data, and downloads that fail."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data import tfds as prepared
from seqtasks.data.resolve import resolve_source
from seqtasks.data.source import Source, prepared_folder

SPLITS, KEYS = ["test"], ["image", "label"]


@pytest.fixture
def mnist(tfds_dir):
    source = Source("tfds", "mnist", tfds_dir)
    if prepared_folder(source) is None:
        pytest.skip("MNIST is not prepared there")
    return source


@pytest.fixture
def copy(mnist, tmp_path, monkeypatch):
    """A copy of MNIST to damage, with an empty cache."""
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    shutil.copytree(mnist.folder / "mnist", tmp_path / "tfds" / "mnist")
    return Source("tfds", "mnist", tmp_path / "tfds")


@pytest.fixture(scope="module")
def tiny():
    """A set of nine images that needs no download; preparing it fails if `broken` is set."""
    tfds = pytest.importorskip("tensorflow_datasets")

    class SeqtasksTinySquares(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        broken = False

        def _info(self):
            features = {"image": tfds.features.Image(shape=(4, 4, 1)), "label": tfds.features.ClassLabel(num_classes=3)}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i in range(9):
                if self.broken and i == 5:
                    raise ConnectionError("the line\nwas cut")
                yield i, {"image": np.full((4, 4, 1), i, np.uint8), "label": i % 3}

    return SeqtasksTinySquares


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr(prepared, "network", lambda timeout=5.0: True)
    monkeypatch.setattr("seqtasks.data.resolve.network", lambda timeout=5.0: True)


def test_mnist_is_read_and_then_cached(mnist):
    arrays = prepared.load(mnist, SPLITS, KEYS).arrays
    image, label = arrays["test/image"], arrays["test/label"]
    assert image.shape == (10000, 28, 28) and image.dtype == np.uint8
    assert label.shape == (10000,) and label.dtype == np.int64
    assert np.bincount(label).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]

    code = (
        "import sys; from pathlib import Path\n"
        "from seqtasks.data import tfds; from seqtasks.data.source import Source\n"
        f"source = Source('tfds', 'mnist', Path({str(mnist.folder)!r})); "
        f"print(tfds.load(source, {SPLITS}, {KEYS}).fingerprint, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [prepared.load(mnist, SPLITS, KEYS).fingerprint, "False"]
    assert done.stderr == ""


def test_decoded_data_outlives_the_prepared(mnist, tmp_path):
    before = prepared.load(mnist, SPLITS, KEYS)
    gone = Source("tfds", "mnist", tmp_path)
    assert prepared.load(gone, SPLITS, KEYS).fingerprint == before.fingerprint


def test_missing_data_without_network_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("seqtasks.data.network.HOSTS", [])
    with pytest.raises(DataError, match="no network; set TFDS_DATA_DIR"):
        prepared.load(Source("tfds", "mnist", tmp_path / "none"), ["train"], KEYS)
    assert not (tmp_path / "none").exists()


def test_a_truncated_record_file_names_the_folder(copy):
    folder = prepared_folder(copy)
    (records,) = folder.glob("*test.tfrecord*")
    os.truncate(records, records.stat().st_size // 2)
    with pytest.raises(DataError, match="damaged") as caught:
        prepared.load(copy, SPLITS, KEYS)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
def test_damaged_notes_name_the_folder(copy, name):
    folder = prepared_folder(copy)
    (folder / name).write_text("{")
    with pytest.raises(DataError, match="damaged") as caught:
        prepared.load(copy, SPLITS, KEYS)
    assert str(folder) in str(caught.value)


def test_unknown_splits_and_features_are_named(mnist):
    with pytest.raises(DataError, match=r"no split 'dev' .*it has: test, train"):
        prepared.load(mnist, ["dev"], KEYS)
    with pytest.raises(DataError, match=r"no feature 'picture' .*image, label"):
        prepared.load(mnist, SPLITS, ["picture"])


def test_a_download_is_moved_into_place(tiny, online, tmp_path, capfd):
    source = Source("tfds", "seqtasks_tiny_squares", tmp_path / "new" / "tfds")
    arrays = prepared.load(source, ["train"], KEYS).arrays
    assert sorted(zip(arrays["train/image"][:, 0, 0].tolist(), arrays["train/label"].tolist(), strict=True)) == [
        (i, i % 3) for i in range(9)
    ]
    assert [path.name for path in source.folder.iterdir()] == [source.name]
    assert prepared_folder(source) == source.folder / source.name / "1.0.0"
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("existed", [False, True])
def test_a_failed_download_leaves_everything_as_it_was(tiny, online, tmp_path, monkeypatch, existed):
    monkeypatch.setattr(tiny, "broken", True)
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    source = Source("tfds", "seqtasks_tiny_squares", tmp_path / "new" / "tfds")
    if existed:
        (source.folder / source.name / "0.9.0").mkdir(parents=True)
        (source.folder / "downloads").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=r"download failed: .*the line was cut") as caught:
        prepared.load(source, ["train"], KEYS)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_auto_falls_back_when_the_download_fails(tiny, online, tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "broken", True)
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    announced = []
    task = {"tfds": "seqtasks_tiny_squares", "files": False, "builtin": "squares", "tfds_dir": str(tmp_path / "tfds")}
    assert str(resolve_source("auto", **task, announce=announced.append)) == "builtin:squares"
    assert "downloading" in announced[0] and "the line was cut" in announced[1]


def test_a_folder_that_cannot_be_written_is_an_error(online, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be downloaded to"):
        prepared.download(Source("tfds", "mnist", tmp_path / "file" / "tfds"))
