"""Series in original units: what every reader returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import DataError
from seqtasks.data.block_files import release
from seqtasks.data.series.columns import Roles
from seqtasks.data.series.segments import Segments

Kind = Literal["classes", "number"]
REGULAR = 1.12  # gaps that differ by less are regular, so that months of 28 and 31 days are


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """Series of one file or one split, as they were measured: nothing is scaled or filled.

    Attributes:
        values: float32 (time, channels) of each series; NaN where a value is missing.
        channels: Names of the channels.
        times: float64 (time,) of each series: seconds since 1970 for dates, else the numbers of the file; None: the
            steps have no times.
        ids: Name of each series, (rows,).
        targets: Target of each series as the file has it, (rows,); None: there are none.
        groups: Group of each series, (rows,); None: there are none.
        statics: float32 (rows, statics), NaN where missing; None: there are none.
        static_names: Names of the columns of `statics`.
        path: The file, for messages; None: no file.
        rows: Row of the file in which each series begins, (rows,); the first below the header is 1.
        dated: Whether times are dates.
        irregular: Whether the gaps between steps differ by more than calendar months do.
        codes: Texts of the channels that have numbers in place of texts, in the order of these numbers.
    """

    values: Segments
    channels: Sequence[str]
    times: Segments | None = None
    ids: Sequence[str] = ()
    targets: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    statics: FloatArray | None = None
    static_names: Sequence[str] = ()
    path: Path | None = None
    rows: IntArray | None = None
    dated: bool = False
    irregular: bool = False
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: IntArray) -> SeriesSet:
        """Some of the series; their steps are not copied."""
        index = np.asarray(index, np.int64)

        def chosen(names: Sequence[str] | None) -> list[str] | None:
            return None if names is None else [names[i] for i in index]

        return dataclasses.replace(
            self,
            values=self.values[index],
            times=None if self.times is None else self.times[index],
            ids=chosen(self.ids) or [],
            targets=chosen(self.targets),
            groups=chosen(self.groups),
            statics=None if self.statics is None else self.statics[index],
            rows=None if self.rows is None else self.rows[index],
        )

    def clock(self, index: int) -> list[Any]:
        """Times of a series as rows of predictions have them: texts of dates, else numbers."""
        assert self.times is not None
        times = self.times.row(index)
        if self.dated:
            return [str(moment) for moment in (times * 1000).round().astype("datetime64[ms]")]
        return [int(moment) if float(moment).is_integer() else float(moment) for moment in times]

    def place(self, index: int) -> str:
        """Where a series is, for messages: file and row, or its name."""
        if self.path is None or self.rows is None:
            return f"the series {self.ids[index] if self.ids else index + 1}"
        return f"{self.path}, row {int(self.rows[index])}"


@dataclass(frozen=True, eq=False)
class SeriesData:
    """All series of a source, by the splits that the source itself has.

    Attributes:
        parts: `train`, and `validation` and `test` where the source has them.
        roles: Roles of the columns of a table; None: another format.
        kind: Whether the targets are `classes` or a `number` each, where the source says so; None: it does not.
        source: Text of the data source.
        fingerprint: Of everything that was read.
        notes: One phrase for each thing that was guessed or is worth knowing.
    """

    parts: dict[str, SeriesSet]
    source: str
    fingerprint: str
    roles: Roles | None = None
    kind: Kind | None = None
    notes: Sequence[str] = field(default=())


FINITE = "numbers up to 3e38, and none where a value is missing"


def finite(numbers: Sequence[float] | FloatArray, error: Callable[[int, str], DataError]) -> FloatArray:
    """Converts numbers to float32, (numbers,); NaN stands for a missing one.

    Args:
        numbers: The numbers.
        error: Function that makes the error for the index of a number and the problem with it.

    Raises:
        DataError: A number is infinite, or too large for 32 bits.
    """
    with np.errstate(over="ignore"):
        values = np.array(numbers, np.float32)
    if (wrong := np.flatnonzero(np.isinf(values))).size:
        i = int(wrong[0])
        raise error(i, f"{numbers[i]:g} is no finite number of 32 bits")
    return values


def check_times(
    times: Segments, series: SeriesSet, column: str, row_of: Callable[[int, int], int] | None = None
) -> bool:
    """Checks that the times of each series increase, block by block.

    Args:
        times: Times of all series, whose segments follow each other without gap.
        series: The series, for messages.
        column: Name of the column of times.
        row_of: Row of the file for the number of a series and of a step in it; None: the rows follow each other.

    Returns:
        Whether the gaps between steps are irregular.

    Raises:
        DataError: A time goes back or comes twice; the message names file, row and column.
    """
    block, steps = 1 << 20, times.steps
    starts = np.asarray(times.begins)
    least, most = np.inf, 0.0
    for begin in range(0, len(steps) - 1, block):
        gaps = np.diff(steps[begin : begin + block + 1])
        inside = starts[(starts > begin) & (starts <= begin + len(gaps))]
        gaps[inside - begin - 1] = np.nan  # from one series to the next
        wrong = np.flatnonzero(~(gaps > 0) & ~np.isnan(gaps))
        if len(wrong):
            raise _time_error(series, times, int(begin + wrong[0] + 1), float(gaps[wrong[0]]), column, row_of)
        if np.isfinite(gaps).any():
            least, most = min(least, float(np.nanmin(gaps))), max(most, float(np.nanmax(gaps)))
        release(steps)
    return most > REGULAR * least


def _time_error(
    series: SeriesSet, times: Segments, step: int, gap: float, column: str, row_of: Callable[[int, int], int] | None
) -> DataError:
    index = int(np.searchsorted(times.begins, step, side="right") - 1)
    inside = step - int(times.begins[index])
    value = times.steps[step]
    shown = str(np.datetime64(int(value), "s")) if series.dated else f"{value:g}"
    what = "comes twice" if gap == 0 else f"goes back by {-gap:g}{' s' if series.dated else ''}"
    name = f" of series {series.ids[index]}" if len(series) > 1 else ""
    if row_of is not None:
        where = f"row {row_of(index, inside)}"
    else:
        where = f"row {int(series.rows[index]) + inside}" if series.rows is not None else f"step {inside + 1}"
    return DataError(
        f"{series.path or 'the data'}, {where}, column {column}: the time {shown}{name} {what}; allowed: times that "
        "increase within a series; sort the rows and remove duplicates, or name the columns of series ids and times "
        "with options.id and options.time (-: there are none)"
    )
