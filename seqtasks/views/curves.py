"""Learning curves of one or several runs: `seqtasks plot RUN …`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqtasks.core.errors import RunError
from seqtasks.experiments.history import best_epoch, read_history
from seqtasks.experiments.results import Row
from seqtasks.experiments.run_folder import Run
from seqtasks.experiments.table_rows import show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TIMES = ("epoch", "seconds", "validation_seconds")


@dataclass(frozen=True)
class Curve:
    """A value over the epochs, of all runs that differ by their seed only.

    Attributes:
        label: Name of the runs.
        epochs: Numbers of the epochs that all runs have.
        mean: Mean over the runs.
        low: Smallest value of the runs.
        high: Largest value of the runs.
        best: Epoch whose weights were kept, of each run that is finished.
    """

    label: str
    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
    best: list[int]


def curve(label: str, histories: Sequence[list[dict[str, float]]], key: str, best: Sequence[int] = ()) -> Curve | None:
    """The mean of a value over several runs, and its range.

    Args:
        label: Name of the runs.
        histories: Values of each epoch of each run.
        key: Name of the value.
        best: Best epoch of each run.

    Returns:
        The curve over the epochs that all runs have; None if the runs do not have the value.
    """
    if not all(key in epoch for history in histories for epoch in history):
        return None
    columns = list(zip(*([epoch[key] for epoch in history] for history in histories), strict=False))
    epochs = [int(epoch["epoch"]) for epoch in histories[0]][: len(columns)]
    mean = [sum(column) / len(column) for column in columns]
    return Curve(label, epochs, mean, [min(c) for c in columns], [max(c) for c in columns], list(best))


def values_of(histories: Sequence[list[dict[str, float]]], metric: str) -> list[str]:
    """Names of the values to draw: the loss, the metric, or the only validation values that there are."""
    present = set.intersection(*({key for epoch in history for key in epoch} for history in histories))
    names = [name for name in ("loss", metric) if name in present or f"val_{name}" in present]
    return names or sorted({key.removeprefix("val_") for key in present} - set(_TIMES))[:2]


def distinct_labels(rows: Sequence[Row]) -> list[str]:
    """Names of runs: the cell, and the settings in which the runs differ besides the seed.

    Args:
        rows: Result rows of models.

    Returns:
        A name for each row; rows that differ by their seed only have the same one.
    """
    facts = [flat(row.config) for row in rows]
    keys = list(dict.fromkeys(key for fact in facts for key in fact if key not in ("seed", "task", "encoder.cell")))
    varying = [key for key in keys if len({show(fact.get(key)) for fact in facts}) > 1]
    # What follows from another setting, as the width from `encoder.match`, names nothing new.
    if len({row.cell for row in rows}) > 1 and "encoder.match" not in varying and facts[0].get("encoder.match"):
        varying = [key for key in varying if key != "encoder.units"]
    tasks = len({row.task for row in rows}) > 1
    return [
        " ".join(
            [
                *([row.task] if tasks else []),
                row.cell,
                *(f"{key.rpartition('.')[2]}={show(fact.get(key))}" for key in varying),
            ]
        )
        for row, fact in zip(rows, facts, strict=True)
    ]


def draw(runs: Sequence[tuple[Run, Row]], baselines: Sequence[Row] = ()) -> Figure:
    """Draws loss and metric of training and validation over the epochs; seeds of the same settings are a band.

    Args:
        runs: Finished runs with their rows.
        baselines: Baselines of the same data, of which the best one is a line.

    Raises:
        RunError: A history cannot be read, or the runs have different metrics.
    """
    from seqtasks.task_types.common import style

    rows = [row for _, row in runs]
    metrics = list(dict.fromkeys(row.metric for row in rows))
    if len(metrics) > 1:
        raise RunError(f"runs with the metrics {' and '.join(metrics)}; allowed: one metric; draw them separately")
    histories = [read_history(run.path) for run, _ in runs]
    labels = distinct_labels(rows)
    groups = {label: [i for i, other in enumerate(labels) if other == label] for label in dict.fromkeys(labels)}
    metric = rows[0].metric
    names = values_of(histories, metric)
    with style.context():
        figure = style.new_figure(5.2 * len(names) + 2 * (len(groups) > 1), 3.9)
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for number, (label, indices) in enumerate(groups.items()):
                chosen = [histories[i] for i in indices]
                best = [epoch for i in indices if (epoch := best_epoch(rows[i], histories[i])) is not None]
                colour = style.colour(number)
                _lines(axes, chosen, name, label if len(groups) > 1 else "", best, colour)
            if any(line.get_fillstyle() == "none" for line in axes.lines):
                words = "best epoch" if len(rows) == len(groups) else "best epoch, mean"
                axes.plot([], [], "o", color="0.4", markersize=8, fillstyle="none", label=words)
            if name == metric and baselines:
                style.baseline(axes, *_best_baseline(rows[0], baselines))
            axes.set(xlabel="epoch", ylabel=name)
            style.whole_numbers(axes.xaxis)
            if len(groups) == 1:
                axes.legend()
        if len(groups) > 1:  # one for all panels, beside them
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(title(rows, labels))
    return figure


def title(rows: Sequence[Row], labels: Sequence[str]) -> str:
    """Title of a figure of runs: task, cell and seeds.

    Args:
        rows: Result rows of the runs.
        labels: Name of each run, see `distinct_labels`.
    """
    seeds = sorted({row.seed for row in rows})
    several = f"seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f"seed {seeds[0]}"
    tasks = ", ".join(dict.fromkeys(row.task for row in rows))
    names = list(dict.fromkeys(labels))
    cells = names[0] if len(names) == 1 else f"{len(names)} models"
    return f"{tasks} · {cells} · {several}"


def _lines(axes: Any, histories: Sequence[Any], name: str, label: str, best: Sequence[int], colour: str) -> None:
    for key, part, dashes in ((name, "training", ":"), (f"val_{name}", "validation", "-")):
        line = curve(label, histories, key, best)
        if line is None:
            continue
        text = f"{label} {part}".strip()
        axes.plot(line.epochs, line.mean, dashes, color=colour, label=text, marker="." if len(line.epochs) < 30 else "")
        if len(histories) > 1 and part == "validation":
            axes.fill_between(line.epochs, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
        if part == "validation" and best:
            at = round(sum(best) / len(best))
            if at in line.epochs:
                height = line.mean[line.epochs.index(at)]
                axes.plot([at], [height], "o", color=colour, markersize=8, fillstyle="none")


def _best_baseline(row: Row, baselines: Sequence[Row]) -> tuple[str, float]:
    best = (max if row.higher_is_better else min)(baselines, key=lambda one: one.value)
    return best.cell, best.value


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key.

    Args:
        values: Nested mappings.
        prefix: Beginning of each key.

    Example:
        >>> flat({"seed": 1, "encoder": {"units": 8}})
        {'seed': 1, 'encoder.units': 8}
    """
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves
