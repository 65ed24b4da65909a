"""Settings of tasks on whole series, and the facts about series that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seqtasks.core.settings import setting
from seqtasks.data.spec import Spec
from seqtasks.layers.pooling import How


@dataclass(frozen=True)
class SeriesOptions:
    """The columns of a table, the split, and the model of a series.

    Example:
        >>> from seqtasks.task_types import SeriesOptions
        >>> SeriesOptions(id="patient", target="outcome").missing
        'mask'
    """

    layout: Literal["auto", "long", "wide"] = setting(
        "auto", "layout of a table: long: a row for each step; wide: a row for each series"
    )
    id: str | None = setting(None, "column of series ids in a long table; null: guessed; -: there is none", column=True)
    time: str | None = setting(None, "column of times in a long table; null: guessed; -: there is none", column=True)
    target: str | None = setting(None, "column of the class or number to predict; null: guessed", column=True)
    channels: tuple[str, ...] = setting(
        (), "columns of measurements; []: all columns of numbers without another role", column=True
    )
    statics: tuple[str, ...] = setting(
        (), "columns of numbers that belong to a series as a whole, such as age", column=True
    )
    group: str | None = setting(None, "column of groups, such as patients, that no split divides; null: none")
    ignore: tuple[str, ...] = setting((), "columns that are not read")
    kind: Literal["auto", "classes", "number"] = setting(
        "auto", "what is predicted; auto: a number where targets have fractions or more than 20 whole values"
    )
    split: Literal["random", "time"] = setting(
        "random", "how validation and test series are held out where the source has none; time: the latest series"
    )
    missing: Literal["mask", "forward"] = setting(
        "mask",
        "missing values: filled with the last value, and mask: an input that is 1 where a value was measured, or "
        "forward: nothing more",
        affects_data=False,
    )
    class_weights: Literal["none", "balanced"] = setting(
        "none", "weights of the classes in the loss; balanced: rare ones count as much as frequent ones",
        affects_data=False,
    )  # fmt: skip
    join: int | None = setting(
        None,
        "number of steps joined into one time step; null: so many that the longest training series has at most 50",
        ge=1,
        affects_data=False,
    )
    noise: float = setting(
        0.0, "standard deviation of noise added to scaled steps in training", ge=0, affects_data=False
    )
    pooling: How = setting(
        "max", "pooling of the outputs over time; concat: last, mean and max concatenated", affects_data=False
    )
    dropout: float = setting(0.0, "dropout rate on the pooled outputs", ge=0, lt=1, affects_data=False)
    refit: bool = setting(
        True,
        "classes with fewer than 100 validation series, which choose nothing: train a second model, on training and "
        "validation series, and score and save it",
        affects_data=False,
        absent=False,
    )


@dataclass(frozen=True, kw_only=True)
class SeriesSpec(Spec):
    """Facts about series and their targets.

    Attributes:
        channels: Names of the channels.
        statics: Names of the static covariates.
        scaling: Means and standard deviations of the training series, see `seqtasks.data.series.scaling.Scaling`.
        measured: Numbers of the channels with an input that is 1 where a value was measured.
        irregular: Whether the time since the step before is an input.
        join: Number of steps that are joined into one time step.
        roles: Roles of the columns of a table, for prediction; None: another format.
        mean: Mean of the training targets, if they are numbers; else 0.
        sd: Standard deviation of the training targets, if they are numbers; else 1.
        weights: Weight of each class in the loss; None: no weights.
        classes: Names of the classes, in the order of their numbers; None: the targets are numbers.
        counts: Number of series of each split.

    Example:
        >>> from seqtasks.task_types import SeriesSpec
        >>> scaling = {"mean": [0.0], "sd": [1.0], "missing": [0.0]}
        >>> facts = {"channels": ["x"], "statics": [], "measured": [], "irregular": False, "join": 1, "counts": {}}
        >>> spec = SeriesSpec(**facts, scaling=scaling, mean=0.0, sd=1.0, classes=["down", "up"])
        >>> SeriesSpec.from_dict(spec.to_dict()) == spec
        True
    """

    channels: Sequence[str]
    statics: Sequence[str]
    scaling: Mapping[str, Any]
    measured: Sequence[int]
    irregular: bool
    join: int
    roles: Mapping[str, Any] | None = field(default_factory=lambda: None)
    mean: float
    sd: float
    weights: Sequence[float] | None = field(default_factory=lambda: None)
    counts: Mapping[str, int]
