"""Data sources: tensorflow-datasets, files, data sets inside other packages, or a built-in set.

Importing this module, and finding data that is already there, imports no TensorFlow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import re
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtasks.core.errors import DataError

# tensorflow-datasets downloads from many hosts; one of these two answers wherever there is a network.
HOSTS = ["https://storage.googleapis.com/", "https://raw.githubusercontent.com/"]


@dataclass(frozen=True)
class Source:
    """One place to read from; its text stands in every result row.

    Attributes:
        kind: which reader.
        name: the tfds name, the folder as text, the name of the set in another package, or of the built-in set.
        folder: the data folder of tensorflow-datasets, or the folder of files, also inside another package.
        limit: `data.limit`: the most training examples, and of a validation split of its own, that a reader returns.
        limit_test: `data.limit_test`: the same for the test split.
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
        """The most examples of each split."""
        return {"train": self.limit, "validation": self.limit, "test": self.limit_test}

    def whole(self) -> Source:
        """The same source without limits, for examples that are composed of what is read."""
        return dataclasses.replace(self, limit=None, limit_test=None)


def data_dir(given: str | None = None) -> Path:
    """The data folder of tensorflow-datasets: `given`, `$TFDS_DATA_DIR`, or its default."""
    return Path(given or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def prepared_folder(source: Source) -> Path | None:
    """The folder with the newest prepared version of a tfds source, found without importing tfds."""
    assert source.folder is not None
    folder = source.folder / source.name
    # A set with several configurations names its default one here.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        folder /= str(json.loads((folder / ".config" / "metadata.json").read_text())["default_config_name"])
    versions = [
        info.parent for info in folder.glob("*/dataset_info.json") if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name)
    ]
    return max(versions, key=lambda path: tuple(map(int, path.name.split("."))), default=None)


def network(timeout: float = 5.0) -> bool:
    """Whether a host that tensorflow-datasets downloads from answers, through the proxy if one is set.

    Never takes longer than `timeout` seconds: the probes run in daemon threads, because a
    hanging name lookup has no timeout of its own.
    """
    answers: queue.Queue[bool] = queue.Queue()

    def probe(url: str) -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout).close()
            answers.put(True)
        except urllib.error.HTTPError:
            answers.put(True)  # refused, but somebody is there
        except Exception:
            answers.put(False)  # no route, no name, a refusing proxy, an answer that is not HTTP

    for url in HOSTS:
        threading.Thread(target=probe, args=(url,), daemon=True).start()
    deadline = time.monotonic() + timeout
    try:
        return any(answers.get(timeout=max(0.0, deadline - time.monotonic())) for _ in HOSTS)
    except queue.Empty:
        return False


def unavailable(source: Source, problem: str) -> DataError:
    """The error for a tfds source that is neither prepared nor to be had."""
    return DataError(
        f"{source} is not prepared in {source.folder} and {problem}; set TFDS_DATA_DIR or data.tfds_dir=… "
        "to a folder that has it, or use data.source=builtin"
    )
