"""Reads tensorflow-datasets into arrays, through the cache.

TensorFlow is imported only when something must be decoded or downloaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.data import cache
from seqtasks.data.source import Source, network, prepared_folder, unavailable


def load(source: Source, splits: Sequence[str], keys: Sequence[str]) -> cache.Arrays:
    """The features `keys` of `splits` as arrays named `"<split>/<key>"`, examples first.

    For sets whose examples all have one shape. A trailing channel of 1 is dropped:
    `train/image` of MNIST is uint8 (60000, 28, 28), `train/label` int64 (60000,). Texts
    are for `texts`.

    Raises:
        DataError: not prepared and not to be downloaded, damaged, or without such a
            split or feature.
    """
    # The digest keeps other data of the same name and version off this entry.
    stem = f"{source} {','.join(splits)} {','.join(keys)} "
    folder = prepared_folder(source)
    if folder is None:
        known = cache.newest(stem)
        if known is not None:
            return cache.cached(known, lambda: _decode(source, _fetched(source), splits, keys))
        folder = _fetched(source)
    digest = hashlib.sha256((folder / "dataset_info.json").read_bytes()).hexdigest()[:16]
    return cache.cached(f"{stem}{folder.name} {digest}", lambda: _decode(source, folder, splits, keys))


def download(source: Source) -> Path:
    """Downloads and prepares a set; returns the folder of the new version.

    All happens in a folder of its own beside the data, moved into place at the end:
    whatever goes wrong, nothing half-made stays and nothing that was there changes.

    Raises:
        DataError: with the cause in one line.
    """
    assert source.folder is not None
    made = _missing_parents(source.folder)
    try:
        source.folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".seqtasks-download-", dir=source.folder))
    except OSError as error:
        raise DataError(f"{source} cannot be downloaded to {source.folder}: {error.strerror}") from error
    try:
        with _tfds() as tfds:
            builder = tfds.builder(source.name, data_dir=str(staging))
            builder.download_and_prepare(download_dir=str(staging / "downloads"))
        return _publish(staging, Path(builder.data_dir), source.folder)
    # tfds raises its own, TensorFlow's, requests' and apache-beam's errors.
    except Exception as error:
        raise DataError(f"its download failed: {_line(error)}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # it holds something now: the data
                folder.rmdir()


def _fetched(source: Source) -> Path:
    if not network():
        raise unavailable(source, "there is no network")
    try:
        return download(source)
    except DataError as error:
        raise unavailable(source, str(error)) from error


def _decode(source: Source, folder: Path, splits: Sequence[str], keys: Sequence[str]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with _tfds() as tfds:
        try:
            # From the very folder whose digest is in the key, whatever version tfds would prefer.
            builder = tfds.builder_from_directory(str(folder))
            info = builder.info
        except Exception as error:
            raise _damaged(source, folder, error) from error
        for what, names, known in (("split", splits, info.splits), ("feature", keys, info.features)):
            for name in names:
                if name not in known:
                    raise DataError(f"{source} has no {what} {name!r} in {folder}; it has: {', '.join(sorted(known))}")
        for split in splits:
            ragged = any(isinstance(info.features[key], tfds.features.Sequence) for key in keys)
            try:
                size = None if ragged else -1  # all at once, where all have one shape
                examples = tfds.as_numpy(builder.as_dataset(split=split, batch_size=size, shuffle_files=False))
                if ragged:
                    examples = _columns(examples, keys)
            except Exception as error:
                raise _damaged(source, folder, error) from error
            for key in keys:
                if ragged:
                    arrays |= _sequences(f"{split}/{key}", examples[key])
                    if hasattr(info.features[key].feature, "names"):
                        arrays |= _arrays(
                            f"{key}/names", np.array([n.encode() for n in info.features[key].feature.names], object)
                        )
                else:
                    arrays |= _arrays(f"{split}/{key}", examples[key])
                count, expected = len(examples[key]), info.splits[split].num_examples
                if count != expected:
                    raise _damaged(source, folder, f"{count} examples in {split}, expected {expected}")
    return arrays


def _columns(examples: Any, keys: Sequence[str]) -> dict[str, list[np.ndarray]]:
    columns: dict[str, list[np.ndarray]] = {key: [] for key in keys}
    for example in examples:
        for key in keys:
            columns[key].append(example[key])
    return columns


def _sequences(name: str, rows: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The values of all rows, and where each row ends."""
    flat = np.concatenate([np.zeros(0, rows[0].dtype if rows else np.int64), *rows])
    return _arrays(name, flat) | {f"{name}/rows": np.cumsum([len(row) for row in rows], dtype=np.int64)}


def _arrays(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers as they are; texts, which NumPy holds as objects, as their bytes and where each ends."""
    if values.dtype.hasobject:
        ends = np.cumsum([len(text) for text in values], dtype=np.int64)
        return {name: np.frombuffer(b"".join(values), np.uint8), f"{name}/ends": ends}
    return {name: values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values}


def texts(arrays: cache.Arrays, name: str) -> list[str]:
    """The texts of a feature that `load` gave."""
    data, ends = arrays.arrays[name].tobytes(), arrays.arrays[f"{name}/ends"].tolist()
    return [data[start:end].decode() for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def sequences(arrays: cache.Arrays, name: str) -> list[list[Any]]:
    """The rows of a feature that is a sequence of texts or numbers; numbers of classes as their names."""
    if f"{name}/ends" in arrays.arrays:
        flat: list[Any] = texts(arrays, name)
    else:
        flat = arrays.arrays[name].tolist()
        classes = f"{name.split('/')[-1]}/names"
        if classes in arrays.arrays:
            names = texts(arrays, classes)
            flat = [names[number] for number in flat]
    ends = arrays.arrays[f"{name}/rows"].tolist()
    return [flat[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _publish(staging: Path, made: Path, data_dir: Path) -> Path:
    """Moves the finished version, and the note of the default configuration, into place."""
    target = data_dir / made.relative_to(staging)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():  # another run may have been faster
        made.replace(target)
    for note in staging.glob("*/.config"):
        place = data_dir / note.relative_to(staging)
        if not place.exists():
            note.replace(place)
    return target


def _missing_parents(folder: Path) -> list[Path]:
    """`folder` and its parents as far as they do not exist, deepest first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


@contextlib.contextmanager
def _tfds() -> Iterator[Any]:
    """tensorflow-datasets, kept from filling the screen; what goes wrong it raises."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    # TensorFlow's C++ writes to the descriptor itself, some of it whatever the log level is.
    os.dup2(nothing, 2)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import tensorflow_datasets as tfds

            tfds.disable_progress_bar()
            yield tfds
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nothing)


def _damaged(source: Source, folder: Path, cause: object) -> DataError:
    return DataError(
        f"the prepared {source} in {folder} is damaged: {_line(cause)}; remove that folder to have it prepared anew"
    )


def _line(cause: object, most: int = 300) -> str:
    text = " ".join(str(cause).split()) or type(cause).__name__
    return text if len(text) <= most else text[:most] + "…"
