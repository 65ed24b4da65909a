"""A sample of the matrix of cells and formats, and what a format refuses."""

import importlib.util
from pathlib import Path

import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.deploy.export import formats

FILE = Path(__file__).resolve().parents[3] / "benchmarks" / "export_matrix.py"
SAMPLE = ["lstm", "mogrifier_lstm", "min_gru"]


@pytest.fixture(scope="module")
def matrix():
    """The benchmark, imported."""
    spec = importlib.util.spec_from_file_location("export_matrix", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("form", ["saved_model", "onnx", "litert"])
def test_a_step_of_a_cell_gives_the_outputs_of_keras(matrix, form):
    for module in formats.FORMATS[form].modules:
        pytest.importorskip(module)
    for cell in SAMPLE if form == "onnx" else SAMPLE[:1]:
        row = matrix.measure(cell, 8, form)
        assert row["works"] == "yes" and row["difference"] < 1e-5, row


@pytest.mark.parametrize("form", ["onnx", pytest.param("litert", marks=pytest.mark.slow)])
def test_int8_weights_are_smaller_and_nearly_equal(matrix, form):
    for module in formats.FORMATS[form].modules:
        pytest.importorskip(module)
    plain, small = (matrix.measure("gru", 128, form, quantize) for quantize in (None, "dynamic"))
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
