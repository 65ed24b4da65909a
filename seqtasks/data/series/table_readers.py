"""The series of a table, collected chunk by chunk: of a wide table or of a long one."""

from __future__ import annotations

import dataclasses
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import DataError
from seqtasks.core.files import shown
from seqtasks.data.block_files import BlockArray, mapped
from seqtasks.data.cache import file_of
from seqtasks.data.series.columns import Roles, is_date, to_numbers
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet, check_times
from seqtasks.data.series.table_file import Table

if TYPE_CHECKING:
    from pandas import DataFrame


class TableReader(ABC):
    """Collects the series of a table chunk by chunk."""

    def __init__(self, table: Table, roles: Roles, stem: Path | None):
        self.table, self.roles, self.stem = table, roles, stem
        self.names: list[str] = []
        self.targets: list[str] = []
        self.groups: list[str] = []
        self.statics: list[FloatArray] = []
        self.begun: list[int] = []  # row of the file in which each series begins
        self.coding: dict[str, dict[str, int]] = {name: {} for name in roles.coded}

    @abstractmethod
    def read(self) -> SeriesSet:
        """All series of the table."""

    def array(self, what: str, dtype: Any, shape: Sequence[int] = ()) -> BlockArray:
        return BlockArray(dtype, shape, self.file(what))

    def file(self, what: str) -> Path | None:
        """Name of a mapped file: a pattern that `cache.clear` knows."""
        return None if self.stem is None else file_of(self.stem, what)

    def numbers(self, frame: DataFrame, names: Sequence[str], row: int) -> FloatArray:
        """Columns of numbers as float32 (rows, columns); `row` is the number of the first row."""
        import pandas as pd

        wanted = set(names)
        for name, numbers in self.coding.items():
            codes = [numbers.setdefault(text, len(numbers)) if text else np.nan for text in _texts(frame[name])]
            frame = frame.assign(**{name: np.array(codes, np.float64)})
        texts = [str(name) for name, kind in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
        for name in texts:
            if name in wanted:
                column = frame[name]
                parsed = to_numbers(column)
                wrong = np.flatnonzero(parsed.isna().to_numpy() & column.notna().to_numpy())
                if len(wrong):
                    text = shown(str(column.iloc[int(wrong[0])]), 40)
                    raise self.error(
                        row + int(wrong[0]), name, f"{text!r} is not a number",
                        "numbers, and empty fields where a value is missing; correct it, or name the channels with "
                        "options.channels",
                    )  # fmt: skip
                frame = frame.assign(**{name: parsed})
        block = frame[list(names)].to_numpy(np.float64, na_value=np.nan)
        with np.errstate(over="ignore"):
            block = block.astype(np.float32)
        if np.isinf(block).any():
            i, j = np.argwhere(np.isinf(block))[0]
            raise self.error(
                row + int(i), names[int(j)], f"{frame[names[int(j)]].iloc[int(i)]} is no finite number of 32 bits",
                "numbers up to 3e38; correct it, or leave the field empty where the value is missing",
            )  # fmt: skip
        return block

    def error(self, row: int, column: str, problem: str, advice: str) -> DataError:
        return DataError(f"{self.table.path}, row {row}, column {column}: {problem}; allowed: {advice}")

    def collected(self, values: Segments, times: Segments | None = None, dated: bool = False) -> SeriesSet:
        roles = self.roles
        return SeriesSet(
            values,
            list(roles.channels),
            times,
            self.names,
            self.targets if roles.target else None,
            self.groups if roles.group else None,
            np.array(self.statics, np.float32) if roles.statics else None,
            list(roles.statics),
            self.table.path,
            np.array(self.begun, np.int64),
            dated,
            codes={name: list(numbers) for name, numbers in self.coding.items()},
        )


class WideReader(TableReader):
    """Reads tables with a row for each series."""

    def read(self) -> SeriesSet:
        roles, columns = self.roles, self.roles.numbers
        channels, grid = len(roles.channels), len(self.roles.grid) * len(self.roles.channels)
        values = self.array("values", np.float32, (channels,))
        lengths: list[IntArray] = []
        row = 1
        try:
            for frame in self.table.chunks(roles, None):
                block = self.numbers(frame, columns, row)
                steps = block[:, :grid].reshape(len(frame), -1, channels)
                present = np.asarray(~np.isnan(steps).all(axis=2))
                length = steps.shape[1] - np.argmax(present[:, ::-1], axis=1)
                empty = np.flatnonzero(~present.any(axis=1))
                if empty.size:
                    raise self.error(
                        row + int(empty[0]), columns[0], "the series has no value", "one value at least; fill the row, "
                        "or remove it",
                    )  # fmt: skip
                values.append(steps[np.arange(steps.shape[1])[None] < length[:, None]])
                lengths.append(length)
                self.facts(frame, block[:, grid:], row)
                row += len(frame)
            steps = values.finish()
        finally:
            values.discard()
        length = np.concatenate(lengths).astype(np.int64)
        return self.collected(Segments(steps, np.cumsum(length) - length, length))

    def facts(self, frame: DataFrame, statics: FloatArray, row: int) -> None:
        roles = self.roles
        rows = range(row, row + len(frame))
        self.begun += rows
        self.names += [str(name) for name in frame[roles.id]] if roles.id else [str(number) for number in rows]
        for role, column, texts in (("target", roles.target, self.targets), ("group", roles.group, self.groups)):
            if column is not None:
                fields = _texts(frame[column])
                if "" in fields:
                    raise self.error(row + fields.index(""), column, "the field is empty", f"a {role} for each series; "
                                     "fill it in, or remove the row")  # fmt: skip
                texts += fields
        self.statics += list(statics)


class LongReader(TableReader):
    """Reads tables with a row for each step."""

    def read(self) -> SeriesSet:
        roles = self.roles
        self.number: dict[str, int] = {}  # of each series, by its id
        texts = roles.time if roles.time and is_date(self.table.sample[roles.time]) else None
        self.dated = texts is not None or (roles.time is not None and _is_day(self.table.sample[roles.time]))
        values = self.array("values", np.float32, (len(roles.channels),))
        times = self.array("times", np.float64) if roles.time else None
        codes = self.array("codes", np.int32)
        lengths, runs, last, row = np.zeros(0, np.int64), 0, -1, 1
        try:
            for frame in self.table.chunks(roles, texts):
                block = self.numbers(frame, roles.numbers, row)
                values.append(block[:, : len(roles.channels)])
                code = self.codes(frame, row)
                codes.append(code)
                counts = np.bincount(code, minlength=max(len(self.names), len(lengths)))
                counts[: len(lengths)] += lengths
                lengths = counts
                runs += int(np.count_nonzero(np.diff(code, prepend=last)))
                last = int(code[-1])
                if times is not None:
                    times.append(self.times(frame, row))
                self.facts(frame, code, block[:, len(roles.channels) :], row)
                row += len(frame)
            steps, owners = values.finish(), codes.finish()
            clock = None if times is None else times.finish()
        finally:
            for array in (values, times, codes):
                if array is not None:
                    array.discard()
        begins = np.cumsum(lengths) - lengths
        if apart := runs > len(lengths):
            steps = _together(steps, owners, begins, self.file("values"))
            clock = None if clock is None else _together(clock, owners, begins, self.file("times"))
        series = self.collected(
            Segments(steps, begins, lengths), None if clock is None else Segments(clock, begins, lengths), self.dated
        )
        if series.times is not None:
            assert roles.time is not None
            row_of = (lambda i, step: int(np.flatnonzero(owners == i)[step]) + 1) if apart else None
            irregular = check_times(series.times, series, roles.time, row_of)
            series = dataclasses.replace(series, irregular=irregular)
        if (path := self.file("codes")) is not None:
            path.unlink(missing_ok=True)
        return series

    def codes(self, frame: DataFrame, row: int) -> IntArray:
        """Number of the series of each row; new ids get the next numbers."""
        import pandas as pd

        if self.roles.id is None:
            if not self.names:
                self.names, self.begun = ["1"], [1]
            return np.zeros(len(frame), np.int64)
        local, ids = pd.factorize(np.array(_texts(frame[self.roles.id]), object))
        for i, name in enumerate(ids):
            if name not in self.number:
                first = row + int(np.argmax(local == i))
                if not name:
                    raise self.error(first, self.roles.id, "the id of the series is missing", "an id in each row; fill "
                                     "it in, or remove the row")  # fmt: skip
                self.number[name] = len(self.names)
                self.names.append(name)
                self.begun.append(first)
        return np.array([self.number[name] for name in ids], np.int64)[local]

    def times(self, frame: DataFrame, row: int) -> FloatArray:
        """Times as numbers: seconds since 1970 for dates."""
        import pandas as pd

        assert self.roles.time is not None
        column = frame[self.roles.time]
        if self.dated:
            if pd.api.types.is_numeric_dtype(column):  # 20260131
                column = column.astype("Int64").astype(str)
            with warnings.catch_warnings():  # of a form that pandas cannot guess from the first date
                warnings.simplefilter("ignore", UserWarning)
                dates = pd.to_datetime(column, errors="coerce", utc=True)
            if dates.isna().any():  # another form than that of the first row
                dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
            # Differences of dates in pandas are in nanoseconds, which end in the year 2262.
            stamps = dates.dt.tz_localize(None).to_numpy("datetime64[us]")
            numbers = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6)
        else:
            numbers = to_numbers(column).to_numpy(np.float64, na_value=np.nan)
        if (wrong := np.flatnonzero(~np.isfinite(numbers))).size:
            value = column.iloc[int(wrong[0])]
            problem = (
                "the time is missing"
                if value is None or value != value or value == ""
                else f"{shown(str(value), 40)!r} is no time"
            )
            raise self.error(row + int(wrong[0]), self.roles.time, problem, "numbers or dates, the same in all rows; "
                             "correct it, or name another column with options.time")  # fmt: skip
        return numbers

    def facts(self, frame: DataFrame, code: IntArray, statics: FloatArray, row: int) -> None:
        """Target, group and statics of each series, which must not change within it."""
        roles = self.roles
        for role, column, texts in (("target", roles.target, self.targets), ("group", roles.group, self.groups)):
            if column is None:
                continue
            fields = _texts(frame[column])
            pairs = dict.fromkeys(zip(code.tolist(), fields, strict=True))  # few: a pair for each series
            for number, text in pairs:
                if number == len(texts) and text:
                    texts.append(text)
                elif number >= len(texts) or text != texts[number]:
                    at = next(
                        i for i, pair in enumerate(zip(code.tolist(), fields, strict=True)) if pair == (number, text)
                    )
                    problem = "the field is empty" if not text else (
                        f"the {role} {shown(text)!r} of series {self.names[number]} was {shown(texts[number])!r} before"
                    )  # fmt: skip
                    raise self.error(row + at, column, problem, f"one {role} for a series, in each of its rows; "
                                     f"correct it, or name another column with options.{role}")  # fmt: skip
        if roles.statics:
            first: dict[int, int] = {}
            for i, number in enumerate(code.tolist()):
                first.setdefault(number, i)
            for number in sorted(first):
                if number == len(self.statics):
                    self.statics.append(statics[first[number]])
            known = np.array(self.statics)[code]
            changed = np.argwhere((known != statics) & ~(np.isnan(known) & np.isnan(statics)))
            if len(changed):
                i, j = changed[0]
                raise self.error(
                    row + int(i), roles.statics[int(j)], f"{statics[i, j]:g} of series {self.names[code[i]]} was "
                    f"{known[i, j]:g} before", "one value for a series; correct it, or make it a channel",
                )  # fmt: skip


def _together(array: np.ndarray, owners: IntArray, begins: IntArray, path: Path | None) -> np.ndarray:
    """The steps of each series one after the other, in the order in which they came.

    Args:
        array: (steps, …) as read.
        owners: Number of the series of each step, (steps,).
        begins: First step of each series in the result, (series,).
        path: Mapped file of `array`, which is replaced; None: it is in memory.
    """
    following = begins.copy()
    target = path and path.with_name(path.name + ".tmp")
    result = (
        np.empty_like(array)
        if target is None
        else np.lib.format.open_memmap(target, "w+", dtype=array.dtype, shape=array.shape)
    )
    block = 1 << 20
    for begin in range(0, len(array), block):
        owner = np.asarray(owners[begin : begin + block])
        order = np.argsort(owner, kind="stable")
        ordered = owner[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        counts = np.diff(starts, append=len(ordered))
        rank = np.arange(len(ordered)) - np.repeat(starts, counts)
        result[following[ordered] + rank] = array[begin : begin + block][order]
        following[ordered[starts]] += counts
    if target is None or path is None:
        return result
    result.flush()  # type: ignore[attr-defined]
    target.replace(path)
    return mapped(path)


def _texts(column: Any) -> list[str]:
    """The fields of a column as text without spaces around; empty where missing."""
    return ["" if field is None or field != field else str(field).strip() for field in column.tolist()]


def _is_day(column: Any) -> bool:
    """Whether a column has days as numbers: 20260131."""
    import pandas as pd

    numbers = to_numbers(column).head(20)
    if not numbers.between(15_000_101, 29_991_231).all() or (numbers % 1 != 0).any():
        return False
    return bool(pd.to_datetime(numbers.astype("Int64").astype(str), format="%Y%m%d", errors="coerce").notna().all())
