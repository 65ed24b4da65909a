"""Model card of a run: README.md with the metadata of the Hugging Face Hub, made from its result row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from seqtasks.core.plugins import declared_attribute
from seqtasks.core.version import __version__
from seqtasks.deploy.licence import NOT_STATED
from seqtasks.experiments import results
from seqtasks.experiments.results import Row
from seqtasks.experiments.run_folder import Run

# Identifiers that the Hub knows; the card gives the text of any other licence as its name.
LICENCES = {"apache-2.0", "mit", "cc-by-4.0", "cc-by-3.0", "cc-by-sa-4.0", "cc-by-sa-3.0", "cc-by-nc-4.0",
            "cc-by-nc-sa-4.0", "cc0-1.0", "gpl-3.0", "bsd-3-clause", "odbl", "unlicense"}  # fmt: skip


def model_card(run: Run, licence: str) -> str:
    """Markdown of the model card of a run.

    Args:
        run: A finished run.
        licence: Licence of the data, see `licence_of`.

    Raises:
        RunError: The run has no result.
    """
    row = results.read(run.path)
    seeds, baselines = other_seeds(row, run), results.baselines_of(row, run.path.parent)
    head = yaml.safe_dump(metadata(row, run, licence), sort_keys=False, allow_unicode=True)
    cell = "no recurrence" if row.cell == results.NONE else f"the cell `{row.cell}`"
    parts = [
        f"---\n{head}---",
        f"# {row.run}",
        f"Model with {cell} for the task `{row.task}` ({row.topology}), trained and scored by seqtasks "
        f"{row.versions.get('seqtasks', __version__)}. {row.params:,} parameters, {row.encoder_params:,} of them in "
        "the encoder.",
        "## Score",
        _scores(row, seeds, baselines),
        "## Data",
        f"- source: {_source(row)}\n- fingerprint: `{row.fingerprint}`\n"
        f"- test examples: {'not stored' if row.test_examples is None else f'{row.test_examples:,}'}\n"
        + (
            ""
            if row.refit_examples is None
            else f"- trained on: {row.refit_examples:,} training and validation examples\n"
        )
        + f"- licence: {licence}",
        "## Limits",
        _limits(row, seeds, licence),
        "## Use",
        "```sh\n"
        + "\n".join(f"seqtasks {command} runs/{row.run}{_trust(run)}" for command in ("predict", "evaluate", "serve"))
        + "\n```\n\n`seqtasks show "
        f"{row.task}` lists the inputs and options of `predict`."
        + (f" The folder has code, {_copies(run)}, which `--trust` runs: read it first." if run.copies else ""),
        "## How to reproduce",
        f"```sh\nseqtasks run {_command(run, row)} --config config.yaml\n```\n\nwith seqtasks "
        f"{row.versions.get('seqtasks', __version__)}, Keras {row.versions.get('keras', '?')}, backend "
        f"{row.versions.get('backend', '?')} and the data of the same fingerprint. It took {row.epochs} "
        f"epoch{'s' * (row.epochs != 1)} and {row.seconds:,.0f} s on {row.machine}, {row.threads} threads.",
    ]
    return "\n\n".join(parts) + "\n"


def metadata(row: Row, run: Run, licence: str) -> dict[str, Any]:
    """Metadata of a card, as the Hub reads them.

    Reference: https://huggingface.co/docs/hub/model-cards

    Args:
        row: The result row.
        run: The run.
        licence: Licence of the data.
    """
    pipeline = declared_attribute(str(run.plugin or row.task), "hub_task")
    identifier = licence.lower().replace(" ", "-")
    known = {"license": identifier} if identifier in LICENCES else {"license": "other", "license_name": licence}
    data = row.source.partition(":")
    kind = {"type": pipeline or row.topology, "name": row.task}
    metrics = [{"type": name, "value": value} for name, value in row.scores.items()]
    metrics.sort(key=lambda metric: metric["type"] != row.metric)
    return {
        "library_name": "seqtasks",
        **({} if licence == NOT_STATED else known),
        **({} if pipeline is None else {"pipeline_tag": pipeline}),
        "tags": ["seqtasks", "keras", "rnn", *([row.cell] if row.cell != results.NONE else []), row.topology],
        "metrics": [row.metric],
        "model-index": [
            {
                "name": row.run,
                "results": [
                    {
                        "task": kind,
                        "dataset": {"type": data[2] if data[0] == "tfds" else data[0], "name": _source(row)},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }


def other_seeds(row: Row, run: Run) -> list[Row]:
    """The rows of all runs beside this one that differ by the seed only, this one included.

    Args:
        row: Row of the run.
        run: The run.
    """

    def same(other: Row) -> bool:
        fields = ("kind", "version", "source", "fingerprint", "cell", "metric")
        return all(getattr(other, name) == getattr(row, name) for name in fields) and _settings(other) == _settings(row)

    rows = [other for other in results.rows(run.path.parent, row.task) if same(other) and other.run != row.run]
    return [row, *rows]


def _settings(row: Row) -> Mapping[str, Any]:
    return {name: value for name, value in row.config.items() if name != "seed"}


def _source(row: Row) -> str:
    """The source without folders of the machine where the model was trained."""
    kind, _, name = row.source.partition(":")
    return f"files:{name.replace(chr(92), '/').rstrip('/').rpartition('/')[2]}" if kind == "files" else row.source


def _scores(row: Row, seeds: Sequence[Row], baselines: Sequence[Row]) -> str:
    """Table of the test scores of this run, of all seeds, and of the baselines."""
    names = sorted(row.scores, key=lambda name: name != row.metric)
    spread = len(seeds) > 1
    lines = [["", *(f"{name}{_arrow(row) if name == row.metric else ''}" for name in names)]]
    lines.append([f"this run, seed {row.seed}", *(f"{row.scores[name]:.4g}" for name in names)])
    if spread:
        columns = [[one.scores[name] for one in seeds if name in one.scores] for name in names]
        lines.append(
            [f"mean ± sd of {len(seeds)} seeds", *(f"{np.mean(c):.4g} ± {np.std(c, ddof=1):.2g}" for c in columns)]
        )
    lines += [
        [f"baseline {one.cell}", *(f"{one.scores[name]:.4g}" if name in one.scores else "–" for name in names)]
        for one in baselines
    ]
    rows = [f"| {' | '.join(cells)} |" for cells in lines]
    rows.insert(1, f"|{' :-- |' + ' --: |' * len(names)}")
    return "\n".join(rows)


def _arrow(row: Row) -> str:
    return " ↑" if row.higher_is_better else " ↓"


def _limits(row: Row, seeds: Sequence[Row], licence: str) -> str:
    lines = [f"- {note}" for note in row.notes]
    if len(seeds) == 1:
        lines.append("- The score is of one seed: how much it varies from seed to seed was not measured.")
    if row.source.startswith("builtin:"):
        lines.append("- The data is a small built-in set, made for trying things out.")
    lines.append("- The score is of the test split of this data; of other data nothing is known.")
    if licence == NOT_STATED:
        lines.append("- The licence of the data is not stated here: find it out before you use the model.")
    return "\n".join(lines)


def _copies(run: Run) -> str:
    return " and ".join(path.name for path in run.copies)


def _command(run: Run, row: Row) -> str:
    """Task, and the file of the cell if it has one, as arguments of `seqtasks run`."""
    task = row.task if run.plugin is None else f"./{run.plugin.name}"
    return task if run.cell_plugin is None else f"{task} encoder.cell=./{run.cell_plugin.name}"


def _trust(run: Run) -> str:
    return " --trust" if run.copies else ""
