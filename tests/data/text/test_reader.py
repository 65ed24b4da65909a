"""Reading text in pieces of any size, and errors for files that are not UTF-8 text."""

import subprocess

import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.text import reader as module
from seqtasks.data.text.reader import Text, find_files, iter_lines, read_lines, split_lines

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
    assert "".join(Text([write(tmp_path, data)]).pieces()) == "one\ntwo\rthree\nfour\r"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a\nb\r\nc", ["a", "b", "c"]),
        ("a\n\n\r\n", ["a", "", ""]),
        ("a\rb\fc\vd\x1ce\x85f\u2028g\u2029h\n", ["a\rb\fc\vd\x1ce\x85f\u2028g\u2029h"]),
        ("\n", [""]),
        ("a\r\r\n", ["a\r"]),
        ("\ufeffa\n\ufeffb", ["a", "\ufeffb"]),
    ],
)
def test_a_line_feed_ends_a_line_and_nothing_else(tmp_path, piece, content, lines):
    path = write(tmp_path, content.encode())
    assert read_lines(path) == list(iter_lines(path)) == lines
    if content[0] != "\ufeff":
        assert split_lines(content) == lines


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-16", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-16-le", "UTF-16LE"),
        ("utf-16-be", "UTF-16BE"),
        ("utf-32-le", "UTF-32LE"),
        ("utf-32-be", "UTF-32BE"),
        ("cp1252", "WINDOWS-1252"),
    ],
)
def test_the_advice_for_another_encoding_makes_the_file_readable(tmp_path, encoding, named):
    path = write(tmp_path, "Ein Café\nund mehr\n".encode(encoding), "it's a.txt")
    with pytest.raises(DataError, match=rf"not UTF-8.*; convert it.*iconv -f {named} -t UTF-8 ") as caught:
        read_lines(path)
    subprocess.run(["sh", "-c", str(caught.value)[str(caught.value).index("iconv ") :]], check=True)
    assert read_lines(path) == ["Ein Café", "und mehr"]


def test_offset_of_an_invalid_byte_is_counted_from_the_start_of_the_file(tmp_path, piece):
    with pytest.raises(DataError, match="byte 0xc3 at position 13"):
        read_lines(write(tmp_path, b"twelve bytes.\xc3(\n"))


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
def test_invalid_text_files_are_named(tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        list(Text([write(tmp_path, data)]).pieces())


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.txt: No such file"):
        list(Text([tmp_path / "none.txt"]).pieces())


def test_the_files_of_a_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    paths = [write(tmp_path, b"a"), write(tmp_path / "deep", b"b", "b.md")]
    write(tmp_path, b"\x89PNG", "c.png")
    assert find_files(tmp_path) == paths
    assert find_files(paths[0]) == paths[:1]


def test_a_folder_without_text(tmp_path):
    write(tmp_path, b"\x89PNG", "c.png")
    with pytest.raises(DataError, match=r"has no text file; allowed: \.txt"):
        find_files(tmp_path)
