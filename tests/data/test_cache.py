"""Cache of decoded arrays: cached entries, damaged entries, folders that cannot be written."""

import logging

import numpy as np
import pytest

from seqtasks.data import cache

ARRAYS = {"train/image": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "file": np.array(["zwei", "drei"])}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make():
    return {name: array.copy() for name, array in ARRAYS.items()}


def never():
    raise AssertionError("called although the entry is cached")


def assert_is_arrays(result):
    assert result.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(result.arrays[name], array)
        assert result.arrays[name].dtype == array.dtype
    assert result.fingerprint == cache.fingerprint(ARRAYS)


def test_made_once_and_then_read(folder):
    assert not cache.has("tfds:mnist train")
    assert_is_arrays(cache.cached("tfds:mnist train", make))
    assert cache.has("tfds:mnist train")
    assert_is_arrays(cache.cached("tfds:mnist train", never))
    assert [path.name.startswith("tfds-mnist-train-") for path in folder.iterdir()] == [True]


def test_keys_that_read_alike_do_not_meet():
    cache.cached("a b", lambda: {"x": np.zeros(1)})
    assert cache.cached("a-b", lambda: {"x": np.ones(1)}).arrays["x"] == 1


def test_a_long_and_strange_key_is_a_file_name():
    assert_is_arrays(cache.cached("ä/../:*" * 100, make))
    assert_is_arrays(cache.cached("ä/../:*" * 100, never))


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "renamed"])
def test_a_damaged_entry_is_made_anew(folder, caplog, damage):
    cache.cached("key", make)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    if damage == "renamed":
        cache.clear()
        cache.cached("other", make)
        next(folder.iterdir()).rename(path)
    else:
        at = whole.index(ARRAYS["train/image"].tobytes())
        flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "flipped": flipped, "text": b"hello"}[damage])
    with caplog.at_level(logging.WARNING):
        assert_is_arrays(cache.cached("key", make))
    assert len(caplog.records) == 1 and "made again" in caplog.text
    assert_is_arrays(cache.cached("key", never))


def test_a_folder_that_cannot_be_written_only_warns(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        assert_is_arrays(cache.cached("key", make))
    assert "SEQTASKS_CACHE" in caplog.text
    assert not cache.has("key") and cache.newest("key") is None and cache.clear() == 0


def test_a_full_disk_leaves_nothing_behind(folder, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert_is_arrays(cache.cached("key", make))
    assert "No space left" in caplog.text
    assert list(folder.iterdir()) == []


def test_an_error_of_the_maker_is_passed_on_and_nothing_is_stored():
    with pytest.raises(AssertionError, match="called although"):
        cache.cached("key", never)
    assert not cache.has("key")


def test_python_objects_are_refused():
    with pytest.raises(TypeError, match="'x' holds Python objects"):
        cache.cached("key", lambda: {"x": np.array([{}, None])})


def test_the_fingerprint_sees_names_dtypes_shapes_and_bytes():
    x = np.arange(6, dtype=np.int32)
    variants = [{"x": x}, {"y": x}, {"x": x.view(np.float32)}, {"x": x.reshape(2, 3)}, {"x": x[::-1]}, {}]
    assert len({cache.fingerprint(arrays) for arrays in variants}) == len(variants)
    assert cache.fingerprint({"a": x, "b": x}) == cache.fingerprint({"b": x, "a": x.copy()})
    assert len(cache.fingerprint({})) == 16


def test_newest_finds_the_key_by_its_beginning(folder):
    assert cache.newest("tfds:a ") is None
    for key in ("tfds:a 1", "tfds:ab 2"):
        cache.cached(key, make)
    (folder / f"broken-{'0' * 16}.npz").write_text("not an archive")
    assert cache.newest("tfds:a ") == "tfds:a 1"
    assert cache.newest("tfds:c") is None


def test_clear_removes_entries_and_nothing_else(folder):
    cache.cached("key", make)
    (path,) = folder.iterdir()
    path.with_name(path.name + ".abc.tmp").write_text("of a killed run")
    (folder / "mine.npz").write_text("somebody's own")
    assert cache.clear() == 2
    assert [path.name for path in folder.iterdir()] == ["mine.npz"]


def test_the_default_folder_is_the_users(monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", "")
    assert cache.cache_dir().name == "seqtasks"


@pytest.mark.parametrize("name", ["key", "fingerprint", "data/file"])
def test_texts_that_have_no_characters_are_damage(folder, caplog, name):
    cache.cached("texts", make)
    (path,) = folder.iterdir()
    with np.load(path) as stored:
        members = dict(stored)
    members[name] = np.full(max(1, members[name].size * members[name].itemsize // 4), 0xFFFFFF00, np.uint32)
    members[name] = members[name].view(f"U{members[name].size}").reshape(())
    np.savez(path, **members)
    assert_is_arrays(cache.cached("texts", make))
    assert "it is made again" in caplog.text
