"""Ragged arrays in the cache: equal to those in memory, computed once, made again if they are damaged."""

import numpy as np
import pytest

from seqtasks.data import ragged_files
from seqtasks.data.bucketing import Ragged
from seqtasks.data.ragged_files import collect

ROWS = [[1, 2, 3], [], [4], [5, 6, 7, 8], [9, 9]]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ragged_files, "ROWS", 2)
    return tmp_path / "cache"


def equal(ragged, dtype="int32"):
    expected = Ragged.of(ROWS, dtype)
    np.testing.assert_array_equal(ragged.values, expected.values)
    np.testing.assert_array_equal(ragged.ends, expected.ends)
    return (ragged.values.dtype, ragged.ends.dtype) == (expected.values.dtype, expected.ends.dtype)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_the_rows_in_memory_and_mapped(dtype):
    assert equal(collect(lambda: ROWS, dtype), dtype) and len(collect(list)) == 0
    for _ in range(2):
        mapped = collect(lambda: ROWS, dtype, "key")
        assert isinstance(mapped.values, np.memmap) and equal(mapped, dtype)
        np.testing.assert_array_equal(mapped[np.array([3, 0])].padded(), [[5, 6, 7, 8], [1, 2, 3, 0]])


def test_they_are_made_once_for_each_key(folder):
    collect(lambda: ROWS, key="a")
    assert equal(collect(lambda: pytest.fail("made again"), key="a"))
    assert len(collect(lambda: ROWS[:2], key="b")) == 2
    assert equal(collect(lambda: pytest.fail("made again"), key="a"))


@pytest.mark.parametrize("name", ["values", "ends", "facts"])
@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", lambda data: b"{}" + data[9:]])
def test_damaged_entries_are_made_again(folder, name, damage):
    collect(lambda: ROWS, key="a")
    (file,) = folder.glob(f"*-{name}-*")
    file.write_bytes(damage(file.read_bytes()))
    assert equal(collect(lambda: ROWS, key="a")) and equal(collect(lambda: pytest.fail("made again"), key="a"))


def test_an_interrupted_conversion_leaves_nothing_that_looks_finished(folder):
    def killed():
        yield from ROWS[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(killed, key="a")
    assert not list(folder.iterdir()) and equal(collect(lambda: ROWS, key="a"))


def test_hashes_tell_rows_apart():
    hashes = ragged_files.row_digests(Ragged.of([*ROWS, [4], [], [3, 2, 1]]))
    rows = [*ROWS, [4], [], [3, 2, 1]]
    np.testing.assert_array_equal(hashes[:, None] == hashes[None], [[a == b for b in rows] for a in rows])


def test_without_a_cache_they_stay_in_memory(folder, caplog):
    folder.write_text("a file in place of the folder")
    ragged = collect(lambda: ROWS, key="a")
    assert equal(ragged) and not isinstance(ragged.values, np.memmap)
    assert "stays in memory; set SEQTASKS_CACHE" in caplog.text
