"""Tables of docs/atlas.md and of the pages of cells, from docs/atlas.csv and docs/atlas_costs.csv."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmark_files import mean_and_spread, module, rows

DOCS = Path(__file__).resolve().parent
SECTION = re.compile(r"^### (.+?)\n.*?<!-- cells: (.*?)-->", re.M | re.S)
STARS = (
    "Cells that are linear in their state with eigenvalues from 0 to 1 recognize star-free languages only: flip-flop, "
    "but not parity or permutations at every length ([Sarrof et al. 2024](https://arxiv.org/abs/2405.17394), "
    "[Grazzi et al. 2024](https://arxiv.org/abs/2411.12537))."
)
RECALL = (
    "A state of fixed size holds a number of pairs that grows with its size "
    "([Arora et al. 2024](https://arxiv.org/abs/2402.18668))."
)
NONLINEAR = (
    "A recurrent matrix with a nonlinearity can compute every regular language, so parity, permutations and Dyck "
    "languages of limited depth, at every length ([Merrill 2019](https://arxiv.org/abs/1906.01615)); whether training "
    "finds it is another matter."
)
THEORY = {
    "Linear in the state, parallel over time": STARS,
    "State space models": (
        "S4D and S5 have transitions that do not depend on the input, and so cannot select what to keep; that of Mamba "
        f"depends on it, with eigenvalues from 0 to 1. {STARS}"
    ),
    "With a matrix as state": (
        f"{STARS} This holds for the delta rule, too, while its rate is at most 1. {RECALL} The matrix has n · n / "
        "heads numbers, many more than the state of other cells with as many parameters."
    ),
    "With a memory beside the hidden state": f"{NONLINEAR} A stack also computes Dyck languages of any depth.",
}


def command() -> Any:
    """The module benchmarks/atlas.py."""
    return module("atlas")


def families() -> dict[str, list[str]]:
    """The cells of each section of cells/index.md, by its title."""
    text = (DOCS / "cells" / "index.md").read_text(encoding="utf-8")
    return {title: names.split() for title, names in SECTION.findall(text)}


def probes() -> list[str]:
    """The columns of the atlas."""
    from seqtasks.experiments.suites import suites

    return [column.name for column in suites()[command().SUITE].columns]


def score(of_point: list[dict[str, str]], key: str = "score") -> str:
    """Mean of the seeds in percent, with standard deviation and number of seeds if there are several."""
    values = [100 * float(row[key]) for row in of_point]
    number = f" ({len(values)})" if len(values) > 1 else ""
    return f"{mean_and_spread(values)}{number}" if values else "–"


def share(of_point: list[dict[str, str]]) -> float:
    """Where the mean lies between chance, 0, and 1."""
    chance = float(of_point[0]["chance"])
    return min(1.0, max(0.0, (fmean(float(row["score"]) for row in of_point) - chance) / (1 - chance)))


def status() -> str:
    """The number of runs in the files, and the command that trains the others."""
    cells = [cell for names in families().values() for cell in names]
    wanted = command().points(cells, probes(), 3)
    known = {(row["cell"], row["probe"], int(row["seed"])) for row in rows("atlas.csv")}
    there, costs = len(known & set(wanted)), len(rows("atlas_costs.csv"))
    rest = "" if there == len(wanted) else "; `python benchmarks/atlas.py` trains the others"
    more = "" if costs == len(cells) else "; `python benchmarks/atlas.py --costs` measures the others"
    timed = f"Times and memory: {costs} of {len(cells)} cells{more}."
    return f"{there:,} of {len(wanted):,} runs are there{rest}. {timed}\n"


def matrix() -> str:
    """The scores of all cells as an HTML table, grouped by family; colours from chance to 100 %."""
    by_point = _by_point()
    names = probes()
    lines = ["<table>", "<thead><tr><th>cell</th>", *(f"<th>{name}</th>" for name in names), "</tr></thead>", "<tbody>"]
    chance = {probe: f"{100 * float(of_point[0]['chance']):.1f}" for (_, probe), of_point in by_point.items()}
    texts = [f"<td>{chance.get(name, '–')}</td>" for name in names]
    lines.append(f"<tr><td>chance</td>{''.join(texts)}</tr>")
    for family, cells in families().items():
        known = [cell for cell in cells if any((cell, probe) in by_point for probe in names)]
        if known:
            lines.append(f'<tr><th colspan="{len(names) + 1}">{family}</th></tr>')
        for cell in known:
            entries = []
            for probe in names:
                of_point = by_point.get((cell, probe), [])
                style = f' style="background: rgba(0, 114, 178, {0.7 * share(of_point):.2f})"' if of_point else ""
                mark = "*" if any(int(row["updates"]) < 1000 for row in of_point) else ""
                entries.append(f"<td{style}>{score(of_point)}{mark}</td>")
            lines.append(f'<tr><td><a href="cells/pages/{cell}.html">{cell}</a></td>{"".join(entries)}</tr>')
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def costs() -> str:
    """Times and memory of the cells as a Markdown table."""
    titles = ["cell", "engine", "units", "parameters", "numbers of state", "forward ms", "training step ms"]
    titles += ["training step MB", "generation step ms"]
    lines = [f"| {' | '.join(titles)} |", f"| :-- | :-- {'| --: ' * 7}|"]
    known = {row["cell"]: row for row in rows("atlas_costs.csv")}
    keys = ("units", "parameters", "state_numbers", "forward_ms", "step_ms", "step_mb", "generation_ms")
    for cells in families().values():
        for cell in cells:
            if row := known.get(cell):
                lines.append(f"| `{cell}` | {row['engine']} | {' | '.join(row[key] for key in keys)} |")
    return "\n".join([*lines, ""])


def of_cell(cell: str) -> list[str]:
    """Lines of the page of a cell: its row of the atlas, and what theory says of its family."""
    by_point = _by_point()
    family = next((title for title, names in families().items() if cell in names), "")
    lines = []
    of_point = {probe: by_point.get((cell, probe), []) for probe in probes()}
    if any(of_point.values()):
        lines += [f"| {' | '.join(['', *of_point])} |", f"| :-- {'| --: ' * len(of_point)}|"]
        lines += [f"| longer sequences, % | {' | '.join(score(one) for one in of_point.values())} |"]
        lines += [
            f"| lengths of training, % | {' | '.join(score(one, 'score_trained') for one in of_point.values())} |"
        ]
        fewest = min(int(row["updates"]) for one in of_point.values() for row in one)
        parameters = next(row["parameters"] for one in of_point.values() for row in one)
        facts = f"{int(parameters):,} parameters; {fewest:,} updates at least"
        lines += ["", f"{facts}. How: [the atlas](../../atlas.md).", ""]
    if row := next((row for row in rows("atlas_costs.csv") if row["cell"] == cell), None):
        lines += [
            f"Processor time with {row['units']} units, 32 sequences of 128 steps, engine `{row['engine']}`: forward "
            f"{row['forward_ms']} ms, training step {row['step_ms']} ms. A step of generation of one sequence takes "
            f"{row['generation_ms']} ms; the state has {row['state_numbers']} numbers.",
            "",
        ]
    return [*lines, f"What theory says of such cells: {THEORY.get(family, NONLINEAR)}", ""]


@cache
def _by_point() -> dict[tuple[str, str], list[dict[str, str]]]:
    """The rows of each cell and probe."""
    made: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows("atlas.csv"):
        made.setdefault((row["cell"], row["probe"]), []).append(row)
    return made
