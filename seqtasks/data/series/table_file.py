"""A table on disk, CSV, TSV or Parquet: its columns, a sample of its rows, and all its rows in chunks."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtasks.core.errors import DataError, listed
from seqtasks.data.series.columns import MISSING, Roles
from seqtasks.data.tables import separator_of

if TYPE_CHECKING:
    from pandas import DataFrame

SUFFIXES = (".csv", ".tsv", ".parquet")
CHUNK = 1 << 21  # numbers of a chunk
SAMPLE = 1000  # rows from which the roles of columns are guessed, but fewer of a table with many columns
CELLS = 500_000  # fields of these rows, at most
_DECIMAL_COMMA = re.compile(r"^\s*([-+]?\d*),(\d+(?:[eE][-+]?\d+)?)\s*$")


class Table:
    """A table on disk.

    Args:
        path: A CSV, TSV or Parquet file.

    Raises:
        DataError: Another suffix, no row, or a file that cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        self.suffix = path.suffix.lower()
        if self.suffix not in SUFFIXES:
            raise DataError(f"{path} ends in {path.suffix!r}; allowed: {', '.join(SUFFIXES)}; give such a file")
        self.names: list[str] = []
        self.headed = True
        self.separator, self.decimal = ",", "."
        with _readable(path):
            self.sample = self._parquet_sample() if self.suffix == ".parquet" else self._csv_sample()

    def chunks(self, roles: Roles, times: str | None) -> Iterator[DataFrame]:
        """The rows of the table in chunks.

        Args:
            roles: Roles of the columns; others are not read.
            times: Column of times that is read as text; None: it has numbers, or there is none.
        """
        texts = [*roles.texts, *([times] if times else [])]
        needed = list(dict.fromkeys([*texts, *([roles.time] if roles.time else []), *roles.numbers]))
        rows = max(1, min(200_000, CHUNK // max(1, len(needed))))
        with _readable(self.path):
            if self.suffix == ".parquet":
                for batch in _parquet(self.path).iter_batches(batch_size=rows, columns=needed):
                    yield batch.to_pandas()
                return
            import pandas as pd

            missing = dict.fromkeys([name for name in needed if name not in texts], MISSING)
            with pd.read_csv(
                self.path,
                sep=self.separator,
                decimal=self.decimal,
                names=self.names,
                header=0 if self.headed else None,
                usecols=None,
                index_col=False,
                dtype=dict.fromkeys(texts, str),
                keep_default_na=False,
                na_values=missing,
                skipinitialspace=True,
                encoding="utf-8-sig",
                chunksize=rows,
            ) as reader:
                for frame in reader:
                    frame = frame[needed]
                    # `decimal` holds for columns of numbers; a target may be a number, too, and is read as text.
                    yield frame.replace(_DECIMAL_COMMA, r"\1.\2", regex=True) if self.decimal == "," else frame

    @property
    def _rows(self) -> int:
        """Number of rows of the sample."""
        return max(20, min(SAMPLE, CELLS // max(1, len(self.names))))

    def _csv_sample(self) -> DataFrame:
        import pandas as pd

        with self.path.open(encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip(" \r\n")), "")
            self.separator = separator = separator_of(self.path, first.rstrip("\r\n"))
            file.seek(0)
            lines = csv.reader(file, delimiter=separator, skipinitialspace=True)
            rows = list(itertools.islice((row for row in lines if any(field.strip() for field in row)), 2))
        if not rows:
            raise DataError(f"{self.path} is empty; allowed: a header and rows of numbers; fill it")
        self.headed = not all(_is_number(text) for text in rows[0])
        self.names = [name.strip() for name in rows[0]] if self.headed else [str(i) for i in range(len(rows[0]))]
        if repeated := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise DataError(
                f"{self.path}, row 0: the header has {self.names.count(repeated[0])} columns named {repeated[0]!r}; "
                "allowed: each name once; rename them"
            )
        if self.headed and len(rows) < 2:
            raise DataError(f"{self.path} has no row below its header {listed(self.names)}; add some")
        if len(rows) > 1 and len(rows[1]) > len(self.names):
            raise DataError(
                f"{self.path}, row 1: {len(rows[1])} fields, but the header has {len(self.names)}; allowed: as many "
                "fields as columns; correct the file"
            )
        frame = pd.read_csv(
            self.path, sep=separator, names=self.names, header=0 if self.headed else None, index_col=False, dtype=str,
            nrows=self._rows, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig",
        )  # fmt: skip
        frame = frame.fillna("")
        if separator != "," and frame.apply(lambda column: column.str.fullmatch(_DECIMAL_COMMA).any()).any():
            self.decimal = ","
            frame = frame.replace(_DECIMAL_COMMA, r"\1.\2", regex=True)
        return frame

    def _parquet_sample(self) -> DataFrame:
        file = _parquet(self.path)
        self.names = [str(name) for name in file.schema_arrow.names]
        first = next(file.iter_batches(batch_size=self._rows), None)
        if first is None or not first.num_rows:
            raise DataError(f"{self.path} has no row; allowed: a row for each step or series; add some")
        return first.to_pandas()


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns the errors of pandas, pyarrow and the file system into a DataError that names the file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        if not isinstance(error, ValueError | OSError | csv.Error) and not type(error).__module__.startswith("pyarrow"):
            raise
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise DataError(
            f"{path} cannot be read: {reason or type(error).__name__}; allowed: a table in UTF-8 with as many fields "
            "in each row as columns; correct the file"
        ) from error


def _parquet(path: Path) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DataError(
            f"{path} is a Parquet file, and pyarrow is not installed; allowed without it: .csv, .tsv; run pip install "
            "'seqtasks[series]'"
        ) from error
    return ParquetFile(path)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text.strip() or text.strip() in MISSING
    return True
