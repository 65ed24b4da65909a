"""Printing tables: fitted to a terminal, never cut or wrapped in a pipe or file."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(table: Table) -> None:
    """Prints a rich table to standard output."""
    if sys.stdout.isatty():
        Console(highlight=False).print(table)
        return
    text = io.StringIO()
    Console(file=text, width=10_000, highlight=False).print(table)
    # Not splitlines, which would cut cells at U+2028 and the like.
    print("\n".join(line.rstrip() for line in text.getvalue().removesuffix("\n").split("\n")))


class Shaded(Text):
    """A text whose colours mean something.

    Attributes:
        legend: what they mean; printed once below a table in a terminal.
    """

    legend: Text | None = None


def print_rows(rows: Sequence[dict[str, Any]], format: str = "text") -> None:
    """Prints dictionaries as a table, CSV or JSON lines; `rich.text.Text` keeps its colours in a terminal."""
    if format == "json":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False, default=str))
    elif format == "csv":
        import pandas as pd

        print(pd.DataFrame(rows).to_csv(index=False), end="")
    else:
        columns = dict.fromkeys(key for row in rows for key in row)
        table = plain(*columns)
        for row in rows:
            cells = [row.get(name, "") for name in columns]
            table.add_row(*map(_shown, cells))
            legend = next((cell.legend for cell in cells if isinstance(cell, Shaded)), None)
            if legend is not None and sys.stdout.isatty():
                table.caption, table.caption_justify, table.caption_style = legend, "left", ""
        print_table(table)


def probabilities(names: Sequence[str], p: Sequence[float]) -> dict[str, float]:
    """Columns for the probabilities of classes."""
    return {f"P({name})": round(float(value), 4) for name, value in zip(names, p, strict=True)}


def _shown(cell: Any) -> str | Text:
    return f"{cell:.4f}" if isinstance(cell, float) else cell if isinstance(cell, Text) else str(cell)


def plain(*columns: str, title: str | None = None) -> Table:
    """An empty table without lines."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
