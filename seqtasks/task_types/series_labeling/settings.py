"""Settings of tasks with targets at each step, and the facts about series that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seqtasks.core.settings import setting
from seqtasks.data.series.step_targets import (
    StepKind,
)
from seqtasks.data.spec import Spec


@dataclass(frozen=True)
class SeriesLabelingOptions:
    """The columns of a table, the targets of the steps, the split, and the model.

    Example:
        >>> from seqtasks.task_types import SeriesLabelingOptions
        >>> SeriesLabelingOptions(target=("pump", "valve")).kind
        'auto'
    """

    id: str | None = setting(
        None, "column of series ids; null: guessed; -: there is none, and a table is one series", column=True
    )
    time: str | None = setting(None, "column of times; null: guessed; -: there is none", column=True)
    target: tuple[str, ...] = setting((), "columns with the targets of each step; []: guessed", column=True)
    channels: tuple[str, ...] = setting(
        (), "columns of measurements; []: all columns of numbers without another role", column=True
    )
    group: str | None = setting(
        None, "column of groups, such as patients, that no split divides; null: none", column=True
    )
    ignore: tuple[str, ...] = setting((), "columns that are not read")
    kind: Literal["auto", "classes", "labels", "numbers"] = setting(
        "auto",
        "what the targets are: one of several classes, any number of labels of 0 and 1, or numbers; auto: several "
        "columns of 0 and 1 are labels, and a column with fractions or more than 20 whole values has numbers",
    )
    split: Literal["auto", "whole", "time"] = setting(
        "auto",
        "how validation and test are held out where the source has none; whole: whole series; time: the last steps of "
        "each; auto: whole series if there are five or more",
    )
    window: int = setting(200, "number of steps that longer series are cut into, in training and in scores", ge=2)
    missing: Literal["mask", "forward"] = setting(
        "mask",
        "missing values: filled with the last value, and mask: an input that is 1 where a value was measured, or "
        "forward: nothing more",
        affects_data=False,
    )
    noise: float = setting(
        0.0, "standard deviation of noise added to scaled steps in training", ge=0, affects_data=False
    )
    dropout: float = setting(0.0, "dropout rate on the outputs of the encoder", ge=0, lt=1, affects_data=False)


@dataclass(frozen=True, kw_only=True)
class SeriesLabelingSpec(Spec):
    """Facts about series and the targets of their steps.

    Attributes:
        channels: Names of the channels.
        scaling: Means and standard deviations of the training series, see `seqtasks.data.series.scaling.Scaling`.
        measured: Numbers of the channels with an input that is 1 where a value was measured.
        irregular: Whether the time since the step before is an input.
        roles: Roles of the columns of a table, for prediction; None: another format.
        kind: What the targets are: `classes`, `labels` or `numbers`.
        targets: Names of the targets.
        mean: Mean of each target in training; of classes empty.
        sd: Standard deviation of each target in training; of classes empty.
        classes: Names of the classes, in the order of their numbers; None: the targets are no classes.
        counts: Number of series of each split.

    Example:
        >>> from seqtasks.task_types import SeriesLabelingSpec
        >>> scaling = {"mean": [0.0], "sd": [1.0], "missing": [0.0]}
        >>> facts = {"channels": ["x"], "scaling": scaling, "measured": [], "irregular": False, "counts": {}}
        >>> spec = SeriesLabelingSpec(**facts, kind="labels", targets=["pump"], mean=[0.5], sd=[0.5])
        >>> SeriesLabelingSpec.from_dict(spec.to_dict()) == spec
        True
    """

    channels: Sequence[str]
    scaling: Mapping[str, Any]
    measured: Sequence[int]
    irregular: bool
    roles: Mapping[str, Any] | None = field(default_factory=lambda: None)
    kind: StepKind
    targets: Sequence[str]
    mean: Sequence[float]
    sd: Sequence[float]
    counts: Mapping[str, int]
