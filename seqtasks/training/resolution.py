"""Resolves data, number of epochs, and sections for its source and size."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

from seqtasks.core.config import Config, TrainConfig
from seqtasks.core.reporter import Reporter
from seqtasks.data.resolve import resolve_source
from seqtasks.data.source import Source
from seqtasks.data.splits import Splits, limit
from seqtasks.task_types.base import Task

# More epochs than any bundled task makes on its large set: only then is a stop needed before the last one.
LONG = 20
MOST_EPOCHS = 300  # a tiny set gets fewer updates than min_updates rather than more epochs

# Gives the configuration for a source and a number of training examples: `config.resolve` with its first arguments.
Plan = Callable[..., Config]


@dataclass(frozen=True)
class Resolved:
    """A run whose settings are all numbers.

    Attributes:
        task: with its options, and with `spec` of the data.
        config: nothing in it is left to be computed.
        splits: the data.
        source: where it was read from.
        computed: the settings that follow from the data, for a person.
    """

    task: Task
    config: Config
    splits: Splits
    source: Source
    computed: str


def resolve(config: Config, task_class: type[Task], reporter: Reporter, plan: Plan | None = None) -> Resolved:
    """Reads the data and fills in what depends on it.

    Args:
        config: of the run, as far as it is known without the data.
        task_class: of `config.task`.
        reporter: receives the line that names the source.
        plan: gives the configuration again for a source and a size, with the sections of the
            files that apply to them; None: no section applies.

    Raises:
        SeqtasksError: missing or damaged data, settings that are not allowed.
    """
    plan = plan or (lambda **_: config)
    source = find(task_class(config.options), config, reporter)
    sourced = plan(source=str(source))
    task = task_class(sourced.options)
    splits = read(task, sourced, source)
    sized = plan(source=str(source), size=len(splits.train))
    if sized.options != sourced.options:  # they may decide the vocabulary; small data is read again at once
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
    """The settings that sections for the source or the size gave, as a user would type them."""
    new, old = after.flat(), before.flat()
    changed = [f"{key}={value}" for key, value in new.items() if old.get(key) != value and key != "train.min_updates"]
    return f"settings for this data source or size: {' '.join(changed)}" if changed else ""


def with_epochs(train: TrainConfig, batches_per_epoch: int) -> TrainConfig:
    """The settings with a number of epochs: the least that make `min_updates` updates, at most `MOST_EPOCHS`.

    Where these are more than `LONG`, training stops after a quarter of them without progress, unless
    `early_stopping` says otherwise.
    """
    if train.epochs is not None:
        return train
    epochs = min(MOST_EPOCHS, max(1, math.ceil(train.min_updates / batches_per_epoch)))
    stop = train.early_stopping
    if stop is None and epochs > LONG:
        stop = max(10, math.ceil(epochs / 4))
    return dataclasses.replace(train, epochs=epochs, early_stopping=stop)


def load(task: Task, config: Config, reporter: Reporter) -> Splits:
    """Finds and reads the task's data; stores its facts in `task.spec`.

    Raises:
        DataError: missing or damaged data.
    """
    return read(task, config, find(task, config, reporter))


def find(task: Task, config: Config, reporter: Reporter) -> Source:
    """The source that `data.source` names, with the limits of the configuration.

    Raises:
        ConfigError: an unknown source.
        DataError: it is not there.
    """
    source = resolve_source(
        config.data.source,
        tfds=task.tfds,
        files=task.files,
        builtin=task.builtin,
        tfds_dir=config.data.tfds_dir,
        announce=reporter.say,
    )
    return dataclasses.replace(source, limit=config.data.limit, limit_test=config.data.limit_test)


def read(task: Task, config: Config, source: Source) -> Splits:
    """Reads the task's data; stores its facts in `task.spec`.

    Raises:
        DataError: damaged data, or too little.
    """
    splits = task.load(source, config.seed)
    if source.limit is not None or source.limit_test is not None:
        if task.limits_examples:  # a reader that has no vocabulary to make need not look at the limit
            splits = limit(splits, source.limit, source.limit_test)
        text = f"{splits.fingerprint} limit {source.limit} limit_test {source.limit_test}"
        splits = dataclasses.replace(splits, fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16])
    task.spec = splits.spec
    return splits
