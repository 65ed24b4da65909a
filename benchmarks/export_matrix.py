"""The step model of every cell in every format of `seqtasks export`: difference from Keras, size, time of a step.

    python benchmarks/export_matrix.py
    python benchmarks/export_matrix.py --cells lstm,gru --columns onnx,onnx-dynamic --rows ""

A model is one layer with random weights that reads 8 numbers a step. 50 steps run through the file that was written,
by its `use.py`, each from the states of the one before, and through the layer in Keras in one call. The difference is
relative to the largest output, or to 1 if that is smaller. Of safetensors, which has no graph, the weights are read
into a layer with other weights, which runs in Keras.

Rows are kept in `--rows`, so only what it lacks is measured; `--again` measures all that is chosen. The tables are
written to `--page`, between the comments that say so. Needs the extra `export`.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seqtasks.core.errors import SeqtasksError
from seqtasks.core.plugins import cells
from seqtasks.deploy.export import formats, manifest, weights
from seqtasks.deploy.export.tracing import TracedGraph, trace
from seqtasks.deploy.export.use_file import use_file
from seqtasks.layers import Encoder
from seqtasks.task_types.common.export_plan import Graph, Port, Tensors, encoder_states

FEATURES, STEPS = 8, 50
DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
COLUMNS = (*formats.FORMATS, weights.FORMAT, *(f"{f.name}-{q}" for f in formats.FORMATS.values() for q in f.quantize))
FIELDS = ("cell", "column", "works", "difference", "bytes", "microseconds")
BEGIN, END = "<!-- export matrix -->\n", "<!-- end -->"


@dataclass(frozen=True, eq=False)
class Subject:
    """A layer with random weights, and its outputs in Keras.

    Attributes:
        cell: Name of the cell.
        encoder: The layer.
        x: Its inputs, `(1, time, features)`.
        expected: Its outputs, `(time, units)`.
        traced: The graph of one step.
    """

    cell: str
    encoder: Encoder
    x: np.ndarray
    expected: np.ndarray
    traced: TracedGraph


def subject(cell: str, units: int = 16) -> Subject:
    """Makes the layer of a cell, runs it in Keras, and traces its step.

    Args:
        cell: Name of the cell.
        units: Number of units.
    """
    encoder = layer_of(cell, units, 0)
    for weight in encoder.trainable_weights:
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.1))
    x = np.random.default_rng(0).normal(size=(1, STEPS, FEATURES)).astype("float32")
    return Subject(cell, encoder, x, outputs_of(encoder, x), trace(step_graph(encoder, FEATURES)))


def layer_of(cell: str, units: int, seed: int) -> Encoder:
    """A built layer with the weights of a seed."""
    keras.utils.set_random_seed(seed)
    encoder = Encoder(cell=cell, units=units, name="encoder")
    encoder.build((None, None, FEATURES))
    return encoder


def outputs_of(encoder: Encoder, x: np.ndarray) -> np.ndarray:
    """Outputs of a layer in Keras, `(time, units)`."""
    return np.asarray(keras.ops.convert_to_numpy(encoder(x)[0])[0])


def step_graph(encoder: Encoder, features: int) -> Graph:
    """The graph of one step of an encoder.

    Args:
        encoder: Built encoder in one direction.
        features: Numbers of a step.
    """
    states, ports = encoder_states(encoder)

    def function(tensors: Tensors) -> Tensors:
        flat = iter([tensors[state.input] for state in states])
        before = [[next(flat) for _ in recurrent.cell.state_size] for recurrent in encoder.recurrents]
        outputs, after = encoder(tensors["steps"], initial_state=before)
        values = [value for layer in after for value in layer]
        return {"outputs": outputs, **{state.output: v for state, v in zip(states, values, strict=True)}}

    return Graph("step", [Port("steps", (1, 1, features), "float32")], function, states, ports)


def measure(one: Subject, column: str) -> dict[str, Any]:
    """Exports a layer, runs what was written, and compares it with Keras.

    Args:
        one: The layer.
        column: Name of a format, or FORMAT-QUANTISATION, see `COLUMNS`.

    Returns:
        A row with the names of `FIELDS`; `works` is "yes" or the reason why not.
    """
    row: dict[str, Any] = {"cell": one.cell, "column": column, "works": "yes"}
    times: list[float] = []
    try:
        with TemporaryDirectory() as folder:
            if column == weights.FORMAT:
                outputs = read_weights(one, Path(folder))
            else:
                outputs, times = run_steps(one, Path(folder), *column.split("-"))
            # saved_model is a folder; the others are files, with a file of weights beside that of OpenVINO.
            files = [*Path(folder).glob("step*"), *Path(folder).glob("step/**/*"), *Path(folder).glob(weights.FILE)]
            row["bytes"] = sum(path.stat().st_size for path in files if path.is_file())
    except (MemoryError, OSError):
        raise
    except Exception as error:  # the runtimes raise errors of many types
        return row | {"works": (str(error).strip().splitlines() or [type(error).__name__])[0]}
    scale = max(1.0, float(np.abs(one.expected).max()))
    difference = float(np.abs(outputs - one.expected).max() / scale)
    if not np.isfinite(difference):
        return row | {"works": "outputs are not finite"}
    row["difference"] = difference
    return row | ({"microseconds": float(np.median(times) * 1e6)} if times else {})


def run_steps(one: Subject, folder: Path, form: str, quantize: str | None = None) -> tuple[np.ndarray, list[float]]:
    """Writes the graph of a step and runs it; returns the outputs and the seconds of each step."""
    use = written(one.traced, folder, form, quantize)
    if form == "openvino":  # it ends the process while it compiles some graphs, such as that of ode_rnn
        plain = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
        done = subprocess.run(
            [sys.executable, "-c", "import use; use.Graph('step')"], cwd=folder, capture_output=True, env=plain
        )
        if done.returncode:
            raise SeqtasksError(f"the runtime ends with exit code {done.returncode} while it loads the graph")
    graph = use.Graph("step")
    outputs, times = [], []
    for t in range(STEPS):
        begin = time.perf_counter()
        made = graph({"steps": one.x[:, t : t + 1]})["outputs"]
        times.append(time.perf_counter() - begin)
        outputs.append(np.reshape(made, -1))
    return np.stack(outputs), times


def written(traced: TracedGraph, folder: Path, form: str, quantize: str | None) -> Any:
    """Writes a graph with its manifest and `use.py`, and imports the latter."""
    chosen, name = formats.check(form, quantize, False), traced.graph.name
    file, operations = formats.write(chosen, traced, folder, name, quantize)
    facts = manifest.graph_facts(traced.graph, traced.outputs, file, operations)
    text = {"graphs": {name: facts}, "step_inputs": ["steps"]}
    (folder / "manifest.json").write_text(json.dumps(text), encoding="utf-8")
    (folder / "use.py").write_text(use_file("matrix", form, "steps", "outputs"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("use", folder / "use.py")
    assert spec is not None and spec.loader is not None
    use = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(use)
    return use


def read_weights(one: Subject, folder: Path) -> np.ndarray:
    """Writes the weights, reads them by name into a new layer, and returns its outputs in Keras."""
    from safetensors.numpy import load_file, save_file

    save_file(weights.named_weights(model_of(one.encoder)), folder / weights.FILE)
    arrays = load_file(folder / weights.FILE)
    other = model_of(layer_of(one.cell, one.encoder.config.units, 1))
    names = list(weights.named_weights(other))
    if set(names) != set(arrays) or len(names) != len(other.weights):
        raise SeqtasksError(f"{len(other.weights)} weights have {len(names)} names")
    for name, weight in zip(names, other.weights, strict=True):
        weight.assign(arrays[name])
    return outputs_of(other.layers[-1], one.x)


def model_of(encoder: Encoder) -> keras.Model:
    """The layer as a model."""
    inputs = keras.Input((None, FEATURES))
    return keras.Model(inputs, encoder(inputs)[0])


def read(file: Path | None) -> list[dict[str, Any]]:
    """The rows of a file; none if it does not exist."""
    if file is None or not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            {name: value if name in FIELDS[:3] else float(value) for name, value in row.items() if value}
            for row in csv.DictReader(lines)
        ]


def write(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes rows, sorted by cell and column, and rounded to what is meaningful."""
    order = {name: number for number, name in enumerate(COLUMNS)}
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, FIELDS, lineterminator="\n")
        writer.writeheader()
        for row in sorted(rows, key=lambda row: (row["cell"], order.get(row["column"], len(order)))):
            rounded = {name: f"{row[name]:.2g}" for name in ("difference",) if name in row}
            rounded |= {name: f"{row[name]:.0f}" for name in ("bytes", "microseconds") if name in row}
            writer.writerow(row | rounded)


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """A Markdown table with a row for each cell: difference, kilobytes and microseconds in each column."""

    def shown(row: dict[str, Any] | None) -> str:
        if row is None:
            return ""
        if row["works"] != "yes":
            return str(row["works"]).replace("|", "/")
        size = f"{row['difference']:.0e}, {row['bytes'] / 1000:.0f} kB"
        return f"{size}, {row['microseconds']:.0f} µs" if "microseconds" in row else size

    measured = {(row["cell"], row["column"]): row for row in rows}
    names = [column.replace("-", ", ") for column in columns]
    lines = [f"| cell | {' | '.join(names)} |", "|:--|" + ":--|" * len(columns)]
    for cell in sorted({row["cell"] for row in rows}):
        lines.append(f"| `{cell}` | {' | '.join(shown(measured.get((cell, column))) for column in columns)} |")
    return "\n".join(lines)


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table with a row for each column: cells that work, their differences, sizes and times."""
    lines = [
        "| format | cells that work | difference, median | largest difference | kB, median | µs a step, median |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for column in COLUMNS:
        here = [row for row in rows if row["column"] == column]
        work = [row for row in here if row["works"] == "yes"]
        if work:
            worst = max(work, key=lambda row: row["difference"])
            middle = [float(np.median([row.get(name, np.nan) for row in work])) for name in FIELDS[3:]]
            times = "" if np.isnan(middle[2]) else f"{middle[2]:.0f}"
            named = f" (`{worst['cell']}`)" if worst["difference"] else ""
            lines.append(
                f"| {column.replace('-', ', ')} | {len(work)} of {len(here)} | {middle[0]:.0e} "
                f"| {worst['difference']:.0e}{named} | {middle[1] / 1000:.1f} | {times} |"
            )
    return "\n".join(lines)


def page(text: str, rows: Sequence[dict[str, Any]]) -> str:
    """The text of a page with the tables between its comments made anew."""
    before, _, after = text.partition(BEGIN)
    plain, small = ([name for name in COLUMNS if ("-" in name) == quantised] for quantised in (False, True))
    tables = [summary(rows), "## As trained", table(rows, plain), "## Quantised", table(rows, small)]
    return before + BEGIN + "\n" + "\n\n".join(tables) + "\n\n" + after[after.index(END) :]


def main(say: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default=",".join(cells.names()), help="names of cells, separated by commas")
    parser.add_argument("--columns", default=",".join(COLUMNS), help="formats, or FORMAT-QUANTISATION, with commas")
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--rows", default=str(DOCS / "export_matrix.csv"), help='CSV file of rows; "": none')
    parser.add_argument("--page", default=str(DOCS / "export_matrix.md"), help='page of the tables; "": none')
    parser.add_argument("--again", action="store_true", help="measure what the file of rows has, too")
    words = parser.parse_args()
    file = Path(words.rows) if words.rows else None
    rows = {(row["cell"], row["column"]): row for row in read(file)}
    chosen = [(cell, column) for cell in words.cells.split(",") for column in words.columns.split(",")]
    missing = [key for key in chosen if words.again or key not in rows]
    for cell in dict.fromkeys(cell for cell, _ in missing):
        one = subject(cell, words.units)
        for column in (column for named, column in missing if named == cell):
            rows[cell, column] = measure(one, column)
        say(f"{cell}: " + "; ".join(f"{key[1]} {rows[key]['works']}" for key in missing if key[0] == cell))
        if file is not None:
            write(file, rows.values())
        keras.backend.clear_session()
    shown = list(rows.values()) if file is not None else [rows[key] for key in chosen]
    if file is not None and words.page:
        target = Path(words.page)
        target.write_text(page(target.read_text(encoding="utf-8"), read(file)), encoding="utf-8")
    say(summary(shown))


if __name__ == "__main__":
    main()
