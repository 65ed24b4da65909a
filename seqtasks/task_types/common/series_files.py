"""Parts that the task types of series share: inputs of batches, files to predict, and facts about missing values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from seqtasks.core.errors import DataError
from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.columns import Roles
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.sets import SeriesSet

IRREGULAR = "times are irregular, so that the time since the step before is an input"


class SeriesFacts(Protocol):
    """Facts about training series that a `Spec` stores and these functions read."""

    @property
    def channels(self) -> Sequence[str]: ...
    @property
    def scaling(self) -> Mapping[str, Any]: ...
    @property
    def measured(self) -> Sequence[int]: ...
    @property
    def irregular(self) -> bool: ...


def batch_inputs(spec: SeriesFacts) -> Inputs:
    """Returns the object that computes the arrays of batches."""
    return Inputs(Scaling.from_dict(spec.scaling), tuple(spec.measured), spec.irregular)


def missing_shares(channels: Sequence[str], scaling: Scaling) -> list[str]:
    """Returns name and share of missing training values of each channel that has any.

    Example:
        >>> missing_shares(["x", "y"], Scaling([0.0, 0.0], [1.0, 1.0], [0.0, 0.25]))
        ['y 25 %']
    """
    return [f"{name} {100 * share:.2g} %" for name, share in zip(channels, scaling.missing, strict=True) if share]


def stored_roles(path: Path, roles: Mapping[str, Any] | None) -> Roles | None:
    """Returns the roles of the columns of a file to predict, as the run stored them; None: it stored none.

    Raises:
        DataError: There is no such file.
    """
    if not path.is_file():
        raise DataError(f"{path} is {'a folder' if path.is_dir() else 'not there'}; give a file of series")
    return None if roles is None else Roles.from_dict(roles)


def check_channels(path: Path, series: SeriesSet, spec: SeriesFacts) -> None:
    """Checks that the series of a file have as many channels as those of training.

    Raises:
        DataError: They have not.
    """
    if len(series.channels) != len(spec.channels):
        raise DataError(
            f"{path} has {len(series.channels)} channels; allowed: {len(spec.channels)}, as in training: "
            f"{', '.join(spec.channels)}; give such a file"
        )


def check_times(path: Path, series: SeriesSet, spec: SeriesFacts) -> None:
    """Checks that the series of a file have times if those of training are irregular.

    Raises:
        DataError: They have not.
    """
    if spec.irregular and series.times is None:
        raise DataError(f"{path} has no times; needed: the time of each step, as in training; add them")
