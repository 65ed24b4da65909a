"""Printing tables: fitted to a terminal, never cut or wrapped in a pipe or file."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_table(table: Table) -> None:
    """Prints a rich table to standard output."""
    if sys.stdout.isatty():
        Console(highlight=False).print(table)
        return
    text = io.StringIO()
    Console(file=text, width=10_000, highlight=False).print(table)
    print("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def print_rows(rows: Sequence[dict[str, Any]], format: str = "text") -> None:
    """Prints dictionaries as a table, CSV or JSON lines."""
    if format == "json":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif format == "csv":
        import pandas as pd

        print(pd.DataFrame(rows).to_csv(index=False), end="")
    else:
        columns = dict.fromkeys(key for row in rows for key in row)
        table = plain(*columns)
        for row in rows:
            cells = [row.get(name, "") for name in columns]
            table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in cells))
        print_table(table)


def plain(*columns: str, title: str | None = None) -> Table:
    """An empty table without lines."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
