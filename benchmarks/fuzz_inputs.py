"""Damaged files for `fuzz.py`: valid files of a reader, changed in ways that real damage and hostile files are.

Random bytes rarely get past the first check of a reader, so each input is a valid file with a few changes: it is cut,
spliced, encoded in another way, has other numbers, fields or lines, or other members inside its container (ZIP, gzip,
PNG) with correct checksums.
"""

from __future__ import annotations

import functools
import gzip
import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence

from hypothesis import strategies as st

Files = dict[str, bytes]  # content by name, in the folder that a reader gets

NUMBERS = [
    b"0", b"-1", b"-0.0", b"1e999", b"-1e308", b"1e39", b"nan", b"NaN", b"inf", b"-inf", b"9" * 400, b"9" * 5000, b"",
    b"9223372036854775808", b"-9223372036854775809", b"4294967296", b"2147483647", b"1e-320", b"1_000", b"0x1F", b"1,5",
    b"1.2.3", "\u0663".encode(), "\u00b2".encode(), "\u00bd".encode(), b"2026-13-45", b"1:30", b"True", b"?",
]  # fmt: skip
PIECES = [
    b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\0" * 9, b"\r", b"\r\n", b"\n\n", b"\x0b", b"\x0c", b"\x1b[31m", b"\xff",
    b"\xed\xb2\x80", "\u0085".encode(), "\u2028".encode(), "\u202e".encode(), "e\u0301".encode(), b'"', b'""', b"'",
    b",", b";", b"\t", b" ", b"#", b"# ", b"@data\n", b":", b"(", b"%s%d{}", b"../../x", b"\\", b"x" * 70_000,
    b"a," * 5000,
    b"\n" * 3000, b"-DOCSTART-", b"_", b"|", b"=", b"~", b"*",
]  # fmt: skip
YAML = [
    b"[" * 3000, b"{a: " * 2000, b"- " * 2000, b"&a [*a]", b"&a {b: *a}", b"<<: *a\n", b"!!python/object:os.system x",
    b"!!binary a", b"!!int x", b"!!float 1:2", b"!!timestamp x", b"2026-13-45", b"1e9999", b".inf", b".nan",
    b"? [1]\n: 2\n",
    b"{[1]: 2}", b"{1: 2, null: 3}", b"0b2", b"0o9", b"1:60:60", b"!!set {a}", b"!!omap [a: 1]", b"--- a\n--- b",
    b"%TAG ! x",
    b"&a [" + b"x, " * 9 + b"x]", b"{a: 1, a: 2}", b"null", b"~", b"''", b"|", b">", b"9" * 5000, b"'\\", b"@", b"`",
    b"x: &x [a, a, a, a, a, a, a, a, a]\n"
    + b"".join(b"x%d: &x%d [%s]\n" % (i, i, b", ".join([b"*x%d" % (i - 1) if i else b"*x"] * 9)) for i in range(9)),
    b"options: {size: 9}\n", b"sizes: {2: {train: 3}}\n", b"sources: {builtin: 3}\n", b"train: {epochs: [1]}\n",
    b"encoder: {cell: lstm}\n", b"encoder: {options: {x: {y: 1}}}\n", b"seed: 2026-01-01\n",
    b"data: {source: [files]}\n",
]  # fmt: skip
JSON = [b"[" * 5000, b'{"a":' * 5000, b"NaN", b"Infinity", b"-Infinity", b"null", b"1e999", b"9" * 5000, b'"\\ud800"',
        b"[]", b"{}", b'"x"', b"true", b"-0", b'"' + b"x" * 9000 + b'"']  # fmt: skip
INTEGERS = [0, 1, 2, 3, 7, 255, 256, 32767, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_ENCODINGS = ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp037", "utf-7"]


@st.composite
def text(draw: st.DrawFn, data: bytes, pieces: Sequence[bytes], separator: bytes = b",") -> bytes:
    """A text file with one change; numbers, fields and lines are known as such."""
    kind = draw(st.integers(0, 9))
    if kind <= 1:
        return draw(binary(data))
    if kind == 2:
        encoding = draw(st.sampled_from(_ENCODINGS))
        return data.decode("utf-8", "replace").encode(encoding, "replace")
    if kind <= 4 and (numbers := list(_NUMBER.finditer(data))):
        span = numbers[draw(st.integers(0, len(numbers) - 1))].span()
        return data[: span[0]] + draw(st.sampled_from(NUMBERS)) + data[span[1] :]
    if kind <= 6:
        at = draw(st.integers(0, len(data)))
        if draw(st.booleans()):  # at the beginning of a line, where most formats decide what it is
            at = data.rfind(b"\n", 0, at) + 1
        piece = draw(st.one_of(st.sampled_from(list(pieces)), st.text(max_size=5).map(_encoded)))
        return data[:at] + piece + data[at + draw(st.sampled_from([0, 0, 1, len(piece)])) :]
    lines = data.split(b"\n")
    i = draw(st.integers(0, len(lines) - 1))
    if kind == 7:
        fields = lines[i].split(separator)
        j = draw(st.integers(0, len(fields) - 1))
        fields[j : j + 1] = draw(
            st.sampled_from([[], [fields[j]] * 2, [b""], [fields[j]] * 300, [fields[0]], [fields[-1]]])
        )
        lines[i] = separator.join(fields)
    else:
        lines[i : i + 1] = draw(
            st.sampled_from([[], [lines[i]] * 2, [b""], [lines[i]] * 400, [lines[0]], [lines[-1], lines[i]]])
        )
    return b"\n".join(lines)


@st.composite
def binary(draw: st.DrawFn, data: bytes) -> bytes:
    """A file with one change of its bytes."""
    size = len(data)
    kind, begin = draw(st.integers(0, 5)), draw(st.integers(0, size))
    end = min(size, begin + draw(st.sampled_from([0, 1, 2, 3, 4, 8, 16, 64, size])))
    if kind == 0:
        return data[:begin]
    if kind == 1:
        return data[:begin] + data[end:]
    if kind == 2:
        return data[:begin] + data[begin:end] * draw(st.sampled_from([2, 3, 50])) + data[end:]
    if kind == 3:
        other = draw(st.integers(0, size))
        return data[:begin] + data[other:]
    if kind == 4:
        number = struct.pack(draw(st.sampled_from(["<I", ">I"])), draw(st.sampled_from(INTEGERS)))
        number = number[: draw(st.sampled_from([1, 2, 4]))]
        return data[:begin] + number + data[begin + len(number) :]
    return data[:begin] + draw(st.binary(min_size=1, max_size=8)) + data[end:]


@st.composite
def archive(draw: st.DrawFn, data: bytes) -> bytes:
    """A ZIP file (`.npz`) with one changed member: other bytes, header, name or size; or none."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = [(name, file.read(name)) for name in file.namelist()]
    if not members:
        raise ValueError("an earlier change left no member")
    i = draw(st.integers(0, len(members) - 1))
    name, content = members[i]
    kind = draw(st.integers(0, 5))
    if kind == 0:
        content = draw(binary(content))
    elif kind <= 2:
        content = draw(array(content))
    elif kind == 3:
        name = draw(
            st.sampled_from(
                ["", "x.npy", "x", "../x.npy", "y.npy", "y_test.npy", "times.npy", "\u202e.npy", members[0][0]]
            )
        )
    elif kind == 4:
        content = draw(st.sampled_from([b"", b"\0" * 30_000_000, members[0][1], members[-1][1]]))
    members[i : i + 1] = [] if kind == 5 else [(name, content)]
    buffer, form = io.BytesIO(), draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", form) as file:
        warnings.simplefilter("ignore")  # of two members of one name
        for member, value in members:
            file.writestr(zipfile.ZipInfo(member), value, compresslevel=1)
    packed = buffer.getvalue()
    if draw(st.integers(0, 4)) == 0 and packed:  # sizes in the headers of a "zip bomb" do not agree with the content
        at = packed.rfind(b"PK\1\2") + 20
        packed = packed[:at] + struct.pack("<II", *draw(st.tuples(*[st.sampled_from(INTEGERS)] * 2))) + packed[at + 8 :]
    return packed


@st.composite
def array(draw: st.DrawFn, data: bytes) -> bytes:
    """An `.npy` file with another type or shape in its header."""
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 40, 10**4, 10**9, 10**12, -1]), max_size=4))
    kind = draw(
        st.sampled_from(["<f4", "<f8", ">f2", "<i8", "|b1", "|O", "<U3", "|S2", "<c8", "<M8[s]", "|V4", "<f16", "x"])
    )
    text_ = (
        f"{{'descr': {kind!r}, 'fortran_order': {draw(st.booleans())}, 'shape': ({''.join(f'{n}, ' for n in shape)})}}"
    )
    if data[:6] != b"\x93NUMPY":
        return data
    length = struct.unpack("<H", data[8:10])[0]
    header = text_.encode().ljust(length - 1) + b"\n"
    return data[:8] + struct.pack("<H", len(header)) + header + data[10 + length :]


@functools.cache
def bomb() -> bytes:
    """A gzip file of 700 kB whose content has 700 MB."""
    return gzip.compress(b"\0" * 10_000_000, 1, mtime=0) * 70


@st.composite
def zipped(draw: st.DrawFn, data: bytes) -> bytes:
    """A gzip file whose content has one change, or is very large."""
    if draw(st.integers(0, 29)) == 0:
        return data + bomb()
    return gzip.compress(draw(binary(gzip.decompress(data))), 1, mtime=0)


@st.composite
def png(draw: st.DrawFn, data: bytes) -> bytes:
    """A PNG file with one changed chunk, whose checksum is right, as are length and compression of the pixels."""
    chunks, at = [], 8
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        chunks.append((name, data[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        raise ValueError("an earlier change left no chunk")
    i = draw(st.integers(0, len(chunks) - 1))
    name, content = chunks[i]
    if name == b"IHDR" and draw(st.booleans()):
        width, height, depth, colour, *others = struct.unpack(">IIBBBBB", content)
        width, height = (draw(st.sampled_from([*INTEGERS, width, 12_000])) for _ in range(2))
        depth, colour = draw(st.sampled_from([1, 2, 4, 8, 16, 3])), draw(st.sampled_from([0, 2, 3, 4, 6, 1]))
        content = struct.pack(">IIBBBBB", width, height, depth, colour, *others)
    elif name == b"IDAT" and draw(st.booleans()):
        content = zlib.compress(draw(binary(zlib.decompress(content))))
    else:
        content = draw(binary(content))
    if draw(st.integers(0, 5)) == 0:
        name = draw(st.sampled_from([b"tRNS", b"PLTE", b"eXIf", b"iTXt", b"zTXt", b"acTL", b"fcTL", b"gAMA", b"sBIT"]))
        chunks.insert(max(1, i), (name, draw(st.binary(max_size=40))))
    chunks[min(i, len(chunks) - 1)] = (chunks[min(i, len(chunks) - 1)][0], content)
    packed = b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in chunks
    )
    return data[:8] + packed


def changed(name: str, data: bytes, pieces: Sequence[bytes], separator: bytes) -> st.SearchStrategy[bytes]:
    """The changes that fit a file, by its suffix and first bytes."""
    if data[:4] == b"PK\3\4":
        return st.one_of(archive(data), archive(data), binary(data))
    if data[:2] == b"\x1f\x8b":
        return st.one_of(zipped(data), binary(data))
    if data[:4] == b"\x89PNG":
        return st.one_of(png(data), png(data), binary(data))
    if data[:6] == b"\x93NUMPY":
        return st.one_of(array(data), binary(data))
    if b"\0" in data[:200]:
        return binary(data)
    suffix = name.rpartition(".")[2]
    extra = {"yaml": YAML, "json": JSON}.get(suffix, [])
    return text(data, [*pieces, *extra * 3, *PIECES], separator)


@st.composite
def files(draw: st.DrawFn, seeds: Sequence[Files], pieces: Sequence[bytes] = (), separator: bytes = b",") -> Files:
    """An input of a reader: one of its valid inputs, with up to three changes.

    Args:
        draw: Of Hypothesis.
        seeds: Valid inputs.
        pieces: Texts that mean something to the reader.
        separator: Between the fields of a line.
    """
    result = dict(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        name = draw(st.sampled_from(sorted(result)))
        data = result[name]
        try:
            result[name] = draw(changed(name, data, pieces, separator))
        except (
            zlib.error,
            OSError,
            EOFError,
            struct.error,
            zipfile.BadZipFile,
            ValueError,
            NotImplementedError,
            IndexError,
        ):
            result[name] = draw(binary(data))  # an earlier change broke the container
    if len(result) > 1 and draw(st.integers(0, 19)) == 0:
        del result[draw(st.sampled_from(sorted(result)))]
    return result


def _encoded(text_: str) -> bytes:
    return text_.encode("utf-8", "surrogatepass")
