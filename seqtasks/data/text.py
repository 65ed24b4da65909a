"""Text of any size: read in pieces, never whole."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from seqtasks.errors import DataError

PIECE = 1 << 18  # bytes read at a time
SUFFIXES = (".txt", ".text", ".md", ".rst", ".py", ".tokens")


class Text:
    """The text of some strings or files, one after the other.

    Files are read as UTF-8; a byte order mark is dropped, and `\\r\\n` and `\\r` become `\\n`.

    Args:
        parts: strings, or paths of files.

    Raises:
        DataError: a file is empty or is not UTF-8, when it is read.
    """

    def __init__(self, parts: Sequence[str | Path]):
        self.parts = list(parts)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """The characters from `start` to before `stop`, in pieces that end in whitespace where they can."""
        begin, rest = 0, ""
        for piece in self._read():
            end = begin + len(piece)
            if end > start and (stop is None or begin < stop):
                rest += piece[max(0, start - begin) : None if stop is None else stop - begin]
                cut = max(rest.rfind(" "), rest.rfind("\n")) + 1
                if cut:
                    yield rest[:cut]
                    rest = rest[cut:]
                elif len(rest) > 4 * PIECE:
                    yield rest
                    rest = ""
            begin = end
        if rest:
            yield rest

    @cached_property
    def facts(self) -> tuple[int, str]:
        """The number of characters, and 16 hex digits of SHA-256 over their UTF-8."""
        digest, length = hashlib.sha256(), 0
        for piece in self._read():
            digest.update(piece.encode())
            length += len(piece)
        return length, digest.hexdigest()[:16]

    def __len__(self) -> int:
        return self.facts[0]

    @property
    def digest(self) -> str:
        """16 hex digits of SHA-256."""
        return self.facts[1]

    def _read(self) -> Iterator[str]:
        for part in self.parts:
            if isinstance(part, str):
                yield from (part[i : i + PIECE] for i in range(0, len(part), PIECE))
            else:
                yield from _read_file(part)


def find_files(folder: Path) -> list[Path]:
    """The text files of a folder and all below it, sorted; of a file, that file.

    Raises:
        DataError: there are none.
    """
    if folder.is_file():
        return [folder]
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise DataError(f"{folder} has no text file; allowed: {', '.join(SUFFIXES)}; or give the path of one file")
    return found


def decode(data: bytes, path: Path) -> str:
    """The text of UTF-8 bytes without their byte order mark; no line end is changed.

    Args:
        data: the content of a file.
        path: of the file, for the message.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error, 0, data[:4]) from error


def not_utf8(path: Path, error: UnicodeDecodeError, position: int, first: bytes) -> DataError:
    """The error for a file that is not UTF-8, with the command that converts it.

    Args:
        path: of the file.
        error: what decoding raised.
        position: of the bytes that were decoded then.
        first: the first four bytes of the file, whose byte order mark tells UTF-16 and UTF-32.
    """
    # UTF-32's little-endian mark begins with that of UTF-16.
    marks = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}
    marks |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    encoding = next((name for mark, name in marks.items() if first.startswith(mark)), None)
    place = f"byte {error.object[error.start]:#04x} at position {position + error.start}"
    what = f"it is {encoding.upper()} by its first bytes" if encoding else place
    return DataError(
        f"{path} is not UTF-8: {what}; convert it, e.g. iconv -f {encoding or 'latin1'} -t utf-8 {path.name} > new.txt"
    )


def _read_file(path: Path) -> Iterator[str]:
    decoder, position, held = codecs.getincrementaldecoder("utf-8-sig")(), 0, ""
    try:
        with path.open("rb") as file:
            first = file.read(4)
            file.seek(0)
            while data := file.read(PIECE):
                try:
                    text = held + decoder.decode(data)
                except UnicodeDecodeError as error:
                    raise not_utf8(path, error, position, first) from error
                position += len(data)
                held = "\r" if text.endswith("\r") else ""  # a line feed may follow in the next piece
                yield _lines(text.removesuffix("\r"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; give a readable text file") from error
    if position == 0:
        raise DataError(f"{path} is empty; give a text file with content")
    try:
        rest = held + decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: it ends inside a character; convert or repair it") from error
    if rest:
        yield _lines(rest)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
