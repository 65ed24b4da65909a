"""Loads labelled texts from any source in training, validation and test splits.

Texts of files of more than `LARGE` bytes are converted once and kept in the cache, from where they are mapped into
memory.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError
from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.data import tfds
from seqtasks.data.block_files import BlockArray, mapped
from seqtasks.data.cache import cache_dir, digest_of, file_of, fingerprint, stem_of
from seqtasks.data.source import Source
from seqtasks.data.splits import held_out_count, hold_out, sample
from seqtasks.data.tables import SUFFIXES, TableRows
from seqtasks.data.text import synthetic_reviews
from seqtasks.data.text.packed_texts import Labels, PackedTexts, TextWriter

Texts = tuple[PackedTexts, Labels]
LARGE = 16 << 20  # bytes of a file whose texts are mapped
VERSION = 1  # of the entries in the cache
_log = logging.getLogger(__name__)
ROLES = {"train": ("train", "training"), "validation": ("valid", "validation", "val", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class LabelledTexts:
    """Labelled texts by split.

    Attributes:
        parts: Texts and labels of `train`, `validation` and `test`.
        classes: All labels, sorted.
        source: Text of the data source.
        fingerprint: Fingerprint of all texts and labels.
        large: Whether what is computed of the texts should be kept in the cache and mapped.
    """

    parts: dict[str, Texts]
    classes: list[str]
    source: str
    fingerprint: str
    large: bool = False


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
                PackedTexts.of(t.replace("<br />", " ") for t in tfds.texts(arrays, f"{part}/text")),
                Labels(synthetic_reviews.CLASSES, arrays.arrays[f"{part}/label"]),
            )
            for part in ("train", "test")
        }
    elif source.kind == "builtin":
        counts = {"train": 4000, "validation": 1000, "test": 1000}
        generated = {part: synthetic_reviews.opinions(n, seed) for seed, (part, n) in enumerate(counts.items())}
        parts = {part: (PackedTexts.of(texts), Labels.of(labels)) for part, (texts, labels) in generated.items()}
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
    data = {f"{part} x": texts.joined() for part, (texts, _) in parts.items()}
    data |= {f"{part} y": labels.joined() for part, (_, labels) in parts.items()}
    large = source.kind == "files" and sum(texts.size for texts, _ in parts.values()) >= LARGE
    return LabelledTexts({part: parts[part] for part in ROLES}, classes, str(source), fingerprint(data), large)


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


def _classes(parts: dict[str, Texts], source: Source) -> list[str]:
    """All labels, sorted.

    Raises:
        DataError: There are fewer than two labels.
    """
    classes = sorted({label for _, labels in parts.values() for label in labels.used})
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
    used = rows[1].used
    count = held_out_count(len(rows[1]), 10, len(used))
    try:
        kept, held_out = hold_out(rows[1].numbered(used), count, seed=0)
    except DataError as error:
        raise DataError(
            f"{source}: {len(rows[1])} texts with {len(used)} labels are too few to hold out some for {part}; "
            "needed: several texts of each label; add texts, check options.label_column, or give a folder with a file "
            "for each of train, validation and test"
        ) from error
    return _take(rows, kept), _take(rows, held_out)


def _sampled(rows: Texts, limit: int | None) -> Texts:
    return _take(rows, sample(len(rows[0]), limit))


def _take(rows: Texts, indices: IntArray) -> Texts:
    return rows[0][indices], rows[1][indices]


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
    """Texts and labels of one file."""
    rows = TableRows(path)
    advice = "set options.{}_column to one of these"
    columns = rows.index(text, advice.format("text")), rows.index(label, advice.format("label"))
    if path.stat().st_size < LARGE:
        return _read(rows, *columns, None)
    stem = stem_of(path.stem, json.dumps(["labelled texts", VERSION, digest_of(path), path.suffix.lower(), *columns]))
    if (stored := _stored(stem)) is not None:
        return stored
    try:
        texts, labels = _read(rows, *columns, stem)
        facts = {"labels": labels.names, "texts": len(texts), "bytes": len(texts.values)}
        write_text(file_of(stem, "facts"), json.dumps(facts))
        return texts, labels
    except OSError as error:
        _log.warning("the texts of %s cannot be kept in %s (%s); they stay in memory", path, cache_dir(), error)
        return _read(rows, *columns, None)


def _read(rows: TableRows, text: int, label: int, stem: Path | None) -> Texts:
    """Reads two columns of a table, in memory or into files of the cache.

    Raises:
        DataError: A row has no label, or as `TableRows`.
    """
    file = None if stem is None else partial(file_of, stem)
    texts, codes = TextWriter(file), BlockArray(np.int32, path=file("labels") if file else None)
    numbers: dict[str, int] = {}
    block: list[int] = []
    try:
        for number, (line, fields) in enumerate(rows, 1):
            name = fields[label].strip()
            if not name:
                raise DataError(f"{rows.path}, line {line}: row {number} has no label; add the label or remove the row")
            texts.append(fields[text])
            block.append(numbers.setdefault(name, len(numbers)))
            if len(block) == 1 << 16:
                codes.append(np.array(block))
                block = []
        codes.append(np.array(block))
        return texts.finish(), Labels(list(numbers), codes.finish())
    finally:
        texts.discard()
        codes.discard()


def _stored(stem: Path) -> Texts | None:
    """The texts of a file that was converted before; None: it was not, or its entry is damaged."""
    try:
        facts = parse_json(file_of(stem, "facts").read_text(encoding="utf-8"))
        texts = PackedTexts(mapped(file_of(stem, "bytes")), mapped(file_of(stem, "ends")))
        labels = Labels(facts["labels"], mapped(file_of(stem, "labels")))
        intact = (len(texts), len(labels), len(texts.values)) == (facts["texts"], facts["texts"], facts["bytes"])
        return (texts, labels) if intact else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
