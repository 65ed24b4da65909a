"""Loads series from any source: a file, a folder with a file for each split, or a data set of another package."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from seqtasks.core.errors import DataError, listed
from seqtasks.data.series import array_files, table_file, tables, ts_files, tsf_files
from seqtasks.data.series.columns import Columns, Roles
from seqtasks.data.series.sets import Kind, SeriesData, SeriesSet
from seqtasks.data.source import Source

SUFFIXES = (*table_file.SUFFIXES, ".npz", ".ts", ".tsf")
ENDINGS = {
    "train": ("train", "training"),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class _File:
    parts: dict[str, SeriesSet]
    digest: str
    roles: Roles | None = None
    kind: Kind | None = None


def load(source: Source, columns: Columns) -> SeriesData:
    """Loads all series of files.

    A folder has one file for each split: `train.csv`, `valid.csv`, `test.csv`, or names that end so, such as
    `GunPoint_TRAIN.ts`; only the first is needed. One file alone has everything, as `train`.

    Args:
        source: A file, a folder, or a data set of another package.
        columns: What is known about the columns of tables; other formats have no columns.

    Raises:
        DataError: Missing files or columns, or bad data; see the readers.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "walks.csv"
        >>> _ = path.write_text("id,t,x,label\\na,0,1.5,up\\na,1,2.5,up\\nb,0,3.0,down\\n")
        >>> data = load(Source("files", str(path), path), Columns())
        >>> data.parts["train"].ids, data.roles.target
        (['a', 'b'], 'label')
    """
    assert source.folder is not None
    files = split_files(source)
    first = _read(files["train"], columns)
    parts, digests = dict(first.parts), [first.digest]
    for part, path in files.items():
        if part == "train":
            continue
        read = _read(path, first.roles or columns)
        if len(read.parts) > 1 or part in parts:
            raise DataError(
                f"{path} and {files['train']} both have splits; allowed: one file with all; remove the other"
            )
        parts[part] = read.parts["train"]
        digests.append(read.digest)
    for part, series in parts.items():
        if len(series.channels) != len(parts["train"].channels) or len(series.static_names) != len(
            parts["train"].static_names
        ):
            raise DataError(
                f"{series.path} has {len(series.channels)} channels and {len(series.static_names)} static covariates, "
                f"but the training series have {len(parts['train'].channels)} and {len(parts['train'].static_names)}; "
                "allowed: the same in all splits; correct the files"
            )
        if columns.labels == "required" and series.targets is None:
            raise DataError(f"{series.path} has no targets; allowed: one for each series of the {part} split; add them")
    roles = first.roles
    text = json.dumps([digests, sorted(files), None if roles is None else roles.to_dict()])
    order = [part for part in ENDINGS if part in parts]
    return SeriesData(
        {part: parts[part] for part in order},
        str(source),
        hashlib.sha256(text.encode()).hexdigest()[:16],
        roles,
        first.kind,
        () if roles is None else roles.guessed,
    )


def read_file(path: Path, columns: Columns | Roles) -> SeriesSet:
    """All series of one file, as those to predict.

    Args:
        path: The file; the splits of an `.npz` file are not read.
        columns: Roles of a table in training, or what is known about its columns.

    Raises:
        DataError: As `load`.
    """
    return _read(path, columns).parts["train"]


def split_files(source: Source) -> dict[str, Path]:
    """The file of each split of a source; a single file is `train`.

    Raises:
        DataError: A folder without a file of training series, or with two of one split.
    """
    folder = source.folder
    assert folder is not None
    if folder.is_file():
        return {"train": folder}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if source.kind != "files":  # a set of the archive may have variants beside it, and the same in other formats
        files = [path for path in files if path.stem in (source.name, f"{source.name}_TRAIN", f"{source.name}_TEST")]
        files = [path for path in files if path.suffix == ".ts"] or files
    if len(files) == 1 and not any(_ends(files[0], names) for part, names in ENDINGS.items() if part != "train"):
        return {"train": files[0]}
    parts: dict[str, Path] = {}
    for part, names in ENDINGS.items():
        here = [path for path in files if _ends(path, names)]
        if len(here) > 1:
            raise DataError(
                f"{folder} has {listed([path.name for path in here])}; allowed: one file for {part}; keep one"
            )
        if here:
            parts[part] = here[0]
    if "train" not in parts:
        shown = listed([path.name for path in files]) or f"no file that ends in {', '.join(SUFFIXES)}"
        raise DataError(f"{folder} has {shown}; needed: train.csv or train.ts and so on; or give the path of one file")
    return parts


def _ends(path: Path, names: tuple[str, ...]) -> bool:
    stem = path.stem.lower()
    return any(stem == name or stem.endswith((f"_{name}", f"-{name}")) for name in names)


def _read(path: Path, columns: Columns | Roles) -> _File:
    suffix = path.suffix.lower()
    labelled = isinstance(columns, Columns) and columns.labels == "required"
    if suffix == ".ts":
        series, kind, digest = ts_files.read_ts(path)
        return _File({"train": series}, digest, kind=kind)
    if suffix == ".tsf":
        series, digest = tsf_files.read_tsf(path)
        return _File({"train": series}, digest)
    if suffix == ".npz":
        parts, digest = array_files.read_npz(path, labelled)
        return _File(parts, digest)
    if suffix not in SUFFIXES:
        raise DataError(f"{path} ends in {path.suffix!r}; allowed: {', '.join(SUFFIXES)}; give such a file")
    series, roles, digest = tables.read_table(path, columns)
    return _File({"train": series}, digest, roles)
