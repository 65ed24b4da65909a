"""Result tables and their renderers: text, Markdown, CSV, LaTeX, HTML, JSON."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqtasks.core.errors import TableError, suggest
from seqtasks.experiments import doubts
from seqtasks.experiments.results import Row

if TYPE_CHECKING:
    import pandas as pd

MISSING = "–"  # in place of a setting that a row does not have
AGREE = ("version", "source", "fingerprint", "metric")  # fields that are equal in all rows of a table


@dataclass(frozen=True)
class Group:
    """Rows that differ only in their seed; one line of the table.

    Attributes:
        kind: "model" or "baseline".
        labels: Values of the table's columns.
        rows: One row for each seed.
    """

    kind: str
    labels: tuple[Any, ...]
    rows: tuple[Row, ...]

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return statistics.fmean(row.value for row in self.rows)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation of the scores; None for a single row."""
        return statistics.stdev(row.value for row in self.rows) if len(self.rows) > 1 else None


@dataclass(frozen=True, repr=False)
class Table:
    """A result table: baselines, then models from best to worst; HTML in a notebook.

    Attributes:
        task: Name of the task, or of several that share data and metric.
        metric: The score that is compared.
        higher_is_better: Whether a larger score is better.
        columns: Settings that vary, as dotted keys.
        groups: Rows that differ by seed only.
        notes: Lines on data, software and machine of the rows.

    Example:
        >>> import seqtasks
        >>> table = seqtasks.compare("adding", "encoder.cell=gru,lstm")  # doctest: +SKIP
        >>> print(table)  # doctest: +SKIP
        >>> table.to_frame()[["cell", "mean"]]  # doctest: +SKIP
    """

    task: str
    metric: str
    higher_is_better: bool
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas data frame with one row for each group; numbers are not rounded."""
        import pandas

        return pandas.DataFrame(_records(self))

    def __repr__(self) -> str:
        return _text(self)

    def _repr_html_(self) -> str:
        return _html(self)


def show(value: Any) -> str:
    """The text of a value, as a user types it after `key=`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def render(table: Table, format: str = "text") -> str:
    """The table as text in one of several formats.

    Args:
        table: The table.
        format: "text", "markdown", "csv", "latex", "html" or "json"; csv and json have numbers that are not rounded.

    Raises:
        TableError: Unknown format.
    """
    if format not in _FORMATS:
        raise TableError(f"unknown format {format}; {suggest(format, _FORMATS)}")
    return _FORMATS[format](table)


def _notes(table: Table, mark: str) -> list[str]:
    """Lines below the table: what the scores are, doubts about them, and their origin.

    Args:
        table: The table.
        mark: How the best score is marked: "bold" or "*".
    """
    parts = ["score: mean ± standard deviation (number of seeds)"]
    if any(group.kind == "model" for group in table.groups):
        parts.append(f"{mark}: best mean among the models")
    return ["; ".join(parts), *doubts.lines([group.rows for group in table.groups]), *table.notes]


def _cells(table: Table, escape: Callable[[str], str], bold: str) -> tuple[list[str], list[list[str]]]:
    """Header and body of the table.

    Args:
        table: The table.
        escape: Function that escapes a text for the format.
        bold: Format string for the score of the best model.
    """
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
        style = bold if best and group.kind == "model" and group.mean == best.mean else "{}"
        line += [style.format(escape(_score(group, percent))) + escape(doubts.mark(group.rows))]
        line += [f"{size:,}" if size else escape(MISSING) for size in sizes]
        line += [f"{seconds:.{1 if seconds >= 10 else 2}f}" if seconds else escape(MISSING)]
        body.append([*line, escape(", ".join(dict.fromkeys(row.engine for row in group.rows)))])
    return header, body


def _score(group: Group, percent: bool) -> str:
    scale = 100 if percent else 1
    mean = group.mean * scale
    digits = 2 if percent else max(0, 3 - math.floor(math.log10(abs(mean) or 1)))
    style = f".{digits}f" if digits < 8 else ".3e"
    sd = "" if group.sd is None else f" ± {group.sd * scale:{style}}"
    return f"{mean:{style}}{sd} ({len(group.rows)})"


def _records(table: Table) -> list[dict[str, Any]]:
    """A dictionary for each group, with numbers that are not rounded."""
    return [
        {name: getattr(group.rows[0], name) for name in ("task", *AGREE, "higher_is_better", "kind")}
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
            "notes": list(dict.fromkeys(note for row in group.rows for note in row.notes)),
        }
        for group in table.groups
    ]


def _text(table: Table) -> str:
    from rich import box, console, markup
    from rich.table import Table as Grid

    terminal = sys.stdout.isatty()
    header, body = _cells(table, markup.escape, "[bold]{}[/bold]" if terminal else "{}*")
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, name in enumerate(header):
        grid.add_column(name, justify="right" if len(table.columns) <= i < len(header) - 1 else "left", no_wrap=True)
    for line in body:
        grid.add_row(*line)
    out = io.StringIO()
    # Without force_jupyter=False rich displays the grid in a notebook, and writes nothing to `out`.
    plain = console.Console(file=out, width=10_000, force_terminal=terminal, force_jupyter=False, highlight=False)
    plain.print(grid)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    notes = _notes(table, "bold" if terminal else "*")
    return "\n".join([*(line for line in lines if line), "", *notes])


def _markdown(table: Table) -> str:
    header, body = _cells(table, lambda text: text.replace("|", r"\|"), "**{}**")
    left = len(table.columns)
    notes = _notes(table, "bold")
    rule = [":--"] * left + ["--:"] * (len(header) - left - 1) + [":--"]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in (header, rule, *body)), "", "  \n".join(notes)])


def _html(table: Table) -> str:
    header, body = _cells(table, html.escape, "<b>{}</b>")
    head = "".join(f"<th>{cell}</th>" for cell in header)
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in body]
    notes = [f"<p>{html.escape(note)}</p>" for note in _notes(table, "bold")]
    return "\n".join(["<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>", *lines, "</tbody>", "</table>", *notes])


def _latex(table: Table) -> str:
    signs = {sign: "\\" + sign for sign in "_%&#${}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
    signs |= {"^": r"\textasciicircum{}", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    signs |= {"–": "--", "·": r"$\cdot$", "…": r"\ldots{}", "<": r"\textless{}", ">": r"\textgreater{}"}
    signs |= {"†": r"$\dagger$", "‡": r"$\ddagger$"}
    rules = str.maketrans(signs)
    header, body = _cells(table, lambda text: text.translate(rules), r"\textbf{{{}}}")
    left = len(table.columns)
    lines = [" & ".join(line) + r" \\" for line in (header, *body)]
    begin = rf"\begin{{tabular}}{{{'l' * left}{'r' * (len(header) - left - 1)}l}}"
    notes = [note.translate(rules) for note in _notes(table, "bold")]
    lines = [begin, r"\hline", lines[0], r"\hline", *lines[1:], r"\hline", r"\end{tabular}"]
    return "\n".join([*lines, "", (r" \\" + "\n").join(notes)])


def _csv(table: Table) -> str:
    records = [
        {
            name: ("; " if name == "notes" else " ").join(map(str, value)) if isinstance(value, list) else value
            for name, value in record.items()
        }
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
