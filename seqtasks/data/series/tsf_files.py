"""`.tsf` files of the Monash archive of series to forecast, read without another package."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.core.files import shown
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import FINITE, SeriesSet, finite
from seqtasks.data.text.reader import iter_lines

# Frequencies of the archive as pandas names them.
OFFSETS = {
    "yearly": "YS",
    "quarterly": "QS",
    "monthly": "MS",
    "weekly": "7D",
    "daily": "D",
    "hourly": "h",
    "half_hourly": "30min",
    "10_minutes": "10min",
    "minutely": "min",
    "4_seconds": "4s",
}


def read_tsf(path: Path) -> tuple[SeriesSet, str]:
    """Reads a `.tsf` file: `@` lines of facts, then a line `name:start:value,value,…` for each series.

    Where there are a frequency and starts, steps have times: the start, and then one step of the frequency each.

    Args:
        path: The file.

    Returns:
        The series, and a digest of the file.

    Raises:
        DataError: The file has no `@data`, no series, or text among the values.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "two.tsf"
        >>> _ = path.write_text("@attribute series_name string\\n@data\\nT1:1,2,?\\nT2:4,5\\n")
        >>> series, _ = read_tsf(path)
        >>> series.ids, series.values.lengths.tolist()
        (['T1', 'T2'], [3, 2])
    """
    attributes: list[str] = []
    frequency, data = "", False
    names: list[str] = []
    starts: list[str] = []
    rows: list[np.ndarray] = []
    lines: list[int] = []
    for number, line in enumerate(iter_lines(path), 1):
        text = line.strip()
        if not text or text[0] == "#":
            continue
        if not data:
            if not text.startswith("@"):
                raise _error(path, number, f"{shown(text, 40)!r} comes before @data", "facts that begin with @")
            word, *words = text[1:].split() or [""]
            if word.lower() == "attribute" and words:
                attributes.append(words[0])
            elif word.lower() == "frequency" and words:
                frequency = words[0].lower()
            data = word.lower() == "data"
            continue
        fields = text.split(":")
        if len(fields) != len(attributes) + 1:
            allowed = f"{len(attributes)} attributes and the values, with colons between"
            raise _error(path, number, f"the line has {len(fields)} fields", allowed)
        facts = dict(zip(attributes, fields, strict=False))
        names.append(facts.get("series_name", str(len(names) + 1)))
        starts.append(facts.get("start_timestamp", ""))
        rows.append(_values(path, number, fields[-1]))
        lines.append(number)
    if not rows:
        problem = "has no line below @data" if data else "has no line @data"
        raise DataError(f"{path} {problem}; allowed: a line for each series below it; add some")
    times = None
    if frequency in OFFSETS and all(starts):
        times = Segments.stack(
            [_times(path, line, start, len(row), frequency)
             for line, start, row in zip(lines, starts, rows, strict=True)],
            "float64",
        )  # fmt: skip
    series = SeriesSet(
        Segments.stack([row[:, None] for row in rows]),
        ["value"],
        times,
        names,
        path=path,
        rows=np.array(lines, np.int64),
        dated=times is not None,
    )
    return series, hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _values(path: Path, line: int, text: str) -> np.ndarray:
    fields = [field.strip() for field in text.split(",")]
    numbers = []
    for field in fields:
        try:
            numbers.append(np.nan if field in ("?", "NaN", "nan") else float(field))
        except ValueError:
            raise _error(path, line, f"{shown(field, 40)!r} is not a number", "numbers, and ? where one is missing"
                         ) from None  # fmt: skip
    return finite(numbers, lambda i, problem: _error(path, line, problem, FINITE))


def _times(path: Path, line: int, start: str, count: int, frequency: str) -> np.ndarray:
    import pandas as pd

    try:
        begin = pd.to_datetime(start, format="%Y-%m-%d %H-%M-%S", utc=True)
    except ValueError:
        raise _error(path, line, f"the start {shown(start, 40)!r} is no date", "YYYY-MM-DD HH-MM-SS") from None
    # A start inside a period: a date_range would move it to the next one.
    months = {"yearly": 12, "quarterly": 3, "monthly": 1}.get(frequency)
    if months is None:
        dates = pd.date_range(begin, periods=count, freq=OFFSETS[frequency])
    else:
        dates = pd.DatetimeIndex([begin + pd.DateOffset(months=months * i) for i in range(count)])
    return np.asarray((dates - pd.Timestamp(0, tz="UTC")).total_seconds(), np.float64)


def _error(path: Path, line: int, problem: str, allowed: str) -> DataError:
    return DataError(f"{path}, line {line}: {problem}; allowed: {allowed}; correct the file")
