"""Runs the examples of a proof through the `use.py` of an export, in a process without seqtasks.

    python proof_child.py EXPORT INPUTS.npz OUTPUTS.npz

It is run as a file. Names in the inputs are `ROW/NAME`. The outputs have `ROW/outputs`, for sequences also
`ROW/sequence`, and `microseconds`, the times of the calls.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def main(folder: Path, inputs: Path, outputs: Path) -> None:
    """Runs all examples.

    Args:
        folder: Folder of the export.
        inputs: File of the examples.
        outputs: File to write.
    """
    sys.modules["seqtasks"] = None  # type: ignore[assignment]  # every import of it fails
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # else OpenVINO reports to its makers
    spec = importlib.util.spec_from_file_location("use", folder / "use.py")
    assert spec is not None and spec.loader is not None
    use: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(use)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    graphs = {name: _Timed(use.Graph(name)) for name in manifest["graphs"]}
    made: Arrays = {}
    with np.load(inputs) as file:
        rows: dict[int, Arrays] = {}
        for key in file.files:
            row, _, name = key.partition("/")
            rows.setdefault(int(row), {})[name] = file[key]
    for row in sorted(rows):
        for name, array in _run(use, manifest, graphs, rows[row]).items():
            made[f"{row}/{name}"] = array
    timed = graphs.get("decoder") or next(iter(graphs.values()))
    made["microseconds"] = np.array(timed.microseconds[1:] or timed.microseconds)
    named: Any = made
    np.savez(outputs, **named)


class _Timed:
    """A graph whose calls are timed."""

    def __init__(self, graph: Any):
        self.graph, self.reset = graph, graph.reset
        self.microseconds: list[float] = []

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        begin = time.perf_counter()
        made: Arrays = self.graph(inputs)
        self.microseconds.append((time.perf_counter() - begin) * 1e6)
        return made


def _run(use: Any, manifest: Any, graphs: Mapping[str, Any], arrays: Arrays) -> Arrays:
    """Outputs of one example."""
    output = manifest["output"]
    if "model" in graphs:
        return {"outputs": graphs["model"](arrays)[output]}
    if "step" in graphs:
        graph, names = graphs["step"], manifest["step_inputs"]
        graph.reset()
        steps = arrays[names[0]].shape[1]
        each = []
        for t in range(steps):
            each.append(graph({k: v[:, t : t + 1] if k in names else v for k, v in arrays.items()})[output])
        return {"outputs": np.stack([made.reshape(made.shape[-1:]) for made in each])[None]}
    encoder, decoder = graphs["encoder"], graphs["decoder"]
    known, logits = {**arrays, **encoder(arrays)}, []
    decoder.reset(known)
    for token in arrays["previous"][0]:
        logits.append(decoder({**known, "token": np.array([[token]], "int32")})[output][0])
    sequence = use.generate(encoder, decoder, arrays, int(arrays["most"]))
    return {"outputs": np.stack(logits)[None], "sequence": np.array(sequence, np.int32)}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
