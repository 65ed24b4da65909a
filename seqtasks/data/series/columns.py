"""Roles of the columns of a table of series: which one has ids, times, targets, groups or measurements."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seqtasks.core.errors import DataError, listed, suggest

if TYPE_CHECKING:
    from pandas import DataFrame, Series

NONE = "-"  # as a value of an option: there is no such column

# Names that suggest a role, in lower case; the first that a table has is taken. Those in _id also without it.
ID_NAMES = ["id", "series_id", "sequence_id", "window_id", "case_id", "sample_id", "record_id", "item_id", "unique_id"]
TIMELY = 4  # rows of a series on average, from which on its times can show which column has the ids
TIME_NAMES = ["time", "timestamp", "datetime", "date", "time_stamp", "t", "step", "timestep", "ds", "ts"]
CALENDAR = ["year", "month", "day", "hour", "index"]  # taken as times only if they increase within each series
TARGET_NAMES = ["target", "label", "class", "y", "category", "activity", "outcome", "class_label"]

STEPS = 4  # numbered columns for each other one, from which on these are steps and the others are not

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-nan", "<NA>", "#N/A"]  # of a number
_NUMBERED = re.compile(r"(.*?)[ _.\-\[]*(?<!\d)(\d{1,18})\]?")


@dataclass(frozen=True)
class Columns:
    """What a user says about the columns of a table; what is left out is guessed by `resolve`.

    Attributes:
        layout: `long`: a row for each step; `wide`: a row for each series, a column for each step.
        id: Column of series ids (long tables). `-`: there is none, and the table is one series.
        time: Column of times (long tables): numbers, or dates. `-`: there is none.
        target: Column of the target of a series.
        group: Column of groups that a split must not divide, such as patients.
        channels: Columns of measurements; empty: all columns of numbers that have no other role. Of a wide table
            with several channels, the names before the numbers of the steps.
        statics: Columns of numbers that belong to a series as a whole, such as age.
        ignore: Columns that are not read.
        labels: Whether a series has a target: `required`, `optional` (read where there is such a column), `none`.
    """

    layout: Literal["auto", "long", "wide"] = "auto"
    id: str | None = None
    time: str | None = None
    target: str | None = None
    group: str | None = None
    channels: Sequence[str] = ()
    statics: Sequence[str] = ()
    ignore: Sequence[str] = ()
    labels: Literal["required", "optional", "none"] = "required"


@dataclass(frozen=True)
class Roles:
    """The role of each column of a table; made by `resolve`, stored in a run, and used again in prediction.

    Attributes:
        layout: `long` or `wide`.
        id: Column of series ids, or None.
        time: Column of times, or None.
        target: Column of targets, or None.
        group: Column of groups, or None.
        channels: Names of the channels.
        statics: Columns of static covariates.
        grid: Of a wide table, the columns of each step in the order of the channels, (steps, channels).
        coded: Channels of a long table that are read as text and stored as numbers, see `SeriesSet.codes`.
        guessed: One phrase for each role that was guessed.
    """

    layout: Literal["long", "wide"]
    id: str | None
    time: str | None
    target: str | None
    group: str | None
    channels: tuple[str, ...]
    statics: tuple[str, ...]
    grid: tuple[tuple[str, ...], ...] = ()
    coded: tuple[str, ...] = ()
    guessed: tuple[str, ...] = field(default=(), compare=False)

    @property
    def texts(self) -> list[str]:
        """Columns that are read as text."""
        return [name for name in (self.id, self.target, self.group, *self.coded) if name is not None]

    @property
    def numbers(self) -> list[str]:
        """Columns that are stored as numbers."""
        grid = [name for step in self.grid for name in step]
        return [*(grid or self.channels), *self.statics]

    def applied(self, names: Sequence[str], path: Path, headed: bool = True) -> Roles:
        """The same roles in another table, in which the column of targets and that of groups may be missing.

        Args:
            names: Columns of the table.
            path: The table, for messages.
            headed: Whether the table names its columns. One without names that has a column less has no targets.

        Raises:
            DataError: A column is missing.
        """
        if not headed and self.target == "0" and self.grid and len(names) == sum(map(len, self.grid)):
            grid = iter(names)
            return dataclasses.replace(
                self, target=None, grid=tuple(tuple(next(grid) for _ in row) for row in self.grid)
            )
        needed = [name for name in (self.id, self.time, *self.numbers) if name is not None]
        if missing := [name for name in needed if name not in names]:
            raise DataError(
                f"{path} lacks column {missing[0]!r}, which the training data has; it has: {listed(names)}; give a "
                "table with the same columns"
            )
        target, group = (name if name in names else None for name in (self.target, self.group))
        return dataclasses.replace(self, target=target, group=group)

    def to_dict(self) -> dict[str, Any]:
        """The roles as JSON has them."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(self) if part.compare}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Roles:
        """The roles that `to_dict` gave."""
        lists = {name: tuple(values.get(name, ())) for name in ("channels", "statics", "coded")}
        return cls(**{**values, **lists, "grid": tuple(map(tuple, values["grid"]))})


def resolve(columns: Columns, sample: DataFrame, path: Path, headed: bool = True) -> Roles:
    """The roles of the columns of a table: those asked for, and guesses for the others.

    Args:
        columns: What is known.
        sample: First rows of the table, as text or as numbers.
        path: The table, for messages.
        headed: Whether the table names its columns; else they are numbered and the first is the target, as in the
            UCR archive.

    Raises:
        DataError: A named column is missing, or a role cannot be guessed.
    """
    return _Guess(columns, sample, path, headed).roles()


def to_numbers(column: Series[Any]) -> Series[Any]:
    """The values of a column as numbers; NaN where a value is none."""
    import pandas as pd

    try:
        return pd.to_numeric(column, errors="coerce")
    except OverflowError:  # an integer of hundreds of digits
        return column.map(_float)


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
    except OverflowError:
        return float("inf")


def is_number(column: Series[Any]) -> bool:
    """Whether most values of a column that are not missing are numbers; false if all are missing."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return bool(column.notna().any())
    if pd.api.types.is_datetime64_any_dtype(column):
        return False
    texts = column[~column.isin(MISSING) & column.notna()].astype(str)
    return len(texts) > 0 and bool(to_numbers(texts).notna().mean() > 0.5)


def is_date(column: Series[Any]) -> bool:
    """Whether the values of a column are dates."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column) or is_number(column):
        return False
    return bool(pd.to_datetime(column.head(20), errors="coerce", format="mixed", utc=True).notna().all())


def _moments(column: Series[Any]) -> Series[Any]:
    """Times as numbers, NaN where they are none."""
    import numpy as np
    import pandas as pd

    if not is_date(column):
        return pd.to_numeric(column, errors="coerce")
    dates = pd.to_datetime(column, errors="coerce", format="mixed", utc=True)
    # Differences of dates in pandas are in nanoseconds, which begin in the year 1677 and end in 2262.
    stamps = dates.dt.tz_localize(None).to_numpy("datetime64[us]")
    return pd.Series(np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6), index=column.index)


def _has_fractions(column: Series[Any]) -> bool:
    """Whether a column has numbers with fractions, as ids have not."""
    import pandas as pd

    return is_number(column) and bool((pd.to_numeric(column, errors="coerce").dropna() % 1 != 0).any())


class _Guess:
    def __init__(self, columns: Columns, sample: DataFrame, path: Path, headed: bool):
        self.asked, self.sample, self.path, self.headed = columns, sample, path, headed
        self.names = [name for name in sample.columns if name not in columns.ignore]
        self.guessed: list[str] = []
        self.taken: set[str] = set()

    def roles(self) -> Roles:
        asked = self.asked
        identity = self.named("id", asked.id)
        time = self.named("time", asked.time)
        target = None if asked.labels == "none" else self.named("target", asked.target, asked.labels == "optional")
        group = self.named("group", asked.group)
        statics = tuple(self.required("statics", name) for name in asked.statics)
        for name in asked.channels:
            self.taken.add(name)
        if identity is None and asked.id != NONE and asked.layout != "wide":
            identity = self.by_name(ID_NAMES) or self.by_times()
        layout = self.layout(identity)
        if layout == "wide" and identity is None and asked.id != NONE:
            identity = self.by_name(ID_NAMES)
        if layout == "long" and time is None and asked.time != NONE:
            time = self.time(identity)
        if target is None and asked.labels != "none" and asked.target != NONE:
            target = self.target(layout, identity)
        if layout == "long" and identity is None and asked.labels == "required":
            raise DataError(
                f"{self.path} has no column of series ids; it has: {listed(self.names)}; name it with options.id, or "
                "set options.layout=wide for a row for each series"
            )
        grid: tuple[tuple[str, ...], ...] = ()
        if layout == "wide":
            channels, grid = self.grid()
        else:
            channels = self.channels()
        for role, column in (("id", identity), ("time", time), ("target", target)):
            if column is not None and getattr(asked, role) is None:
                self.guessed.append(f"options.{role}={column}")
        if not asked.channels:
            self.guessed.append(f"channels: {listed(channels)}")
        if asked.layout == "auto":
            self.guessed.insert(0, f"options.layout={layout}")
        return Roles(layout, identity, time, target, group, channels, statics, grid, guessed=tuple(self.guessed))

    def named(self, role: str, name: str | None, optional: bool = False) -> str | None:
        """A column that was asked for; None: none was."""
        if name is None or name == NONE or (optional and name not in self.names):
            return None
        return self.required(role, name)

    def required(self, role: str, name: str) -> str:
        if name not in self.names:
            hint = suggest(name, self.names)
            raise DataError(f"{self.path} has no column {name!r}; {hint}; choose one with options.{role}")
        self.taken.add(name)
        return name

    def by_name(self, known: Sequence[str]) -> str | None:
        """The first of the known names that a free column has; it is taken."""
        name = self.named_as(known)
        if name is not None:
            self.taken.add(name)
        return name

    def named_as(self, known: Sequence[str]) -> str | None:
        lower = {name.lower().replace(" ", "_"): name for name in reversed(self.names) if name not in self.taken}
        forms = (form for one in known for form in (one, one.removesuffix("_id")))
        return next((lower[form] for form in forms if form in lower), None)

    def by_times(self) -> str | None:
        """The column of series ids as times show it: they increase within each series, but not in the whole table."""
        time = None if self.asked.time == NONE else self.asked.time or self.named_as(TIME_NAMES) or self.a_date()
        if time is None:
            return None
        moments = _moments(self.sample[time])
        if moments.isna().any() or (moments.diff().dropna() > 0).all():
            return None
        counts: dict[str, int] = {}
        targets = [self.named_as(TARGET_NAMES), time]
        for name in self.names:
            column = self.sample[name]
            if name in self.taken or name in targets or _has_fractions(column):
                continue
            groups = column.nunique()
            if 2 <= groups <= len(column) / TIMELY and (moments.groupby(column).diff().dropna() > 0).all():
                counts[name] = groups
        if not counts:
            return None
        name = max(counts, key=lambda name: counts[name])  # a label has no more values than series
        self.taken.add(name)
        return name

    def a_date(self) -> str | None:
        """The first free column of dates."""
        return next((name for name in self.names if name not in self.taken and is_date(self.sample[name])), None)

    def layout(self, identity: str | None) -> Literal["long", "wide"]:
        if self.asked.layout != "auto":
            return self.asked.layout
        if identity is None or self.asked.id == NONE:
            return "long" if self.asked.labels == "none" or self.asked.time not in (None, NONE) else "wide"
        repeats = bool(self.sample[identity].duplicated().any())
        return "long" if repeats or len(self.names) - len(self.taken) < 2 else "wide"

    def time(self, identity: str | None) -> str | None:
        if name := self.by_name(TIME_NAMES):
            return name
        free = [name for name in self.names if name not in self.taken]
        counts = (name for name in free if name.lower() in CALENDAR and self.increases(name, identity))
        name = self.a_date() or next(counts, None)
        if name is not None:
            self.taken.add(name)
        return name

    def increases(self, name: str, identity: str | None) -> bool:
        """Whether a column of numbers increases within each series."""
        numbers = to_numbers(self.sample[name])
        gaps = numbers.diff() if identity is None else numbers.groupby(self.sample[identity]).diff()
        return bool(numbers.notna().all() and (gaps.dropna() > 0).all())

    def target(self, layout: str, identity: str | None) -> str | None:
        optional = self.asked.labels == "optional"
        name = self.named_as(TARGET_NAMES) if self.headed else None
        if name is not None and (identity is None or layout == "wide" or not self.is_measured(name, identity)):
            self.taken.add(name)
            return name
        others = [name for name in self.names if name not in self.taken]
        if not self.headed and layout == "wide" and others and not optional:
            self.taken.add(others[0])
            return others[0]
        texts = [name for name in others if not is_number(self.sample[name]) and self.sample[name].notna().any()]
        if layout == "long" and identity is not None and not texts:
            counts = self.sample.groupby(identity, sort=False)[others].nunique(dropna=False) if others else None
            texts = [] if counts is None or len(counts) < 2 else [
                name for name in others if (counts[name] == 1).all() and self.sample[name].nunique() > 1
            ]  # fmt: skip
        if len(texts) > 1:  # a note is the same everywhere, or changes within series
            texts = [name for name in texts if self.sample[name].nunique() > 1]
        if len(texts) > 1 and layout == "long" and identity is not None:
            texts = [name for name in texts if (self.sample.groupby(identity)[name].nunique() == 1).all()]
        if len(texts) == 1:
            self.taken.add(texts[0])
            return texts[0]
        if optional:
            return None
        raise DataError(
            f"{self.path} has no column that is clearly the target; it has: {listed(self.names)}; name it with "
            "options.target"
        )

    def is_measured(self, name: str, identity: str) -> bool:
        """Whether a column of numbers changes within series, as a channel named y does."""
        column = self.sample[name]
        return is_number(column) and bool((column.groupby(self.sample[identity]).nunique() > 1).any())

    def channels(self) -> tuple[str, ...]:
        if self.asked.channels:
            for name in self.asked.channels:
                if name not in self.names:
                    self.required("channels", name)
            return tuple(self.asked.channels)
        free = [name for name in self.names if name not in self.taken]
        numbers = [name for name in free if is_number(self.sample[name])]
        if others := [name for name in free if name not in numbers]:
            self.guessed.append(f"not read, as they have no numbers: {listed(others)}")
            names = [name for name in others if 1 < self.sample[name].nunique() <= len(self.sample) / 2]
            if names and self.asked.labels == "required" and not self.asked.group:
                self.guessed.append(
                    f"if {names[0]} names who or what was measured, options.group={names[0]} keeps all series of one "
                    "in the same split"
                )
        if not numbers:
            raise DataError(
                f"{self.path} has no column of measurements; it has: {listed(self.names)}; allowed: columns of "
                "numbers; name them with options.channels"
            )
        return tuple(numbers)

    def grid(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Names of the channels, and the columns of each step."""
        free = [name for name in self.names if name not in self.taken]
        groups: dict[str, dict[int, str]] = {}
        for name in free:
            if match := _NUMBERED.fullmatch(name):
                groups.setdefault(match[1], {})[int(match[2])] = name
        wanted = list(self.asked.channels)
        if missing := [name for name in wanted if name not in groups]:
            raise DataError(
                f"{self.path} has no channel {missing[0]!r}; {suggest(missing[0], groups)}; choose channels with "
                "options.channels"
            )
        numbered = [name for columns in groups.values() for name in columns.values()]
        others = [name for name in free if name not in numbered]
        if wanted:
            groups = {name: groups[name] for name in wanted}
        elif others and len(numbered) < STEPS * len(others):
            groups = {}  # columns without numbers are steps, too
        elif others:
            self.guessed.append(f"not read, as their names have no number of a step: {listed(others)}")
            free = [name for name in free if name not in others]
        steps = {tuple(sorted(numbers)) for numbers in groups.values()}
        if len(steps) == 1 and (len(groups) > 1 or wanted):
            order = steps.pop()
            return tuple(groups), tuple(tuple(columns[step] for columns in groups.values()) for step in order)
        if not free:
            raise DataError(
                f"{self.path} has no column of steps besides {listed(sorted(self.taken))}; allowed: a column of "
                "numbers for each step; add them"
            )
        return ("value",), tuple((name,) for name in free)
