"""Files of a search: the best settings as YAML, all trials and importances as CSV, and a picture."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seqtasks.core import config_files
from seqtasks.core.config import split_override
from seqtasks.core.files import write_atomic, write_text
from seqtasks.core.settings import parse
from seqtasks.experiments.search import Study


def write_best(folder: Path, task: str, studies: Sequence[Study], base: Mapping[str, Any]) -> dict[str, Path]:
    """Writes the settings of the best trial of each study as a YAML file for `--config`.

    Args:
        folder: Folder of the search.
        task: Name or file of the task.
        studies: The studies; those without a finished trial are left out.
        base: Settings of the file that was given as `--config`.

    Returns:
        Path of the file by the name of the study.
    """
    paths = {}
    for study in studies:
        best = study.best()
        if best is None:
            continue
        values: dict[str, Any] = {}
        config_files.merge(values, base)
        for text in best.user_attrs["settings"]:
            key, value = split_override(text)
            if key != "seed":
                config_files.merge(values, config_files.nest(key, number(parse(value))))
        path = folder / ("best.yaml" if len(studies) == 1 else f"best-{_plain(study.name)}.yaml")
        head = (
            f"# seqtasks run {task} --config {path}\n# trial {best.number} of a search, validation {best.value:.6g}\n"
        )
        write_text(path, head + yaml.safe_dump(values, sort_keys=False))
        paths[study.name] = path
    return paths


def write_trials(folder: Path, studies: Sequence[Study]) -> Path:
    """Writes `trials.csv`: study, number, state, score, epochs, seconds and settings of every trial."""
    rows = []
    for study in studies:
        for trial in study.study.get_trials(deepcopy=False):
            settings = dict(split_override(text) for text in trial.user_attrs.get("settings", ()))
            pruned = trial.state.name == "PRUNED"
            steps = trial.intermediate_values
            rows.append(
                {
                    "study": study.name,
                    "trial": trial.number,
                    "state": trial.state.name.lower(),
                    "value": "" if pruned or trial.value is None else trial.value,
                    "epochs": max(steps, default="") if pruned else trial.user_attrs.get("epochs", ""),
                    "seconds": round(trial.user_attrs.get("seconds", 0.0), 1),
                    **settings,
                }
            )
    return _write_csv(folder / "trials.csv", rows, ["study", "trial", "state", "value", "epochs", "seconds"])


def write_importances(folder: Path, studies: Sequence[Study], optuna: Any) -> Path:
    """Writes `importances.csv`: the share of each setting in the variance of the scores, by functional ANOVA.

    A study with fewer than two finished trials, or equal scores, has no rows.
    """
    rows = [
        {"study": study.name, "setting": key, "importance": round(share, 4)}
        for study in studies
        for key, share in importances(study, optuna).items()
    ]
    return _write_csv(folder / "importances.csv", rows, ["study", "setting", "importance"])


def importances(study: Study, optuna: Any) -> dict[str, float]:
    """Importance of each setting that varies, the largest first; see `write_importances`."""
    done = [trial for trial in study.study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len({trial.value for trial in done}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return dict(optuna.importance.get_param_importances(study.study, evaluator=evaluator))


def draw(folder: Path, studies: Sequence[Study], monitor: str, optuna: Any) -> Path:
    """Draws `search.png`: scores in the order of the trials with the best so far, and the importances.

    Args:
        folder: Folder of the search.
        studies: The studies.
        monitor: Name of the validation score.
        optuna: The imported module.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    scores, shares = figure.subplots(1, 2)
    labels, widths, colors = [], [], []
    for i, study in enumerate(studies):
        color = f"C{i}"
        trials = study.study.get_trials(deepcopy=False)
        done = [(t.number, t.value) for t in trials if t.state.name == "COMPLETE"]
        pruned = [(t.number, v) for t in trials if t.state.name == "PRUNED" for v in [_last(t)] if v is not None]
        sign = 1 if study.study.direction.name == "MAXIMIZE" else -1
        best = [sign * max(sign * value for _, value in done[: n + 1]) for n in range(len(done))]
        name = study.name if len(studies) > 1 else "trial"
        scores.plot(*_columns(done), "o", color=color, ms=4, label=name)
        scores.step([n for n, _ in done], best, where="post", color=color, lw=1, label="best so far" * (i == 0))
        scores.plot(*_columns(pruned), "x", color=color, ms=4, alpha=0.6, label="pruned" * (i == 0 and bool(pruned)))
        for key, share in reversed(importances(study, optuna).items()):
            labels.append(f"{key} ({study.name})" if len(studies) > 1 else key)
            widths.append(share)
            colors.append(color)
    scores.xaxis.set_major_locator(MaxNLocator(integer=True))
    scores.set(xlabel="number of the trial", ylabel=monitor, title="validation score of the trials")
    handles, names = scores.get_legend_handles_labels()
    shown = [(handle, name) for handle, name in zip(handles, names, strict=True) if name]
    if shown:
        scores.legend(*zip(*shown, strict=True), frameon=False)
    shares.barh(range(len(widths)), widths, color=colors)
    shares.set_yticks(range(len(labels)), labels)
    shares.set(xlim=(0, 1), xlabel="share of the variance of the scores", title="importance of the settings")
    for axes in (scores, shares):
        axes.spines[["top", "right"]].set_visible(False)
    path = folder / "search.png"
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=120))
    return path


def number(value: Any) -> Any:
    """A parsed setting, with text such as `1e-3`, which YAML 1.1 reads as text, as a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _last(trial: Any) -> float | None:
    steps = trial.intermediate_values
    return float(steps[max(steps)]) if steps else None


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [n for n, _ in points], [value for _, value in points]


def _plain(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in name)


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> Path:
    columns = dict.fromkeys([*first, *(key for row in rows for key in row)])
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, out.getvalue())
    return path
