"""Loads parallel lines in two languages from any source in training, validation and test splits.

Lines of files of more than `LARGE` bytes are converted once and kept in the cache, from where they are mapped into
memory.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.data import tfds
from seqtasks.data.cache import digest_of, fingerprint
from seqtasks.data.source import Source
from seqtasks.data.splits import held_out_count, spread
from seqtasks.data.text import synthetic_parallel
from seqtasks.data.text.packed_texts import PackedTexts
from seqtasks.data.text.reader import iter_lines

Lines = tuple[PackedTexts, PackedTexts]  # lines of the two languages, equally many
LARGE = 16 << 20  # bytes of a file whose lines are mapped
ROLES = {"train": ("train", "training"), "validation": ("val", "valid", "validation", "dev"), "test": ("test",)}
COUNTS = {"train": 20_000, "validation": 500, "test": 1000}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parallel:
    """Parallel lines in two languages, by split.

    Attributes:
        parts: Lines of `train`, `validation` and `test`.
        languages: Names of the source and target language.
        source: Text of the data source.
        fingerprint: Fingerprint of all lines.
        large: Whether what is computed of the lines should be kept in the cache and mapped.
    """

    parts: dict[str, Lines]
    languages: tuple[str, str]
    source: str
    fingerprint: str
    large: bool = False


def load(source: Source, languages: tuple[str, str]) -> Parallel:
    """Loads the pairs of parallel lines of a source.

    If the source has no test split, 5 % of the training pairs are held out; if it has no validation split,
    another 5 %. Small sets hold out more, see `held_out_count`. `source.limit` cuts the training pairs before
    the validation pairs are held out. Training pairs with an empty side are left out, with a warning.

    Args:
        source: A tfds source with a name such as `pt_to_en`, a folder with the files `train.en`, `train.de`,
            `val.*` and `test.*`, a TSV file of pairs, or the built-in numbers and dates.
        languages: Suffixes of the files of the source and target language.

    Raises:
        DataError: Files are missing, differ in their number of lines, are equal, or are not UTF-8.
    """
    if source.kind == "tfds":
        first, _, second = source.name.rpartition("/")[2].partition("_to_")
        languages = first, second
        arrays = tfds.load(source, ["train", "validation", "test"], list(languages))
        parts = {
            part: (
                PackedTexts.of(tfds.texts(arrays, f"{part}/{first}")),
                PackedTexts.of(tfds.texts(arrays, f"{part}/{second}")),
            )
            for part in ROLES
        }
    elif source.kind == "builtin":
        languages = "en", "de"
        generated = {part: synthetic_parallel.pairs(n, seed) for seed, (part, n) in enumerate(COUNTS.items())}
        parts = {part: (PackedTexts.of(first), PackedTexts.of(second)) for part, (first, second) in generated.items()}
    else:
        assert source.folder is not None
        parts = {"train": _table(source.folder)} if source.folder.is_file() else _folder(source.folder, languages)
    if "test" not in parts:
        parts["train"], parts["test"] = _held_out(parts["train"], source)
    parts["train"] = _first(parts["train"], source.limit)
    if "validation" in parts:
        parts["validation"] = _first(parts["validation"], source.limit)
    else:
        parts["train"], parts["validation"] = _held_out(parts["train"], source)
    parts["test"] = _first(parts["test"], source.limit_test)
    parts["train"] = _without_empty(parts["train"], source)
    data = {f"{part} {i}": lines.joined(b"\n") for part, pair in parts.items() for i, lines in enumerate(pair)}
    large = source.kind == "files" and sum(lines.size for pair in parts.values() for lines in pair) >= LARGE
    return Parallel({part: parts[part] for part in ROLES}, languages, str(source), fingerprint(data), large)


def _first(rows: Lines, limit: int | None) -> Lines:
    return rows[0][:limit], rows[1][:limit]


def _held_out(rows: Lines, source: Source) -> tuple[Lines, Lines]:
    """Holds out a twentieth of the pairs, evenly spaced; returns the kept and the held-out pairs.

    Raises:
        DataError: There are fewer than three pairs.
    """
    count = len(rows[0])
    if count < 3:
        raise DataError(f"{source}: {count} pairs for training, validation and test; allowed: 3 or more; add pairs")
    kept, held_out = (
        (rows[0][part], rows[1][part]) for part in map(np.array, spread(count, held_out_count(count, 20)))
    )
    return kept, held_out


def _without_empty(rows: Lines, source: Source) -> Lines:
    """Removes pairs with an empty side, with a warning.

    Raises:
        DataError: No pair is left.
    """
    full = np.fromiter((bool(a.strip() and b.strip()) for a, b in zip(*rows, strict=True)), bool)
    if not full.any():
        raise DataError(f"{source}: no training pair has text on both sides; add pairs with text in both languages")
    if full.all():
        return rows
    empty, kept = np.flatnonzero(~full), np.flatnonzero(full)
    log.warning(
        "%s: %d training pairs with an empty side are left out, the first is number %d",
        source,
        len(empty),
        empty[0] + 1,
    )
    return rows[0][kept], rows[1][kept]


def _folder(folder: Path, languages: tuple[str, str]) -> dict[str, Lines]:
    """The pairs of a folder by split, from files named `<split>.<language>`.

    Raises:
        DataError: There is no training file, a language is missing, or a split has files of several names.
    """
    parts: dict[str, Lines] = {}
    files = sorted(path for path in folder.iterdir() if path.is_file())
    suffixes = sorted({path.suffix[1:] for path in files if path.stem in sum(ROLES.values(), ())})
    for part, names in ROLES.items():
        matches = [name for name in names if any(path.stem == name for path in files if path.suffix[1:] in languages)]
        if len(matches) > 1:
            raise DataError(
                f"{folder} has files named {' and '.join(matches)}; allowed: one name for {part}; move the others away"
            )
        for name in matches:
            paths = [folder / f"{name}.{language}" for language in languages]
            if missing := [path.name for path in paths if not path.is_file()]:
                raise DataError(
                    f"{folder} has no {missing[0]}; its languages are {', '.join(suffixes)}; set options.source and "
                    "options.target to two of them"
                )
            parts[part] = _pairs(*paths)
    if "train" not in parts:
        advice = (
            f"its languages are {', '.join(suffixes)}; set options.source and options.target to two of them"
            if suffixes
            else "add these files"
        )
        raise DataError(f"{folder} has no train.{languages[0]} and train.{languages[1]}; {advice}")
    return parts


def _pairs(source: Path, target: Path) -> Lines:
    """The lines of two parallel files.

    Raises:
        DataError: The files have different numbers of lines or equal lines.
    """
    sources, targets = _lines(source), _lines(target)
    if len(sources) != len(targets):
        raise DataError(
            f"{source.name} has {len(sources):,} lines and {target.name} {len(targets):,}; allowed: files whose lines "
            "are translations of each other; correct one of them"
        )
    if sources == targets:
        raise DataError(f"{source} and {target.name} have the same text; give files in two languages")
    return sources, targets


def _lines(path: Path) -> PackedTexts:
    return PackedTexts.of(_StrippedLines(path), _key(path))


def _table(path: Path) -> Lines:
    """The first two columns of a TSV file, as in exports of Anki.

    Raises:
        DataError: A line has no tab.
    """
    first, second = (PackedTexts.of(_StrippedLines(path, column), _key(path, column)) for column in range(2))
    return first, second


def _key(path: Path, column: int | None = None) -> str | None:
    """Key of the lines of a file in the cache; None: it is small."""
    return json.dumps(["lines", digest_of(path), column]) if path.stat().st_size >= LARGE else None


@dataclass(frozen=True)
class _StrippedLines:
    """The lines of a file, or one of their first two columns, which are separated by tabs."""

    path: Path
    column: int | None = None

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(iter_lines(self.path), 1):
            text = line.strip()
            if self.column is None:
                yield text
                continue
            fields = text.split("\t")
            if len(fields) < 2:
                raise DataError(
                    f"{self.path}, line {number}: {text[:40]!r} has no tab; allowed: two texts separated by a tab; "
                    "correct that line"
                )
            yield fields[self.column].strip()
