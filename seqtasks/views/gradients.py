"""Gradients over time of one or several runs, trained and untrained, as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqtasks.core.errors import RunError
from seqtasks.core.files import write_text
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.task_types.common.plots import save_figure
from seqtasks.training.compiled_model import build
from seqtasks.training.gradient_log import FILE, read_log
from seqtasks.training.saved_model import open_trained
from seqtasks.views import figures
from seqtasks.views.gradient_flow import GradientFlow, gradient_norms, slope
from seqtasks.views.look import Look, check_recurrent, read


def look_at_gradients(
    folders: Sequence[run_folder.Run],
    out: Path,
    reporter: Reporter,
    steps: int = 100,
    layer: int | None = None,
    trust: bool = False,
) -> Look:
    """Computes the gradient norms of runs over the steps back, and draws them in one picture.

    For each run there are the trained network and an untrained one with the same settings and seed. Several runs are
    compared by one layer each.

    Args:
        folders: Finished runs.
        out: Folder that `gradients.png` and `gradients.csv` are written to; it is created.
        reporter: Prints progress.
        steps: Maximum number of steps back.
        layer: Number of the layer, from 1; None: all layers of a single run, else the last.
        trust: Run the Python code that is stored in the run folders.

    Returns:
        A table with norms at 1, half of and all steps back and the factor of a step, and the written files.

    Raises:
        ConfigError: The model has no recurrent layer.
        RunError: A run cannot be used, its data has changed, or the runs are of several tasks.
    """
    tasks = sorted({folder.task for folder in folders})
    if len(tasks) > 1:
        raise RunError(
            f"the runs are of the tasks {', '.join(tasks)}; allowed: runs of one task; look at each task separately"
        )
    flows: list[GradientFlow] = []
    clips, training = [], {}
    for folder, label in zip(folders, _labels(folders), strict=True):
        reporter.say(f"gradients of {folder.path}")
        task, config, model = open_trained(folder, trust)
        check_recurrent(task)
        batch = read(task, model, folder, config, (), reporter, steps + 1)
        untrained, _ = build(task, config)
        for network, trained in ((model, True), (untrained, False)):
            norms = gradient_norms(network, batch, task.loss(), steps)
            flows.append(GradientFlow(label, _kept(norms, layer, len(folders) > 1), trained))
        clips.append(config.train.clip_norm)
        if (folder.path / FILE).is_file():
            training[label] = read_log(folder.path)
    clip = clips[0] if len(set(clips)) == 1 else None
    out.mkdir(parents=True, exist_ok=True)
    title = f"{tasks[0]}: gradient of the loss at the last step"
    save_figure(figures.gradient_figure(title, flows, clip, training), out / "gradients.png")
    write_text(out / "gradients.csv", _table(flows).to_csv(index=False))
    rows = [row for flow in flows for row in _rows(flow)]
    return Look(rows, [], [out / "gradients.png", out / "gradients.csv"])


def _labels(folders: Sequence[run_folder.Run]) -> list[str]:
    """Name of each run: its cell, or that of its folder where two runs have the same cell."""
    cells = [str(folder.config_values().get("encoder", {}).get("cell")) for folder in folders]
    return [cell if cells.count(cell) == 1 else folder.path.name for cell, folder in zip(cells, folders, strict=True)]


def _kept(norms: dict[str, np.ndarray], layer: int | None, several: bool) -> dict[str, np.ndarray]:
    """The layers that are drawn."""
    if layer is not None:
        names = list(norms)
        if not 1 <= layer <= len(names):
            raise RunError(f"--layer is {layer}; allowed: 1 to {len(names)}; choose one of the layers")
        return {names[layer - 1]: norms[names[layer - 1]]}
    return dict(list(norms.items())[-1:]) if several else norms


def _rows(flow: GradientFlow) -> list[dict[str, Any]]:
    """Rows of the table: norms at some steps back, and the factor of a step over the second half."""
    rows = []
    for layer, norms in flow.norms.items():
        last = len(norms) - 1
        row: dict[str, Any] = {"run": flow.label, "network": "trained" if flow.trained else "untrained", "layer": layer}
        for back in dict.fromkeys((min(1, last), last // 2, last)):
            row[f"{back} back"] = f"{norms[back]:.3g}"
        rows.append(row | {"factor of a step": f"{np.exp(slope(norms, last // 2, last)):.4f}"})
    return rows


def _table(flows: Sequence[GradientFlow]) -> pd.DataFrame:
    """All norms, one row for each network, layer and step back."""
    return pd.DataFrame(
        {"run": flow.label, "trained": flow.trained, "layer": layer, "steps back": back, "norm": norm}
        for flow in flows
        for layer, norms in flow.norms.items()
        for back, norm in enumerate(norms)
    )
