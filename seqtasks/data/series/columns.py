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
TIME_NAMES = ["time", "timestamp", "datetime", "date", "time_stamp", "t", "step", "timestep", "ds", "ts"]
CALENDAR = ["year", "month", "day", "hour", "index"]  # taken as times only if they increase within each series
TARGET_NAMES = ["target", "label", "class", "y", "category", "activity", "outcome", "class_label"]

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-nan", "<NA>", "#N/A"]  # of a number
_NUMBERED = re.compile(r"(.*?)[ _.\-\[]*(\d+)\]?")


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
    guessed: tuple[str, ...] = field(default=(), compare=False)

    @property
    def texts(self) -> list[str]:
        """Columns that are read as text."""
        return [name for name in (self.id, self.target, self.group) if name is not None]

    @property
    def numbers(self) -> list[str]:
        """Columns that are read as numbers."""
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
        lists = {name: tuple(values[name]) for name in ("channels", "statics")}
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
            identity = self.by_name("id", ID_NAMES)
        layout = self.layout(identity)
        if layout == "wide" and identity is None and asked.id != NONE:
            identity = self.by_name("id", ID_NAMES)
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
        return Roles(layout, identity, time, target, group, channels, statics, grid, tuple(self.guessed))

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

    def by_name(self, role: str, known: Sequence[str]) -> str | None:
        lower = {name.lower().replace(" ", "_"): name for name in reversed(self.names) if name not in self.taken}
        for form in (form for one in known for form in (one, one.removesuffix("_id"))):
            if form in lower:
                self.taken.add(lower[form])
                return lower[form]
        return None

    def layout(self, identity: str | None) -> Literal["long", "wide"]:
        if self.asked.layout != "auto":
            return self.asked.layout
        if identity is None or self.asked.id == NONE:
            return "long" if self.asked.labels == "none" or self.asked.time not in (None, NONE) else "wide"
        repeats = bool(self.sample[identity].duplicated().any())
        return "long" if repeats or len(self.names) - len(self.taken) < 2 else "wide"

    def time(self, identity: str | None) -> str | None:
        if name := self.by_name("time", TIME_NAMES):
            return name
        free = [name for name in self.names if name not in self.taken]
        dates = [name for name in free if is_date(self.sample[name])]
        dates += [name for name in free if name.lower() in CALENDAR and self.increases(name, identity)]
        self.taken.update(dates[:1])
        return dates[0] if dates else None

    def increases(self, name: str, identity: str | None) -> bool:
        """Whether a column of numbers increases within each series."""
        numbers = to_numbers(self.sample[name])
        gaps = numbers.diff() if identity is None else numbers.groupby(self.sample[identity]).diff()
        return bool(numbers.notna().all() and (gaps.dropna() > 0).all())

    def target(self, layout: str, identity: str | None) -> str | None:
        optional = self.asked.labels == "optional"
        if name := (None if not self.headed else self.by_name("target", TARGET_NAMES)):
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
        if len(texts) == 1:
            self.taken.add(texts[0])
            return texts[0]
        if optional:
            return None
        raise DataError(
            f"{self.path} has no column that is clearly the target; it has: {listed(self.names)}; name it with "
            "options.target"
        )

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
            match = _NUMBERED.fullmatch(name)
            if match is None:
                groups = {}
                break
            groups.setdefault(match[1], {})[int(match[2])] = name
        wanted = list(self.asked.channels)
        if wanted and groups:
            if missing := [name for name in wanted if name not in groups]:
                raise DataError(
                    f"{self.path} has no channel {missing[0]!r}; {suggest(missing[0], groups)}; choose channels with "
                    "options.channels"
                )
            groups = {name: groups[name] for name in wanted}
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
