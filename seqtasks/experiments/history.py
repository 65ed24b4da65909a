"""History of a run: the values of each epoch, `history.csv`, and the epoch whose weights were kept."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqtasks.core.errors import RunError
from seqtasks.experiments.results import Row


def read_history(folder: Path) -> list[dict[str, float]]:
    """Loads the values of each epoch of a run.

    Args:
        folder: Run folder.

    Raises:
        RunError: `history.csv` is missing or damaged, or has no epoch.
    """
    path = folder / "history.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise RunError(f"cannot read {path}: {reason}; give a run that was trained for one epoch or more") from error
    if not rows:
        raise RunError(f"{path} has no epoch; allowed: one or more; continue the run with seqtasks resume {folder}")
    return rows


def best_epoch(row: Row, history: Sequence[Mapping[str, float]]) -> int | None:
    """The epoch whose weights were kept: the one with the validation values of the result.

    Args:
        row: Result row of the run.
        history: Values of each epoch.

    Returns:
        Number of the epoch; None if no epoch has these values.
    """
    for epoch in history:
        values = {key.removeprefix("val_"): value for key, value in epoch.items() if key.startswith("val_")}
        if values and values.keys() <= row.validation.keys():
            near = (math.isclose(value, row.validation[key], rel_tol=1e-6) for key, value in values.items())
            if all(near):
                return int(epoch["epoch"])
    return None
