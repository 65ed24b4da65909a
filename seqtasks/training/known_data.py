"""Facts that `seqtasks show` prints of a data set, kept in the cache folder as long as the data is unchanged.

Loading the data and counting what is in it needs the task, and with it Keras.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.core.files import write_text
from seqtasks.core.parsing import parse_json
from seqtasks.data.cache import cache_dir
from seqtasks.data.source import Source
from seqtasks.training import known_runs


@dataclass(frozen=True)
class KnownData:
    """A loaded data set in words, and the settings that were computed from it.

    Attributes:
        lines: Source, sizes and anomalies of the data.
        config: The resolved configuration, as `Config.to_dict` returns it.
    """

    lines: list[str]
    config: dict[str, Any]


def remember(data: KnownData, request: str, source: Source, asked: str, default: str | None) -> None:
    """Stores what is known of a data set; arguments as in `known_runs.remember`."""
    facts = known_runs.facts(request, source, asked, default)
    if facts is None:
        return
    path = _path(request)
    with contextlib.suppress(OSError):  # the file only saves time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(facts | dataclasses.asdict(data)) + "\n")


def recall(request: str, tfds_dir: str | None) -> KnownData | None:
    """Known facts about the data of a request; None if it was not loaded yet, or may have changed.

    Args:
        request: Digest of the command, see `known_runs.request_of`.
        tfds_dir: Value of `data.tfds_dir`.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        values = parse_json(_path(request).read_text(encoding="utf-8"))
        if values["request"] == request and known_runs.same_data(values, tfds_dir):
            return KnownData(list(values["lines"]), dict(values["config"]))
    return None


def _path(request: str) -> Path:
    return cache_dir() / f"shown-{request}.json"  # a name that `cache.clear` removes
