"""Rows of a result table: filters, checks that they are comparable, columns, groups."""

from __future__ import annotations

import json
import operator
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from statistics import fmean, stdev
from typing import Any

from seqtasks.core.config import Config, split_override
from seqtasks.core.errors import MANY, TASK_SETTINGS, TableError, listed, suggest
from seqtasks.core.settings import flatten, parse
from seqtasks.experiments.results import CELL_FILE, NONE, OWN, Row

MISSING = "–"  # in place of a setting that a row does not have
AGREE = ("version", "source", "fingerprint", "metric")  # fields that are equal in all rows of a table
_CELL = "encoder.cell"
_DERIVED = {"encoder.units": "encoder.match"}  # settings that are computed from another one, if that one is set
_SETTINGS = [(key, field.metadata.get("hashed", True)) for key, _, field in flatten(Config(task=""))]
_ORDER = [key for key, _ in _SETTINGS]
_PLAIN = {str, int, float, bool, type(None)}
_PLAIN_FIELDS = [field.name for field in fields(Row) if field.name not in OWN]
_FREE = {"task", "seed", "data.source"} | {key for key, identity in _SETTINGS if not identity}


@dataclass(frozen=True)
class Group:
    """Rows that differ only in their seed; one line of the table.

    Attributes:
        kind: "model" or "baseline".
        labels: Values of the table's columns.
        rows: One row for each seed.
        p_best: Adjusted p-value of the difference to the best model, see `seqtasks.experiments.significance`; None:
            not computed.
    """

    kind: str
    labels: tuple[Any, ...]
    rows: tuple[Row, ...]
    p_best: float | None = None

    @cached_property
    def mean(self) -> float:
        """Mean of the scores."""
        return fmean(row.value for row in self.rows)

    @cached_property
    def sd(self) -> float | None:
        """Sample standard deviation of the scores; None for a single row."""
        return stdev(row.value for row in self.rows) if len(self.rows) > 1 else None


def group_rows(
    rows: Sequence[Row], by: Sequence[str] = (), where: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[Group]]:
    """Groups comparable rows of one task, or of several tasks, by the settings that vary.

    Args:
        rows: Finished runs and baselines.
        by: Settings to group by, as dotted keys; empty: all that vary within a task.
        where: Filters `key=value` on settings and fields of a row.

    Returns:
        The columns, as dotted keys, and the groups: baselines, then models, each from best to worst.

    Raises:
        TableError: Unknown key, or rows that are not comparable.
        ConfigError: A filter without `=`.
    """
    tasks = sorted({row.task for row in rows})
    facts = _filter(_bundles(rows), where)
    _agree(facts, AGREE if len(tasks) == 1 else [key for key in AGREE if key != "version"])
    each = [[bundle for bundle in facts if bundle.first.task == task] for task in tasks]
    columns_of_tasks = [_columns(task_facts, by) for task_facts in each if task_facts]
    beside = ["task"] if len(columns_of_tasks) > 1 else []
    columns = tuple(
        dict.fromkeys([_CELL, *beside, *(key for task_columns in columns_of_tasks for key in task_columns)])
    )
    for task_facts in each:
        data = [key for bundle in task_facts for key in bundle.facts if key.startswith(("data.", "options."))]
        _agree(task_facts, [key for key in dict.fromkeys(data) if key not in _FREE and key not in columns])
    position = {id(row): number for number, row in enumerate(rows)}
    groups = _groups(facts, columns, position)
    higher = facts[0].first.higher_is_better
    groups.sort(key=lambda group: (group.kind == "model", -group.mean if higher else group.mean))
    return columns, groups


def show(value: Any) -> str:
    """The text of a value, as a user types it after `key=`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted key."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if type(value) is dict:  # a check for any mapping takes four times as long, for 100 settings of each row
            leaves |= _leaves(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves


@dataclass
class _Bundle:
    """Rows with the same settings but for their seed, of which one stands for all.

    Attributes:
        rows: The rows.
        facts: Settings and plain fields that they share, by dotted key.
    """

    rows: list[Row]
    facts: dict[str, Any]

    def __post_init__(self) -> None:
        self.first = self.rows[0]
        self.has_settings = self.first.kind == "model" and self.first.cell != NONE  # all of them apply

    def __contains__(self, key: str) -> bool:
        return key in OWN or key in self.facts

    def values(self, key: str) -> list[tuple[Any, list[Row]]]:
        """Values of a key, each with its rows."""
        if key in OWN:
            return [(getattr(row, key), [row]) for row in self.rows]
        return [(self.facts.get(key, MISSING), self.rows)]


def _bundles(rows: Sequence[Row]) -> list[_Bundle]:
    """Bundles of rows with the same settings.

    Rows of an index share parts of their settings, by whose identity they are compared; others are alone.
    """
    bundles: dict[Any, list[Row]] = {}
    names = [field.name for field in fields(Row) if field.name not in (*OWN, "config", "scores", "validation")]
    plain = operator.attrgetter(*(name for name in names if name != "versions"))
    for row in rows:
        settings = [
            (key, value if isinstance(value, str | int | float | None) else id(value))
            for key, value in row.config.items()
            if key != "seed"
        ]
        bundles.setdefault((plain(row), id(row.versions), "seed" in row.config, *settings), []).append(row)
    return [_Bundle(members, _facts(members[0])) for members in bundles.values()]


def _facts(row: Row) -> dict[str, Any]:
    """Settings and plain fields of a row by dotted key, without `OWN` and those that do not apply."""
    facts = _leaves(row.config)
    if row.kind == "baseline" or row.cell == NONE:
        facts = {key: value for key, value in facts.items() if not _ignores(row, key)}
    facts.setdefault(_CELL, row.cell)
    if CELL_FILE in row.versions:
        facts[CELL_FILE] = row.versions[CELL_FILE]
    plain = {name: getattr(row, name) for name in _PLAIN_FIELDS}
    facts |= {key: value for key, value in plain.items() if not isinstance(value, dict)}
    for key in OWN:
        facts.pop(key, None)
    return facts


def _ignores(row: Row, key: str) -> bool:
    """Whether a setting does not apply to a row.

    Encoder and training settings do not apply to a baseline, those of the encoder to no model without recurrence.
    """
    if row.kind == "baseline":
        return key == "seed" or key.startswith(("encoder.", "train."))
    return row.cell == NONE and key.startswith("encoder.")


def _concerns(bundle: _Bundle, key: str) -> bool:
    """Whether a setting applies to rows; for a baseline, if it depends on the setting."""
    return bundle.has_settings or (key in bundle and not _ignores(bundle.first, key))


def _filter(facts: list[_Bundle], where: Sequence[str]) -> list[_Bundle]:
    for text in where:
        key, value = split_override(text)
        _check_key(key, facts, "filter")
        chosen = _kept(facts, key, lambda present: _matches(present, value))  # noqa: B023
        if not any(_concerns(bundle, key) for bundle in chosen):
            present = listed(_counts(facts, key)) or "none"
            raise TableError(f"no row has {text}; values of the rows: {present}; change the filter or train such a run")
        facts = chosen
    return facts


def _kept(facts: list[_Bundle], key: str, matches: Callable[[Any], bool]) -> list[_Bundle]:
    """Rows with a matching value of a setting, and those to which it does not apply."""
    kept = []
    for bundle in facts:
        if not _concerns(bundle, key):
            kept.append(bundle)
        elif rows := [row for value, rows in bundle.values(key) if matches(value) for row in rows]:
            kept.append(bundle if len(rows) == len(bundle.rows) else replace(bundle, rows=rows))
    return kept


def _check_key(key: str, facts: list[_Bundle], what: str) -> None:
    known = {name for bundle in facts for name in bundle.facts}.union(_ORDER, OWN)
    if key not in known:
        same = sorted(name for name in known if name.endswith(f".{key}"))
        hint = f"did you mean {' or '.join(same)}?" if same else suggest(key, known, see=TASK_SETTINGS)
        raise TableError(f"unknown {what} {key}; {hint}")


def _matches(value: Any, text: str) -> bool:
    expected = parse(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return value == float(text)  # YAML 1.1 reads 2e-3 as text
        except ValueError:
            return False
    return show(value) == text or (type(value) is type(expected) and bool(value == expected))


def _counts(facts: list[_Bundle], key: str) -> Counter[str]:
    numbers: Counter[Any] = Counter()  # by value, which takes less time than by text, but for what cannot be hashed
    for bundle in facts:
        if bundle.has_settings or _concerns(bundle, key):
            values = bundle.values(key) if key in OWN else [(bundle.facts.get(key, MISSING), bundle.rows)]
            for value, rows in values:
                kind = type(value)
                numbers[(kind, value) if kind in _PLAIN else (None, show(value))] += len(rows)
    counts: Counter[str] = Counter()
    for (kind, value), number in numbers.items():
        counts[value if kind is None else show(value)] += number
    return counts


def _agree(facts: list[_Bundle], keys: Sequence[str]) -> None:
    """Checks that all rows have the same value of each key.

    Raises:
        TableError: They differ; the message has filters that keep as many rows as possible.
    """
    differences, filters, kept = [], [], facts
    for key in keys:
        counts = _counts(facts, key)
        if len(counts) > 1:
            values = [f"{value} in {n} row{'s' * (n > 1)}" for value, n in counts.most_common()]
            others = f" and {len(values) - 3} other values" if len(values) > MANY else ""
            differences.append(f"{key} is {' and '.join(values[:3] if others else values)}{others}")
        left = counts if kept is facts else _counts(kept, key)
        if len(left) > 1:
            most = left.most_common(1)[0][0]
            filters.append(shlex.quote(f"{key}={most}"))
            kept = _kept(kept, key, lambda value: show(value) == most)  # noqa: B023
    if differences:
        raise TableError(f"these rows are not comparable: {'; '.join(differences)}; add {' '.join(filters)}")


def _columns(facts: list[_Bundle], by: Sequence[str]) -> tuple[str, ...]:
    """The columns of the table: the cell, then `by`, or all settings that vary.

    Raises:
        TableError: Rows of one group would differ in a setting that is not in `by`.
    """
    models = [bundle for bundle in facts if bundle.first.kind == "model"]
    settings: dict[str, None] = {}
    for bundle in models:
        settings |= dict.fromkeys(bundle.facts)
    keys = [key for key in settings if key not in {*_FREE, _CELL, CELL_FILE, *_PLAIN_FIELDS}]
    varying = [key for key in sorted(keys, key=_position) if len(_counts(models, key)) > 1]
    varying += [CELL_FILE] * _edited(models)
    if not by:
        return _CELL, *varying
    for key in by:
        _check_key(key, facts, "--by key")
    differing = {key: _counts(_chosen(models, key), key) for key in varying if key not in by}
    differing = {key: counts for key, counts in differing.items() if len(counts) > 1}
    if differing:
        listing = " and ".join(f"{key} ({listed(counts)})" for key, counts in differing.items())
        filters = " ".join(shlex.quote(f"{key}={counts.most_common(1)[0][0]}") for key, counts in differing.items())
        raise TableError(f"these rows also differ in {listing}; add them to --by or filter with {filters}")
    return _CELL, *(key for key in dict.fromkeys(by) if key not in (_CELL, "cell"))


def _chosen(facts: list[_Bundle], key: str) -> list[_Bundle]:
    """The rows in which a setting was chosen and not computed from another setting."""
    origin = _DERIVED.get(key)
    return facts if origin is None else [bundle for bundle in facts if bundle.facts.get(origin) is None]


def _edited(facts: list[_Bundle]) -> bool:
    """Whether cells of the same name come from different files or versions of a file."""
    files = {(bundle.first.cell, bundle.facts.get(CELL_FILE)) for bundle in facts}
    return len(files) > len({cell for cell, _ in files})


def _position(key: str) -> int:
    """Position of a setting among the fields of `Config`; options of the task come last."""
    return next((i for i, name in enumerate(_ORDER) if key == name or key.startswith(f"{name}.")), len(_ORDER))


def _groups(facts: list[_Bundle], columns: Sequence[str], position: Mapping[int, int]) -> list[Group]:
    """Groups rows with equal columns; of two with the same seed, the last one is kept.

    Args:
        facts: The rows.
        columns: Columns of the table.
        position: Position of each row, by its `id`, in the order of rows that finished at the same time.
    """
    parts: list[tuple[Row, str, tuple[Any, ...]]] = []
    for bundle in facts:
        by_row = any(key in OWN for key in columns)
        for rows in [[row] for row in bundle.rows] if by_row else [bundle.rows]:
            labels = tuple(replace(bundle, rows=rows).values(key)[0][0] for key in columns)
            text = json.dumps([bundle.first.kind, labels])
            parts += [(row, text, labels) for row in rows]
    by_labels: dict[str, tuple[Row, tuple[Any, ...], dict[int, Row]]] = {}
    for row, text, labels in sorted(parts, key=lambda part: (part[0].finished, position[id(part[0])])):
        _, _, seeds = by_labels.setdefault(text, (row, labels, {}))
        seeds[row.seed] = row
    return [
        Group(row.kind, labels, tuple(seeds[seed] for seed in sorted(seeds)))
        for row, labels, seeds in by_labels.values()
    ]
