"""The space of a search: settings with a range `LOW..HIGH` or several values, from the words of a command."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from seqtasks.core.config import DataConfig, EncoderConfig, TrainConfig, split_override
from seqtasks.core.errors import ConfigError, listed
from seqtasks.core.settings import parse
from seqtasks.experiments.compare import expand

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})((?::[^:]*)*)")
_GROUPS: dict[str, type] = {"data": DataConfig, "encoder": EncoderConfig, "train": TrainConfig}


@dataclass(frozen=True)
class Range:
    """A setting that may have any number between two limits.

    Attributes:
        key: The setting.
        low: Smallest value.
        high: Largest value.
        log: Whether values are drawn evenly on a logarithmic scale.
        step: Distance between values; None: any value, for an integer 1.
        integer: Whether the setting is an integer.
    """

    key: str
    low: float
    high: float
    log: bool
    step: float | None
    integer: bool

    def draw(self, trial: Any) -> str:
        """The text of a value that an Optuna trial suggests."""
        if self.integer:
            step = 1 if self.step is None else int(self.step)
            return str(trial.suggest_int(self.key, int(self.low), int(self.high), step=step, log=self.log))
        return self.text(trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log))

    def text(self, value: float) -> str:
        """A value as it is typed, with at most four significant digits."""
        if self.integer:
            return str(int(value))
        return f"{min(max(float(f'{value:.4g}'), self.low), self.high):g}"

    def ends(self) -> list[str]:
        """The texts of the smallest and the largest value."""
        return [self.text(self.low), self.text(self.high)]

    def parameter(self, value: Any) -> float | None:
        """A value of the setting as a parameter of Optuna; None if it is outside the range."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        on_grid = abs(steps - round(steps)) < 1e-9
        return (int(value) if self.integer else float(value)) if on_grid else None


@dataclass(frozen=True)
class Choice:
    """A setting that has one of several values.

    Attributes:
        key: The setting.
        values: Its values, as they are typed.
    """

    key: str
    values: tuple[str, ...]

    def draw(self, trial: Any) -> str:
        """The text of a value that an Optuna trial suggests."""
        return str(trial.suggest_categorical(self.key, self.values))

    def ends(self) -> list[str]:
        """All values."""
        return list(self.values)

    def parameter(self, value: Any) -> str | None:
        """A value of the setting as a parameter of Optuna; None if it is none of the values."""
        return next((text for text in self.values if parse(text) == value), None)


@dataclass(frozen=True)
class Space:
    """Search space: settings that vary, and fixed ones.

    Attributes:
        axes: The settings that vary.
        fixed: Settings with one value, as `key=value`.
    """

    axes: tuple[Range | Choice, ...]
    fixed: tuple[str, ...] = ()

    def draw(self, trial: Any) -> list[str]:
        """All settings of an Optuna trial, as `key=value`."""
        return [*self.fixed, *(f"{axis.key}={axis.draw(trial)}" for axis in self.axes)]

    def corners(self) -> Iterator[list[str]]:
        """Yields settings in which each axis has each of its ends once, to check them before the search."""
        first = {axis.key: axis.ends()[0] for axis in self.axes}
        for axis in self.axes:
            for value in axis.ends():
                yield [*self.fixed, *(f"{key}={text}" for key, text in (first | {axis.key: value}).items())]

    def split(self, key: str) -> dict[str, Space]:
        """A space for each value of a setting, in which it is fixed.

        Args:
            key: A setting with several values.

        Raises:
            ConfigError: The setting is not one of the choices.
        """
        choices = {axis.key: axis for axis in self.axes if isinstance(axis, Choice)}
        if key not in choices:
            names = f" ({listed(choices)})" if choices else ""
            raise ConfigError(f"--per is {key!r}; allowed: a setting with several values{names}; give {key}=a,b")
        others = tuple(axis for axis in self.axes if axis.key != key)
        return {value: Space(others, (*self.fixed, f"{key}={value}")) for value in choices[key].values}


def parse_space(overrides: Sequence[str]) -> Space:
    """Parses the space of a search.

    Args:
        overrides: Words such as `encoder.units=32..512:log`, `encoder.dropout=0..0.5:step=0.1`,
            `encoder.cell=gru,lstm` and `train.epochs=5`.

    Raises:
        ConfigError: No setting varies, or a range or a list of values is not allowed.

    Example:
        >>> space = parse_space(["encoder.units=32..512:log", "encoder.cell=gru,lstm", "train.epochs=5"])
        >>> [axis.key for axis in space.axes], space.fixed
        (['encoder.units', 'encoder.cell'], ('train.epochs=5',))
    """
    axes: list[Range | Choice] = []
    fixed: list[str] = []
    seen: set[str] = set()
    for text in overrides:
        key, value = split_override(text)
        if key in seen:
            raise ConfigError(f"{key} is given twice; allowed: once; leave one out")
        seen.add(key)
        match = _RANGE.fullmatch(value.strip())
        if match:
            axes.append(_range(key, value, *match.groups()))
            continue
        if ".." in value and re.match(_NUMBER, value.strip()):
            raise ConfigError(
                f"{text} is not a range; allowed: LOW..HIGH, LOW..HIGH:log, LOW..HIGH:step=N; write such as {key}=1..8"
            )
        values = [point[0].partition("=")[2] for point in expand([text])]
        if len(values) > 1:
            axes.append(Choice(key, tuple(values)))
        else:
            fixed.append(text)
    if not axes:
        raise ConfigError(
            "no setting varies; allowed: ranges and several values; write such as encoder.units=32..512:log "
            "encoder.cell=gru,lstm"
        )
    if "seed" in {axis.key for axis in axes}:
        raise ConfigError(
            "seed varies; allowed: one seed for all trials, as the best seed means nothing; --seeds N trains the best "
            "settings with N others"
        )
    return Space(tuple(axes), tuple(fixed))


def _range(key: str, text: str, low: str, high: str, words: str) -> Range:
    kinds = _kinds(key)
    integer = int in kinds and float not in kinds if kinds else low.lstrip("+-").isdigit() and high.isdigit()
    log, step = False, None
    for word in filter(None, words.split(":")):
        name, _, number = word.partition("=")
        if word == "log":
            log = True
        elif name == "step" and re.fullmatch(_NUMBER, number) and float(number) > 0:
            step = float(number)
        else:
            raise ConfigError(f"{key}={text} ends in :{word}; allowed: :log, :step=N with N > 0; correct it")
    first, last = float(low), float(high)
    problem = ""
    if first >= last:
        problem = f"goes from {low} to {high}; allowed: a smaller number first"
    elif log and first <= 0:
        problem = f"is logarithmic from {low}; allowed: a range above 0"
    elif log and step is not None:
        problem = "is logarithmic with a step; allowed: one of them"
    elif integer and not all(number.is_integer() for number in (first, last, step or 1.0)):
        problem = "has a fraction; allowed: integers"
    if problem:
        raise ConfigError(f"{key}={text} {problem}; correct the range")
    return Range(key, first, last, log, step, integer)


def _kinds(key: str) -> tuple[Any, ...]:
    """The types that a setting may have; empty if they are not known before the task is imported."""
    group, _, name = key.partition(".")
    if group not in _GROUPS or name not in {field.name for field in dataclasses.fields(_GROUPS[group])}:
        return ()
    hint = typing.get_type_hints(_GROUPS[group])[name]
    return typing.get_args(hint) or (hint,)
