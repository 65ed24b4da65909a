"""Proof of an export: its outputs for test examples, computed without seqtasks, against those of Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from seqtasks.core.errors import SeqtasksError
from seqtasks.deploy.export import proof_child
from seqtasks.task_types.common.export_plan import Case, Cases, ExportPlan, Graph

# Largest difference relative to the largest output, by kind of quantisation.
TOLERANCES = {None: 1e-4, "float16": 0.02, "dynamic": 0.2}
SAME = 1e-3  # relative difference up to which two predicted numbers are the same answer


class ProofError(SeqtasksError, RuntimeError):
    """An export does not give the outputs of the model."""

    exit_code = 1


@dataclass(frozen=True)
class Proof:
    """Result of the proof of an export.

    Attributes:
        examples: Number of test examples.
        steps: Number of their steps.
        largest_difference: Largest difference of an output.
        relative_difference: That difference divided by the largest output, or by 1 if that is smaller; where the
            outputs are numbers of labels, the share of unequal ones.
        equal_answers: Share of equal answers.
        scores: Scores of the export on these examples.
        keras_scores: Scores of the model in Keras on these examples.
        microseconds: Median time of a call; of the decoder, where there are two graphs.
    """

    examples: int
    steps: int
    largest_difference: float
    relative_difference: float
    equal_answers: float
    scores: Mapping[str, float]
    keras_scores: Mapping[str, float]
    microseconds: float

    def to_dict(self) -> dict[str, Any]:
        """The proof as a dictionary that JSON can hold."""
        return asdict(self)


def prove(
    folder: Path, plan: ExportPlan, graphs: Sequence[Graph], cases: Cases, step_inputs: Sequence[str] = ()
) -> Proof:
    """Runs the examples through an export, in a process in which seqtasks cannot be imported.

    Args:
        folder: Folder of the export, with `manifest.json` and `use.py`.
        plan: The plan of the export.
        graphs: Its graphs.
        cases: The examples.
        step_inputs: Inputs with one value a step, of a step model.

    Raises:
        ProofError: The export cannot be run.
    """
    with TemporaryDirectory() as made:
        inputs, outputs = Path(made) / "inputs.npz", Path(made) / "outputs.npz"
        rows = [arrays_of(case, graphs, step_inputs) for case in cases.rows]
        named: Any = {f"{i}/{name}": array for i, row in enumerate(rows) for name, array in row.items()}
        np.savez(inputs, **named)
        command = [sys.executable, proof_child.__file__, str(folder.resolve()), str(inputs), str(outputs)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=made)
        if done.returncode or not outputs.is_file():
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise ProofError(f"the export cannot be run: {reason}; try another format, see seqtasks export --help")
        with np.load(outputs) as file:
            results = {name: file[name] for name in file.files}
    computed = [_trimmed(results[f"{i}/outputs"], case) for i, case in enumerate(cases.rows)]
    expected = [_valid(case, step_inputs) for case in cases.rows]
    computed = [_last(output, reference) for output, reference in zip(computed, expected, strict=True)]
    scored = [results[f"{i}/sequence"] for i in range(len(computed))] if cases.kind == "sequences" else computed
    differences = [_difference(*pair) for pair in zip(computed, expected, strict=True)]
    largest = max(differences)
    equal = [_equal(plan.answers(a), plan.answers(b)) for a, b in zip(computed, expected, strict=True)]
    equal_answers = float(np.concatenate([row.ravel() for row in equal]).mean())
    return Proof(
        examples=len(computed),
        steps=sum(_steps(row, step_inputs) for row in rows),
        largest_difference=largest,
        relative_difference=_relative(largest, expected, equal_answers),
        equal_answers=equal_answers,
        scores=dict(cases.rescore([_padded(output, case) for output, case in zip(scored, cases.rows, strict=True)]))
        if cases.kind == "outputs"
        else dict(cases.rescore(scored)),
        keras_scores=dict(cases.scores),
        microseconds=float(np.median(results["microseconds"])),
    )


def check(proof: Proof, quantize: str | None, tolerance: float | None) -> None:
    """Checks the differences of a proof.

    Args:
        proof: The proof.
        quantize: Kind of quantisation; None: none.
        tolerance: Largest allowed relative difference; None: that of the kind.

    Raises:
        ProofError: The difference is larger.
    """
    allowed = TOLERANCES[quantize] if tolerance is None else tolerance
    if not proof.relative_difference <= allowed:
        raise ProofError(
            f"the largest difference is {proof.relative_difference:.2g} of the largest output "
            f"({proof.largest_difference:.2g}), {proof.equal_answers:.2%} of the answers are equal; allowed: "
            f"{allowed:g}; nothing is exported; try another format, or raise --tolerance"
        )


def arrays_of(case: Case, graphs: Sequence[Graph], step_inputs: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an example as an export takes them.

    Those of a whole sequence are padded with zeros to its length; those that are read step by step have the valid
    steps only.

    Args:
        case: The example.
        graphs: Graphs of the export.
        step_inputs: Inputs with one value a step, of a step model.
    """
    ports = {port.name: port for port in graphs[0].inputs}
    count = _valid_steps(case)
    arrays = {}
    for name, array in case.inputs.items():
        if name in ports:
            array = array.astype(ports[name].dtype)
            if name in step_inputs:
                array = array if count is None else array[:, :count]
            else:
                sizes = zip(array.shape, ports[name].shape, strict=True)
                array = np.pad(array, [(0, 0 if size is None else size - has) for has, size in sizes])
        arrays[name] = array
    kept = {*ports, "previous", "most"}
    return {name: array for name, array in arrays.items() if name in kept}


def fits(case: Case, graphs: Sequence[Graph]) -> bool:
    """Whether an example is not longer than an export of a whole sequence takes."""
    return all(
        size is None or has <= size
        for port in graphs[0].inputs
        for has, size in zip(case.inputs[port.name].shape, port.shape, strict=True)
    )


def _valid_steps(case: Case) -> int | None:
    return int(case.inputs["mask"].sum()) if "mask" in case.inputs else None


def _steps(row: Mapping[str, np.ndarray], step_inputs: Sequence[str]) -> int:
    if "previous" in row:
        return int(row["previous"].shape[1])
    if "mask" in row:
        return int(row["mask"].sum())
    array = row[step_inputs[0]] if step_inputs else next(iter(row.values()))
    return int(array.shape[1]) if array.ndim > 1 else 1


def _valid(case: Case, step_inputs: Sequence[str]) -> np.ndarray:
    """Expected outputs; of a step model without those at padding."""
    steps = _valid_steps(case)
    if steps is None or not step_inputs or case.expected.ndim < 3:
        return case.expected
    return case.expected[:, :steps]


def _trimmed(output: np.ndarray, case: Case) -> np.ndarray:
    """An output without the padding of a whole sequence."""
    if output.ndim != case.expected.ndim:
        return output
    return output[tuple(slice(0, size) for size in case.expected.shape)]


def _last(output: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The output of the last step, where the model in Keras gives no other."""
    return output[:, -1] if output.ndim == reference.ndim + 1 else output


def _padded(output: np.ndarray, case: Case) -> np.ndarray:
    return np.pad(output, [(0, size - has) for has, size in zip(output.shape, case.expected.shape, strict=True)])


def _difference(output: np.ndarray, reference: np.ndarray) -> float:
    assert output.shape == reference.shape, (output.shape, reference.shape)
    if reference.dtype.kind in "iu":
        return float((output != reference).max(initial=0))
    gap = np.abs(output.astype(np.float64) - reference.astype(np.float64))
    return float(np.where(np.isnan(gap), np.inf, gap).max(initial=0))


def _relative(largest: float, expected: Sequence[np.ndarray], equal_answers: float) -> float:
    if expected[0].dtype.kind in "iu":  # a difference of two numbers of labels has no size
        return 1 - equal_answers
    return largest / max(1.0, *(float(np.abs(reference).max(initial=0)) for reference in expected))


def _equal(output: np.ndarray, reference: np.ndarray) -> Any:
    if reference.dtype.kind in "iu":
        return output == reference
    return np.abs(output - reference) <= SAME * np.maximum(np.abs(reference), 1)
