"""Text is read in pieces: all of it, whatever the pieces, and what is no text is named."""

import pytest

from seqtasks.data import text as module
from seqtasks.data.text import Text, find_files
from seqtasks.errors import DataError

SAMPLE = "Über uns — ein Satz.\nZwei\tWörter 😀 hier\n\n" * 9


@pytest.fixture(params=[7, 64, 1 << 18])
def piece(request, monkeypatch):
    monkeypatch.setattr(module, "PIECE", request.param)


def write(folder, data, name="a.txt"):
    path = folder / name
    path.write_bytes(data)
    return path


def test_a_file_gives_its_characters(tmp_path, piece):
    assert "".join(Text([write(tmp_path, SAMPLE.encode())]).pieces()) == SAMPLE


@pytest.mark.parametrize(("start", "stop"), [(0, None), (5, 60), (60, 61), (0, 10_000), (100, 100)])
def test_a_part_is_a_slice(tmp_path, piece, start, stop):
    text = Text([write(tmp_path, SAMPLE.encode()), SAMPLE])
    assert "".join(text.pieces(start, stop)) == (SAMPLE + SAMPLE)[start:stop]


def test_pieces_cut_no_word(tmp_path, piece):
    words = "".join(Text([write(tmp_path, SAMPLE.encode())]).pieces()).split()
    assert [word for piece in Text([write(tmp_path, SAMPLE.encode())]).pieces() for word in piece.split()] == words


def test_a_word_without_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 8)
    pieces = list(Text(["x" * 1000]).pieces())
    assert "".join(pieces) == "x" * 1000 and max(map(len, pieces)) <= 5 * 8


def test_line_ends_and_a_byte_order_mark(tmp_path, piece):
    data = b"\xef\xbb\xbfone\r\ntwo\rthree\nfour\r"
    assert "".join(Text([write(tmp_path, data)]).pieces()) == "one\ntwo\nthree\nfour\n"


def test_length_and_digest_are_of_the_characters(tmp_path, piece):
    one, two = Text([SAMPLE]), Text([write(tmp_path, SAMPLE.encode().replace(b"\n", b"\r\n"))])
    assert len(one) == len(two) == len(SAMPLE)
    assert one.digest == two.digest != Text([SAMPLE + " "]).digest


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"a\.txt is empty"),
        (b"abc\xe9d", r"a\.txt is not UTF-8: byte 0xe9 at position 3; convert it"),
        (b"abc\xc3", r"a\.txt is not UTF-8: it ends inside a character"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        list(Text([write(tmp_path, data)]).pieces())


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.txt: No such file"):
        list(Text([tmp_path / "none.txt"]).pieces())


def test_the_files_of_a_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    wanted = [write(tmp_path, b"a"), write(tmp_path / "deep", b"b", "b.md")]
    write(tmp_path, b"\x89PNG", "c.png")
    assert find_files(tmp_path) == wanted
    assert find_files(wanted[0]) == wanted[:1]


def test_a_folder_without_text(tmp_path):
    write(tmp_path, b"\x89PNG", "c.png")
    with pytest.raises(DataError, match=r"has no text file; allowed: \.txt"):
        find_files(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(tmp_path, encoding):
    (tmp_path / "a.txt").write_text("caf\xe9 " * 20, encoding=encoding)
    with pytest.raises(DataError, match=f"it is {encoding.upper()} by its first bytes; .*iconv -f {encoding} -t utf-8"):
        "".join(Text([tmp_path / "a.txt"]).pieces())
