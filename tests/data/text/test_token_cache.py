"""Cache of token numbers on disk: equal to those of the vocabulary, computed once, no partial files."""

import numpy as np
import pytest

from seqtasks.data import cache
from seqtasks.data.text import token_cache
from seqtasks.data.text.reader import Text
from seqtasks.data.text.vocabulary import Vocabulary

TEXT = "the cat sat on the mat\n" * 500


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("kind", ["characters", "words", "bpe"])
def test_tokens_are_mapped_from_disk(kind):
    words = Vocabulary.train(kind, [TEXT])
    tokens = token_cache.encode(Text([TEXT]), words)
    assert isinstance(tokens, np.memmap) and tokens.dtype == np.uint16
    assert words.decode(tokens) == TEXT
    np.testing.assert_array_equal(token_cache.encode(Text([TEXT]), words, 230, 460), words.encode(TEXT[230:460]))


def test_they_are_made_once(folder, monkeypatch):
    words = token_cache.vocabulary_of(Text([TEXT]), 0, None, kind="characters")
    token_cache.encode(Text([TEXT]), words)
    monkeypatch.setattr(Vocabulary, "encode_pieces", lambda *_: pytest.fail("encoded again"))
    monkeypatch.setattr(Vocabulary, "train", lambda *_, **__: pytest.fail("trained again"))
    again = token_cache.vocabulary_of(Text([TEXT]), 0, None, kind="characters")
    assert len(token_cache.encode(Text([TEXT]), again)) == len(TEXT)
    assert len(list(folder.iterdir())) == 2


def test_a_kill_leaves_nothing_that_looks_finished(folder, monkeypatch):
    words = Vocabulary.train("characters", [TEXT])

    def killed(self, texts):
        yield np.zeros(10, np.uint16)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Vocabulary, "encode_pieces", killed)
        with pytest.raises(KeyboardInterrupt):
            token_cache.encode(Text([TEXT]), words)
    assert not list(folder.iterdir())
    assert len(token_cache.encode(Text([TEXT]), words)) == len(TEXT)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", lambda data: b"\x93" + data[9:]])
def test_damaged_entries_are_made_again(folder, caplog, damage):
    def make():
        words = token_cache.vocabulary_of(Text([TEXT]), 0, None, kind="characters")
        return words.to_text(), np.array(token_cache.encode(Text([TEXT]), words)).tolist()

    expected = make()
    for path in folder.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert make() == expected
    assert "the cached vocabulary in" in caplog.text and "the cached tokens in" in caplog.text
    caplog.clear()
    assert make() == expected and not caplog.text


def test_where_nothing_can_be_written_it_stays_in_memory(folder, caplog):
    folder.write_text("a file where the folder would be")
    tokens = token_cache.encode(Text([TEXT]), words := Vocabulary.train("characters", [TEXT]))
    assert words.decode(tokens) == TEXT and "kept in memory" in caplog.text


def test_clearing_the_cache_removes_them():
    words = token_cache.vocabulary_of(Text([TEXT]), 0, None, kind="characters")
    token_cache.encode(Text([TEXT]), words)
    assert cache.clear() == 2
