"""Draws docs/development/rooms.svg: the folders of the package and their imports, read from the source.

    python docs/draw_rooms.py

A folder stands above all folders that it imports, also inside functions. An arrow is left out where a longer path by
other arrows exists.
"""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "seqtasks"
WIDTH, HEIGHT, ROW, GAP, MARGIN = 150, 50, 84, 40, 24
TOP = "#e9f7ec", "#3f8f55"
FOLDER = "#e8f1ff", "#3b6fb5"
TASKS = "#fff3d6", "#b58900"
# Chosen so that no arrow runs behind a folder.
COLUMN = {
    **dict.fromkeys(["cli", "bench", "experiments"], 0),
    **dict.fromkeys(["testing", "training", "layers", "engines", "cells", "core"], 1),
    **dict.fromkeys(["views", "deploy", "tasks", "task_types", "decoding", "data"], 2),
}
PURPOSE = {  # at most 24 characters
    "tasks": "what is learnt",
    "cli": "command line",
    "bench": "timing of steps",
    "testing": "contracts",
    "views": "reports, activations",
    "deploy": "export, serving",
    "training": "one run",
    "task_types": "how tasks are learnt",
    "decoding": "search, sampling",
    "layers": "Keras layers, losses",
    "engines": "loop over time",
    "cells": "equations",
    "data": "readers, batches",
    "experiments": "rows, tables, grids",
    "core": "configuration, errors",
}


def imported(folder: Path) -> set[str]:
    """Names of the folders of the package that the modules of a folder import."""
    names = set()
    for path in folder.rglob("*.py"):
        if "templates" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names |= {module.split(".")[1] for module in modules if module.startswith("seqtasks.")}
    return names


def graph() -> dict[str, set[str]]:
    """Imports between folders; plugins in `tasks/` are one more folder."""
    folders = {path.parent.name: path.parent for path in PACKAGE.glob("*/__init__.py") if path.parent.name in PURPOSE}
    folders.pop("configs", None)
    folders["tasks"] = DOCS.parent / "tasks"
    return {name: (imported(path) & folders.keys()) - {name, "tasks"} for name, path in sorted(folders.items())}


def reachable(name: str, arrows: dict[str, set[str]]) -> set[str]:
    return arrows[name] | {deeper for below in arrows[name] for deeper in reachable(below, arrows)}


def draw() -> str:
    arrows = graph()
    depth: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in depth:
            depth[name] = max((floor(below) + 1 for below in arrows[name]), default=0)
        return depth[name]

    top = max(map(floor, arrows))
    width = 2 * MARGIN + 3 * WIDTH + 2 * GAP
    places = {name: (MARGIN + COLUMN[name] * (WIDTH + GAP), MARGIN + (top - depth[name]) * ROW) for name in arrows}
    parts = []
    for name, below in arrows.items():
        for target in sorted(below - {deeper for other in below for deeper in reachable(other, arrows)}):
            (x1, y1), (x2, y2) = places[name], places[target]
            x1, y1, x2 = x1 + WIDTH / 2, y1 + HEIGHT, x2 + WIDTH / 2
            bend = (y2 - y1) / 2  # leaves and arrives vertically
            curve = f"M{x1:g},{y1:g} C{x1:g},{y1 + bend:g} {x2:g},{y2 - bend:g} {x2:g},{y2 - 3:g}"
            parts.append(f'<path d="{curve}" fill="none" stroke="#777" marker-end="url(#head)"/>')
    for name, (x, y) in places.items():
        fill, stroke = TASKS if name == "tasks" else TOP if depth[name] == top else FOLDER
        middle = x + WIDTH / 2
        parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="{stroke}"/>'
            f'<text x="{middle:g}" y="{y + 21:g}">{name}/</text>'
            f'<text x="{middle:g}" y="{y + 39:g}" class="purpose">{escape(PURPOSE[name])}</text>'
        )
    height = 2 * MARGIN + top * ROW + HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="sans-serif">'
        "<style>text{text-anchor:middle;font-size:15px;fill:#222}.purpose{fill:#555;font-size:12px}</style>"
        '<defs><marker id="head" markerWidth="7" markerHeight="7" refX="5" refY="3" orient="auto">'
        '<path d="M0,0 L6,3 L0,6 z" fill="#777"/></marker></defs>'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    (DOCS / "development" / "rooms.svg").write_text(draw(), encoding="utf-8")
