"""Exports a run: traces and writes its graphs, proves them, and moves them into place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core.errors import ConfigError, RunError
from seqtasks.core.files import shown, write_text
from seqtasks.core.reporter import Reporter
from seqtasks.data.seq2seq_batches import END
from seqtasks.deploy.export import formats, manifest, proof, weights
from seqtasks.deploy.export.precision import in_float32
from seqtasks.deploy.export.tracing import trace
from seqtasks.deploy.export.use_file import Kind, use_file
from seqtasks.deploy.licence import licence_of
from seqtasks.experiments import results, run_folder
from seqtasks.task_types.common.export_plan import Cases, ExportPlan, Shape
from seqtasks.training.inference import run_data
from seqtasks.training.saved_model import open_trained

TOKENS = 20  # tokens of a text that count as one example
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ExportOptions:
    """Options of `seqtasks export`.

    Attributes:
        format: Name of the format.
        shape: "step", "length", or "any"; None: the default of the task.
        length: Number of steps of a whole sequence; None: that of the longest example of the proof.
        quantize: "float16" or "dynamic"; None: neither.
        examples: Number of test examples of the proof.
        tolerance: Largest allowed relative difference; None: that of `proof.TOLERANCES`.
        licence: Licence of the data; None: that of the data set, if known.
    """

    format: str = "onnx"
    shape: str | None = None
    length: int | None = None
    quantize: str | None = None
    examples: int = 100
    tolerance: float | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Export:
    """A written export.

    Attributes:
        folder: Its folder.
        proof: Its proof; None for weights, which are no graph.
        bytes: Size of the model files.
        operations: Number of each operation in all its graphs.
        score: Name of the score of the run, and its value in the result row.
    """

    folder: Path
    proof: proof.Proof | None
    bytes: int
    operations: dict[str, int]
    score: tuple[str, float]


def export(
    folder: run_folder.Run, out: Path | None, options: ExportOptions, reporter: Reporter, trust: bool = False
) -> Export:
    """Exports a finished run and proves the export.

    Args:
        folder: The run.
        out: Folder to write; None: one in the run folder, named as the format.
        options: What to export.
        reporter: Prints progress.
        trust: Run the Python code that is stored in the run folder.

    Raises:
        ConfigError: Options that the task or the format does not have, or a missing package.
        RunError: The run cannot be used.
        ProofError: The export does not give the outputs of the model. Nothing is written then.
    """
    o = options
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"export with KERAS_BACKEND={keras.backend.backend()}; allowed: tensorflow, whose graphs are converted; "
            "set KERAS_BACKEND=tensorflow"
        )
    target = out or folder.path / "export" / "-".join(filter(None, [o.format, o.quantize]))
    if o.format != weights.FORMAT:
        chosen = formats.check(o.format, o.quantize, o.shape == "any")
    task, config, model = open_trained(folder, trust)
    row = results.read(folder.path)
    licence = licence_of(row.source, o.licence)
    digest = hashlib.sha256((folder.path / "model.keras").read_bytes()).hexdigest()
    if o.format == weights.FORMAT:
        weights.check(o.shape, o.quantize)
        with _placed(target) as made:
            weights.write(model, made, task, row, licence, digest)
            size = _size(made)
        return Export(target, None, size, {}, (row.metric, row.value))
    if config.train.precision != "float32":
        reporter.say(f"the run computed in {config.train.precision}; the export computes in float32")
        model = in_float32(model, config.train.precision)
    plan = task.export_plan(model)
    shape = _shape(plan, task.name, o)
    reporter.say(f"loading the test examples of {row.source}")
    examples = run_data(folder, task, config, reporter).test
    cases = plan.cases(examples.take(min(o.examples * (TOKENS if plan.whole_text else 1), len(examples))), o.length)
    longest = max(map(plan.steps, cases.rows))
    length = None if o.shape == "any" else o.length or longest
    graphs = plan.graphs(shape, length, cases)
    if shape == "length" and not all(proof.fits(case, graphs) for case in cases.rows):
        raise ConfigError(
            f"--length {length} is shorter than a test example; allowed: {longest} or more, or fewer --examples; raise "
            "--length"
        )
    step_inputs = [port.name for port in graphs[0].inputs if port.name in plan.step_names] if shape == "step" else []
    with _placed(target) as made:
        facts: dict[str, Any] = {}
        operations: dict[str, int] = {}
        for graph in graphs:
            reporter.say(f"writing {graph.name}, {o.format}")
            traced = trace(graph)
            file, counts = formats.write(chosen, traced, made, graph.name, o.quantize)
            facts[graph.name] = manifest.graph_facts(graph, traced.outputs, file, counts)
            operations = {name: operations.get(name, 0) + counts.get(name, 0) for name in {*operations, *counts}}
        texts, tokenizers = manifest.text_facts(task)
        kind = _kind(shape, cases, texts, plan)
        if kind == "sequences":
            texts["tokens"] = ["<pad>", "<end>", *texts["tokens"]]
        values = manifest.manifest(
            task,
            row,
            facts,
            {
                "format": o.format,
                "shape": o.shape or shape,
                "length": length if shape == "length" else None,
                "quantize": o.quantize,
                "output": plan.output,
                "step_inputs": step_inputs,
                "end": END,
                **texts,
            },
            licence,
            digest,
        )
        size = _size(made)
        for name, text in tokenizers.items():
            write_text(made / name, text)
        write_text(made / "use.py", use_file(task.name, o.format, kind, plan.output))
        write_text(made / MANIFEST, manifest.to_json(values))
        example: Any = proof.arrays_of(cases.rows[0], graphs, step_inputs)
        np.savez(made / "example.npz", **example)
        reporter.say(f"running {len(cases.rows)} test examples without seqtasks")
        proven = proof.prove(made, plan, graphs, cases, step_inputs)
        proof.check(proven, o.quantize, o.tolerance)
        write_text(made / MANIFEST, manifest.to_json({**values, "proof": proven.to_dict()}))
    return Export(target, proven, size, dict(sorted(operations.items())), (row.metric, row.value))


def _shape(plan: ExportPlan, task: str, options: ExportOptions) -> Shape:
    """The shape of the graphs; whole sequences of any length have the graphs of those of one length.

    Raises:
        ConfigError: The model does not have the shape.
    """
    if (options.shape == "any" or options.length is not None) and not plan.any_length:
        given = "--any-length" if options.length is None else f"--length {options.length}"
        raise ConfigError(
            f"{given} with task {task}, whose model has inputs of one size; allowed: the default shape; leave out "
            f"{given.split()[0]}"
        )
    if options.shape is None:
        return "length" if options.length is not None else plan.shapes[0]
    wanted: Shape = "step" if options.shape == "step" else "length"
    if wanted not in plan.shapes:
        raise ConfigError(
            f"--step: the model of task {task} does not read its input step by step in one direction; allowed: "
            "--length N, --any-length; leave out --step"
        )
    return wanted


def _kind(shape: Shape, cases: Cases, texts: dict[str, Any], plan: ExportPlan) -> Kind:
    if cases.kind == "sequences":
        return "sequences"
    if shape == "length":
        return "whole"
    return "text" if texts and plan.whole_text else "steps"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def _placed(target: Path) -> Iterator[Path]:
    """Context with a temporary folder beside the target, which replaces the target at the end.

    Raises:
        ConfigError: The target is not an export, or cannot be written.
        RunError: The target cannot be replaced.
    """
    if target.exists() and not ((target / MANIFEST).is_file() or (target.is_dir() and not any(target.iterdir()))):
        raise ConfigError(
            f"{shown(target)} exists and is no export; allowed: a new folder, or one of an earlier export; name "
            "another one: --out DIR"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise ConfigError(f"--out {shown(target)} cannot be written: {error.strerror}; name another folder") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        try:
            if target.exists():
                shutil.rmtree(target)
            temporary.replace(target)
        except OSError as error:
            raise RunError(f"cannot replace {shown(target)}: {error.strerror}; remove it, and export again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
