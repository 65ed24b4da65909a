"""Renderers of result tables: text, Markdown, CSV, LaTeX, HTML, JSON."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from seqtasks.core.errors import TableError, suggest
from seqtasks.experiments import doubts, significance
from seqtasks.experiments.table_rows import AGREE, MISSING, Group, show

_ANSI = re.compile(r"\033\[[01]m")


class TableData(Protocol):
    """Attributes of `seqtasks.experiments.table.Table` that the renderers read."""

    @property
    def metric(self) -> str: ...
    @property
    def higher_is_better(self) -> bool: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def groups(self) -> tuple[Group, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def tested(self) -> bool: ...


def render(table: TableData, format: str = "text") -> str:
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


def _notes(table: TableData, mark: str) -> list[str]:
    """Lines below the table: what the scores are, doubts about them, and their origin.

    Args:
        table: The table.
        mark: How the best score is marked: "bold" or "*".
    """
    parts = ["score: mean ± standard deviation (number of seeds)"]
    models = [group for group in table.groups if group.kind == "model"]
    if models:
        parts.append(f"{mark}: best mean among the models")
    lines = ["; ".join(parts), *_comparison(table, models), *_single_run(models)]
    return [*lines, *doubts.lines([group.rows for group in table.groups]), *table.notes]


def _comparison(table: TableData, models: Sequence[Group]) -> Iterator[str]:
    """Lines on how the models were compared with the best one, and which were not."""
    if not table.tested or len(models) < 2:
        return
    p = [group.p_best for group in models[1:] if group.p_best is not None]
    method = "paired bootstrap over test examples and seeds, corrected by Holm"
    if any(value >= significance.LEVEL for value in p):
        yield f"{significance.MARK}: cannot be told from the best mean (p ≥ {significance.LEVEL:g}; {method})"
    elif p:
        others = f"all {len(p)} models" if len(p) > 1 else "the model"
        yield f"{others} compared with the best mean: p < {significance.LEVEL:g} ({method})"
    missing, advice = len(models) - 1 - len(p), "(seqtasks evaluate RUN stores those of a run)"
    if not p:
        yield f"no model is compared with the best mean, as stored outputs of the test split are missing {advice}"
    elif missing:
        without = f"{missing} model{'s' * (missing > 1)} without comparable stored outputs of the test split"
        yield f"not compared with the best mean: {without} {advice}"


def _single_run(models: Sequence[Group]) -> Iterator[str]:
    """A line if the best model has a single run."""
    if models and len(models[0].rows) == 1:
        yield "the best model has a single run, so its score may be due to its seed; add seed=0,1,2"


def _cells(table: TableData, escape: Callable[[str], str], bold: str) -> tuple[list[str], list[list[str]]]:
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
        near = group.p_best is not None and group.p_best >= significance.LEVEL
        marks = doubts.mark(group.rows) + significance.MARK * near
        line += [style.format(escape(_score(group, percent))) + escape(marks)]
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


def records(table: TableData) -> list[dict[str, Any]]:
    """A dictionary for each group, with numbers that are not rounded.

    Args:
        table: The table.
    """
    return [
        {name: getattr(group.rows[0], name) for name in ("task", *AGREE, "higher_is_better", "kind")}
        | dict(zip(["cell", *table.columns[1:]], (None if x == MISSING else x for x in group.labels), strict=True))
        | {
            "mean": group.mean,
            "sd": group.sd,
            "n": len(group.rows),
            "seeds": [row.seed for row in group.rows],
            "values": [row.value for row in group.rows],
            "p_best": group.p_best,
            "encoder_params": group.rows[-1].encoder_params,
            "params": group.rows[-1].params,
            "seconds_per_epoch": statistics.median(row.seconds_per_epoch for row in group.rows),
            "engine": ", ".join(dict.fromkeys(row.engine for row in group.rows)),
            "notes": list(dict.fromkeys(note for row in group.rows for note in row.notes)),
        }
        for group in table.groups
    ]


def _text(table: TableData) -> str:
    from rich.cells import cell_len  # tables of rich take a second for a thousand rows

    terminal = sys.stdout.isatty()
    header, body = _cells(table, _one_line, "\033[1m{}\033[0m" if terminal else "{}*")
    widths = [max(cell_len(_ANSI.sub("", cell)) for cell in cells) for cells in zip(header, *body, strict=True)]
    left = {*range(len(table.columns)), len(header) - 1}

    def padded(line: Sequence[str]) -> str:
        cells = []
        for i, (cell, width) in enumerate(zip(line, widths, strict=True)):
            blank = " " * (width - cell_len(_ANSI.sub("", cell)))
            cells.append(f"{cell}{blank}" if i in left else f"{blank}{cell}")
        return "   ".join(cells).rstrip()

    title = padded(header)
    lines = [f"\033[1m{title}\033[0m" if terminal else title, "─" * (sum(widths) + 3 * (len(widths) - 1))]
    notes = _notes(table, "bold" if terminal else "*")
    return "\n".join([*lines, *map(padded, body), "", *notes])


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f]", " ", text)


def _markdown(table: TableData) -> str:
    header, body = _cells(table, lambda text: text.replace("|", r"\|"), "**{}**")
    left = len(table.columns)
    notes = _notes(table, "bold")
    rule = [":--"] * left + ["--:"] * (len(header) - left - 1) + [":--"]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in (header, rule, *body)), "", "  \n".join(notes)])


def _html(table: TableData) -> str:
    header, body = _cells(table, html.escape, "<b>{}</b>")
    head = "".join(f"<th>{cell}</th>" for cell in header)
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in body]
    notes = [f"<p>{html.escape(note)}</p>" for note in _notes(table, "bold")]
    return "\n".join(["<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>", *lines, "</tbody>", "</table>", *notes])


def _latex(table: TableData) -> str:
    signs = {sign: "\\" + sign for sign in "_%&#${}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
    signs |= {"^": r"\textasciicircum{}", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    signs |= {"–": "--", "·": r"$\cdot$", "…": r"\ldots{}", "<": r"\textless{}", ">": r"\textgreater{}"}
    signs |= {"†": r"$\dagger$", "‡": r"$\ddagger$", "≈": r"$\approx$", "≥": r"$\geq$"}
    rules = str.maketrans(signs)
    header, body = _cells(table, lambda text: text.translate(rules), r"\textbf{{{}}}")
    left = len(table.columns)
    lines = [" & ".join(line) + r" \\" for line in (header, *body)]
    begin = rf"\begin{{tabular}}{{{'l' * left}{'r' * (len(header) - left - 1)}l}}"
    notes = [note.translate(rules) for note in _notes(table, "bold")]
    lines = [begin, r"\hline", lines[0], r"\hline", *lines[1:], r"\hline", r"\end{tabular}"]
    return "\n".join([*lines, "", (r" \\" + "\n").join(notes)])


def _csv(table: TableData) -> str:
    lines = [
        {
            name: ("; " if name == "notes" else " ").join(map(str, value)) if isinstance(value, list) else value
            for name, value in record.items()
        }
        for record in records(table)
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().rstrip("\n")


def _json(table: TableData) -> str:
    return json.dumps(records(table), indent=2, ensure_ascii=False)


_FORMATS: dict[str, Callable[[TableData], str]] = {
    "text": _text,
    "markdown": _markdown,
    "csv": _csv,
    "latex": _latex,
    "html": _html,
    "json": _json,
}
