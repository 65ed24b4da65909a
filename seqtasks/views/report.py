"""A report on finished runs: one HTML file that needs no network.

For each task and data set it has the result table, charts, learning curves, the settings that differ, facts about the
data, pictures and the worst errors of each model, and the commands that train the models again.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtasks.core import config as configuration
from seqtasks.core.errors import RunError, SeqtasksError, listed
from seqtasks.core.files import usable, write_output
from seqtasks.core.version import __version__
from seqtasks.experiments import results, run_folder
from seqtasks.experiments.history import read_history
from seqtasks.experiments.results import Row
from seqtasks.experiments.table import Group, Table, build
from seqtasks.experiments.table_formats import render
from seqtasks.experiments.table_rows import show
from seqtasks.views import curves as learning
from seqtasks.views import report_charts

TEMPLATES = Path(__file__).parent / "templates"
PICTURE_BYTES = 2_600_000  # of all pictures, so that a page stays below 5 MB: base64 needs a third more
COLOURS = 128  # of a stored picture; its file is a third of that with all colours
ERRORS = 20  # rows of the worst errors, of the best model of a table
ERRORS_OF_OTHERS = 8
TEXT = 400  # characters of a cell of such a table
Same = tuple[str, int, str, str, str]


@dataclass
class _Budget:
    """Bytes that pictures may still take, and the number of those that did not fit."""

    left: int
    omitted: int = 0


def select(words: Sequence[str], runs_dir: Path) -> list[Row]:
    """The rows of runs, and of the baselines of their data.

    Args:
        words: Run folders or their names, names of tasks, and filters `key=value` (see `build_page`), which are ignored
            here; without runs and tasks: all finished runs.
        runs_dir: Folder of all runs.

    Raises:
        RunError: Neither a finished run nor a task with finished runs.
    """
    stored = results.rows(runs_dir)
    names = [word for word in words if "=" not in word]
    chosen: dict[str, Row] = {}
    tasks = {row.task for row in stored}
    for name in names:
        if name in tasks:
            chosen |= {row.run: row for row in stored if row.task == name}
            continue
        if not any(usable(path, "run").is_dir() for path in (name, runs_dir / name)):
            known = f"; tasks with finished runs: {listed(sorted(tasks))}" if tasks else ""
            raise RunError(
                f"{name!r} is neither a run nor a task with finished runs in {runs_dir}{known}; see seqtasks list runs "
                f"--runs {runs_dir}"
            )
        folder = run_folder.find(name, runs_dir)
        if folder.path.parent.resolve() != runs_dir.resolve():
            raise RunError(
                f"{folder.path} is not in {runs_dir}; allowed: runs of one folder; name it with --runs "
                f"{folder.path.parent}"
            )
        row = results.read(folder.path)
        chosen |= {row.run: row}
        same = [one for one in stored if one.kind == "baseline" and _same(one) == _same(row)]
        chosen |= {one.run: one for one in same}
    rows = list(chosen.values()) if names else stored
    if not any(row.kind == "model" for row in rows):
        raise RunError(f"no finished run of a model in {runs_dir}; train one with seqtasks run TASK, or set --runs")
    return rows


def build_page(rows: Sequence[Row], runs_dir: Path, where: Sequence[str] = ()) -> str:
    """The report as one HTML text.

    Args:
        rows: Finished runs and baselines; those of one task, data set and metric share a table.
        runs_dir: Folder of the runs.
        where: Filters `key=value` of rows, as for `seqtasks table`.

    Raises:
        TableError: Rows of one data set that are not comparable.
    """
    sets: dict[Same, list[Row]] = {}
    for row in rows:
        sets.setdefault(_same(row), []).append(row)
    sets = {key: part for key, part in sets.items() if any(row.kind == "model" for row in part)}
    charts, budget = report_charts.Charts(report_charts.has_altair()), _Budget(PICTURE_BYTES)
    sections = [
        _section(f"set{number}", build(part, where=where, runs_dir=runs_dir), runs_dir, charts, budget)
        for number, part in enumerate(sets.values(), 1)
    ]
    links = "".join(
        f'<a href="#set{number}">{html.escape(f"{key[0]} on {key[2]}")}</a>' for number, key in enumerate(sets, 1)
    )
    count = sum(row.kind == "model" for part in sets.values() for row in part)
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    heading = f"{count} run{'s' * (count != 1)} of {listed(sorted({key[0] for key in sets}))}"
    omitted = ""
    if budget.omitted:
        omitted = (
            f'<p class="note">{budget.omitted} pictures are left out, to keep the file small; see the folders.</p>'
        )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{html.escape(heading)}</title><style>{style}</style></head><body>",
            f"<h1>{html.escape(heading)}</h1>",
            f'<p class="note">seqtasks {__version__}, runs in {html.escape(str(runs_dir))}</p>',
            f"<nav>{links}</nav>" if len(sets) > 1 else "",
            *sections,
            omitted,
            f"<script>{script}</script>",
            charts.scripts(),
            "</body></html>",
        ]
    )


def write(rows: Sequence[Row], runs_dir: Path, path: Path, where: Sequence[str] = ()) -> None:
    """Writes the report to a file.

    Args:
        rows: See `build_page`.
        runs_dir: Folder of the runs.
        path: Path of the HTML file.
        where: See `build_page`.

    Raises:
        TableError: Rows of one data set that are not comparable.
        ConfigError: The file cannot be written.
    """
    page = build_page(rows, runs_dir, where).encode("utf-8", "replace")
    write_output(path, lambda temporary: temporary.write_bytes(page))


def command_of(row: Row) -> str:
    """The command that trains a run again: its settings that differ from those of the task.

    Args:
        row: Result row of a run.

    Example:
        >>> from seqtasks.core.config import resolve
        >>> config = resolve("adding", None).to_dict()
        >>> config["encoder"]["units"] = 7
        >>> from types import SimpleNamespace
        >>> command_of(SimpleNamespace(task="adding", config=config)).split()[:4]
        ['seqtasks', 'run', 'adding', 'encoder.units=7']
    """
    try:
        defaults: Mapping[str, Any] = configuration.resolve(row.task, None).to_dict()
    except SeqtasksError:  # the task is not installed
        defaults = configuration.Config(row.task).to_dict()
    known = learning.flat(defaults) | {f"options.{name}": value for name, value in _default_options(row.task).items()}
    values = learning.flat(row.config)
    texts = [
        f"{key}={show(value)}"
        for key, value in values.items()
        if key not in ("task", "data.tfds_dir") and (key not in known or known[key] != value)
    ]
    return shlex.join(["seqtasks", "run", row.task, *sorted(texts, key=lambda text: text.startswith("options."))])


def _default_options(task: str) -> dict[str, Any]:
    """Defaults of the options of a bundled task, from its stored schema and its configuration."""
    from importlib import resources

    file = Path(str(resources.files("seqtasks.configs"))) / "schemas" / f"{task}.json"
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))["$defs"]["options"]["properties"]
    except (OSError, ValueError, KeyError):
        return {}
    return {name: about["default"] for name, about in fields.items() if "default" in about}


def _same(row: Row) -> Same:
    return row.task, row.version, row.source, row.fingerprint, row.metric


def _section(name: str, table: Table, runs_dir: Path, charts: report_charts.Charts, budget: _Budget) -> str:
    groups = [group for group in table.groups if group.kind == "model"]
    labels = learning.distinct_labels([group.rows[0] for group in groups])
    first = groups[0].rows[0]
    points = [report_charts.point_of(label, group) for label, group in zip(labels, groups, strict=True)]
    parts = [
        f'<h2 id="{name}">{html.escape(table.task)} on {html.escape(first.source)}</h2>',
        *_facts(first, runs_dir),
        f'<div class="results">{render(table, "html")}</div>',
        '<p class="note">Click on the head of a column to sort by it.</p>',
        *_scores(table, points, charts),
        *_curves(groups, labels, runs_dir, charts),
        *_settings(table),
    ]
    for number, (label, group) in enumerate(zip(labels, groups, strict=True)):
        parts += _model(label, group, runs_dir, budget, best=number == 0)
    commands = "\n".join(command_of(row) for group in groups for row in group.rows)
    parts += ["<h3>Commands</h3>", f"<pre>{html.escape(commands)}</pre>"]
    return "\n".join(parts)


def _scores(table: Table, points: Sequence[report_charts.Point], charts: report_charts.Charts) -> Iterator[str]:
    if len(points) > 1:
        yield "<h3>Score against size and time</h3>"
        yield f'<div class="charts">{"".join(report_charts.score_charts(charts, table, points))}</div>'
        yield '<p class="note">Dotted: models that no other model beats with as few parameters, or as little time.</p>'


def _facts(row: Row, runs_dir: Path) -> Iterator[str]:
    """Facts of the data, from `run.json`."""
    facts = [f"{row.test_examples:,} test examples"] if row.test_examples else []
    try:
        spec = run_folder.open_run(runs_dir / row.run).facts.get("spec", {})
    except RunError:
        spec = {}
    for key, unit in (("counts", "examples"), ("tokens", "tokens")):
        counts = spec.get(key)
        if isinstance(counts, Mapping) and counts:
            facts.append(f"{unit}: " + ", ".join(f"{part} {number:,}" for part, number in counts.items()))
    for key in ("classes", "labels", "channels", "languages"):
        if isinstance(spec.get(key), list) and spec[key]:
            facts.append(f"{len(spec[key])} {key}: {listed([str(one) for one in spec[key]])}")
    facts.append(f"fingerprint {row.fingerprint}")
    yield f'<p class="note">{html.escape(" · ".join(facts))}</p>'


def _curves(
    groups: Sequence[Group], labels: Sequence[str], runs_dir: Path, charts: report_charts.Charts
) -> Iterator[str]:
    histories: dict[str, list[list[dict[str, float]]]] = {}
    for label, group in zip(labels, groups, strict=True):
        for row in group.rows:
            try:
                histories.setdefault(label, []).append(read_history(runs_dir / row.run))
            except RunError:
                continue
    if not histories:
        return
    every = [history for part in histories.values() for history in part]
    names = learning.values_of(every, groups[0].rows[0].metric)
    made = []
    for name in [f"val_{name}" for name in names] + ["loss"] * ("loss" in names):
        lines = [line for label, part in histories.items() if (line := learning.curve(label, part, name))]
        if lines:
            text = f"{name.removeprefix('val_')}, {'validation' if name.startswith('val_') else 'training'}"
            made.append(report_charts.curve_chart(charts, lines, text))
    yield "<h3>Learning curves</h3>"
    yield f'<div class="charts">{"".join(made)}</div>'
    note = "Lines: mean over the seeds; bands: their range."
    yield f'<p class="note">{note}{" Click on a name to see one model." * charts.interactive}</p>'


def _settings(table: Table) -> Iterator[str]:
    """Settings that differ between the runs, with their values."""
    rows = [row for group in table.groups if group.kind == "model" for row in group.rows]
    values: dict[str, list[str]] = {}
    for row in rows:
        for key, value in learning.flat(row.config).items():
            values.setdefault(key, []).append(show(value))
    lines = [
        f"<tr><td>{html.escape(key)}</td><td>{html.escape(', '.join(dict.fromkeys(shown)))}</td></tr>"
        for key, shown in values.items()
        if len(set(shown)) > 1 or len(shown) < len(rows)
    ]
    if lines:
        head = "<thead><tr><th>setting</th><th>values</th></tr></thead>"
        yield "<h3>Settings that differ</h3>"
        yield f'<div class="wide"><table>{head}<tbody>{"".join(lines)}</tbody></table></div>'


def _model(label: str, group: Group, runs_dir: Path, budget: _Budget, best: bool) -> Iterator[str]:
    """Pictures, samples and errors of a model, those of its median run."""
    row = sorted(group.rows, key=lambda one: one.value)[len(group.rows) // 2]
    folder = runs_dir / row.run / "plots"
    parts = [*_pictures(folder, budget), *_tables(folder, ERRORS if best else ERRORS_OF_OTHERS)]
    if not parts:
        return
    score = f"{row.metric} {row.value:.4g}, seed {row.seed}"
    if best:
        yield f"<h3>{html.escape(label)}, the best mean ({html.escape(score)})</h3>"
        yield from parts
    else:
        yield f"<details><summary>{html.escape(label)} ({html.escape(score)})</summary>"
        yield from parts
        yield "</details>"


def _pictures(folder: Path, budget: _Budget) -> Iterator[str]:
    figures = []
    for path in sorted(folder.glob("*.png"), key=lambda path: (path.stem == "learning_curves", path.name)):
        if path.stem == "learning_curves":  # they are in the charts
            continue
        data = _small(path)
        if data is None or len(data) > budget.left:
            budget.omitted += 1
            continue
        budget.left -= len(data)
        name = path.stem.replace("_", " ")
        source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        figures.append(
            f'<figure><img alt="{html.escape(name)}" src="{source}">'
            f"<figcaption>{html.escape(name)}</figcaption></figure>"
        )
    if figures:
        yield f'<div class="pictures">{"".join(figures)}</div>'


def _small(path: Path) -> bytes | None:
    """A PNG with few colours; None if it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            small = image.convert("RGB").quantize(COLOURS)
            buffer = io.BytesIO()
            small.save(buffer, "PNG", optimize=True)
    except (OSError, ValueError):
        return None
    return buffer.getvalue()


def _tables(folder: Path, most: int) -> Iterator[str]:
    """The tables of a run: errors, samples, scores of labels; long ones are cut."""
    paths = sorted(folder.glob("*.csv"), key=lambda path: (path.stem != "samples", path.stem != "worst_errors"))
    for path in paths:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                head, *lines = csv.reader(file)
        except (OSError, ValueError):
            continue
        if not lines:
            continue
        cut = f", {most} of {len(lines):,}" if len(lines) > most else ""
        columns = "".join(f"<th>{html.escape(name)}</th>" for name in head)
        body = "".join("<tr>" + "".join(map(_cell, line)) + "</tr>" for line in lines[:most])
        table = f'<div class="wide"><table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>'
        is_open = " open" * (path.stem in ("worst_errors", "samples"))
        name = html.escape(path.stem.replace("_", " ") + cut)
        yield f"<details{is_open}><summary>{name}</summary>{table}</details>"


def _cell(text: str) -> str:
    shown = text if len(text) <= TEXT else text[:TEXT] + "…"
    return f'<td class="text">{html.escape(shown)}</td>' if len(text) > 30 else f"<td>{html.escape(shown)}</td>"
