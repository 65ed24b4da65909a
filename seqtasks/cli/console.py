"""Prints tables: wrapped to the width of a terminal, whole lines in a pipe or file."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqtasks.core.streams import can_show
from seqtasks.task_types.common.columns import Shaded

LONG = 1000  # rows, above which a table of texts is printed without rich


def print_table(table: Table) -> None:
    """Prints a rich table to standard output."""
    if sys.stdout.isatty():
        Console(highlight=False, markup=False).print(table)
        return
    print(plain_text(table))


def plain_text(table: Table) -> str:
    """A rich table as text without colours, its lines never wrapped."""
    text = io.StringIO()
    Console(file=text, width=10_000, highlight=False, markup=False).print(table)
    # str.splitlines would also split at characters such as U+2028 inside a cell.
    return "\n".join(line.rstrip() for line in text.getvalue().removesuffix("\n").split("\n"))


def print_rows(rows: Sequence[dict[str, Any]], format: str = "text") -> None:
    """Prints dictionaries as a table, CSV or JSON lines.

    Args:
        rows: Rows as mappings of column to value. A `rich.text.Text` keeps its colours in a terminal.
        format: "text", "csv" or "json".
    """
    if format == "text":
        table = _table(rows)
        cells = [cell for row in rows for cell in row.values() if isinstance(cell, Shaded)]
        if cells and cells[0].legend is not None and sys.stdout.isatty():
            table.caption, table.caption_justify, table.caption_style = cells[0].legend, "left", ""
        print_table(table)
        return
    text = render_rows(rows, format)
    # Escape the JSON if the encoding of standard output lacks a character, which would become a question mark.
    print(text if format != "json" or can_show(text) else render_rows(rows, format, ascii=True), end="")


def render_rows(rows: Sequence[dict[str, Any]], format: str = "text", ascii: bool = False) -> str:
    """Dictionaries as the text of a table, CSV or JSON lines.

    Args:
        rows: Rows as mappings of column to value.
        format: "text", "csv" or "json".
        ascii: Escape all characters outside ASCII in JSON.
    """
    if format == "json":
        lines = (json.dumps(_json(row), ensure_ascii=ascii, allow_nan=False, default=str) for row in rows)
        return "".join(f"{line}\n" for line in lines)
    if format == "csv":
        import pandas as pd

        cells = [{key: _joined(value) for key, value in row.items()} for row in rows]
        return str(pd.DataFrame(cells).to_csv(index=False))
    return plain_text(_table(rows)) + "\n"


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    columns = dict.fromkeys(key for row in rows for key in row)
    table = plain(*columns)
    for row in rows:
        table.add_row(*(_shown(row.get(name, "")) for name in columns))
    return table


def _json(value: Any) -> Any:
    """A value with None in place of NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _joined(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _shown(cell: Any) -> str | Text:
    if cell is None:
        return ""
    return f"{cell:.4f}" if isinstance(cell, float) else cell if isinstance(cell, Text) else str(_joined(cell))


def print_columns(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table of texts with a title.

    Long tables are not made by rich, which takes a minute for a hundred thousand rows.

    Args:
        title: Line above the table.
        columns: Names of the columns.
        rows: Cells of each row.
    """
    if len(rows) <= LONG:
        table = plain(*columns, title=title)
        for row in rows:
            table.add_row(*row)
        print_table(table)
        return
    print(columns_text(title, columns, rows))


def columns_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The text of `plain_text` for a table of texts on one line each.

    Args:
        title: Line above the table.
        columns: Names of the columns.
        rows: Cells of each row.
    """
    lines = [columns, *rows]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    if all(cell.isascii() for line in lines for cell in line):
        form = "  ".join(f"{{:<{width}}}" for width in widths)
        return "\n".join([title, *(form.format(*line).rstrip() for line in lines)])
    padded = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join([title, *(line.rstrip() for line in padded)])


def plain(*columns: str, title: str | None = None) -> Table:
    """An empty table with the given columns and no borders."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
