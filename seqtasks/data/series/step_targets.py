"""Series with targets at each step: one class, several labels of 0 and 1, or numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError, listed, suggest
from seqtasks.core.files import shown
from seqtasks.data.series import splits
from seqtasks.data.series.array_files import read_npz
from seqtasks.data.series.columns import TARGET_NAMES, Columns, Roles, is_number, resolve
from seqtasks.data.series.load import ENDINGS, split_files
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.data.series.table_file import SUFFIXES, Table
from seqtasks.data.series.tables import read_table
from seqtasks.data.source import Source
from seqtasks.data.splits import sample as sample_of

if TYPE_CHECKING:
    from pandas import DataFrame

StepKind = Literal["classes", "labels", "numbers"]
STEP_NAMES = [*TARGET_NAMES, "state", "status", "phase", "mode"]  # of one target, in lower case
PREFIXES = ("label_", "target_")  # of the names of several targets
FEW = 5  # series from which on some are held out whole; fewer are cut in time


@dataclass(frozen=True, eq=False)
class Stepwise:
    """Series of one split with their targets.

    Attributes:
        series: The series, without the targets.
        targets: float32 (time, targets) of each series, NaN where unknown; of classes their numbers.
    """

    series: SeriesSet
    targets: Segments

    def take(self, index: IntArray) -> Stepwise:
        """Some of the series."""
        return Stepwise(self.series.take(index), self.targets[index])


@dataclass(frozen=True, eq=False)
class StepwiseData:
    """Series with a target at each step, as a source has them.

    Attributes:
        parts: `train`, and `validation` and `test` where the source has them.
        kind: Kind of the targets.
        targets: Names of the targets.
        classes: Names of the classes, in the order of their numbers; empty: the targets are no classes.
        roles: Roles of the columns of a table, without the targets; None: another format.
        fingerprint: Digest of what was read.
        notes: What was guessed, one phrase each.
    """

    parts: dict[str, Stepwise]
    kind: StepKind
    targets: Sequence[str]
    classes: Sequence[str]
    roles: Roles | None
    fingerprint: str
    notes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class _File:
    """A file as it was read; the targets are the last channels."""

    parts: dict[str, SeriesSet]
    targets: list[str]
    kind: StepKind
    roles: Roles | None
    digest: str
    notes: Sequence[str] = ()


def load_stepwise(
    source: Source, columns: Columns, targets: Sequence[str] = (), kind: StepKind | None = None
) -> StepwiseData:
    """Loads series with targets at each step.

    Args:
        source: A long table, an `.npz` file with `y` (rows, time) or (rows, time, targets); or a folder with a file for
            each split.
        columns: What is known about the other columns of a table.
        targets: Columns of targets; empty: guessed.
        kind: What the targets are; None: several columns of 0 and 1 are labels, other numbers with fractions or more
            than 20 values are numbers, and all else is a class.

    Raises:
        DataError: Missing files or columns, or bad targets; the message names file, series, step and column.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "pump.csv"
        >>> _ = path.write_text("id,t,flow,state\\n1,0,2.5,off\\n1,1,3.5,on\\n2,0,7.5,\\n2,1,8.5,on\\n")
        >>> data = load_stepwise(Source("files", str(path), path), Columns())
        >>> data.kind, data.classes, data.parts["train"].targets.row(1)[:, 0].tolist()
        ('classes', ['off', 'on'], [nan, 1.0])
    """
    files = split_files(source)
    first = _read(files["train"], columns, list(targets), kind)
    sets, digests = dict(first.parts), [first.digest]
    for part, path in files.items():
        if part == "train":
            continue
        read = _read(path, first.roles or columns, first.targets, first.kind)
        if len(read.parts) > 1 or part in sets:
            raise DataError(
                f"{path} and {files['train']} both have splits; allowed: one file with all; remove the other"
            )
        sets[part] = read.parts["train"]
        digests.append(read.digest)
    for series in sets.values():
        if len(series.channels) != len(sets["train"].channels):
            raise DataError(
                f"{series.path} has {len(series.channels)} columns of measurements and targets, but the training "
                f"series have {len(sets['train'].channels)}; allowed: the same in all splits; correct the files"
            )
    count, classes = len(first.targets), _classes(sets, first)
    parts = {part: divided(sets[part], count, first.kind, classes) for part in ENDINGS if part in sets}
    roles = None if first.roles is None else dataclasses.replace(
        first.roles, channels=first.roles.channels[: len(first.roles.channels) - count], coded=()
    )  # fmt: skip
    facts = json.dumps([digests, sorted(files), first.targets, first.kind, None if roles is None else roles.to_dict()])
    digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
    return StepwiseData(parts, first.kind, first.targets, classes, roles, digest, first.notes)


def read_stepwise(
    path: Path, roles: Roles | None, targets: Sequence[str], kind: StepKind, classes: Sequence[str]
) -> Stepwise:
    """The series of a file to predict; all of its targets are NaN if it has not the columns of the targets.

    Args:
        path: The file.
        roles: Roles of the columns in training, without the targets; None: another format.
        targets: Names of the targets.
        kind: What they are.
        classes: Names of the classes in training.

    Raises:
        DataError: The file cannot be read, or lacks a column.
    """
    count = len(targets)
    if path.suffix.lower() == ".npz":
        series = _npz(path, labelled=False)["train"]
        has_targets = bool(series.codes) or list(series.channels)[-count:] == list(targets)
    elif path.suffix.lower() not in SUFFIXES:
        raise _no_steps(path)
    else:
        table = Table(path)
        has_targets = set(targets) <= set(table.names)
        if roles is None:  # of a training file in another format
            roles = resolve(Columns(ignore=list(targets), labels="none"), table.sample, path, table.headed)
        series, *_ = read_table(path, _with_targets(roles, targets, kind) if has_targets else roles)
    if not has_targets:
        unknown = np.full((len(series.values.steps), count), np.nan, np.float32)
        return Stepwise(series, Segments(unknown, series.values.begins, series.values.lengths))
    return divided(series, count, kind, classes, strict=False)


def split_stepwise(
    data: StepwiseData, how: Literal["auto", "whole", "time"], limits: Mapping[str, int | None]
) -> tuple[dict[str, Stepwise], list[str]]:
    """Training, validation and test series; what the source does not give is held out.

    Args:
        data: All series.
        how: `whole`: whole series are held out, of groups if there are some; `time`: the last steps of each series;
            `auto`: whole series if there are five or more.
        limits: The most series of each split.

    Returns:
        The series of each split, and notes.
    """
    parts, notes = dict(data.parts), []
    missing = [part for part in ("test", "validation") if part not in parts]
    if missing and (how == "time" or (how == "auto" and len(parts["train"].series) < FEW)):
        train = parts["train"]
        shares = (0.8, 0.1, 0.1) if len(missing) == 2 else (0.9, 0.1, 0.0)
        made = splits.cut_in_time(train.series, shares)
        parts["train"] = _cut(train, made["train"])
        names = ("validation", "test") if len(missing) == 2 else tuple(missing)
        for name, held in zip(names, (made["validation"], made["test"]), strict=False):
            parts[name] = _cut(train, held)
        notes.append(f"the last {100 - round(100 * shares[0])} % of the steps of each series are held out")
        missing = []
    for part in missing:
        whole = parts["train"]
        numbered = dataclasses.replace(whole.series, rows=np.arange(len(whole.series)))
        kept, held, _ = splits.held_out(numbered, "number")
        assert kept.rows is not None and held.rows is not None
        parts["train"], parts[part] = whole.take(kept.rows), whole.take(held.rows)
    made_parts = {}
    for part in ("train", "validation", "test"):
        most = limits.get(part)
        rows = np.arange(len(parts[part].series))
        if most is not None and most < len(rows):
            rows = np.asarray(sample_of(len(rows), most))
        made_parts[part] = parts[part].take(rows)
    return made_parts, notes


def windows(part: Stepwise, steps: int, stride: int | None = None) -> Stepwise:
    """Cuts series into windows; no step is copied.

    Args:
        part: The series.
        steps: Steps of a window at most.
        stride: Steps from one window to the next; None: `steps`, so that each step is in one window.
    """
    stride = stride or steps
    index, begins, lengths = [], [], []
    for row, length in enumerate(part.series.values.lengths.tolist()):
        last = max(0, length - steps) if stride < steps else length - 1
        for begin in sorted({*range(0, last + 1, stride), *([last] if stride < steps else [])}):
            index.append(row)
            begins.append(begin)
            lengths.append(min(steps, length - begin))
    rows, skip, size = (np.array(numbers, np.int64) for numbers in (index, begins, lengths))
    chosen = part.take(rows)

    def cut(segments: Segments) -> Segments:
        return Segments(segments.steps, segments.begins + skip, size)

    series = chosen.series
    times = None if series.times is None else cut(series.times)
    series = dataclasses.replace(series, values=cut(series.values), times=times)
    return Stepwise(series, cut(chosen.targets))


def divided(series: SeriesSet, count: int, kind: StepKind, classes: Sequence[str], strict: bool = True) -> Stepwise:
    """Divides series whose last `count` channels are targets.

    Args:
        series: The series.
        count: Number of targets.
        kind: What they are.
        classes: Names of the classes in training.
        strict: Whether a class that training lacks is an error; else it is unknown.

    Raises:
        DataError: A label is neither 0 nor 1, or a class is not one of training.
    """
    steps, width = series.values.steps, len(series.channels) - count
    targets = np.asarray(steps[:, width:], np.float32)
    if kind == "classes":
        texts = _texts(series, series.channels[-1])
        number = {name: i for i, name in enumerate(classes)}
        table = np.array([number.get(text, -1) for text in texts.values()] or [-1], np.float32)
        code = np.array([*texts] or [np.nan], np.float32)
        at = np.clip(np.searchsorted(code, targets[:, 0]), 0, len(code) - 1)
        known = ~np.isnan(targets[:, 0])
        mapped = np.where(known, table[at], np.nan)
        if strict and (mapped == -1).any():
            step = int(np.argmax(mapped == -1))
            raise DataError(
                f"{_place(series, step)}, column {series.channels[-1]}: no training step has the label "
                f"{shown(texts[float(targets[step, 0])], 40)!r}; allowed: {listed(classes)}; add training series of "
                "that label, or remove the row"
            )
        targets = np.where(mapped == -1, np.nan, mapped)[:, None].astype(np.float32)
    elif kind == "labels":
        wrong = np.argwhere((targets != 0) & (targets != 1) & ~np.isnan(targets))
        if len(wrong):
            step, column = wrong[0].tolist()
            raise DataError(
                f"{_place(series, step)}, column {series.channels[width + column]}: the label is "
                f"{targets[step, column]:g}; allowed: 0 and 1, and empty fields where it is unknown; correct it, "
                "or set options.kind=numbers"
            )
    values = Segments(steps[:, :width], series.values.begins, series.values.lengths)
    kept = dataclasses.replace(series, values=values, channels=list(series.channels)[:width], codes={})
    return Stepwise(kept, Segments(targets, series.values.begins, series.values.lengths))


def _read(path: Path, columns: Columns | Roles, targets: list[str], kind: StepKind | None) -> _File:
    if path.suffix.lower() == ".npz":
        parts = _npz(path)
        series = parts["train"]
        count = len(targets) or _npz_targets(path)
        names = list(series.channels)[-count:]
        kind = kind or _kind_of(path, names, _sample(series, names))
        return _File(parts, names, kind, None, hashlib.sha256(path.read_bytes()).hexdigest()[:16])
    if path.suffix.lower() not in SUFFIXES:
        raise _no_steps(path)
    table, notes = Table(path), list[str]()
    if not targets:
        targets = _guessed(path, table.sample, columns)
        notes.append(f"options.target={targets[0] if len(targets) == 1 else '[' + ','.join(targets) + ']'}")
    for name in targets:
        if name not in table.names:
            raise DataError(
                f"{path} has no column {name!r}; {suggest(name, table.names)}; choose one with options.target"
            )
    sample = table.sample[targets]
    kind = _kind_of(path, targets, sample, kind)
    if isinstance(columns, Columns):
        known = dataclasses.replace(columns, ignore=(*columns.ignore, *targets), labels="none")
        roles = resolve(known, table.sample, path, table.headed)
        notes += roles.guessed
    else:
        roles = dataclasses.replace(
            columns, channels=columns.channels[: len(columns.channels) - len(targets)], coded=()
        )
    if roles.layout == "wide":
        raise DataError(
            f"{path} is a wide table, which has one target for a series; allowed: a row for each step; set "
            "options.layout=long"
        )
    roles = _with_targets(roles, targets, kind)
    series, roles, digest = read_table(path, roles)
    return _File({"train": series}, targets, kind, roles, digest, notes)


def _npz(path: Path, labelled: bool = True) -> dict[str, SeriesSet]:
    parts, _ = read_npz(path, labelled, stepwise=True)
    return parts


def _npz_targets(path: Path) -> int:
    with np.load(path, allow_pickle=False) as stored:
        y = stored["y" if "y" in stored.files else "y_train"]
    return 1 if y.ndim == 2 else int(y.shape[2])


def _with_targets(roles: Roles, targets: Sequence[str], kind: StepKind) -> Roles:
    """Roles with the targets as the last channels."""
    coded = tuple(targets) if kind == "classes" else ()
    return dataclasses.replace(roles, channels=(*roles.channels, *targets), coded=coded)


def _guessed(path: Path, sample: DataFrame, columns: Columns | Roles) -> list[str]:
    """The columns of targets as their names or values show them."""
    used = {*columns.channels, *([columns.id] if columns.id else []), *([columns.time] if columns.time else [])}
    used |= set(columns.ignore) if isinstance(columns, Columns) else set()
    names = [name for name in sample.columns if name not in used]
    if several := [name for name in names if name.lower().startswith(PREFIXES)]:
        return several
    lower = {name.lower(): name for name in reversed(names)}
    if name := next((lower[known] for known in STEP_NAMES if known in lower), None):
        return [name]
    raise DataError(
        f"{path} has no column that is clearly the target of a step; it has: {listed(sample.columns)}; name it with "
        "options.target, or several with options.target=[a,b]"
    )


def _kind_of(path: Path, names: Sequence[str], sample: DataFrame, kind: StepKind | None = None) -> StepKind:
    """Returns the kind of the targets, from the first rows of a table."""
    import pandas as pd

    numeric = {name: is_number(sample[name]) for name in names}
    texts = [name for name, number in numeric.items() if not number]
    if kind is None and len(names) == 1:
        values = pd.to_numeric(sample[names[0]], errors="coerce").dropna()
        single = bool(texts) or splits.kind_of([str(value) for value in values]) == "classes"
        kind = "classes" if single else "numbers"
    if kind == "classes" and len(names) > 1:
        raise DataError(
            f"{path}: options.kind=classes with the targets {listed(names)}; allowed: one column of classes; name it "
            "with options.target"
        )
    if kind != "classes" and texts:
        raise DataError(
            f"{path}, column {texts[0]}: the targets of {'several columns' if len(names) > 1 else 'options.kind'} are "
            "texts; allowed: 0 and 1, or numbers; name one column with options.target, or correct it"
        )
    if kind is not None:
        return kind
    values = pd.concat([pd.to_numeric(sample[name], errors="coerce") for name in names]).dropna()
    return "labels" if values.isin([0, 1]).all() else "numbers"


def _sample(series: SeriesSet, names: Sequence[str]) -> DataFrame:
    """Targets of the first steps as a table."""
    import pandas as pd

    columns = {}
    for i, name in enumerate(names):
        column = np.asarray(series.values.steps[:1000, len(series.channels) - len(names) + i])
        texts = _texts(series, name)
        columns[name] = [texts[float(x)] if name in series.codes and not np.isnan(x) else x for x in column]
    return pd.DataFrame(columns)


def _texts(series: SeriesSet, name: str) -> dict[float, str]:
    """The text of each number that a channel of classes has, in the order of the numbers."""
    if name in series.codes:
        return {float(i): text for i, text in enumerate(series.codes[name])}
    column = np.asarray(series.values.steps[:, list(series.channels).index(name)])
    return {float(value): f"{value:g}" for value in np.unique(column[~np.isnan(column)])}


def _classes(sets: Mapping[str, SeriesSet], file: _File) -> list[str]:
    """Names of the classes of the training series."""
    train, count = sets["train"], len(file.targets)
    column = train.values.steps[:, len(train.channels) - count :]
    if np.isnan(column).all():
        raise DataError(f"{train.path}, column {file.targets[0]}: no training step has a target; add some")
    if file.kind != "classes":
        return []
    names = sorted(_texts(train, file.targets[0]).values(), key=splits.natural_order)
    if len(names) < 2:
        raise DataError(
            f"{train.path}, column {file.targets[0]} has only the label {names[0]!r}; allowed: two or more for "
            "classes; name another column with options.target"
        )
    return names


def _cut(whole: Stepwise, series: SeriesSet) -> Stepwise:
    """A part of series in time, with its targets."""
    return Stepwise(series, Segments(whole.targets.steps, series.values.begins, series.values.lengths))


def _no_steps(path: Path) -> DataError:
    return DataError(
        f"{path} ends in {path.suffix!r}; allowed: {', '.join((*SUFFIXES, '.npz'))}, which have targets at each step; "
        "give such a file"
    )


def _place(series: SeriesSet, step: int) -> str:
    """File, series and step of a row of `values.steps`, for messages."""
    row = int(np.searchsorted(series.values.begins, step, side="right") - 1)
    inside = step - int(series.values.begins[row]) + 1
    return f"{series.path or 'the data'}, series {series.ids[row] if series.ids else row + 1}, step {inside}"
