"""Renderers of the matrix of a suite: text, Markdown, CSV, LaTeX, HTML, JSON."""

from __future__ import annotations

import csv
import html
import io
import json
from statistics import median
from typing import Any, Protocol

from seqtasks.core.errors import TableError, suggest
from seqtasks.experiments.matrix_lines import Entry, Line
from seqtasks.experiments.suites import Suite

MISSING = "–"
FORMATS = ("text", "markdown", "csv", "latex", "html", "json")


class MatrixData(Protocol):
    """Attributes of `seqtasks.experiments.matrix.Matrix` that the renderers read."""

    @property
    def suite(self) -> Suite: ...
    @property
    def metrics(self) -> tuple[str, ...]: ...
    @property
    def lines(self) -> tuple[Line, ...]: ...
    @property
    def chance(self) -> tuple[float | None, ...]: ...
    def share(self, entry: Entry, column: int) -> float | None: ...


def render(matrix: MatrixData, format: str = "text") -> str:
    """The matrix as text in one of several formats.

    Args:
        matrix: The matrix.
        format: "text", "markdown", "csv", "latex", "html" or "json"; csv and json have a record for each model and
            task, with numbers that are not rounded.

    Raises:
        TableError: Unknown format.
    """
    if format not in FORMATS:
        raise TableError(f"unknown format {format}; {suggest(format, FORMATS)}")
    if format == "json":
        return json.dumps(records(matrix), indent=2, ensure_ascii=False)
    if format == "csv":
        return _csv(records(matrix))
    if format == "html":
        return _html(matrix)
    header, body = cells(matrix)
    if format == "markdown":
        rule = [":--", ":--", *["--:"] * (len(header) - 2)]
        lines = [f"| {' | '.join(line)} |" for line in (header, rule, *body)]
        return "\n".join([*lines, "", *notes(matrix)])
    if format == "latex":
        signs = str.maketrans({"_": r"\_", "%": r"\%", "±": r"$\pm$", MISSING: "--"})
        lines = [" & ".join(cell.translate(signs) for cell in line) + r" \\" for line in (header, *body)]
        begin = rf"\begin{{tabular}}{{ll{'r' * (len(header) - 2)}}}"
        return "\n".join([begin, r"\hline", lines[0], r"\hline", *lines[1:], r"\hline", r"\end{tabular}"])
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]

    def padded(line: list[str]) -> str:
        sides = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "   ".join(sides).rstrip()

    line_below = "─" * (sum(widths) + 3 * (len(widths) - 1))
    return "\n".join([padded(header), line_below, *map(padded, body), "", *notes(matrix)])


def cells(matrix: MatrixData) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the matrix as texts; the last line is the ceiling."""
    percents = [_percent(matrix, i) for i in range(len(matrix.suite.columns))]
    names = [f"{column.name}{' %' * percent}" for column, percent in zip(matrix.suite.columns, percents, strict=True)]
    body = []
    for line in matrix.lines:
        scores = [score(entry, percent) for entry, percent in zip(line.entries, percents, strict=True)]
        body.append([line.label, line.family, *scores])
    tops = [column.ceiling for column in matrix.suite.columns]
    ceilings = [_number(top, percent) for top, percent in zip(tops, percents, strict=True)]
    return ["cell", "state", *names], [*body, ["ceiling", "", *ceilings]]


def score(entry: Entry, percent: bool) -> str:
    """Mean ± standard deviation (number of seeds) of an entry; baselines and single runs have the mean only."""
    if entry.mean is None:
        return MISSING
    sd = "" if entry.sd is None else f" ± {_number(entry.sd, percent)} ({len(entry.rows)})"
    return _number(entry.mean, percent) + sd


def notes(matrix: MatrixData) -> list[str]:
    """Lines below the matrix: what the scores are, and which columns are which tasks."""
    metrics = sorted({metric for metric in matrix.metrics if metric})
    tasks = [f"{one.name}: {' '.join((one.task, *one.settings))}" for one in matrix.suite.columns]
    return [
        f"score: test {' and '.join(metrics)}, mean ± standard deviation (number of seeds); a single run has no spread",
        "state: whether the recurrence is linear in the state",
        "; ".join(tasks),
    ]


def records(matrix: MatrixData) -> list[dict[str, Any]]:
    """A dictionary for each model and task, with numbers that are not rounded."""
    made = []
    for line in matrix.lines:
        for i, (column, entry) in enumerate(zip(matrix.suite.columns, line.entries, strict=True)):
            if not entry.rows:
                continue
            last = entry.rows[-1]
            made.append(
                {
                    "suite": matrix.suite.name,
                    "column": column.name,
                    "task": column.task,
                    "settings": " ".join(column.settings),
                    "metric": last.metric,
                    "higher_is_better": last.higher_is_better,
                    "kind": line.kind,
                    "label": line.label,
                    "cell": last.cell,
                    "state": line.family,
                    "mean": entry.mean,
                    "sd": entry.sd,
                    "n": len(entry.rows),
                    "seeds": [row.seed for row in entry.rows],
                    "values": [row.value for row in entry.rows],
                    "chance": matrix.chance[i],
                    "ceiling": column.ceiling,
                    "encoder_params": last.encoder_params,
                    "params": last.params,
                    "seconds": median(row.seconds for row in entry.rows),
                    "engine": ", ".join(dict.fromkeys(row.engine for row in entry.rows)),
                }
            )
    return made


def _percent(matrix: MatrixData, column: int) -> bool:
    return matrix.metrics[column] == "accuracy"


def _number(value: float | None, percent: bool) -> str:
    return MISSING if value is None else f"{100 * value:.1f}" if percent else f"{value:.4g}"


def _csv(made: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(made[0]) if made else [], lineterminator="\n")
    writer.writeheader()
    for record in made:
        writer.writerow({k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in record.items()})
    return out.getvalue().rstrip("\n")


def _html(matrix: MatrixData) -> str:
    header, body = cells(matrix)
    lines = [
        "<table>",
        f"<thead><tr>{''.join(f'<th>{html.escape(one)}</th>' for one in header)}</tr></thead>",
        "<tbody>",
    ]
    for number, texts in enumerate(body):
        shares: list[float | None] = [None, None]
        if number < len(matrix.lines):
            line = matrix.lines[number]
            shares += [matrix.share(e, i) if line.kind == "model" else None for i, e in enumerate(line.entries)]
        row = []
        for i, text in enumerate(texts):
            share = shares[i] if i < len(shares) else None
            style = "" if share is None else f' style="background: rgba(0, 114, 178, {0.7 * share:.2f})"'
            row.append(f"<td{style}>{html.escape(text)}</td>")
        lines.append(f"<tr>{''.join(row)}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>", *(f"<p>{html.escape(note)}</p>" for note in notes(matrix))])
