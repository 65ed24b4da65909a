"""A sample of the matrix of cells and formats, and what a format refuses."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.deploy.export import formats

FILE = Path(__file__).resolve().parents[3] / "benchmarks" / "export_matrix.py"
# Cells of each kind: one state, a matrix as state, complex states, several states, a matrix that is solved for.
SAMPLE = {
    "lstm": ["saved_model", "onnx", "litert", "safetensors"],
    "mlstm": ["onnx", "safetensors"],
    "s4d": ["onnx"],
    "rg_lru": ["onnx"],  # ONNX has no Expm1
    "rwkv4": ["litert"],
    "exp_rnn": ["openvino"],
}


@pytest.fixture(scope="module")
def matrix():
    """The benchmark, imported."""
    spec = importlib.util.spec_from_file_location("export_matrix", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its data classes look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("cell", SAMPLE)
def test_a_step_of_a_cell_gives_the_outputs_of_keras(matrix, cell):
    for column in SAMPLE[cell]:
        for module in formats.FORMATS[column].modules if column in formats.FORMATS else [column]:
            pytest.importorskip(module)
    one = matrix.subject(cell, 8)
    assert np.abs(one.expected).max() > 0.1
    for column in SAMPLE[cell]:
        row = matrix.measure(one, column)
        assert row["works"] == "yes" and row["difference"] < 1e-5, row


def test_the_page_of_the_matrix_shows_its_rows(matrix):
    rows = matrix.read(matrix.DOCS / "export_matrix.csv")
    assert {row["column"] for row in rows} == set(matrix.COLUMNS)
    text = (matrix.DOCS / "export_matrix.md").read_text(encoding="utf-8")
    assert matrix.page(text, rows) == text


@pytest.mark.parametrize("form", ["onnx", pytest.param("litert", marks=pytest.mark.slow)])
def test_int8_weights_are_smaller_and_nearly_equal(matrix, form):
    for module in formats.FORMATS[form].modules:
        pytest.importorskip(module)
    one = matrix.subject("gru", 128)
    plain, small = (matrix.measure(one, column) for column in (form, f"{form}-dynamic"))
    assert small["bytes"] < 0.4 * plain["bytes"]
    assert 0 < small["difference"] < 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("onnx", None, True), "--any-length with --format onnx, .*; allowed: saved_model, openvino; choose one"),
        (("litert", None, True), "--any-length with --format litert, .*; allowed: saved_model, openvino; choose one"),
        (("saved_model", "float16", False), "--quantize float16 .*; allowed: onnx, litert, openvino; choose one"),
        (("openvino", "dynamic", False), "--quantize dynamic with --format openvino, .*; allowed: onnx, litert"),
    ],
)
def test_what_a_format_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        formats.check(*arguments)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"--format onnx needs onnx, .*; run pip install 'seqtasks\[export\]'"):
        formats.check("onnx", None, False)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "error: 'tf.MatrixSolve' op is neither a custom op nor a flex op\nnote",
            "'tf.MatrixSolve' op is",
        ),
        (
            "Check 'false' failed:\nSummary:\n-- No conversion rule found for operations: Betainc\n",
            "No conver",
        ),
    ],
)
def test_the_reason_names_the_operation_that_a_format_lacks(message, reason):
    assert formats.REASON.search(message)[0].startswith(reason)
