"""Settings of anomaly detection, and the facts about series that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seqtasks.core.settings import setting
from seqtasks.data.spec import Spec


@dataclass(frozen=True)
class AnomalyOptions:
    """The columns of a table, the training part, the model, and the threshold.

    Example:
        >>> from seqtasks.task_types import AnomalyOptions
        >>> AnomalyOptions(label="is_anomaly", train_end=0.3).method
        'predict'
    """

    id: str | None = setting(
        None, "column of series ids; null: guessed; -: there is none, and a table is one series", column=True
    )
    time: str | None = setting(None, "column of times; null: guessed; -: there is none", column=True)
    channels: tuple[str, ...] = setting(
        (), "columns of measurements; []: all columns of numbers without another role", column=True
    )
    ignore: tuple[str, ...] = setting((), "columns that are not read")
    label: str | None = setting(
        None,
        "column of marks, 0 at normal steps, another number at anomalies; null: guessed; -: there is none",
        column=True,
    )
    train_end: float | None = setting(
        None,
        "training steps of each series of a single file: a number of steps, or a share below 1; null: as the name of a "
        "file of the UCR anomaly archive has it, or else half",
        gt=0,
    )
    warm_up: int = setting(20, "number of first steps of a series that are not judged", ge=0)
    method: Literal["predict", "rebuild"] = setting(
        "predict", "what a model of normal series does: predict the next steps, or rebuild windows", affects_data=False
    )
    window: int = setting(
        100, "number of steps of a training window, and of a window to rebuild", ge=2, affects_data=False
    )
    horizon: int = setting(
        10, "number of next steps that are predicted at each step (method=predict)", ge=1, affects_data=False
    )
    code: int = setting(
        16, "size of the code from which a window is rebuilt (method=rebuild)", ge=1, affects_data=False
    )
    missing: Literal["mask", "forward"] = setting(
        "mask",
        "missing values: filled with the last value, and mask: an input that is 1 where a value was measured, or "
        "forward: nothing more",
        affects_data=False,
    )
    dropout: float = setting(0.0, "dropout rate on the outputs of the encoder", ge=0, lt=1, affects_data=False)
    smooth: int = setting(10, "number of steps whose scores are averaged, a step and those before it", ge=1)
    quantile: float = setting(
        0.999, "quantile of the scores of normal validation steps that is the threshold", gt=0, le=1
    )


@dataclass(frozen=True, kw_only=True)
class AnomalySpec(Spec):
    """Facts about normal series.

    Attributes:
        channels: Names of the channels.
        scaling: Means and standard deviations of the training series, see `seqtasks.data.series.scaling.Scaling`.
        measured: Numbers of the channels with an input that is 1 where a value was measured.
        irregular: Whether the time since the step before is an input.
        roles: Roles of the columns of a table, for prediction; None: another format.
        label: Column of marks; None: there is none.
        marked: Whether the test series have marked steps.
        counts: Number of judged steps of each split.

    Example:
        >>> from seqtasks.task_types import AnomalySpec
        >>> scaling = {"mean": [0.0], "sd": [1.0], "missing": [0.0]}
        >>> spec = AnomalySpec(channels=["flow"], scaling=scaling, measured=[], irregular=False, marked=True, counts={})
        >>> AnomalySpec.from_dict(spec.to_dict()) == spec
        True
    """

    channels: Sequence[str]
    scaling: Mapping[str, Any]
    measured: Sequence[int]
    irregular: bool
    roles: Mapping[str, Any] | None = field(default_factory=lambda: None)
    label: str | None = field(default_factory=lambda: None)
    marked: bool
    counts: Mapping[str, int]
