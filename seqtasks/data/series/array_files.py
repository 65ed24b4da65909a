"""NumPy `.npz` files of series."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.core.errors import DataError, listed
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import FINITE, SeriesSet, check_times

PARTS = ("train", "validation", "test")


def read_npz(path: Path, labelled: bool = True, stepwise: bool = False) -> tuple[dict[str, SeriesSet], str]:
    """Reads an `.npz` file of arrays.

    `x` has the series, (rows, time) or (rows, time, channels), NaN where a value is missing. Optional are `y` (rows,),
    the targets; `lengths` (rows,), the valid steps of each row, or `mask` (rows, time); `times` (rows, time);
    `statics` (rows, statics); `groups` (rows,); `ids` (rows,); `channels` (channels,), their names. Names that end in
    `_train`, `_validation` and `_test` are those of splits: `x_train`, `y_train`, `x_test`, ….

    Args:
        path: The file; it is read into memory.
        labelled: Whether `y` has to be there.
        stepwise: Whether `y` has targets of each step, (rows, time) or (rows, time, targets): they become the last
            channels, which an array `targets` names; texts become numbers, see `SeriesSet.codes`.

    Returns:
        The series of each split; without splits all of them as `train`; and a digest of the file.

    Raises:
        DataError: An array is missing, or its shape does not agree with that of `x`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "noise.npz"
        >>> np.savez(path, x=np.ones((4, 10, 2)), y=np.array([0, 1, 0, 1]), lengths=np.array([10, 8, 10, 9]))
        >>> parts, _ = read_npz(path)
        >>> parts["train"].values.shape, parts["train"].targets
        ((4, 10, 2), ['0', '1', '0', '1'])
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in stored.files}  # bytes of a file that is no array
    except Exception as error:  # a damaged file can raise almost anything out of zipfile and NumPy
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path} cannot be read: {reason}; allowed: arrays of numbers or text; save it again"
        ) from error
    arrays = {name.lower(): array for name, array in arrays.items()}
    split = {part: f"_{part}" for part in PARTS if f"x_{part}" in arrays}
    if not split and "x" in arrays:
        split = {"train": ""}
    if "train" not in split:
        raise DataError(f"{path} has {listed(sorted(arrays)) or 'no array'}; needed: x, or x_train; save it so")
    parts = {part: _part(path, arrays, ending, labelled, stepwise) for part, ending in split.items()}
    return parts, hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _part(path: Path, arrays: dict[str, Any], ending: str, labelled: bool, stepwise: bool) -> SeriesSet:
    x = arrays[f"x{ending}"]
    if x.ndim not in (2, 3) or x.dtype.kind not in "fiub" or not x.size:
        raise DataError(
            f"{path}, x{ending}: its shape is {x.shape} of {x.dtype}; allowed: numbers (rows, time) or (rows, time, "
            "channels); save it so"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is an error below; a signalling NaN is NaN
        x = np.asarray(x if x.ndim == 3 else x[..., None], np.float32)
    if np.isinf(x).any():
        i, t, c = np.argwhere(np.isinf(x))[0]
        raise DataError(
            f"{path}, x{ending}, row {i}, step {t}, channel {c}: {x[i, t, c]} is no finite number of 32 bits; allowed: "
            "numbers up to 3e38, NaN where a value is missing; correct it"
        )
    rows, time, channels = x.shape

    def optional(name: str, shape: tuple[int, ...], text: bool = False, shared: bool = False) -> Any:
        array = arrays.get(f"{name}{ending}", arrays.get(name) if shared else None)
        wide = name in ("statics", "y")  # may have a column for each static, or target
        if array is not None and array.shape[: array.ndim - (wide and array.ndim > len(shape))] != shape:
            raise DataError(
                f"{path}, {name}{ending}: its shape is {array.shape}; allowed: {shape}, as x{ending} has {rows} "
                f"rows of {time} steps; save it so"
            )
        if array is not None and array.dtype.kind not in ("fiubMUS" if text else "fiubM"):
            allowed = "numbers or texts" if text else "numbers"
            raise DataError(f"{path}, {name}{ending}: its type is {array.dtype}; allowed: {allowed}; save it so")
        return array

    y = optional("y", (rows, time) if stepwise else (rows,), text=True)
    if y is None and labelled:
        what = f"each of the {rows} rows of x{ending}"
        raise DataError(f"{path} has no y{ending}; needed: a target for {what}; add it")
    if y is not None and not stepwise and y.ndim > 1 and y.shape[1:] != (1,):
        raise DataError(
            f"{path}, y{ending}: its shape is {y.shape}; allowed: ({rows},), a target for each row of x{ending}; "
            "save it so, or use the task step_labels for a target at each step"
        )
    codes: dict[str, list[str]] = {}
    names = optional("channels", (channels,), text=True, shared=True)
    names = [str(i + 1) for i in range(channels)] if names is None else [str(name) for name in names]
    lengths, mask, times = optional("lengths", (rows,)), optional("mask", (rows, time)), optional("times", (rows, time))
    if lengths is None:
        valid = np.asarray(mask, bool) if mask is not None else ~np.isnan(x).all(axis=2)
        if mask is not None and (np.diff(valid.astype(int), axis=1) > 0).any():
            raise DataError(
                f"{path}, mask{ending}: a valid step follows a masked one; allowed: padding at the end; put NaN into x "
                "where a value is missing"
            )
        lengths = time - np.argmax(valid[:, ::-1], axis=1)
        lengths[~valid.any(axis=1)] = 0
    lengths = np.asarray(lengths, np.int64)
    if (wrong := np.flatnonzero((lengths < 1) | (lengths > time))).size:
        raise DataError(
            f"{path}, row {wrong[0]}: the series has {lengths[wrong[0]]} valid steps; allowed: 1 to {time}; "
            "remove the row"
        )
    if y is not None and stepwise:
        x, names, codes = _with_targets(x, y, names, arrays.get("targets"))
        channels, y = x.shape[2], None
    begins = np.arange(rows, dtype=np.int64) * time
    statics = optional("statics", (rows,))
    groups, ids = (optional(name, (rows,), text=True) for name in ("groups", "ids"))
    if statics is not None:
        with np.errstate(over="ignore"):
            statics = np.asarray(statics, np.float32).reshape(rows, -1)
        if np.isinf(statics).any():
            raise DataError(f"{path}, statics{ending}: a value is infinite; allowed: {FINITE}; correct it")
    clock = None
    if times is not None:
        clock = Segments.stack([row[:length] for row, length in zip(times, lengths, strict=True)], "float64")
    series = SeriesSet(
        Segments(x.reshape(rows * time, channels), begins, lengths),
        names,
        clock,
        [str(name) for name in (range(rows) if ids is None else ids)],
        None if y is None else [str(target) for target in y.reshape(rows).tolist()],
        None if groups is None else [str(group) for group in groups.tolist()],
        statics,
        [] if statics is None else [str(i + 1) for i in range(statics.shape[1])],
        path,
        np.arange(rows),
        codes=codes,
    )
    if series.times is not None:
        series = dataclasses.replace(
            series, irregular=check_times(series.times, series, "times", lambda row, step: row)
        )
    return series


def _with_targets(x: Any, y: Any, names: list[str], targets: Any) -> tuple[Any, list[str], dict[str, list[str]]]:
    """Series with the targets of their steps as the last channels, names of all channels, and texts of targets."""
    y = y if y.ndim == 3 else y[..., None]
    count = y.shape[2]
    added = [f"target {i + 1}" for i in range(count)] if count > 1 else ["target"]
    if targets is not None and len(targets) == count:
        added = [str(name) for name in targets]
    codes: dict[str, list[str]] = {}
    if y.dtype.kind not in "fiub":
        texts, numbers = np.unique(y.astype(str), return_inverse=True)
        codes, y = dict.fromkeys(added, texts.tolist()), numbers.reshape(y.shape)
    return np.concatenate([x, y.astype(np.float32)], axis=2), [*names, *added], codes
