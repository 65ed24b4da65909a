"""`seqtasks export`: writes a run for another runtime and prints the proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqtasks.cli.console import print_rows
from seqtasks.core import keras_import
from seqtasks.core.errors import ConfigError
from seqtasks.core.files import shown, usable
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder


def shape_of(step: bool, length: int | None, any_length: bool) -> str | None:
    """The one shape that was chosen; None: the default of the task.

    Raises:
        ConfigError: Several were chosen.
    """
    chosen = {"step": step, "length": length is not None, "any": any_length}
    names = [name for name, one in chosen.items() if one]
    if len(names) > 1:
        flags = " and ".join({"step": "--step", "length": "--length", "any": "--any-length"}[name] for name in names)
        raise ConfigError(f"got {flags}; allowed: one of them; leave out the others")
    return names[0] if names else None


def main(name: str, runs: Path, out: str | None, report: str, *, quiet: bool, trust: bool, **options: Any) -> None:
    """Exports a run and prints what the proof found.

    Args:
        name: Run folder, or its name.
        runs: Folder of all runs.
        out: Folder to write to; None: one in the run folder.
        report: Format of the printed proof: "text", "csv" or "json".
        quiet: Print no progress.
        trust: Run the Python code that is stored in the run folder.
        **options: Fields of `ExportOptions`.

    Raises:
        SeqtasksError: As `seqtasks.deploy.export.export.export`.
    """
    folder = run_folder.with_model(run_folder.find(name, runs))
    target = None if out is None else usable(out, "--out")
    keras_import.import_keras()
    from seqtasks.deploy.export.export import ExportOptions, export

    made = export(folder, target, ExportOptions(**options), Reporter(quiet), trust)
    print_rows(_rows(made) if report == "text" else [_facts(made)], report)
    Reporter(quiet).say(f"→ {shown(made.folder)}")


def _facts(made: Any) -> dict[str, Any]:
    """The columns of the row of an export."""
    facts: dict[str, Any] = {"folder": str(made.folder), "bytes": made.bytes}
    if made.proof is None:
        return facts
    proof, (metric, value) = made.proof, made.score
    facts |= {
        "examples": proof.examples,
        "steps": proof.steps,
        "largest difference": float(f"{proof.largest_difference:.3g}"),
        "relative difference": float(f"{proof.relative_difference:.3g}"),
        "equal answers": round(proof.equal_answers, 6),
    }
    scored = metric if metric in proof.scores else next(iter(proof.scores))
    facts |= {
        f"{scored}, exported": round(proof.scores[scored], 6),
        f"{scored}, Keras": round(proof.keras_scores[scored], 6),
        f"{metric} of the run": round(value, 6),
        "microseconds a call": round(proof.microseconds, 1),
        "operations": " ".join(f"{name}:{count}" for name, count in made.operations.items()),
    }
    return facts


def _rows(made: Any) -> list[dict[str, Any]]:
    return [{"": name, " ": _shown(name, value)} for name, value in _facts(made).items()]


def _shown(name: str, value: Any) -> str:
    """A value as text; differences may be far below 1."""
    if name == "equal answers":
        return f"{value:.2%}"
    if isinstance(value, float):
        return f"{value:.3g}" if "difference" in name or name == "microseconds a call" else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
