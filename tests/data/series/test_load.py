"""Series from a file, a folder, and the data sets of other packages."""

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series.columns import Columns
from seqtasks.data.series.load import load, split_files
from seqtasks.data.source import Source

TABLE = "label,0,1\nu,1,2\nv,3,4\n"


def files(path, **columns):
    return load(Source("files", str(path), path), Columns(**columns))


def test_a_folder_has_a_file_for_each_split(tmp_path):
    for name in ("train.csv", "dev.csv", "Walks_TEST.tsv"):
        (tmp_path / name).write_text(TABLE.replace(",", "\t") if name.endswith("tsv") else TABLE)
    data = files(tmp_path)
    assert {part: len(series) for part, series in data.parts.items()} == {"train": 2, "validation": 2, "test": 2}
    assert "options.target=label" in data.notes
    before = data.fingerprint
    (tmp_path / "dev.csv").write_text(TABLE.replace("4", "5"))
    assert files(tmp_path).fingerprint != before


def test_one_file_has_everything(tmp_path):
    np.savez(tmp_path / "all.npz", x=np.ones((4, 3)), y=[0, 1, 0, 1])
    assert len(files(tmp_path / "all.npz").parts["train"]) == len(files(tmp_path).parts["train"]) == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["test.csv"], r"has test\.csv; needed: train\.csv or train\.ts and so on; or give the path of one file"),
        (["train.csv", "train.ts"], r"has train\.csv, train\.ts; allowed: one file for train; keep one"),
        (["readme.md"], r"has no file that ends in \.csv, \.tsv, \.parquet, \.npz, \.ts, \.tsf; needed: train\.csv"),
    ],
)
def test_a_folder_that_cannot_be_read(tmp_path, names, message):
    for name in names:
        (tmp_path / name).write_text(TABLE)
    with pytest.raises(DataError, match=message):
        split_files(Source("files", str(tmp_path), tmp_path))


def test_splits_have_the_same_channels_and_all_have_targets(tmp_path):
    (tmp_path / "train.csv").write_text(TABLE)
    (tmp_path / "test.csv").write_text("0,1\n1,2\n")
    with pytest.raises(DataError, match=r"lacks column|has no targets"):
        files(tmp_path)
    (tmp_path / "test.csv").write_text("0,1,other\n1,2,3\n")
    with pytest.raises(DataError, match=r"test\.csv has no targets; allowed: one for each series of the test split"):
        files(tmp_path)
    assert files(tmp_path, labels="optional").parts["test"].targets is None
    (tmp_path / "test.csv").unlink()
    (tmp_path / "train.csv").rename(tmp_path / "test.csv")
    np.savez(tmp_path / "train.npz", x=np.ones((2, 3, 4)), y=[0, 1])
    with pytest.raises(DataError, match=r"test\.csv has 1 channels .* but the training series have 4"):
        load(Source("files", str(tmp_path), tmp_path), Columns(layout="wide", labels="optional"))


def test_the_archive_of_aeon_is_read_without_importing_it():
    aeon = pytest.importorskip("importlib.util").find_spec("aeon")
    if aeon is None:
        pytest.skip("needs the data files of aeon: pip install 'seqtasks[series-aeon]'")
    import sys

    from seqtasks.data.resolve import resolve_source

    source = resolve_source(
        "aeon:JapaneseVowels", tfds=None, files=True, builtin=None, packages={"aeon": ["NAME_TRAIN.ts"]}
    )
    data = load(source, Columns())
    shapes = {part: series.values.shape for part, series in data.parts.items()}
    assert shapes == {"train": (270, 26, 12), "test": (370, 29, 12)} and data.kind == "classes"
    assert data.parts["train"].values.lengths.min() == 7 and str(source) == data.source == "aeon:JapaneseVowels"
    assert "aeon" not in sys.modules


def test_sunspots_of_statsmodels():
    from seqtasks.data.resolve import resolve_source

    if pytest.importorskip("importlib.util").find_spec("statsmodels") is None:
        pytest.skip("needs the data files of statsmodels: pip install 'seqtasks[series]'")
    packages = {"statsmodels": ["NAME.csv"]}
    source = resolve_source("statsmodels:sunspots", tfds=None, files=True, builtin=None, packages=packages)
    train = load(source, Columns(labels="none")).parts["train"]
    assert train.values.shape == (1, 309, 1) and train.channels == ["SUNACTIVITY"] and not train.irregular
    assert train.times.row(0)[[0, -1]].tolist() == [1700, 2008]
