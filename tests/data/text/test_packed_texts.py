"""Packed texts and labels: equal to lists of text, in memory and mapped, and their fingerprints to those of lists."""

import numpy as np
import pytest

from seqtasks.data.cache import fingerprint
from seqtasks.data.text import packed_texts
from seqtasks.data.text.packed_texts import Labels, TextWriter

TEXTS = ["ein", "größeres", "", "漢字 \x00 null", "lone \udc80", "two\nlines", "ein"]


@pytest.fixture(params=["memory", "mapped", "several blocks"])
def packed(request, tmp_path, monkeypatch):
    monkeypatch.setattr(packed_texts, "ROWS", 3 if request.param == "several blocks" else 4096)
    writer = TextWriter(None if request.param == "memory" else lambda name: tmp_path / f"{name}.npy")
    for text in TEXTS:
        writer.append(text)
    texts = writer.finish()
    assert isinstance(texts.values, np.memmap) == (request.param != "memory")
    return texts


def test_they_are_the_texts(packed):
    assert len(packed) == len(TEXTS) and list(packed) == TEXTS and packed == TEXTS and packed != [*TEXTS[1:], "x"]
    assert [packed[i] for i in range(-7, 7)] == TEXTS * 2 and "ein" in packed and packed.count("ein") == 2
    with pytest.raises(IndexError):
        packed[7]


@pytest.mark.parametrize("index", [slice(2, 5), slice(None, None, -2), np.array([6, 0, 0, 3]), [4, 1], []])
def test_a_choice_of_them(packed, index):
    expected = [TEXTS[i] for i in np.arange(7)[index if isinstance(index, slice) else np.array(index, int)]]
    chosen = packed[index if isinstance(index, slice) else np.array(index, int)]
    assert list(chosen) == expected and len(chosen) == len(expected)
    assert chosen.size == len("".join(expected).encode("utf-8", "surrogatepass"))
    assert np.shares_memory(chosen.values, packed.values)
    assert list(chosen[1:]) == expected[1:]


@pytest.mark.parametrize("rows", [slice(None), np.array([5, 1, 2]), np.array([2]), np.array([], int)])
def test_the_fingerprint_is_that_of_the_joined_list(packed, rows):
    texts = packed[rows]
    labels = Labels.of(f"ü{len(text) % 3}" for text in texts)
    joined = {
        name: np.frombuffer("\0".join(values).encode("utf-8", "surrogatepass"), np.uint8)
        for name, values in (("train x", texts), ("train y", labels))
    }
    assert fingerprint({"train x": texts.joined(), "train y": labels.joined()}) == fingerprint(joined)


def test_hashes_tell_texts_apart(packed):
    hashes = packed.digests()
    same = [[a == b for b in TEXTS] for a in TEXTS]
    np.testing.assert_array_equal(hashes[:, None] == hashes[None], same)


def test_an_unfinished_file_is_removed(tmp_path):
    writer = TextWriter(lambda name: tmp_path / f"{name}.npy")
    writer.append("a")
    writer.discard()
    assert not list(tmp_path.iterdir())


def test_labels():
    names = ["up", "down", "up", "sideways"]
    labels = Labels.of(names)
    assert list(labels) == names and labels == names and labels[-1] == "sideways" and labels.used == sorted(set(names))
    assert labels[np.array([3, 0])] == ["sideways", "up"] and labels[:2].used == ["down", "up"]
    numbers = labels.numbered(["down", "none", "sideways", "up"])
    assert numbers.tolist() == [3, 0, 3, 2] and numbers.dtype == np.int64
