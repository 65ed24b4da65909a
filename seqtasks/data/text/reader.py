"""Reads text files of any size in pieces."""

from __future__ import annotations

import codecs
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from seqtasks.core.errors import DataError

PIECE = 1 << 18  # bytes read at a time
SUFFIXES = (".txt", ".text", ".md", ".rst", ".py", ".tokens")


class Text:
    """The text of some strings or files, one after the other.

    Files are read as UTF-8; a byte order mark is dropped, and `\\r\\n` becomes `\\n`; see `split_lines`.

    Args:
        parts: strings, or paths of files.

    Raises:
        DataError: a file is empty or is not UTF-8, when it is read.
    """

    def __init__(self, parts: Sequence[str | Path]):
        self.parts = list(parts)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """The characters from `start` to before `stop`, in pieces that end in whitespace where they can."""
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
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise DataError(f"{folder} has no text file; allowed: {', '.join(SUFFIXES)}; or give the path of one file")
    return paths


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file without their ends, as `split_lines` cuts them; a byte order mark is dropped.

    Raises:
        DataError: the file cannot be read, is empty or is not UTF-8.
    """
    return _split("".join(_read_file(path)))


def iter_lines(path: Path) -> Iterator[str]:
    """As `read_lines`, one line at a time, for files of any size.

    Raises:
        DataError: as `read_lines`, when the place is reached.
    """
    buffer = ""
    for piece in _read_file(path):
        *lines, buffer = (buffer + piece).split("\n")
        yield from lines
    if buffer:
        yield buffer


def split_lines(text: str) -> list[str]:
    """The lines of a text without their ends: `\\n` and `\\r\\n` end a line, nothing else does.

    Unlike `str.splitlines` and files in text mode, a lone `\\r`, a form feed, U+0085 and U+2028 stay inside
    a line: other tools count lines by `\\n`, and files that are read side by side must agree.
    """
    return _split(_unix(text))


def _read_file(path: Path) -> Iterator[str]:
    decoder, position, held = codecs.getincrementaldecoder("utf-8-sig")(), 0, ""
    try:
        with path.open("rb") as file:
            while data := file.read(PIECE):
                if position == 0 and (encoding := _wide_encoding(data)):
                    raise DataError(f"{path} is {encoding}, not UTF-8; convert it: {_conversion(path, encoding)}")
                try:
                    text = held + decoder.decode(data)
                except UnicodeDecodeError as error:
                    # Bytes that the decoder kept from the piece before stand in front of this one.
                    place = position - (len(error.object) - len(data)) + error.start
                    raise _not_utf8(path, place, error.object[error.start]) from error
                position += len(data)
                held = "\r" if text.endswith("\r") else ""  # a line feed may follow in the next piece
                yield _unix(text.removesuffix("\r"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; give a readable text file") from error
    if position == 0:
        raise DataError(f"{path} is empty; give a text file with content")
    try:
        tail = held + decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8: it ends inside a character; copy it anew if it was cut short, or convert it, e.g. "
            f"{_conversion(path, 'WINDOWS-1252')}"
        ) from error
    if tail:
        yield _unix(tail)


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32 if the beginning of a file looks like it, None for all else."""
    for mark, encoding in ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"),
                           (b"\xfe\xff", "UTF-16")):  # fmt: skip
        if data.startswith(mark):
            return encoding
    # Without a mark: every character below U+0100 has its zero bytes at the same places, and UTF-8 text has none.
    head = data[:4096]
    zeros = "".join("0" if head[i::4].count(0) * 4 > 0.4 * len(head) else "x" for i in range(4))
    patterns = {"x000": "UTF-32LE", "000x": "UTF-32BE", "x0x0": "UTF-16LE", "0x0x": "UTF-16BE"}
    return patterns.get(zeros) if len(head) >= 4 else None


def _not_utf8(path: Path, place: int, byte: int) -> DataError:
    return DataError(
        f"{path} is not UTF-8: byte {byte:#04x} at position {place}; convert it from the encoding it was written in, "
        f"e.g. {_conversion(path, 'WINDOWS-1252')}"
    )


def _conversion(path: Path, encoding: str) -> str:
    """A command that converts a file where it is."""
    old, new = shlex.quote(str(path)), shlex.quote(f"{path}.utf8")
    return f"iconv -f {encoding} -t UTF-8 {old} > {new} && mv {new} {old}"
