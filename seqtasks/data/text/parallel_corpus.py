"""Parallel lines in two languages from any source."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.data import tfds
from seqtasks.data.cache import fingerprint
from seqtasks.data.source import Source
from seqtasks.data.splits import held_out_count, spread
from seqtasks.data.text import synthetic_parallel
from seqtasks.data.text.reader import read_lines

Lines = tuple[list[str], list[str]]  # of the two languages, as many of each
ROLES = {"train": ("train", "training"), "validation": ("val", "valid", "validation", "dev"), "test": ("test",)}
COUNTS = {"train": 20_000, "validation": 500, "test": 1000}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parallel:
    """Lines by split.

    Attributes:
        parts: `train`, `validation` and `test`.
        languages: their names.
        source: its name.
        fingerprint: of all lines.
    """

    parts: dict[str, Lines]
    languages: tuple[str, str]
    source: str
    fingerprint: str


def load(source: Source, languages: tuple[str, str]) -> Parallel:
    """All pairs of a source.

    Of a single file, or a folder without other splits, 5 % of the pairs, at least one, each are held
    out for validation and test; small sets hold out more, see `held_out_count`. `source.limit` cuts the
    training pairs before the validation pairs are held out. Training pairs with an empty side are left
    out, with a warning.

    Args:
        source: tfds of `a_to_b`, a folder of `train.en train.de val.* test.*`, a TSV file of
            pairs, or the built-in numbers and dates.
        languages: the suffixes of the files.

    Raises:
        DataError: missing files, files of unequal length, one file given twice, not UTF-8.
    """
    if source.kind == "tfds":
        first, _, second = source.name.rpartition("/")[2].partition("_to_")
        languages = first, second
        arrays = tfds.load(source, ["train", "validation", "test"], list(languages))
        parts = {
            part: (tfds.texts(arrays, f"{part}/{first}"), tfds.texts(arrays, f"{part}/{second}")) for part in ROLES
        }
    elif source.kind == "builtin":
        languages = "en", "de"
        parts = {part: synthetic_parallel.pairs(n, seed) for seed, (part, n) in enumerate(COUNTS.items())}
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
    data = {f"{part} {i}": _bytes(lines) for part, both in parts.items() for i, lines in enumerate(both)}
    return Parallel({part: parts[part] for part in ROLES}, languages, str(source), fingerprint(data))


def _bytes(lines: list[str]) -> np.ndarray:
    return np.frombuffer("\n".join(lines).encode("utf-8", "surrogatepass"), np.uint8)


def _first(rows: Lines, limit: int | None) -> Lines:
    return rows[0][:limit], rows[1][:limit]


def _held_out(rows: Lines, source: Source) -> tuple[Lines, Lines]:
    """All but a twentieth of the pairs, and that twentieth, spread evenly."""
    count = len(rows[0])
    if count < 3:
        raise DataError(f"{source}: {count} pairs for training, validation and test; give 3 or more")
    kept, held = spread(count, held_out_count(count, 20))
    one, other = (([rows[0][i] for i in part], [rows[1][i] for i in part]) for part in (kept, held))
    return one, other


def _without_empty(rows: Lines, source: Source) -> Lines:
    full = [i for i, (a, b) in enumerate(zip(*rows, strict=True)) if a.strip() and b.strip()]
    if not full:
        raise DataError(f"{source}: no training pair has text on both sides")
    if left := len(rows[0]) - len(full):
        first = next(i for i, j in enumerate([*full, -1]) if i != j)
        log.warning(
            "%s: %d training pairs with an empty side are left out, the first is number %d", source, left, first + 1
        )
    return [rows[0][i] for i in full], [rows[1][i] for i in full]


def _folder(folder: Path, languages: tuple[str, str]) -> dict[str, Lines]:
    parts: dict[str, Lines] = {}
    files = sorted(path for path in folder.iterdir() if path.is_file())
    suffixes = sorted({path.suffix[1:] for path in files if path.stem in sum(ROLES.values(), ())})
    for part, names in ROLES.items():
        here = [name for name in names if any(path.stem == name for path in files if path.suffix[1:] in languages)]
        if len(here) > 1:
            raise DataError(f"{folder} has files named {' and '.join(here)}; keep one name for {part}")
        for name in here:
            paths = [folder / f"{name}.{language}" for language in languages]
            if missing := [path.name for path in paths if not path.is_file()]:
                raise DataError(
                    f"{folder} has no {missing[0]}; its languages are {', '.join(suffixes)}: set options.source and "
                    "options.target"
                )
            parts[part] = _both(*paths)
    if "train" not in parts:
        shown = f"; its languages are {', '.join(suffixes)}: set options.source and options.target" if suffixes else ""
        raise DataError(f"{folder} has no train.{languages[0]} and train.{languages[1]}{shown}")
    return parts


def _both(one: Path, other: Path) -> Lines:
    first, second = _lines(one), _lines(other)
    if len(first) != len(second):
        raise DataError(
            f"{one.name} has {len(first):,} lines and {other.name} {len(second):,}; line by line they must be "
            "translations of each other"
        )
    if first == second:
        raise DataError(f"{one} and {other.name} hold the same text; give two languages")
    return first, second


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_lines(path)]


def _table(path: Path) -> Lines:
    """The first two columns, as Anki exports them."""
    rows = [line.split("\t") for line in _lines(path)]
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise DataError(
                f"{path}, line {number}: {row[0][:40]!r} has no tab; each line is a pair with a tab between"
            )
    return [row[0].strip() for row in rows], [row[1].strip() for row in rows]
