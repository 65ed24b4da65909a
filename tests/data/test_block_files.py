"""Arrays written block by block: in memory, in a mapped file, and never half."""

import numpy as np
import pytest

from seqtasks.data.block_files import BlockArray, release

BLOCKS = [np.arange(6.0).reshape(3, 2), np.zeros((0, 2)), np.full((1, 2), 9.0)]


@pytest.mark.parametrize("name", [None, "a.npy"])
def test_the_blocks_one_after_the_other(tmp_path, name):
    path = None if name is None else tmp_path / "folder" / name
    array = BlockArray("float32", (2,), path)
    for block in BLOCKS:
        array.append(block)
    whole = array.finish()
    np.testing.assert_array_equal(whole, np.concatenate(BLOCKS))
    assert whole.dtype == np.float32 and isinstance(whole, np.memmap) == (name is not None)
    release(whole)  # it can still be read
    assert whole[-1].tolist() == [9, 9]
    if path is not None:
        array.discard()  # what is finished stays
        np.testing.assert_array_equal(np.load(path), whole)
        assert [file.name for file in path.parent.iterdir()] == ["a.npy"]


def test_unfinished_runs_are_not_listed(tmp_path):
    array = BlockArray("int64", path=tmp_path / "a.npy")
    array.append(np.arange(3))
    assert not (tmp_path / "a.npy").exists()
    array.discard()
    assert not list(tmp_path.iterdir())
