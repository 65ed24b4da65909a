"""Series with marked steps: normal ones to train on, and a test part in which anomalies may be marked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import DataError, listed, suggest
from seqtasks.core.files import shown
from seqtasks.data.series import load as files
from seqtasks.data.series.columns import NONE, Columns, Roles
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import FINITE, SeriesSet, finite
from seqtasks.data.series.table_file import SUFFIXES, Table
from seqtasks.data.series.tables import read_table
from seqtasks.data.source import Source
from seqtasks.data.text.reader import iter_lines

LABEL_NAMES = ["is_anomaly", "is_outlier", "is_attack", "label"]  # also without is_
NORMAL, ANOMALY, UNJUDGED = 0, 1, -1
TEXTS = (".txt",)  # the numbers of one series, as in the UCR anomaly archive
# Name of a file of the UCR anomaly archive: the last training step, the first and the last step of the anomaly.
_ARCHIVE = re.compile(r".*_(\d+)_(\d+)_(\d+)")


@dataclass(frozen=True, eq=False)
class Marked:
    """Series of one split with a mark for each step.

    Attributes:
        series: The series. Their first steps may be known steps from before, which are only read.
        marks: int8 (time,) of each series: 1 at anomalies, 0 at normal steps, -1 at steps that are not judged.
    """

    series: SeriesSet
    marks: Segments

    def take(self, index: IntArray) -> Marked:
        """Some of the series."""
        return Marked(self.series.take(index), self.marks[index])


@dataclass(frozen=True, eq=False)
class MarkedData:
    """What a source has.

    Attributes:
        train: Normal series; steps that are marked as anomalies are not read in training.
        validation: The end of the training series, from which the threshold is computed.
        test: Series to score.
        labelled: Whether a column of marks was read.
        roles: Roles of the columns of a table, without the column of marks; None: another format.
        label: Name of the column of marks; None: there is none.
        fingerprint: Digest of what was read.
        notes: What was guessed or left out, one phrase each.
    """

    train: Marked
    validation: Marked
    test: Marked
    labelled: bool
    roles: Roles | None
    label: str | None
    fingerprint: str
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Cuts:
    """Where series are cut.

    Attributes:
        train_end: Training steps of each series of a file without a test file: a number of steps, or a share below 1.
            None: as the name of a file of the UCR anomaly archive has it, or else half of the steps.
        validation: Share of the training steps, the last ones, that are for validation.
        context: Steps before a part that are read with it but not judged.
        warm_up: First steps of a series that are not judged, where there are fewer known ones before them.
    """

    train_end: float | None = None
    validation: float = 0.2
    context: int = 100
    warm_up: int = 20


def load_marked(source: Source, columns: Columns, label: str | None, cuts: Cuts) -> MarkedData:
    """Loads normal series and series to score.

    A folder has a file of normal series, whose name ends in `train` (or `TRAIN_NA`, of normal series without
    anomalies), and one that ends in `test`. If each test series begins with the training series, these steps are known
    and not judged. A single file has both: the first steps of each series are for training, see `Cuts.train_end`.

    Args:
        source: A file, a folder, or a data set of another package.
        columns: What is known about the columns; targets of series are not read.
        label: Column of marks: 0 for normal steps, any other number for anomalies; None: guessed; `-`: there is none.
        cuts: Where series are cut.

    Raises:
        DataError: Missing files or columns, or series that are too short.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "pump.csv"
        >>> rows = "".join(f"{t},{t % 7},{int(80 < t < 84)}\\n" for t in range(100))
        >>> _ = path.write_text("time,flow,is_anomaly\\n" + rows)
        >>> data = load_marked(Source("files", str(path), path), Columns(labels="none"), None, Cuts(0.5))
        >>> [len(part.series.values.row(0)) for part in (data.train, data.validation, data.test)]
        [40, 50, 100]
        >>> data.label, int((data.test.marks.row(0) == ANOMALY).sum())
        ('is_anomaly', 3)
    """
    assert source.folder is not None
    paths = _paths(source)
    # Normal series need no column of marks.
    lacks = label is not None and "test" in paths and label not in _columns(paths["train"])
    series, marks, roles, name, digest = _read(paths["train"], columns, NONE if lacks else label)
    notes = [f"options.label={name}"] if name is not None and label is None else []
    digests, known = [digest], series
    if "test" in paths:
        test, test_marks, _, test_name, digest = _read(paths["test"], columns if roles is None else roles, label)
        digests.append(digest)
        if test.channels != series.channels and len(test.channels) != len(series.channels):
            raise DataError(
                f"{paths['test']} has the channels {listed(test.channels)}, but {paths['train']} has "
                f"{listed(series.channels)}; allowed: the same in both; correct the files"
            )
        name = name or test_name
        skip = _known_steps(known, test)
        if skip.any():
            notes.append(f"the test series begin with the {int(skip.max()):,} training steps, which are not judged")
        context = np.minimum(skip, cuts.context)
        test_part = _part(test, test_marks, skip - context, test.values.lengths, np.maximum(context, cuts.warm_up))
        ends = series.values.lengths
    else:
        ends = _train_ends(series, paths["train"], cuts.train_end)
        context = np.minimum(ends, cuts.context)
        test_part = _part(series, marks, ends - context, series.values.lengths, np.maximum(context, cuts.warm_up))
        notes.append(f"the first {', '.join(f'{n:,}' for n in np.unique(ends)[:3])} steps are for training")
    middle = np.floor(ends * (1 - cuts.validation) + 1e-9).astype(np.int64)
    if (middle < 2).any() or (ends - middle < 1).any():
        raise DataError(
            f"{series.path} has {int(ends.min())} training steps in a series; allowed: 10 or more; give more, or set "
            "options.train_end"
        )
    train = _part(series, marks, np.zeros_like(middle), middle)
    context = np.minimum(middle, cuts.context)
    validation = _part(series, marks, middle - context, ends, np.maximum(context, cuts.warm_up))
    count = sum(int((part.marks.steps == ANOMALY).sum()) for part in (train, validation))
    if count:
        notes.append(f"{count:,} training steps are marked as anomalies and are not trained on")
    facts = json.dumps([digests, None if roles is None else roles.to_dict(), name, dataclasses.astuple(cuts)])
    return MarkedData(
        train, validation, test_part, name is not None, roles, name,
        hashlib.sha256(facts.encode()).hexdigest()[:16], [*notes, *(() if roles is None else roles.guessed)],
    )  # fmt: skip


def read_marked(path: Path, roles: Roles | None, label: str | None) -> tuple[SeriesSet, Segments | None]:
    """The series of a file to score, and their marks if the file has the column of marks.

    Args:
        path: The file.
        roles: Roles of the columns in training; None: the training file was no table.
        label: Name of the column of marks; None: there was none.
    """
    if roles is None or path.suffix.lower() not in SUFFIXES:
        series, marks, *_ = _read(path, Columns(labels="none"), NONE)
        return series, None
    has_marks = label is not None and label in Table(path).names
    series, marks, *_ = _read(path, roles, label if has_marks else NONE)
    return series, marks if has_marks else None


def _read(
    path: Path, columns: Columns | Roles, label: str | None
) -> tuple[SeriesSet, Segments, Roles | None, str | None, str]:
    """Series, marks, roles without the column of marks, the name of that column, and a digest."""
    suffix, roles, name = path.suffix.lower(), None, None
    if suffix in TEXTS:
        series, digest = _numbers(path), hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    elif suffix in SUFFIXES:
        names = Table(path).names
        name = _label(path, names, columns, label)
        if name is not None and columns.channels:
            channels = tuple(dict.fromkeys([*columns.channels, name]))
            columns = dataclasses.replace(columns, channels=channels)
        series, roles, digest = read_table(path, columns)
    else:
        series = files.read_file(path, Columns(labels="none"))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    values = series.values
    if name is None:
        marks = Segments(np.zeros(len(values.steps), np.int8), values.begins, values.lengths)
        archive = _ARCHIVE.fullmatch(path.stem)
        if archive is not None and len(series) == 1 and label != NONE:
            first, last = (int(archive[n]) for n in (2, 3))
            marks.row(0)[first - 1 : last] = ANOMALY
            name = "the name of the file"
        return series, marks, roles, name, digest
    assert roles is not None
    if roles.layout == "wide":
        raise DataError(
            f"{path} is a wide table, which has no column of marks; allowed: a row for each step; set "
            "options.layout=long, or options.label=-"
        )
    if name not in series.channels:
        raise DataError(
            f"{path}: the column of marks {name!r} has no number; allowed: 0 and 1; fill it in, or choose another with "
            "options.label"
        )
    at = list(series.channels).index(name)
    keep = [i for i in range(len(series.channels)) if i != at]
    if not keep:
        raise DataError(f"{path} has only the column {name!r}; allowed: measurements beside it; add some")
    marked = np.nan_to_num(np.asarray(values.steps[:, at])) != 0
    marks = Segments(marked.astype(np.int8), values.begins, values.lengths)
    channels = tuple(series.channels[i] for i in keep)
    series = dataclasses.replace(
        series, values=Segments(values.steps[:, keep], values.begins, values.lengths), channels=list(channels)
    )
    guessed = tuple(text for text in roles.guessed if not text.startswith("channels: "))
    return series, marks, dataclasses.replace(roles, channels=channels, guessed=guessed), name, digest


def _label(path: Path, names: Sequence[str], columns: Columns | Roles, label: str | None) -> str | None:
    """The column of marks."""
    if label == NONE:
        return None
    if label is not None:
        if label not in names:
            raise DataError(
                f"{path} has no column {label!r}; {suggest(label, names)}; choose one with options.label, or "
                "options.label=- where nothing is marked"
            )
        return label
    used = set(columns.channels)
    lower = {name.lower(): name for name in reversed(names) if name not in used}
    known = (form for name in LABEL_NAMES for form in (name, name.removeprefix("is_")))
    return next((lower[form] for form in known if form in lower), None)


def _columns(path: Path) -> list[str]:
    """The columns of a table; none of another format."""
    return Table(path).names if path.suffix.lower() in SUFFIXES else []


def _numbers(path: Path) -> SeriesSet:
    """The series of a text of numbers, between spaces or line ends."""
    numbers = [np.zeros(0)]
    for line in iter_lines(path):
        if not (text := line.strip()):
            continue
        parsed: list[float] = []
        for field in text.split():  # `np.fromstring` of older NumPy stops at a damaged number without an error
            try:
                parsed.append(float(field))
            except ValueError:
                index = sum(map(len, numbers)) + len(parsed)
                raise _number_error(path, index, f"{shown(field, 40)!r} is not a number") from None
        numbers.append(np.array(parsed))
    joined = np.concatenate(numbers)
    if not len(joined):
        raise DataError(f"{path} is empty; allowed: numbers of one series; fill it")
    values = finite(joined, lambda i, problem: _number_error(path, i, problem))
    return SeriesSet(Segments.stack([values[:, None]]), ["value"], ids=["1"], path=path)


def _number_error(path: Path, index: int, problem: str) -> DataError:
    return DataError(f"{path}, number {index + 1}: {problem}; allowed: {FINITE}; correct the file")


def _paths(source: Source) -> dict[str, Path]:
    """The files of normal series and of those to score; a single file is `train`."""
    folder = source.folder
    assert folder is not None
    if folder.is_file():
        return {"train": folder}
    suffixes = (*SUFFIXES, *TEXTS, ".npz", ".ts") if source.kind == "files" else SUFFIXES
    every = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())
    if source.kind != "files":
        every = [path for path in every if path.stem.startswith(source.name)] or every
    if len(every) == 1:
        return {"train": every[0]}
    parts: dict[str, Path] = {}
    for part, endings in (("train", ("train_na", "train", "training")), ("test", ("test", "testing"))):
        for ending in endings:
            here = [path for path in every if re.search(rf"(^|[_-]){ending}$", path.stem.lower())]
            if len(here) == 1:
                parts.setdefault(part, here[0])
    if len(parts) < 2:
        raise DataError(
            f"{folder} has {listed([path.name for path in every]) or 'no file of series'}; needed: train.csv with "
            "normal series and test.csv, or one file alone; or give the path of one file"
        )
    return parts


def _train_ends(series: SeriesSet, path: Path, train_end: float | None) -> IntArray:
    lengths = series.values.lengths
    archive = _ARCHIVE.fullmatch(path.stem)
    if train_end is None:
        train_end = int(archive[1]) if archive is not None and len(series) == 1 else 0.5
    ends = np.floor(lengths * train_end + 1e-9) if train_end < 1 else np.full(len(series), train_end)
    ends = np.asarray(ends, np.int64)
    if (ends >= lengths).any():
        row = int(np.argmax(ends >= lengths))
        raise DataError(
            f"{series.place(row)}: the series has {int(lengths[row])} steps, and training ends at {int(ends[row])}; "
            "allowed: an end before that of the series; set options.train_end, or give a folder with train.csv and "
            "test.csv"
        )
    return ends


def _known_steps(train: SeriesSet, test: SeriesSet) -> IntArray:
    """How many steps at the beginning of each test series are the training series; 0 unless all of them are."""
    known = np.zeros(len(test), np.int64)
    if len(train) != len(test):
        return known
    for i in range(len(test)):
        before, row = train.values.row(i), test.values.row(i)
        if len(before) < len(row) and np.array_equal(before, row[: len(before)], equal_nan=True):
            known[i] = len(before)
    return known


def _part(
    series: SeriesSet, marks: Segments, begins: IntArray, ends: IntArray, unjudged: IntArray | None = None
) -> Marked:
    """Steps `begins` to `ends` of each series, whose first `unjudged` steps are not judged."""
    lengths = ends - begins
    values, times = series.values, series.times
    part = dataclasses.replace(
        series,
        values=Segments(values.steps, values.begins + begins, lengths),
        times=None if times is None else Segments(times.steps, times.begins + begins, lengths),
        rows=None if series.rows is None else series.rows + begins,
    )
    rows = []
    for i in range(len(series)):
        row = marks.row(i)[begins[i] : ends[i]].copy()
        if unjudged is not None:
            row[: min(unjudged[i], len(row) - 1)] = UNJUDGED
        rows.append(row)
    return Marked(part, Segments.stack(rows, "int8"))
