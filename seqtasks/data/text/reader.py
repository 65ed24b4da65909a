"""Reads UTF-8 text files of any size in pieces."""

from __future__ import annotations

import codecs
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from seqtasks.core.errors import DataError

PIECE = 1 << 18  # number of bytes read at once
SUFFIXES = (".txt", ".text", ".md", ".rst", ".py", ".tokens")


class Text:
    """The concatenated text of strings or files, which are read in pieces.

    Files are read as UTF-8. A byte order mark is removed, and `\\r\\n` becomes `\\n`; see `split_lines`.

    Args:
        parts: Strings, or paths of files.

    Raises:
        DataError: A file is empty or is not UTF-8; raised where it is read, not by the constructor.
    """

    def __init__(self, parts: Sequence[str | Path]):
        self.parts = list(parts)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Yields a part of the text in pieces that end in a space or line break if possible.

        Args:
            start: Index of the first character.
            stop: Index after the last character; None: the end of the text.
        """
        begin, buffer = 0, ""
        for piece in self._read():
            end = begin + len(piece)
            if end > start and (stop is None or begin < stop):
                buffer += piece[max(0, start - begin) : None if stop is None else stop - begin]
                cut = max(buffer.rfind(" "), buffer.rfind("\n")) + 1
                if cut:
                    yield buffer[:cut]
                    buffer = buffer[cut:]
                elif len(buffer) > 4 * PIECE:
                    yield buffer
                    buffer = ""
            begin = end
        if buffer:
            yield buffer

    @cached_property
    def facts(self) -> tuple[int, str]:
        """Number of characters, and SHA-256 of their UTF-8 encoding, 16 hex digits."""
        digest, length = hashlib.sha256(), 0
        for piece in self._read():
            digest.update(piece.encode())
            length += len(piece)
        return length, digest.hexdigest()[:16]

    def __len__(self) -> int:
        return self.facts[0]

    @property
    def digest(self) -> str:
        """SHA-256 of the text, 16 hex digits."""
        return self.facts[1]

    def _read(self) -> Iterator[str]:
        for part in self.parts:
            if isinstance(part, str):
                yield from (part[i : i + PIECE] for i in range(0, len(part), PIECE))
            else:
                yield from read_pieces(part)


def find_files(folder: Path) -> list[Path]:
    """The text files of a folder and its subfolders, sorted; for a file, this file.

    Raises:
        DataError: There is no text file.
    """
    if folder.is_file():
        return [folder]
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise DataError(f"{folder} has no text file; allowed: {', '.join(SUFFIXES)}; or give the path of one file")
    return paths


def read_pieces(path: Path) -> Iterator[str]:
    """Yields the text of a UTF-8 file in pieces, with `\\n` for `\\r\\n` and without a byte order mark.

    Raises:
        DataError: The file cannot be read, is empty or is not UTF-8.
    """
    decoder, position, pending = codecs.getincrementaldecoder("utf-8-sig")(), 0, ""
    try:
        with path.open("rb") as file:
            while data := file.read(PIECE):
                if position == 0 and (encoding := _wide_encoding(data)):
                    raise DataError(f"{path} is {encoding}, not UTF-8; convert it: {_conversion(path, encoding)}")
                try:
                    text = pending + decoder.decode(data)
                except UnicodeDecodeError as error:
                    # `error.object` begins with the bytes that the decoder kept from the piece before.
                    offset = position - (len(error.object) - len(data)) + error.start
                    raise _not_utf8(path, offset, error.object[error.start]) from error
                position += len(data)
                pending = "\r" if text.endswith("\r") else ""  # the next piece may begin with its line feed
                yield _unix(text.removesuffix("\r"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; give a readable text file") from error
    if position == 0:
        raise DataError(f"{path} is empty; give a text file with content")
    try:
        tail = pending + decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8: it ends inside a character; copy it again if it was cut off, or convert it, e.g. "
            f"{_conversion(path, 'WINDOWS-1252')}"
        ) from error
    if tail:
        yield _unix(tail)


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file without a byte order mark, see `split_lines`.

    Raises:
        DataError: The file cannot be read, is empty or is not UTF-8.
    """
    return _split("".join(read_pieces(path)))


def iter_lines(path: Path) -> Iterator[str]:
    """Yields the lines of `read_lines` one at a time, for files of any size.

    Raises:
        DataError: The file cannot be read, is empty or is not UTF-8; raised where the error is reached.
    """
    buffer = ""
    for piece in read_pieces(path):
        *lines, buffer = (buffer + piece).split("\n")
        yield from lines
    if buffer:
        yield buffer


def split_lines(text: str) -> list[str]:
    """Splits a text into lines at `\\n` and `\\r\\n` only; the lines have no line breaks.

    Unlike with `str.splitlines` and files in text mode, a `\\r` without `\\n`, a form feed, U+0085 and U+2028
    do not end a line, because other tools count lines by `\\n` and parallel files must have equally many lines.

    Example:
        >>> from seqtasks.data.text.reader import split_lines
        >>> split_lines("one\\r\\ntwo\\x0cthree\\n")
        ['one', 'two\\x0cthree']
    """
    return _split(_unix(text))


def _split(text: str) -> list[str]:
    """Splits at line feeds; a line feed at the end does not begin another line."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _wide_encoding(data: bytes) -> str | None:
    """Name of the encoding if the beginning of a file looks like UTF-16 or UTF-32, else None."""
    for mark, encoding in ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"),
                           (b"\xfe\xff", "UTF-16")):  # fmt: skip
        if data.startswith(mark):
            return encoding
    # Without a byte order mark: all characters below U+0100 have zero bytes at the same offsets; UTF-8 text has none.
    head = data[:4096]
    zeros = "".join("0" if head[i::4].count(0) * 4 > 0.4 * len(head) else "x" for i in range(4))
    patterns = {"x000": "UTF-32LE", "000x": "UTF-32BE", "x0x0": "UTF-16LE", "0x0x": "UTF-16BE"}
    return patterns.get(zeros) if len(head) >= 4 else None


def _not_utf8(path: Path, offset: int, byte: int) -> DataError:
    return DataError(
        f"{path} is not UTF-8: byte {byte:#04x} at position {offset}; convert it from the encoding it was written in, "
        f"e.g. {_conversion(path, 'WINDOWS-1252')}"
    )


def _conversion(path: Path, encoding: str) -> str:
    """Shell command that converts a file in place."""
    old, new = shlex.quote(str(path)), shlex.quote(f"{path}.utf8")
    return f"iconv -f {encoding} -t UTF-8 {old} > {new} && mv {new} {old}"
