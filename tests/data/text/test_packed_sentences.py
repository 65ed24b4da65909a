"""Packed sentences: equal to lists of sentences, in memory and mapped, and their fingerprints to those of lists."""

import numpy as np
import pytest

from seqtasks.data.cache import fingerprint
from seqtasks.data.text import packed_sentences
from seqtasks.data.text.packed_sentences import PackedSentences

SENTENCES = [
    (["the", "cat", "größe"], ["D", "N", "A"]),
    (["cat"], ["N"]),
    (["the", "\udc80", "the", "x y"], ["D", "X", "D", "A"]),
    (["漢字", "cat"], ["N", "V"]),
]


@pytest.fixture(params=["memory", "mapped", "from the cache"])
def packed(request, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path))
    monkeypatch.setattr(packed_sentences, "ROWS", 3)
    if request.param == "memory":
        return PackedSentences.of(iter(SENTENCES))
    sentences = PackedSentences.of(SENTENCES, "key")
    assert isinstance(sentences.ends, np.memmap)
    return sentences if request.param == "mapped" else PackedSentences.of([], "key")


def joined(rows):
    text = "\n\n".join("\n".join(f"{w}\t{t}" for w, t in zip(words, tags, strict=True)) for words, tags in rows)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)


@pytest.mark.parametrize("index", [slice(None), slice(1, 3), np.array([3, 0, 0]), [2], []])
def test_they_are_the_sentences(packed, index):
    expected = [SENTENCES[i] for i in np.arange(4)[index if isinstance(index, slice) else np.array(index, int)]]
    rows = packed[index if isinstance(index, slice) else np.array(index, int)]
    assert list(rows) == expected and rows == expected and rows != [*expected, expected]
    assert [rows[i] for i in range(len(rows))] == expected and rows.lengths.tolist() == [len(w) for w, _ in expected]
    for what, position in (("words", 0), ("tags", 1)):
        flat = [name for row in expected for name in row[position]]
        counts = {name: flat.count(name) for name in flat}
        assert list(rows.occurrences(what).items()) == list(counts.items())  # in this order
        names = sorted(counts)
        numbers = [row.tolist() for row in rows.numbered(what, names)]
        assert numbers == [[names.index(name) for name in row[position]] for row in expected]
    assert fingerprint({"train": rows.joined()}) == fingerprint({"train": joined(expected)})


def test_one_that_does_not_exist(packed):
    assert packed[-1] == SENTENCES[-1]
    with pytest.raises(IndexError):
        packed[4]


@pytest.mark.parametrize("name", ["words", "tags", "ends", "facts"])
def test_a_damaged_entry_is_made_again(tmp_path, monkeypatch, name):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path))
    PackedSentences.of(SENTENCES, "key")
    (entry,) = tmp_path.glob(f"sentences-*-{name}-*")
    entry.write_bytes(entry.read_bytes()[:-3])
    assert PackedSentences.of(SENTENCES, "key") == SENTENCES == list(PackedSentences.of([], "key"))


def test_without_a_cache_they_stay_in_memory(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").write_text("a file in place of the folder")
    sentences = PackedSentences.of(SENTENCES, "key")
    assert sentences == SENTENCES and not isinstance(sentences.ends, np.memmap)
    assert "they stay in memory" in caplog.text
