"""Roles of the columns of a data file, proposed for `seqtasks new --from`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from seqtasks.core.config import split_override
from seqtasks.core.errors import ConfigError, DataError, listed, suggest
from seqtasks.core.files import shown
from seqtasks.core.settings import parse

if TYPE_CHECKING:
    from seqtasks.data.series.columns import Columns, Roles
    from seqtasks.data.series.sets import SeriesSet

HORIZON = 12  # default of `options.horizon`
SHOWN = 4  # values of a series in the docstring of a task


@dataclass(frozen=True)
class Proposal:
    """Proposed roles of the columns of a data file, as a new task states them.

    Attributes:
        data: The file, as the user named it.
        words: Texts for the placeholders of the template of the task file, by name.
        settings: Lines of YAML below `options:`.
        lines: What is printed, a line for each role.
    """

    data: Path
    words: Mapping[str, str]
    settings: Sequence[str]
    lines: Sequence[str]


def propose(path: Path, task_type: str, words: Sequence[str] = ()) -> Proposal:
    """Reads a file of series and proposes what its columns are.

    The whole file is read, so that what is wrong in it is found now.

    Args:
        path: A table (CSV, TSV, Parquet), or an `.npz`, `.ts` or `.tsf` file.
        task_type: `series` or `forecasting`.
        words: Roles that are known, such as `options.target=state`.

    Raises:
        DataError: The file cannot be read, or a role cannot be guessed.
        ConfigError: A word is no role of a column.
    """
    from seqtasks.data.series import load, table_file, tables

    if not path.is_file():
        raise DataError(
            f"{path} is {'a folder' if path.is_dir() else 'not there'}; allowed: a file of series; give one"
        )
    forecast = task_type == "forecasting"
    columns, known = _columns(words, forecast)
    roles: Roles | None = None
    if path.suffix.lower() in table_file.SUFFIXES:
        series, roles, _ = tables.read_table(path, columns)
    else:
        series = load.read_file(path, columns)
    if forecast:
        return _forecast(path, series, roles, known)
    if series.targets is None:
        raise DataError(f"{path} has no targets; allowed: a class or number for each series; add them")
    return _series(path, series, roles)


def _columns(words: Sequence[str], forecast: bool) -> tuple[Columns, list[str]]:
    """Returns the roles that the user gave, and the columns that are known in advance."""
    from seqtasks.data.series.columns import Columns

    fields = {"layout", "id", "time", "channels", "statics", "ignore"}
    fields |= {"known"} if forecast else {"target", "group"}
    values: dict[str, Any] = {}
    for word in words:
        key, text = split_override(word)
        name = key.removeprefix("options.")
        if name not in fields:
            hint = suggest(key, sorted(f"options.{field}" for field in fields))
            raise ConfigError(f"{shown(word)} is no role of a column; {hint}; write it such as options.id=patient")
        value = parse(text)
        if name in ("channels", "statics", "ignore", "known"):
            values[name] = tuple(map(str, value if isinstance(value, list) else [value]))
        else:
            values[name] = str(value)
    if values.get("layout", "auto") not in ("auto", "long", "wide"):
        raise ConfigError(f"options.layout is {values['layout']!r}; allowed: auto, long, wide; choose one of them")
    known = list(values.pop("known", ()))
    if known and values.get("channels"):
        values["channels"] = (*values["channels"], *known)
    return Columns(**values, labels="none" if forecast else "required"), known


def _series(path: Path, series: SeriesSet, roles: Roles | None) -> Proposal:
    from seqtasks.data.series.splits import kind_of

    targets = list(series.targets or ())
    kind = kind_of(targets)
    if kind == "classes":
        names = list(dict.fromkeys(targets))
        answer = f"{len(names)} class{'es' * (len(names) > 1)}: {listed(names)}"
        if len(names) < 2:
            raise DataError(
                f"{path} has only the label {names[0]!r}; allowed: two or more for classes, or numbers; name another "
                "column with options.target"
            )
    else:
        numbers = np.array(targets, np.float64)
        answer = f"a number, {numbers.min():g} to {numbers.max():g}"
    target = "the target" if roles is None or roles.target in (None, "0") else str(roles.target)
    words = {
        "TARGET": f"{target}: {targets[0]}",
        "SUMMARY": f"{'Class' if kind == 'classes' else 'Number'} of a series: {target}",
        "METRIC": '"accuracy"' if kind == "classes" else '"rmse"\n    higher_is_better = False',
    }
    return _proposal(path, series, roles, words, {}, {"target": answer})


def _forecast(path: Path, series: SeriesSet, roles: Roles | None, known: Sequence[str]) -> Proposal:
    from seqtasks.data.series.frequency import frequency_of

    if unknown := [name for name in known if name not in series.channels]:
        hint = suggest(unknown[0], series.channels)
        raise DataError(f"{path} has no column {unknown[0]!r}; {hint}; choose one with options.known")
    channels = [name for name in series.channels if name not in known]
    longest = int(series.values.lengths.max())
    horizon = min(HORIZON, longest // 5)
    if horizon < 1:
        raise DataError(
            f"{path} has series of up to {longest} steps; allowed: five or more; give longer ones, or, if a row of the "
            "table is no step, set options.layout=wide"
        )
    ahead = f"{horizon} step{'s' * (horizon > 1)}"
    lines = {"horizon": ahead}
    if series.times is not None:
        frequency = frequency_of(series.times.row(int(series.values.lengths.argmax())), series.dated)
        if frequency.name:
            lines["dates"] = frequency.name + (f", season {frequency.season}" if frequency.season > 1 else "")
    words = {"TARGET": f"the next {ahead}", "SUMMARY": f"Forecasts of {listed(channels)}"}
    settings: dict[str, Any] = {"known": list(known)} if known else {}
    return _proposal(path, series, roles, words, settings | {"horizon": horizon}, lines, channels)


def _proposal(
    path: Path,
    series: SeriesSet,
    roles: Roles | None,
    words: dict[str, str],
    extra: dict[str, Any],
    facts: dict[str, str],
    channels: Sequence[str] = (),
) -> Proposal:
    channels = list(channels or series.channels)
    lengths = series.values.lengths
    span = f"{lengths.min()} to {lengths.max()}" if np.ptp(lengths) else f"{lengths.max()}"
    count = f"{len(series):,} series of {span} steps"
    settings: dict[str, Any] = {}
    lines = [f"{path}: {count}"]
    if roles is not None:
        settings["layout"] = roles.layout
        for role in ("id", "time", "target", "group"):
            column = getattr(roles, role)
            if column is None and not (role in ("id", "time") and roles.layout == "long"):
                continue
            settings[role] = "-" if column is None else column
            lines.append(f"  {role}: {'none' if column is None else column}{_tail(facts.pop(role, ''))}")
        named = roles.layout == "long" or len(roles.channels) > 1
        settings |= {"channels": channels} if named else {}
        settings |= {"statics": list(roles.statics)} if roles.statics else {}
        lines.append(f"  channels: {listed(channels)}{_missing(series)}")
        lines += [f"  {text}" for text in roles.guessed if text.startswith("not read")]
    lines += [f"  {name}: {text}" for name, text in facts.items() if text]
    first = np.asarray(series.values.row(0), np.float64)[:SHOWN, 0]
    values = " ".join("?" if np.isnan(x) else f"{x:g}" for x in first)
    words |= {"INPUT": f"{span} steps of {listed(channels)}: {values} …"}
    dumped = [_dumped(name, value) for name, value in (settings | extra).items()]
    return Proposal(path, {name: _plain(name, text) for name, text in words.items()}, dumped, lines)


def _dumped(name: str, value: Any) -> str:
    """A line of YAML; a list stands in brackets."""
    flow = None if isinstance(value, list) else False
    text: str = yaml.safe_dump({name: value}, default_flow_style=flow, allow_unicode=True, width=100_000)
    return text.rstrip("\n")


def _tail(text: str) -> str:
    return f" ({text})" if text else ""


def _missing(series: SeriesSet) -> str:
    steps = series.values.steps
    # Only the first million values, as the array may be mapped from a file of gigabytes.
    share = float(np.isnan(steps[: max(1, 1_000_000 // steps.shape[1])]).mean())
    return f" ({100 * share:.2g} % missing)" if share else ""


def _plain(name: str, text: str) -> str:
    """Text from a data file that can stand in a docstring."""
    if name == "METRIC":
        return text
    clean = "".join(c if c.isprintable() and c not in '\\"' else "_" for c in text)
    most = 75 if name == "SUMMARY" else 90
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def with_settings(template: str, path: Path, settings: Sequence[str]) -> str:
    """The text of a configuration with the data source and options of a proposal.

    Args:
        template: Text of the configuration; it may have a section `options:`.
        path: The data file, as commands name it.
        settings: Lines below `options:`.

    Example:
        >>> print(with_settings("encoder:\\n  units: 8\\n", Path("pump.csv"), ["id: pump"]))
        data:
          source: files:pump.csv
        encoder:
          units: 8
        options:  # roles of the columns of pump.csv, as guessed
          id: pump
        <BLANKLINE>
    """
    comment, end, rest = template.partition("\n") if template.startswith("#") else ("", "", template)
    source = f"data:\n  {_dumped('source', f'files:{path}')}\n"
    heading = f"options:  # roles of the columns of {_plain('', path.name)}, as guessed\n"
    block = heading + "".join(f"  {line}\n" for line in settings)
    if "\noptions:\n" in f"\n{rest}":
        before, _, after = f"\n{rest}".partition("\noptions:\n")
        body = (f"{before}\n{block}" + after).lstrip("\n")
    else:
        body = rest + block
    return f"{comment}{end}{source}{body}"
