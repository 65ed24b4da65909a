"""Draws docs/tasks/topologies.svg: what each topology reads, keeps and writes. Run: python docs/draw_topologies.py"""

from __future__ import annotations

from pathlib import Path

BOX, GAP, LIFT, SPACE = 26, 12, 52, 46  # width of a box, between steps, between rows, between pictures
TOP, LEFT, LEGEND = 44, 18, 60
COLOURS = {"input": "#f2b8a8", "state": "#b9d8b4", "output": "#a9c6ec"}
# Name, tasks, steps, which of them read and which write, whether a state is kept.
PICTURES = [
    ("one-to-one", "mnist_vanilla", 1, [0], [0], False),
    ("one-to-many", "captioning", 4, [0], [0, 1, 2, 3], True),
    ("many-to-one", "sentiment", 4, [0, 1, 2, 3], [3], True),
    ("many-to-many", "translation", 6, [0, 1, 2], [3, 4, 5], True),
    ("synced", "tagging", 4, [0, 1, 2, 3], [0, 1, 2, 3], True),
    ("unaligned", "spoken_strings", 6, [0, 1, 2, 3, 4, 5], [1, 4], True),
]


def box(x: float, row: int, kind: str, dashed: bool = False) -> str:
    y = TOP + row * LIFT
    dash = ' stroke-dasharray="3 3"' if dashed else ""
    return (
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{BOX}" rx="4" fill="{COLOURS[kind] if not dashed else "none"}" '
        f'stroke="#555"{dash}/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#555" marker-end="url(#head)"/>'


def picture(left: float, name: str, task: str, steps: int, reads: list[int], writes: list[int], keeps: bool) -> str:
    parts = []
    for step in range(steps):
        x = left + step * (BOX + GAP)
        middle = x + BOX / 2
        parts.append(box(x, 1, "state"))
        if step in reads:
            parts += [box(x, 2, "input"), arrow(middle, TOP + 2 * LIFT, middle, TOP + LIFT + BOX + 3)]
        if step in writes:
            parts += [box(x, 0, "output"), arrow(middle, TOP + LIFT, middle, TOP + BOX + 3)]
        elif name == "unaligned":  # the blank of CTC
            parts += [box(x, 0, "output", dashed=True), arrow(middle, TOP + LIFT, middle, TOP + BOX + 3)]
        if keeps and step + 1 < steps:
            parts.append(arrow(x + BOX, TOP + LIFT + BOX / 2, x + BOX + GAP - 2, TOP + LIFT + BOX / 2))
    width = steps * (BOX + GAP) - GAP
    text = f'<text x="{left + width / 2}" y="{{y}}" text-anchor="middle" class="{{kind}}">{{words}}</text>'
    parts.append(text.format(y=TOP - 18, kind="name", words=name))
    parts.append(text.format(y=TOP + 2 * LIFT + BOX + 20, kind="task", words=task))
    return f'<a href="../tasks/{task}.py">{"".join(parts)}</a>'


def draw() -> str:
    parts, left = [], float(LEFT)
    for name, task, steps, reads, writes, keeps in PICTURES:
        width = max(steps * (BOX + GAP) - GAP, 76)  # room for the name
        inset = (width - (steps * (BOX + GAP) - GAP)) / 2
        parts.append(picture(left + inset, name, task, steps, reads, writes, keeps))
        left += width + SPACE
    width, height = left - SPACE + LEFT, TOP + 2 * LIFT + BOX + LEGEND
    x = float(LEFT)
    for kind, what in (("input", "what is read"), ("state", "hidden state"), ("output", "what is written")):
        y = height - 24
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" rx="2" fill="{COLOURS[kind]}" stroke="#555"/>')
        parts.append(f'<text x="{x + 18}" y="{y + 11}" class="task">{what}</text>')
        x += 150
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}">'
        "<style>text{font-family:sans-serif;fill:#333}.name{font-size:14px;font-weight:bold}.task{font-size:12px}</style>"
        '<defs><marker id="head" markerWidth="7" markerHeight="7" refX="5" refY="3" orient="auto">'
        '<path d="M0,0 L6,3 L0,6 z" fill="#555"/></marker></defs>'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    (Path(__file__).parent / "tasks" / "topologies.svg").write_text(draw(), encoding="utf-8")
