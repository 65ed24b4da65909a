"""Data sources: tensorflow-datasets, files, data sets inside other packages, or a built-in set.

This module does not import TensorFlow, not even to find data that is prepared.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtasks.core.errors import DataError
from seqtasks.core.parsing import parse_json


@dataclass(frozen=True)
class Source:
    """Data source of a run; result rows store it as text, such as `tfds:mnist`.

    Attributes:
        kind: `"tfds"` (tensorflow-datasets), `"files"`, `"builtin"`, or a package: `"aeon"`, `"statsmodels"`.
        name: Name in tensorflow-datasets, the folder as text, or name of the set in the package or of the built-in set.
        folder: Data folder of tensorflow-datasets, or folder of the files; None for a built-in set.
        limit: Maximum number of training examples and, if the source has a validation split, of validation
            examples (`data.limit`); None: all.
        limit_test: Maximum number of test examples (`data.limit_test`); None: all.

    Example:
        >>> from seqtasks import Source
        >>> source = Source("builtin", "digits", limit=100)
        >>> str(source), source.limits
        ('builtin:digits', {'train': 100, 'validation': 100, 'test': None})
    """

    kind: Literal["tfds", "files", "builtin", "aeon", "statsmodels"]
    name: str
    folder: Path | None = None
    limit: int | None = None
    limit_test: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def limits(self) -> dict[str, int | None]:
        """Maximum number of examples of each split; None: all."""
        return {"train": self.limit, "validation": self.limit, "test": self.limit_test}

    def whole(self) -> Source:
        """A copy without limits, for tasks that compose their examples of the data of the source."""
        return dataclasses.replace(self, limit=None, limit_test=None)


def data_dir(folder: str | None = None) -> Path:
    """The data folder of tensorflow-datasets: the given one, else `$TFDS_DATA_DIR`, else its default."""
    return Path(folder or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def prepared_folder(source: Source) -> Path | None:
    """The folder with the newest prepared version of a tfds source; None: no version is prepared."""
    assert source.folder is not None
    folder = source.folder / source.name
    # This file has the name of the default configuration of a set with several ones.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        folder /= str(parse_json((folder / ".config" / "metadata.json").read_text())["default_config_name"])
    versions = [
        info.parent for info in folder.glob("*/dataset_info.json") if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name)
    ]
    return max(versions, key=lambda path: tuple(map(int, path.name.split("."))), default=None)


def unavailable(source: Source, problem: str) -> DataError:
    """The error for a tfds source that is not prepared and cannot be downloaded.

    Args:
        source: The source.
        problem: Reason why it cannot be downloaded.
    """
    return DataError(
        f"{source} is not prepared in {source.folder} and {problem}; set TFDS_DATA_DIR or data.tfds_dir=… "
        "to a folder that has it, or use data.source=builtin"
    )
