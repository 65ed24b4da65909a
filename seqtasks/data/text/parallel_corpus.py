"""Loads parallel lines in two languages from any source in training, validation and test splits."""

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

Lines = tuple[list[str], list[str]]  # lines of the two languages, equally many
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
    """

    parts: dict[str, Lines]
    languages: tuple[str, str]
    source: str
    fingerprint: str


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
    data = {f"{part} {i}": _bytes(lines) for part, pair in parts.items() for i, lines in enumerate(pair)}
    return Parallel({part: parts[part] for part in ROLES}, languages, str(source), fingerprint(data))


def _bytes(lines: list[str]) -> np.ndarray:
    return np.frombuffer("\n".join(lines).encode("utf-8", "surrogatepass"), np.uint8)


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
    indices = spread(count, held_out_count(count, 20))
    kept, held_out = (([rows[0][i] for i in part], [rows[1][i] for i in part]) for part in indices)
    return kept, held_out


def _without_empty(rows: Lines, source: Source) -> Lines:
    """Removes pairs with an empty side, with a warning.

    Raises:
        DataError: No pair is left.
    """
    kept = [i for i, (a, b) in enumerate(zip(*rows, strict=True)) if a.strip() and b.strip()]
    if not kept:
        raise DataError(f"{source}: no training pair has text on both sides; add pairs with text in both languages")
    if removed := len(rows[0]) - len(kept):
        first = next(i for i, j in enumerate([*kept, -1]) if i != j)
        log.warning(
            "%s: %d training pairs with an empty side are left out, the first is number %d", source, removed, first + 1
        )
    return [rows[0][i] for i in kept], [rows[1][i] for i in kept]


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


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_lines(path)]


def _table(path: Path) -> Lines:
    """The first two columns of a TSV file, as in exports of Anki.

    Raises:
        DataError: A line has no tab.
    """
    rows = [line.split("\t") for line in _lines(path)]
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise DataError(
                f"{path}, line {number}: {row[0][:40]!r} has no tab; allowed: two texts separated by a tab; correct "
                "that line"
            )
    return [row[0].strip() for row in rows], [row[1].strip() for row in rows]
