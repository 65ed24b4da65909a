"""Result tables that compare like with like.

`build` groups the rows of one task by the settings that vary, averages over seeds, and
refuses rows that must not stand side by side; `render` writes the table down:

    cell                 encoder.units      accuracy % ↑  encoder params  params  s/epoch  engine
    logistic regression  –                     92.60 (1)               –   7,850        –  scikit-learn
    gru                  128            98.91 ± 0.05 (3)          60,672  61,962     9.10  keras
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import shlex
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seqtasks import results
from seqtasks.config import Config, split_override
from seqtasks.errors import TableError, suggest
from seqtasks.results import Row
from seqtasks.settings import flatten, parse

MISSING = "–"  # of a setting that a row does not have
_CELL = "encoder.cell"
_AGREE = ("version", "source", "fingerprint", "metric")
_SETTINGS = [(key, field.metadata.get("identity", True)) for key, _, field in flatten(Config(task=""))]
_ORDER = [key for key, _ in _SETTINGS]
_FREE = {"task", "seed", "data.source"} | {key for key, identity in _SETTINGS if not identity}
_Fact = tuple[Row, dict[str, Any]]


@dataclass(frozen=True)
class Group:
    """Rows that differ only by seed; one line of the table."""

    kind: str
    labels: tuple[Any, ...]
    rows: tuple[Row, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(row.value for row in self.rows)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation; none for one row."""
        return statistics.stdev(row.value for row in self.rows) if len(self.rows) > 1 else None


@dataclass(frozen=True)
class Table:
    """Groups, baselines first and then the best first; `columns` are dotted keys."""

    task: str
    metric: str
    higher_is_better: bool
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...]


def load_table(runs_dir: Path, task: str | None = None, by: Sequence[str] = (), where: Sequence[str] = ()) -> Table:
    """The table of the finished runs below `runs_dir`.

    Raises:
        TableError: no finished run, or as `build`.
    """
    rows = results.rows(runs_dir)
    chosen = [row for row in rows if task in (None, row.task)]
    if not chosen:
        others = ", ".join(sorted({row.task for row in rows}))
        what = (
            f"no finished run{f' of {task}' if task else ''} in {runs_dir}{f'; it has runs of {others}' * bool(rows)}"
        )
        raise TableError(f"{what}; make one with `seqtasks run {task or 'TASK'}` or give another --runs folder")
    return build(chosen, by, where)


def build(rows: Sequence[Row], by: Sequence[str] = (), where: Sequence[str] = ()) -> Table:
    """Groups rows of one task.

    Args:
        rows: finished runs and baselines.
        by: the settings that make the groups; default: all that vary.
        where: `key=value` filters over settings and fields of a row. Those over encoder, train
            and seed leave baselines alone.

    Raises:
        TableError: no rows, several tasks, an unknown key, or rows that are not comparable.
        ConfigError: a filter without `=`.
    """
    tasks = sorted({row.task for row in rows})
    if not tasks:
        raise TableError("there are no finished runs; make one with `seqtasks run TASK`")
    if len(tasks) > 1:
        raise TableError(
            f"rows of {len(tasks)} tasks: {', '.join(tasks)}; one table holds one task: seqtasks table TASK"
        )
    facts = _filter([(row, _facts(row)) for row in rows], where)
    _agree(facts, _AGREE)
    columns = _columns(facts, by)
    data = [key for _, own in facts for key in own if key.startswith(("data.", "options."))]
    _agree(facts, [key for key in dict.fromkeys(data) if key not in _FREE and key not in columns])
    first = facts[0][0]
    groups = _groups(facts, columns)
    groups.sort(key=lambda group: (group.kind == "model", -group.mean if first.higher_is_better else group.mean))
    notes = _notes([row for group in groups for row in group.rows])
    return Table(first.task, first.metric, first.higher_is_better, columns, tuple(groups), notes)


def show(value: Any) -> str:
    """A setting as it is typed after `key=`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _facts(row: Row) -> dict[str, Any]:
    """Settings and plain fields of a row by dotted key; a baseline has neither encoder nor training."""
    facts = {key: value for key, value in _leaves(row.config) if not _ignores(row, key)}
    facts.setdefault(_CELL, row.cell)
    plain = {field.name: getattr(row, field.name) for field in fields(row)}
    return facts | {key: value for key, value in plain.items() if not isinstance(value, dict)}


def _ignores(row: Row, key: str) -> bool:
    return row.kind == "baseline" and (key == "seed" or key.startswith(("encoder.", "train.")))


def _filter(facts: list[_Fact], where: Sequence[str]) -> list[_Fact]:
    for text in where:
        key, wanted = split_override(text)
        _check_key(key, facts, "filter")
        concerned = [(row, own) for row, own in facts if not _ignores(row, key)]
        if not any(_matches(own.get(key, MISSING), wanted) for _, own in concerned):
            there = ", ".join(_counts(concerned, key)) or "none"
            raise TableError(f"no row has {text}; there are: {there}; change the filter or run it")
        facts = [(row, own) for row, own in facts if _ignores(row, key) or _matches(own.get(key, MISSING), wanted)]
    return facts


def _check_key(key: str, facts: list[_Fact], what: str) -> None:
    known = {name for _, own in facts for name in own}.union(_ORDER)
    if key not in known:
        raise TableError(f"unknown {what} {key}; {suggest(key, known)}")


def _matches(value: Any, text: str) -> bool:
    wanted = parse(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return value == float(text)  # YAML 1.1 reads 2e-3 as text
        except ValueError:
            return False
    return show(value) == text or (type(value) is type(wanted) and bool(value == wanted))


def _counts(facts: list[_Fact], key: str) -> Counter[str]:
    return Counter(show(own.get(key, MISSING)) for _, own in facts)


def _agree(facts: list[_Fact], keys: Sequence[str]) -> None:
    """Refuses rows that differ in one of the keys, and finds filters that leave the most rows."""
    told, filters, kept = [], [], facts
    for key in keys:
        counts = _counts(facts, key)
        if len(counts) > 1:
            told.append(f"{key} is " + " and ".join(f"{v} in {n} row{'s' * (n > 1)}" for v, n in counts.most_common()))
        left = _counts(kept, key)
        if len(left) > 1:
            most = left.most_common(1)[0][0]
            filters.append(shlex.quote(f"{key}={most}"))
            kept = [(row, own) for row, own in kept if show(own.get(key, MISSING)) == most]
    if told:
        raise TableError(f"these rows are not comparable: {'; '.join(told)}; add {' '.join(filters)}")


def _columns(facts: list[_Fact], by: Sequence[str]) -> tuple[str, ...]:
    """The keys that make the groups, the cell first."""
    models = [(row, own) for row, own in facts if row.kind == "model"]
    keys = [key for row, _ in models for key, _ in _leaves(row.config) if key not in {*_FREE, _CELL}]
    varying = [key for key in sorted(dict.fromkeys(keys), key=_place) if len(_counts(models, key)) > 1]
    if not by:
        return _CELL, *varying
    for key in by:
        _check_key(key, facts, "--by key")
    rest = {key: _counts(models, key) for key in varying if key not in by}
    if rest:
        told = " and ".join(f"{key} ({', '.join(counts)})" for key, counts in rest.items())
        filters = " ".join(shlex.quote(f"{key}={counts.most_common(1)[0][0]}") for key, counts in rest.items())
        raise TableError(f"these rows also differ in {told}; add them to --by or filter with {filters}")
    return _CELL, *(key for key in dict.fromkeys(by) if key not in (_CELL, "cell"))


def _place(key: str) -> int:
    """Where a setting stands in `Config`; options of the task come last."""
    return next((i for i, name in enumerate(_ORDER) if key == name or key.startswith(f"{name}.")), len(_ORDER))


def _groups(facts: list[_Fact], columns: Sequence[str]) -> list[Group]:
    """Groups with one row a seed: of two, the one that finished last."""
    found: dict[str, tuple[Row, tuple[Any, ...], dict[int, Row]]] = {}
    for row, own in sorted(facts, key=lambda fact: fact[0].finished):
        labels = tuple(own.get(key, MISSING) for key in columns)
        _, _, seeds = found.setdefault(json.dumps([row.kind, labels]), (row, labels, {}))
        seeds[row.seed] = row
    return [
        Group(row.kind, labels, tuple(seeds[seed] for seed in sorted(seeds))) for row, labels, seeds in found.values()
    ]


def _notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """Where the numbers come from, and a warning where they come from several places."""

    def versions(name: str) -> list[str]:
        return sorted({row.versions[name] for row in rows if name in row.versions})

    first = rows[0]
    machines, threads = sorted({row.machine for row in rows}), sorted({row.threads for row in rows})
    seeds = sorted({row.seed for row in rows if row.kind == "model"} or {row.seed for row in rows})
    software = [("seqtasks ", "seqtasks"), ("Keras ", "keras"), ("", "backend")]
    parts = [
        f"{first.task} v{first.version}",
        first.source,
        f"fingerprint {first.fingerprint if len(first.fingerprint) <= 12 else first.fingerprint[:8] + '…'}",
        f"seeds {','.join(map(str, seeds))}",
        ", ".join(label + "/".join(versions(name)) for label, name in software if versions(name)),
        f"{'/'.join(map(str, threads))} thread{'s' * (threads != [1])} on {'/'.join(machines)}",
    ]
    places = {"machine": machines, "threads": list(map(str, threads))}
    places |= {name: versions(name) for row in rows for name in row.versions}
    differ = [f"{name} ({', '.join(values)})" for name, values in places.items() if len(values) > 1]
    notes = [" · ".join(part for part in parts if part)]
    return (*notes, f"rows differ in {', '.join(differ)}: times are not comparable") if differ else tuple(notes)


def render(table: Table, format: str = "text") -> str:
    """The table as text, markdown, csv, latex, html or json; csv and json hold raw numbers.

    Raises:
        TableError: an unknown format.
    """
    if format not in _FORMATS:
        raise TableError(f"unknown format {format}; {suggest(format, _FORMATS)}")
    return _FORMATS[format](table)


def _cells(table: Table, escape: Callable[[str], str], bold: str) -> tuple[list[str], list[list[str]]]:
    """Header and body, escaped; the score of the best model goes into `bold`."""
    scores = [row.value for group in table.groups for row in group.rows]
    percent = table.higher_is_better and all(0 <= score <= 1 for score in scores)
    percent = percent and bool(re.search("accuracy|f1|exact|precision|recall", table.metric))
    metric = f"{table.metric}{' %' * percent} {'↑' if table.higher_is_better else '↓'}"
    columns = ["cell", *table.columns[1:]]
    header = [escape(name) for name in (*columns, metric, "encoder params", "params", "s/epoch", "engine")]
    best = next((group for group in table.groups if group.kind == "model"), None)
    body = []
    for group in table.groups:
        seconds = statistics.median(row.seconds_per_epoch for row in group.rows)
        sizes = [group.rows[-1].encoder_params, group.rows[-1].params]
        line = [escape(show(label)) for label in group.labels]
        line += [
            (bold if best and group.kind == "model" and group.mean == best.mean else "{}").format(
                escape(_score(group, percent))
            )
        ]
        line += [f"{size:,}" if size else MISSING for size in sizes]
        line += [f"{seconds:.{1 if seconds >= 10 else 2}f}" if seconds else MISSING]
        body.append([*line, escape(", ".join(dict.fromkeys(row.engine for row in group.rows)))])
    return header, body


def _score(group: Group, percent: bool) -> str:
    scale = 100 if percent else 1
    mean = group.mean * scale
    digits = 2 if percent or not mean else max(0, 3 - math.floor(math.log10(abs(mean))))
    style = f".{digits}f" if digits < 8 else ".3e"
    sd = "" if group.sd is None else f" ± {group.sd * scale:{style}}"
    return f"{mean:{style}}{sd} ({len(group.rows)})"


def _records(table: Table) -> list[dict[str, Any]]:
    """Raw numbers, one record a group."""
    return [
        {name: getattr(group.rows[0], name) for name in ("task", *_AGREE, "higher_is_better", "kind")}
        | dict(zip(["cell", *table.columns[1:]], (None if x == MISSING else x for x in group.labels), strict=True))
        | {
            "mean": group.mean,
            "sd": group.sd,
            "n": len(group.rows),
            "seeds": [row.seed for row in group.rows],
            "values": [row.value for row in group.rows],
            "encoder_params": group.rows[-1].encoder_params,
            "params": group.rows[-1].params,
            "seconds_per_epoch": statistics.median(row.seconds_per_epoch for row in group.rows),
            "engine": ", ".join(dict.fromkeys(row.engine for row in group.rows)),
        }
        for group in table.groups
    ]


def _text(table: Table) -> str:
    from rich import box, console, markup
    from rich.table import Table as Grid

    terminal = sys.stdout.isatty()
    header, body = _cells(table, markup.escape, "[bold]{}[/bold]" if terminal else "{}*")
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        grid.add_column(name, justify="right" if len(table.columns) <= i < len(header) - 1 else "left", no_wrap=True)
    for line in body:
        grid.add_row(*line)
    out = io.StringIO()
    console.Console(file=out, width=10_000, force_terminal=terminal, highlight=False).print(grid)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "\n".join([*(line for line in lines if line), "", *table.notes])


def _markdown(table: Table) -> str:
    header, body = _cells(table, lambda text: text.replace("|", r"\|"), "**{}**")
    left = len(table.columns)
    rule = [":--"] * left + ["--:"] * (len(header) - left - 1) + [":--"]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in (header, rule, *body)), "", "  \n".join(table.notes)])


def _html(table: Table) -> str:
    header, body = _cells(table, html.escape, "<b>{}</b>")
    head = "".join(f"<th>{cell}</th>" for cell in header)
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in body]
    notes = [f"<p>{html.escape(note)}</p>" for note in table.notes]
    return "\n".join(["<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>", *lines, "</tbody>", "</table>", *notes])


def _latex(table: Table) -> str:
    signs = {sign: "\\" + sign for sign in "_%&#${}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
    signs |= {"^": r"\textasciicircum{}", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    signs |= {"–": "--", "·": r"$\cdot$", "…": r"\ldots{}", "<": r"\textless{}", ">": r"\textgreater{}"}
    rules = str.maketrans(signs)
    header, body = _cells(table, lambda text: text.translate(rules), r"\textbf{{{}}}")
    left = len(table.columns)
    lines = [" & ".join(line) + r" \\" for line in (header, *body)]
    begin = rf"\begin{{tabular}}{{{'l' * left}{'r' * (len(header) - left - 1)}l}}"
    notes = [note.translate(rules) for note in table.notes]
    lines = [begin, r"\hline", lines[0], r"\hline", *lines[1:], r"\hline", r"\end{tabular}"]
    return "\n".join([*lines, "", (r" \\" + "\n").join(notes)])


def _csv(table: Table) -> str:
    records = [
        {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in record.items()}
        for record in _records(table)
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().rstrip("\n")


def _json(table: Table) -> str:
    return json.dumps(_records(table), indent=2, ensure_ascii=False)


_FORMATS: dict[str, Callable[[Table], str]] = {
    "text": _text,
    "markdown": _markdown,
    "csv": _csv,
    "latex": _latex,
    "html": _html,
    "json": _json,
}
