"""Loads tensorflow-datasets as arrays, through the cache.

TensorFlow is imported only to decode or download data.
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
from seqtasks.data.network import network
from seqtasks.data.source import Source, prepared_folder, unavailable


def load(source: Source, splits: Sequence[str], keys: Sequence[str]) -> cache.Arrays:
    """Loads features of some splits as arrays with names `"<split>/<key>"`.

    Arrays are `(examples, ...)`; a last axis of size 1 of images is dropped: `train/image` of MNIST is uint8
    `(60000, 28, 28)`, `train/label` int64 `(60000,)`. Examples must have equal shapes, except for texts and
    sequences, which `texts` and `sequences` read from the result.

    Args:
        source: A tfds source.
        splits: Names of the splits.
        keys: Names of the features.

    Raises:
        DataError: The set is not prepared and cannot be downloaded, is damaged, or has no such split or feature.
    """
    # The digest separates this entry from those of other data with the same name and version.
    stem = f"{source} {','.join(splits)} {','.join(keys)} "
    folder = prepared_folder(source)
    if folder is None:
        key = cache.newest(stem)
        if key is not None:
            return cache.cached(key, lambda: _decode(source, _downloaded(source), splits, keys))
        folder = _downloaded(source)
    digest = hashlib.sha256((folder / "dataset_info.json").read_bytes()).hexdigest()[:16]
    return cache.cached(f"{stem}{folder.name} {digest}", lambda: _decode(source, folder, splits, keys))


def download(source: Source) -> Path:
    """Downloads and prepares a set; returns the folder of the new version.

    This is done in a temporary folder inside the data folder; the result is moved into place at the end. A
    failed download leaves no files and changes none.

    Raises:
        DataError: The download failed, or the folder cannot be written.
    """
    assert source.folder is not None
    created = _missing_parents(source.folder)
    try:
        source.folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".seqtasks-download-", dir=source.folder))
    except OSError as error:
        raise DataError(
            f"{source} cannot be downloaded to {source.folder}: {error.strerror}; set TFDS_DATA_DIR or "
            "data.tfds_dir=… to a folder that can be written"
        ) from error
    try:
        with _tfds() as tfds:
            builder = tfds.builder(source.name, data_dir=str(staging))
            builder.download_and_prepare(download_dir=str(staging / "downloads"))
        return _publish(staging, Path(builder.data_dir), source.folder)
    except Exception as error:  # tfds raises errors of TensorFlow, requests and apache-beam, too
        raise DataError(f"its download failed: {_line(error)}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in created:
            with contextlib.suppress(OSError):  # after a successful download the folder is not empty
                folder.rmdir()


def _downloaded(source: Source) -> Path:
    """Downloads a set; returns the folder of the new version.

    Raises:
        DataError: There is no network, or the download failed.
    """
    if not network():
        raise unavailable(source, "there is no network")
    try:
        return download(source)
    except DataError as error:
        raise unavailable(source, str(error)) from error


def _decode(source: Source, folder: Path, splits: Sequence[str], keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Decodes the prepared set of a folder, see `load`.

    Raises:
        DataError: The set is damaged, or has no such split or feature.
    """
    arrays: dict[str, np.ndarray] = {}
    with _tfds() as tfds:
        try:
            # From this folder, because its digest is in the key; `tfds.builder` could choose another version.
            builder = tfds.builder_from_directory(str(folder))
            info = builder.info
        except Exception as error:
            raise _damaged(source, folder, error) from error
        for kind, names, known in (("split", splits, info.splits), ("feature", keys, info.features)):
            for name in names:
                if name not in known:
                    raise DataError(
                        f"{source} has no {kind} {name!r} in {folder}; it has: {', '.join(sorted(known))}; "
                        "use one of these, or prepare another version of the set"
                    )
        for split in splits:
            ragged = any(isinstance(info.features[key], tfds.features.Sequence) for key in keys)
            try:
                size = None if ragged else -1  # -1: all examples in one batch, for which they need equal shapes
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
    """Values of all rows, and the index in them after the last value of each row."""
    flat = np.concatenate([np.zeros(0, rows[0].dtype if rows else np.int64), *rows])
    return _arrays(name, flat) | {f"{name}/rows": np.cumsum([len(row) for row in rows], dtype=np.int64)}


def _arrays(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers unchanged; texts, which are Python objects in NumPy, as their bytes and the end of each."""
    if values.dtype.hasobject:
        ends = np.cumsum([len(text) for text in values], dtype=np.int64)
        return {name: np.frombuffer(b"".join(values), np.uint8), f"{name}/ends": ends}
    return {name: values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values}


def texts(arrays: cache.Arrays, name: str) -> list[str]:
    """Texts of a feature in the result of `load`.

    Args:
        arrays: Result of `load`.
        name: Name of the array, `"<split>/<key>"`.
    """
    data, ends = arrays.arrays[name].tobytes(), arrays.arrays[f"{name}/ends"].tolist()
    return [data[start:end].decode() for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def sequences(arrays: cache.Arrays, name: str) -> list[list[Any]]:
    """Rows of a feature in the result of `load` that is a sequence of texts, numbers or classes.

    Args:
        arrays: Result of `load`.
        name: Name of the array, `"<split>/<key>"`.

    Returns:
        A list for each example; numbers of classes are replaced by the names of the classes.
    """
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


def _publish(staging: Path, prepared: Path, data_dir: Path) -> Path:
    """Moves the prepared version, and the file with the default configuration, into the data folder."""
    target = data_dir / prepared.relative_to(staging)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():  # another run may have prepared it meanwhile
        prepared.replace(target)
    for config in staging.glob("*/.config"):
        config_target = data_dir / config.relative_to(staging)
        if not config_target.exists():
            config.replace(config_target)
    return target


def _missing_parents(folder: Path) -> list[Path]:
    """A folder and those of its parents that do not exist, the deepest first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


@contextlib.contextmanager
def _tfds() -> Iterator[Any]:
    """Imports tensorflow-datasets; in the body, standard output and standard error are discarded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    # The C++ code of TensorFlow writes to the file descriptor, some messages at any log level.
    os.dup2(null, 2)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import tensorflow_datasets as tfds

            tfds.disable_progress_bar()
            yield tfds
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def _damaged(source: Source, folder: Path, cause: object) -> DataError:
    return DataError(
        f"the prepared {source} in {folder} is damaged: {_line(cause)}; remove that folder, and it is prepared again"
    )


def _line(cause: object, maximum: int = 300) -> str:
    """The message of an error on one line, cut to a maximum number of characters."""
    text = " ".join(str(cause).split()) or type(cause).__name__
    return text if len(text) <= maximum else text[:maximum] + "…"
