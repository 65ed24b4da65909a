"""Loads labelled texts from any source in training, validation and test splits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError
from seqtasks.data import tfds
from seqtasks.data.cache import fingerprint
from seqtasks.data.source import Source
from seqtasks.data.splits import held_out_count, hold_out, sample
from seqtasks.data.tables import SUFFIXES, read_table
from seqtasks.data.text import synthetic_reviews

Texts = tuple[list[str], list[str]]  # texts and their labels
ROLES = {"train": ("train", "training"), "validation": ("valid", "validation", "val", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class LabelledTexts:
    """Labelled texts by split.

    Attributes:
        parts: Texts and labels of `train`, `validation` and `test`.
        classes: All labels, sorted.
        source: Text of the data source.
        fingerprint: Fingerprint of all texts and labels.
    """

    parts: dict[str, Texts]
    classes: list[str]
    source: str
    fingerprint: str


def load(source: Source, text: str, label: str) -> LabelledTexts:
    """Loads the labelled texts of a source.

    If the source has no test split, a tenth of the training texts is held out; if it has no validation split,
    another tenth. Small sets hold out more, see `held_out_count`. `source.limit` samples the training texts
    before the validation texts are held out.

    Args:
        source: `imdb_reviews` of tfds, a CSV or TSV file or a folder of them, or the built-in reviews.
        text: Name of the column with the texts.
        label: Name of the column with the labels.

    Raises:
        DataError: Data or a column is missing, or all texts have the same label.
    """
    if source.kind == "tfds":
        arrays = tfds.load(source, ["train", "test"], ["text", "label"])
        parts = {
            part: (
                [t.replace("<br />", " ") for t in tfds.texts(arrays, f"{part}/text")],
                [synthetic_reviews.CLASSES[n] for n in arrays.arrays[f"{part}/label"]],
            )
            for part in ("train", "test")
        }
    elif source.kind == "builtin":
        counts = {"train": 4000, "validation": 1000, "test": 1000}
        parts = {part: synthetic_reviews.opinions(n, seed) for seed, (part, n) in enumerate(counts.items())}
    else:
        assert source.folder is not None
        parts = _files(source.folder, text, label)
    _classes(parts, source)  # before a part is held out, which one label or few texts do not allow
    if "test" not in parts:
        parts["train"], parts["test"] = _held_out(parts["train"], source, "test")
    parts["train"] = _sampled(parts["train"], source.limit)
    if "validation" in parts:
        parts["validation"] = _sampled(parts["validation"], source.limit)
    else:
        parts["train"], parts["validation"] = _held_out(parts["train"], source, "validation")
    parts["test"] = _sampled(parts["test"], source.limit_test)
    classes = _classes(parts, source)
    data = {
        f"{part} {name}": _bytes(rows)
        for part, columns in parts.items()
        for name, rows in zip("xy", columns, strict=True)
    }
    return LabelledTexts({part: parts[part] for part in ROLES}, classes, str(source), fingerprint(data))


def line(text: str) -> str:
    """A text on one line, with single spaces."""
    return " ".join(text.split())


def word_settings(size: int, min_frequency: int) -> dict[str, Any]:
    """Arguments of `Vocabulary.train` for labelled texts: lower-case words, punctuation marks separate.

    Args:
        size: Maximum number of words.
        min_frequency: Minimum number of occurrences of a word; rarer words are unknown.
    """
    return {
        "kind": "words",
        "size": size,
        "min_frequency": min_frequency,
        "lowercase": True,
        "punctuation": True,
    }


def _bytes(rows: list[str]) -> np.ndarray:
    return np.frombuffer("\0".join(rows).encode("utf-8", "surrogatepass"), np.uint8)


def _classes(parts: dict[str, Texts], source: Source) -> list[str]:
    """All labels, sorted.

    Raises:
        DataError: There are fewer than two labels.
    """
    classes = sorted({label for _, labels in parts.values() for label in labels})
    if len(classes) < 2:
        raise DataError(
            f"{source} has only the label {classes[0]}; allowed: two or more labels; add texts with another "
            "label, or set options.label_column to another column"
        )
    return classes


def _held_out(rows: Texts, source: Source, part: str) -> tuple[Texts, Texts]:
    """Holds out a tenth of the texts, stratified by label; returns the kept and the held-out texts.

    Args:
        rows: The texts.
        source: Where they are from, for messages.
        part: Split that the held-out texts are for, for messages.

    Raises:
        DataError: There are too few texts.
    """
    numbers = {name: number for number, name in enumerate(sorted(set(rows[1])))}
    count = held_out_count(len(rows[1]), 10, len(numbers))
    try:
        kept, held_out = hold_out(np.array([numbers[label] for label in rows[1]]), count, seed=0)
    except DataError as error:
        raise DataError(
            f"{source}: {len(rows[1])} texts with {len(numbers)} labels are too few to hold out some for {part}; "
            "needed: several texts of each label; add texts, check options.label_column, or give a folder with a file "
            "for each of train, validation and test"
        ) from error
    return _take(rows, kept), _take(rows, held_out)


def _sampled(rows: Texts, limit: int | None) -> Texts:
    return _take(rows, sample(len(rows[0]), limit))


def _take(rows: Texts, indices: IntArray) -> Texts:
    return [rows[0][i] for i in indices], [rows[1][i] for i in indices]


def _files(path: Path, text: str, label: str) -> dict[str, Texts]:
    """The splits of a folder, by the names of its files; the texts of a single file are all for training."""
    if path.is_file():
        return {"train": _table(path, text, label)}
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    parts = {}
    for part, names in ROLES.items():
        matches = [file for file in files if file.stem.lower() in names]
        if len(matches) > 1:
            raise DataError(
                f"{path} has {' and '.join(file.name for file in matches)}; allowed: one file for {part}; "
                "move the others away"
            )
        if matches:
            parts[part] = _table(matches[0], text, label)
    if "train" not in parts:
        shown = ", ".join(file.name for file in files) or "no CSV or TSV file"
        raise DataError(f"{path} has {shown}; needed: train.csv or train.tsv, or give the path of one file")
    return parts


def _table(path: Path, text: str, label: str) -> Texts:
    table = read_table(path)
    texts, labels = (
        table.column(name, f"set options.{option}_column to one of these")
        for name, option in ((text, "text"), (label, "label"))
    )
    labels = [name.strip() for name in labels]
    if "" in labels:
        row = labels.index("")
        raise DataError(f"{path}, line {table.lines[row]}: row {row + 1} has no label; add the label or remove the row")
    return texts, labels
