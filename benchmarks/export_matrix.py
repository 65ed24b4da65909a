"""The step model of every cell in every format of `seqtasks export`: difference from Keras, size, time of a step.

    python benchmarks/export_matrix.py
    python benchmarks/export_matrix.py --cells lstm,gru --formats onnx,litert --quantize dynamic

A model is one layer with random weights that reads 8 numbers a step. 50 steps run through the file that was written,
by its `use.py`, each from the states of the one before, and through the layer in Keras in one call. Needs the extra
`export`; formats whose packages are missing are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seqtasks.core.errors import SeqtasksError
from seqtasks.core.plugins import cells
from seqtasks.deploy.export import formats, manifest
from seqtasks.deploy.export.tracing import trace
from seqtasks.deploy.export.use_file import use_file
from seqtasks.layers import Encoder
from seqtasks.task_types.common.export_plan import Graph, Port, Tensors, encoder_states

FEATURES, STEPS = 8, 50
COLUMNS = ("cell", "format", "works", "difference", "bytes", "microseconds")


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


def measure(cell: str, units: int, form: str, quantize: str | None = None) -> dict[str, Any]:
    """Exports a cell, runs it, and compares it with Keras.

    Args:
        cell: Name of the cell.
        units: Number of units.
        form: Name of the format.
        quantize: Kind of quantisation; None: none.

    Returns:
        A row with the names of `COLUMNS`; `works` is "yes" or the reason why not.
    """
    row: dict[str, Any] = {"cell": cell, "format": form, "works": "yes"}
    keras.utils.set_random_seed(0)
    encoder = Encoder(cell=cell, units=units)
    encoder.build((None, None, FEATURES))
    for weight in encoder.trainable_weights:
        weight.assign(weight + keras.random.normal(weight.shape, stddev=0.1))
    x = np.random.default_rng(0).normal(size=(1, STEPS, FEATURES)).astype("float32")
    expected = keras.ops.convert_to_numpy(encoder(x)[0])[0]
    try:
        with TemporaryDirectory() as folder:
            use = written(step_graph(encoder, FEATURES), Path(folder), form, quantize)
            row["bytes"] = sum(path.stat().st_size for path in Path(folder).rglob("step*") if path.is_file())
            row["bytes"] += sum(path.stat().st_size for path in Path(folder).glob("step/**/*") if path.is_file())
            graph = use.Graph("step")
            outputs, times = [], []
            for t in range(STEPS):
                begin = time.perf_counter()
                made = graph({"steps": x[:, t : t + 1]})["outputs"]
                times.append(time.perf_counter() - begin)
                outputs.append(np.reshape(made, -1))
    except (SeqtasksError, ValueError, RuntimeError) as error:
        return row | {"works": str(error).splitlines()[0]}
    return row | {
        "difference": float(np.abs(np.stack(outputs) - expected).max()),
        "microseconds": float(np.median(times) * 1e6),
    }


def written(graph: Graph, folder: Path, form: str, quantize: str | None) -> Any:
    """Writes a graph with its manifest and `use.py`, and imports the latter."""
    chosen = formats.check(form, quantize, False)
    traced = trace(graph)
    file, operations = formats.write(chosen, traced, folder, graph.name, quantize)
    facts = manifest.graph_facts(graph, traced.outputs, file, operations)
    text = {"graphs": {graph.name: facts}, "step_inputs": ["steps"]}
    (folder / "manifest.json").write_text(json.dumps(text), encoding="utf-8")
    (folder / "use.py").write_text(use_file("matrix", form, "steps", "outputs"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("use", folder / "use.py")
    assert spec is not None and spec.loader is not None
    use = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(use)
    return use


def table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """A Markdown table with a row for each cell: difference, kilobytes and microseconds in each format."""

    def shown(row: dict[str, Any] | None) -> str:
        if row is None:
            return ""
        if row["works"] != "yes":
            return str(row["works"])[:60]
        return f"{row['difference']:.0e}, {row['bytes'] / 1000:.0f} kB, {row['microseconds']:.0f} µs"

    found = {(row["cell"], row["format"]): row for row in rows}
    lines = [f"| cell | {' | '.join(names)} |", "|:--|" + ":--|" * len(names)]
    for cell in dict.fromkeys(row["cell"] for row in rows):
        lines.append(f"| `{cell}` | {' | '.join(shown(found.get((cell, name))) for name in names)} |")
    return "\n".join(lines)


def main(say: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default=",".join(cells.names()), help="names of cells, separated by commas")
    parser.add_argument("--formats", default=",".join(formats.FORMATS), help="names of formats, separated by commas")
    parser.add_argument("--quantize", choices=formats.QUANTIZE, help="kind of quantisation")
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--out", type=Path, help="JSON file to write after each cell")
    words = parser.parse_args()
    names = words.formats.split(",")
    rows: list[dict[str, Any]] = []
    for cell in words.cells.split(","):
        for name in names:
            rows.append(measure(cell, words.units, name, words.quantize))
        if words.out:
            words.out.write_text(json.dumps(rows), encoding="utf-8")
        keras.backend.clear_session()
    say(table(rows, names))
    worst = max((row["difference"] for row in rows if row["works"] == "yes"), default=0.0)
    say(f"\n{sum(row['works'] == 'yes' for row in rows)} of {len(rows)} work; largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
