"""Parallel lines in two languages: file layouts, and files that do not match."""

import logging

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.cache import fingerprint
from seqtasks.data.source import Source
from seqtasks.data.text import parallel_corpus

EN, DE = ["a cat", "two dogs", "three"] * 10, ["eine Katze", "zwei Hunde", "drei"] * 10


def write(folder, part="train", en=EN, de=DE):
    (folder / f"{part}.en").write_text("".join(f"{line}\n" for line in en), encoding="utf-8")
    (folder / f"{part}.de").write_text("".join(f"{line}\n" for line in de), encoding="utf-8")


def load(path, languages=("en", "de")):
    return parallel_corpus.load(Source("files", str(path), path), languages)


def test_a_folder_of_splits(tmp_path):
    write(tmp_path)
    write(tmp_path, "val", EN[:2], DE[:2])
    write(tmp_path, "test", EN[:3], DE[:3])
    corpus = load(tmp_path)
    assert corpus.parts == {"train": (EN, DE), "validation": (EN[:2], DE[:2]), "test": (EN[:3], DE[:3])}
    assert load(tmp_path, ("de", "en")).parts["train"] == (DE, EN)
    assert load(tmp_path, ("de", "en")).fingerprint != corpus.fingerprint == load(tmp_path).fingerprint


def test_a_table_as_anki_exports_it(tmp_path):
    path = tmp_path / "deu.txt"
    path.write_text("".join(f"{a}\t{b}\tCC-BY 2.0\n" for a, b in zip(EN, DE, strict=True)), encoding="utf-8")
    corpus = load(path)
    every = sorted(pair for lines in corpus.parts.values() for pair in zip(*lines, strict=True))
    assert every == sorted(zip(EN, DE, strict=True))
    assert all(lines[0] for lines in corpus.parts.values())
    path.write_text("a cat\teine Katze\nno tab here\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: 'no tab here' has no tab"):
        load(path)


def test_crlf_and_a_byte_order_mark_change_nothing(tmp_path):
    write(tmp_path)
    (tmp_path / "train.en").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*EN, ""]).encode())
    assert sorted(line for lines in load(tmp_path).parts.values() for line in lines[0]) == sorted(EN)


def test_only_a_line_feed_ends_a_line(tmp_path):
    """A carriage return inside a line of one file must not shift its lines against those of the other."""
    en, de = EN.copy(), DE.copy()
    en[3], en[5], de[7] = "a\rcat", "a\u2028cat\x85x", "zwei\x0cHunde\rx"
    for name, lines in (("en", en), ("de", de)):
        (tmp_path / f"train.{name}").write_bytes("".join(f"{line}\n" for line in lines).encode())
        (tmp_path / f"val.{name}").write_bytes(b"x" + name.encode() + b"\n")
        (tmp_path / f"test.{name}").write_bytes(b"x" + name.encode() + b"\n")
    assert load(tmp_path).parts["train"] == (en, de)


def test_pairs_with_an_empty_side_are_dropped_with_a_message(tmp_path, caplog):
    write(tmp_path, en=[*EN[:4], "", *EN[5:]])
    write(tmp_path, "val")
    write(tmp_path, "test", [*EN[:2], ""], DE[:3])
    with caplog.at_level(logging.WARNING):
        corpus = load(tmp_path)
    assert corpus.parts["train"] == ([*EN[:4], *EN[5:]], [*DE[:4], *DE[5:]])
    assert corpus.parts["test"][0] == [*EN[:2], ""]  # a test is left as it is
    assert "1 training pairs with an empty side are left out, the first is number 5" in caplog.text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "train.de").write_text("eins\n"), "train.en has 30 lines and train.de 1"),
        (lambda p: (p / "train.de").write_bytes((p / "train.en").read_bytes()), "have the same text"),
        (lambda p: (p / "train.de").unlink(), "has no train.de; its languages are en"),
        (lambda p: (p / "train.de").write_bytes(b"\xff\xfe\x00"), "UTF-8"),
        (lambda p: (p / "train.de").write_text(""), "empty"),
        (lambda p: write(p, "val") or write(p, "dev"), "files named val and dev; allowed: one name for validation"),
        (lambda p: [(p / f"train.{x}").rename(p / f"other.{x}") for x in ("en", "de")], "has no train.en and train.de"),
    ],
)
def test_files_that_do_not_fit(tmp_path, damage, message):
    write(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_an_unknown_language_is_answered_with_those_that_are_there(tmp_path):
    write(tmp_path)
    with pytest.raises(DataError, match=r"its languages are de, en; set options\.source and options\.target"):
        load(tmp_path, ("en", "fr"))
    with pytest.raises(DataError, match="no training pair has text on both sides"):
        write(tmp_path, en=[""] * 30)
        load(tmp_path)


@pytest.mark.parametrize("table", [False, True])
def test_mapped_lines_are_those_in_memory(tmp_path, monkeypatch, table):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    en, de = [f" {line} {i}" for i, line in enumerate(EN)], [*DE[:-2], "", "  "]
    path = tmp_path / ("pairs.tsv" if table else "data")
    if table:
        path.write_text("".join(f"{a}\t{b}\tx\n" for a, b in zip(en, de, strict=True)))
    else:
        path.mkdir()
        write(path, en=en, de=de)
    memory = load(path)
    monkeypatch.setattr(parallel_corpus, "LARGE", 0)
    for _ in range(2):
        mapped = load(path)
        assert mapped.parts == memory.parts and mapped.fingerprint == memory.fingerprint
        assert mapped.large and not memory.large
        assert all(isinstance(side.values, np.memmap) for lines in mapped.parts.values() for side in lines)
    joined = {
        f"{part} {i}": np.frombuffer("\n".join(side).encode(), np.uint8)
        for part, lines in memory.parts.items()
        for i, side in enumerate(lines)
    }
    assert fingerprint(joined) == memory.fingerprint  # as it was before lines could be mapped
