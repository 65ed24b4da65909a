"""Tables of series: CSV, TSV and Parquet, long or wide, read in chunks; large ones into mapped files.

A long table has a row for each step, and a column of series ids. A wide table has a row for each series, and a
column for each step (and channel: `x_0, x_1, …, y_0, y_1, …`). Files of more than `LARGE` bytes are converted once
and kept in the cache, from where their steps are mapped into memory.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np

from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.data.block_files import mapped
from seqtasks.data.cache import cache_dir, digest_of, file_of, stem_of
from seqtasks.data.series.columns import Columns, Roles, resolve
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.data.series.table_file import Table
from seqtasks.data.series.table_readers import LongReader, WideReader

LARGE = 64 << 20  # bytes of a file that is converted into mapped arrays
VERSION = 2  # of the entries in the cache
_log = logging.getLogger(__name__)


def read_table(path: Path, columns: Columns | Roles) -> tuple[SeriesSet, Roles, str]:
    """Reads the series of a table.

    Args:
        path: A CSV, TSV or Parquet file.
        columns: What is known about the columns; or the roles of another table, which must have the same.

    Returns:
        The series, the roles of the columns, and a digest of the content of the file.

    Raises:
        DataError: Missing columns, text in a column of numbers, times that go back or come twice, a target that
            changes within a series, no rows; the message names file, row and column.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "walks.csv"
        >>> _ = path.write_text("id,t,x,label\\na,0,1.5,up\\na,1,2.5,up\\nb,0,3.0,down\\n")
        >>> series, roles, _ = read_table(path, Columns())
        >>> series.ids, series.targets, series.values.lengths.tolist(), roles.channels
        (['a', 'b'], ['up', 'down'], [2, 1], ('x',))
    """
    table = Table(path)
    if isinstance(columns, Roles):
        roles = columns.applied(table.names, path, table.headed)
    else:
        roles = resolve(columns, table.sample, path, table.headed)
    digest = digest_of(path)
    large = path.stat().st_size >= LARGE
    stem = None
    if large:
        facts = json.dumps([VERSION, digest, roles.layout, roles.texts, roles.time, roles.numbers, len(roles.channels)])
        stem = stem_of(path.stem, facts)
        if (series := _stored(stem, path, roles)) is not None:
            return series, roles, digest
    try:
        series = _read(table, roles, stem)
    except OSError as error:
        _log.warning("the steps of %s cannot be kept in %s (%s); they stay in memory", path, cache_dir(), error)
        series = _read(table, roles, None)
    return series, roles, digest


def _read(table: Table, roles: Roles, stem: Path | None) -> SeriesSet:
    series = (LongReader if roles.layout == "long" else WideReader)(table, roles, stem).read()
    if stem is not None:
        _store(stem, series)
    return series


def _store(stem: Path, series: SeriesSet) -> None:
    """Writes all but the steps; last, so that an entry without it is not finished."""
    assert series.rows is not None
    facts = {
        "begins": series.values.begins.tolist(),
        "lengths": series.values.lengths.tolist(),
        "ids": list(series.ids),
        "targets": series.targets,
        "groups": series.groups,
        "statics": None if series.statics is None else series.statics.tolist(),
        "rows": series.rows.tolist(),
        "times": series.times is not None,
        "dated": series.dated,
        "irregular": series.irregular,
        "codes": {name: list(texts) for name, texts in series.codes.items()},
    }
    write_text(file_of(stem, "facts"), json.dumps(facts))


def _stored(stem: Path, path: Path, roles: Roles) -> SeriesSet | None:
    """The series of a table that was converted before; None: it was not."""
    try:
        facts = parse_json(file_of(stem, "facts").read_text(encoding="utf-8"))
        begins, lengths = (np.array(facts[name], np.int64) for name in ("begins", "lengths"))
        values = Segments(mapped(file_of(stem, "values")), begins, lengths)
        times = Segments(mapped(file_of(stem, "times")), begins, lengths) if facts["times"] else None
        statics = None if facts["statics"] is None else np.array(facts["statics"], np.float32)
        return SeriesSet(
            values, list(roles.channels), times, facts["ids"], facts["targets"], facts["groups"], statics,
            list(roles.statics), path, np.array(facts["rows"], np.int64), facts["dated"], facts["irregular"],
            facts["codes"],
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None
