"""Reports of a benchmark: text, Markdown and a bar chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqtasks.bench.contenders import NAMES
from seqtasks.bench.race import Race
from seqtasks.core.files import write_output

SUFFIXES = (".png", ".pdf", ".svg")
HEAD = ("contender", "ms", "quartiles", "GFLOP/s", "of peak", "MB")


def rows(race: Race) -> list[list[str]]:
    """A row for each contender with the columns of `HEAD`, the fastest first."""
    names = order(race)
    table = []
    for name in names:
        low, middle, high = 1000 * np.percentile(race.seconds[name], [25, 50, 75])
        speed = race.speed(name)
        cells = [NAMES[name], f"{middle:.1f}", f"{low:.1f}-{high:.1f}", f"{speed / 1e9:.0f}"]
        table.append([*cells, f"{speed / race.peak:.0%}", f"{race.memory[name] / 2**20:.0f}"])
    return table


def order(race: Race) -> list[str]:
    """Names of the contenders, the fastest first."""
    return sorted(race.seconds, key=lambda name: float(np.median(race.seconds[name])))


def ratios(race: Race, one: str) -> list[str]:
    """Lines with the time of `one` divided by that of each other: median and quartiles."""
    lines = []
    for other in order(race):
        if other != one:
            low, middle, high = race.ratio(one, other)
            lines.append(f"{NAMES[one]} / {NAMES[other]}: {middle:.2f} ({low:.2f}-{high:.2f})")
    return lines


def markdown(races: dict[str, Race], one: str) -> str:
    """A Markdown table: time of one contender for each shape, and its ratio to the others.

    Args:
        races: Measurements by name of the shape.
        one: Name of the contender.
    """
    others = [name for name in NAMES if name != one and any(name in race.seconds for race in races.values())]
    head = ["shape", f"{NAMES[one]}, ms", "GFLOP/s", "of peak", *(f"/ {NAMES[name]}" for name in others)]
    lines = ["| " + " | ".join(head) + " |", "| :-- |" + " --: |" * (len(head) - 1)]
    for shape, race in races.items():
        middle, speed = 1000 * float(np.median(race.seconds[one])), race.speed(one)
        cells = [shape, f"{middle:.1f}", f"{speed / 1e9:.0f}", f"{speed / race.peak:.0%}"]
        for name in others:
            if name in race.seconds:
                low, ratio, high = race.ratio(one, name)
                cells.append(f"{ratio:.2f} ({low:.2f}-{high:.2f})")
            else:
                cells.append("-")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(races: dict[str, Race], path: Path) -> None:
    """Draws a bar chart of each contender's time relative to the fastest one, for each shape.

    Args:
        races: Measurements by name of the shape.
        path: File to write: PNG, PDF or SVG.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = [name for name in NAMES if any(name in race.seconds for race in races.values())]
    figure, axes = plt.subplots(figsize=(1.5 + 1.7 * len(races), 3.6), layout="constrained")
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        at, heights = [], []
        for j, race in enumerate(races.values()):
            if name in race.seconds:
                best = min(float(np.median(seconds)) for seconds in race.seconds.values())
                at.append(j + (i - (len(names) - 1) / 2) * width)
                heights.append(float(np.median(race.seconds[name])) / best)
        axes.bar(at, heights, width * 0.95, label=NAMES[name])
    axes.set_xticks(range(len(races)), _wrapped(list(races)))
    axes.set_ylabel("time of a training step\n(the fastest is 1)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize="small", frameon=False)
    write_output(path, lambda file: figure.savefig(file, dpi=150))
    plt.close(figure)


def _wrapped(names: Sequence[str]) -> list[str]:
    return [name.replace("_", "\n") for name in names]
