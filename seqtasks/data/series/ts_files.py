"""`.ts` files of the UEA and UCR archives of time series, read without another package."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import DataError
from seqtasks.core.files import shown
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import FINITE, Kind, SeriesSet, check_times, finite
from seqtasks.data.text.reader import iter_lines

_MARKS = re.compile(r"[:()]")
_STAMPED = re.compile(r"\(([^,()]*),([^()]*)\)")


def read_ts(path: Path) -> tuple[SeriesSet, Kind | None, str]:
    """Reads a `.ts` file: `@` lines of facts, then a line for each series.

    Channels stand between colons, their values between commas, `?` or `NaN` where missing; with `@timeStamps true`
    a step is `(time,value)`. The last part of a line is the class or the number to predict.

    Args:
        path: The file.

    Returns:
        The series; whether the targets are classes or numbers, None without targets; a digest of the file.

    Raises:
        DataError: The file has no `@data`, no series, text among the values, or a class that its header lacks.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "two.ts"
        >>> _ = path.write_text("@classLabel true a b\\n@data\\n1,2,3:4,5,6:a\\n7,?:8,9:b\\n")
        >>> series, kind, _ = read_ts(path)
        >>> series.values.lengths.tolist(), series.channels, series.targets, kind
        ([3, 2], ['1', '2'], ['a', 'b'], 'classes')
    """
    facts: dict[str, list[str]] = {}
    rows: list[FloatArray] = []
    clocks: list[FloatArray] = []
    targets: list[str] = []
    lines: list[int] = []
    kind: Kind | None = None
    stamped, data = False, False
    known: dict[str, None] = {}  # names of the classes
    for number, line in enumerate(iter_lines(path), 1):
        text = line.strip()
        if not text or text[0] in "#%":
            continue
        if not data:
            if not text.startswith("@"):
                raise _error(path, number, f"{shown(text, 40)!r} comes before @data", "facts that begin with @")
            name, *words = text[1:].split() or [""]
            facts[name.lower()] = words
            data = name.lower() == "data"
            known = dict.fromkeys(facts.get("classlabel", [])[1:])
            stamped = _true(facts.get("timestamps"))
            kind = (
                "classes" if _true(facts.get("classlabel")) else "number" if _true(facts.get("targetlabel")) else None
            )
            continue
        parts = _channels(text) if stamped else text.split(":")
        if kind is not None:
            parts, target = parts[:-1], parts[-1].strip()
            if not parts or not target or (kind == "classes" and known and target not in known):
                allowed = f"one of {', '.join(known)}" if known else "a target"
                raise _error(path, number, f"the target is {shown(target, 40)!r}", f"{allowed} after the last colon")
            targets.append(target)
        channels = [_stamped(path, number, i, part) if stamped else (None, _values(path, number, i, part))
                    for i, part in enumerate(parts, 1)]  # fmt: skip
        sizes = [len(values) for _, values in channels]
        if len(set(sizes)) > 1 or (rows and len(channels) != rows[0].shape[1]):
            problem = f"channels of {', '.join(map(str, sorted(set(sizes))))} steps" if len(set(sizes)) > 1 else (
                f"{len(channels)} channels, but the first series has {rows[0].shape[1]}"
            )  # fmt: skip
            raise _error(path, number, problem, "channels of one length, as many in each series")
        row = np.stack([values for _, values in channels], axis=1)
        present = np.flatnonzero(~np.isnan(row).all(axis=1))
        if not len(present):
            raise _error(path, number, "the series has no value", "one value at least")
        rows.append(row[: present[-1] + 1])
        if channels[0][0] is not None:
            clocks.append(channels[0][0][: present[-1] + 1])
        lines.append(number)
    if not rows:
        problem = "has no line below @data" if data else "has no line @data"
        raise DataError(f"{path} {problem}; allowed: a line for each series below it; add some")
    values = Segments.stack(rows)
    series = SeriesSet(
        values,
        [str(i + 1) for i in range(rows[0].shape[1])],
        Segments.stack(clocks, "float64") if clocks else None,
        [str(number) for number in range(1, len(rows) + 1)],
        targets if kind is not None else None,
        path=path,
        rows=np.array(lines, np.int64),
    )
    if series.times is not None:
        irregular = check_times(series.times, series, "time", lambda i, step: lines[i])
        series = dataclasses.replace(series, irregular=irregular)
    return series, kind, hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _true(words: list[str] | None) -> bool:
    return bool(words) and words is not None and words[0].lower() == "true"


def _channels(text: str) -> list[str]:
    """Splits a line at its colons, but not inside parentheses, where they belong to a time.

    In one pass from the end: a regular expression that looks ahead takes the square of the length.
    """
    parts, end, inside = [], len(text), False
    for mark in reversed(list(_MARKS.finditer(text))):
        if mark[0] != ":":
            inside = mark[0] == ")"
        elif not inside:
            parts.append(text[mark.end() : end])
            end = mark.start()
    return [text[:end], *reversed(parts)]


def _values(path: Path, line: int, channel: int, text: str) -> FloatArray:
    fields = [field.strip() for field in text.split(",")]
    try:
        numbers = [np.nan if field in ("?", "NaN", "nan", "") else float(field) for field in fields]
    except ValueError:
        wrong = next((field for field in fields if not _is_number(field)), "")
        raise _error(
            path,
            line,
            f"channel {channel}: {shown(wrong, 40)!r} is not a number",
            "numbers, and ? where one is missing",
        ) from None
    return finite(numbers, lambda i, problem: _error(path, line, f"channel {channel}: {problem}", FINITE))


def _stamped(path: Path, line: int, channel: int, text: str) -> tuple[FloatArray, FloatArray]:
    pairs = _STAMPED.findall(text)
    values = _values(path, line, channel, ",".join(value for _, value in pairs))
    times = [time.strip() for time, _ in pairs]
    try:
        if all(map(_is_number, times)):
            steps = np.array(times, np.float64)
        else:
            dates = np.array(times, "datetime64[ms]")
            steps = np.where(np.isnat(dates), np.nan, dates.astype(np.float64) / 1000)
    except ValueError:
        raise _error(path, line, f"channel {channel}: a time is neither number nor date", "numbers or dates") from None
    if not np.isfinite(steps).all():
        wrong = times[int(np.flatnonzero(~np.isfinite(steps))[0])]
        raise _error(path, line, f"channel {channel}: the time {shown(wrong, 40)!r} is not finite", "numbers or dates")
    return steps, values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("?", "")
    return True


def _error(path: Path, line: int, problem: str, allowed: str) -> DataError:
    return DataError(f"{path}, line {line}: {problem}; allowed: {allowed}; correct the file")
