"""Resolves a configuration: loads the data and computes the settings that depend on it."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

from seqtasks.core.config import Config, TrainConfig
from seqtasks.core.reporter import Reporter, held_messages
from seqtasks.data.resolve import resolve_source
from seqtasks.data.source import Source
from seqtasks.data.splits import Splits, limit
from seqtasks.task_types.base import Task

LONG = 20  # above this computed number of epochs, training stops early; no bundled task needs more on its large set
MOST_EPOCHS = 300  # maximum computed number of epochs, although tiny data then gets fewer updates than min_updates

# Function that returns the configuration for `source` and `size`: `config.resolve` with its other arguments fixed.
Plan = Callable[..., Config]


@dataclass(frozen=True)
class Resolved:
    """A run with its data, and a configuration in which no setting is left to compute.

    Attributes:
        task: Task with its options and the `spec` of the data.
        config: The configuration.
        splits: The data.
        source: Source of the data.
        computed: One line on the settings that were computed from the data.
    """

    task: Task
    config: Config
    splits: Splits
    source: Source
    computed: str


def resolve(config: Config, task_class: type[Task], reporter: Reporter, plan: Plan | None = None) -> Resolved:
    """Loads the data and computes the settings that depend on it.

    Args:
        config: Configuration as far as it is known without the data.
        task_class: Class of `config.task`.
        reporter: Prints the line that names the source.
        plan: Function that returns the configuration for a source and a size, including the sections of
            configuration files that apply to them; None: no section applies.

    Raises:
        SeqtasksError: Missing or damaged data, or settings that are not allowed.
    """
    plan = plan or (lambda **_: config)
    source = find(task_class(config.options), config, reporter)
    sourced = plan(source=str(source))
    task = task_class(sourced.options)
    with held_messages() as messages:
        splits = read(task, sourced, source)
        sized = plan(source=str(source), size=len(splits.train))
        again = sized.options != sourced.options
        if again:
            messages.clear()  # the second reading logs them, too
    if again:  # the vocabulary may depend on options; fast for small data
        task = task_class(sized.options)
        splits = read(task, sized, source)
    suited = _changed(config, sized)
    if sized.train.epochs is not None:
        return Resolved(task, sized, splits, source, suited)
    batches = task.batches(splits.train, sized.train.batch_size, shuffle=True, seed=sized.seed)
    train = with_epochs(sized.train, batches.batches_per_epoch)
    computed = (
        f"{train.epochs} epochs of {batches.batches_per_epoch:,} updates, for at least {train.min_updates:,} "
        f"(train.min_updates); batch size {train.batch_size}"
    )
    if train.early_stopping is not None:
        computed += f"; stops after {train.early_stopping} epochs without improvement"
    computed += f"; {suited}" if suited else ""
    return Resolved(task, dataclasses.replace(sized, train=train), splits, source, computed)


def _changed(before: Config, after: Config) -> str:
    """The settings from sections for the source or the size, as a user would type them."""
    new, old = after.flat(), before.flat()
    changed = [f"{key}={value}" for key, value in new.items() if old.get(key) != value and key != "train.min_updates"]
    return f"settings for this data source or size: {' '.join(changed)}" if changed else ""


def with_epochs(train: TrainConfig, batches_per_epoch: int) -> TrainConfig:
    """Sets the number of epochs, if unset: the fewest with `min_updates` updates.

    At most `MOST_EPOCHS`.

    If these are more than `LONG`, `early_stopping` is set to a quarter of them, at least 10, unless it is set.

    Args:
        train: Settings `train.*`.
        batches_per_epoch: Number of batches of an epoch.

    Example:
        >>> with_epochs(TrainConfig(min_updates=1000), batches_per_epoch=300).epochs
        4
    """
    if train.epochs is not None:
        return train
    epochs = min(MOST_EPOCHS, max(1, math.ceil(train.min_updates / batches_per_epoch)))
    stop = train.early_stopping
    if stop is None and epochs > LONG:
        stop = max(10, math.ceil(epochs / 4))
    return dataclasses.replace(train, epochs=epochs, early_stopping=stop)


def load(task: Task, config: Config, reporter: Reporter) -> Splits:
    """Finds and loads the task's data, and sets `task.spec`.

    Raises:
        DataError: Missing or damaged data.
    """
    return read(task, config, find(task, config, reporter))


def find(task: Task, config: Config, reporter: Reporter) -> Source:
    """The source for `data.source`, with the limits `data.limit` and `data.limit_test`.

    Raises:
        ConfigError: Unknown source.
        DataError: The source does not exist.
    """
    source = resolve_source(
        config.data.source,
        tfds=task.tfds,
        files=task.files,
        builtin=task.builtin,
        packages=task.packages,
        tfds_dir=config.data.tfds_dir,
        announce=reporter.say,
    )
    return dataclasses.replace(source, limit=config.data.limit, limit_test=config.data.limit_test)


def read(task: Task, config: Config, source: Source) -> Splits:
    """Loads the task's data, applies the limits, and sets `task.spec`.

    Raises:
        DataError: Damaged data, or too few examples.
    """
    splits = task.load(source, config.seed)
    if source.limit is not None or source.limit_test is not None:
        if task.limits_examples:  # the reader did not apply the limits itself, as it builds no vocabulary
            splits = limit(splits, source.limit, source.limit_test)
        text = f"{splits.fingerprint} limit {source.limit} limit_test {source.limit_test}"
        splits = dataclasses.replace(splits, fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16])
    task.spec = splits.spec
    return dataclasses.replace(splits, spec=task.spec)
