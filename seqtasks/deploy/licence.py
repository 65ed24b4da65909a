"""Licence of the data of a run, for what is given away with it."""

from __future__ import annotations

import json
from pathlib import Path

from seqtasks.data.source import data_dir

NOT_STATED = "not stated"


def licence_of(source: str, stated: str | None = None) -> str:
    """Licence of the data: as stated, or that of the prepared data set of tensorflow-datasets, or "not stated".

    Args:
        source: Data source of the run, such as "tfds:mnist".
        stated: Licence that the user states; None: none.

    Example:
        >>> licence_of("builtin:digits"), licence_of("tfds:mnist", "CC BY-SA 3.0")
        ('not stated', 'CC BY-SA 3.0')
    """
    if stated is not None or not source.startswith("tfds:"):
        return stated or NOT_STATED
    for file in sorted(Path(data_dir(), *source.removeprefix("tfds:").split("/")).rglob("dataset_info.json")):
        try:
            licence = json.loads(file.read_text(encoding="utf-8"))["redistributionInfo"]["license"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(licence, str) and licence:
            return licence
    return NOT_STATED
