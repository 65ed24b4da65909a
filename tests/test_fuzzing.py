"""Every reader answers damaged files, or raises one line; `benchmarks/fuzz.py` tries thousands of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = ["csv", "conll", "characters", "words", "bpe", "parallel", "captions", "vectors", "idx", "image", "video",
         "wav", "ts", "tsf", "series", "anomaly", "npz", "yaml", "overrides", "run", "checkpoint", "cache"]  # fmt: skip


@pytest.fixture(scope="module")
def fuzz():
    """The script, imported; its helpers lie beside it."""
    pytest.importorskip("resource", reason="Windows has no limits of processor time and memory")
    spec = importlib.util.spec_from_file_location("fuzz", FOLDER / "fuzz.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.setitem(sys.modules, "fuzz", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def readers(fuzz):
    return {reader.name: reader for reader in fuzz.readers()}


@pytest.mark.parametrize("name", NAMES)
def test_200_damaged_inputs(fuzz, readers, name):
    report = fuzz.fuzz(readers[name], 200)
    assert not report.faults, "\n".join(f"{what}\n{report.traces[what]}" for what in report.faults)
    assert 150 <= report.inputs <= 200
    assert report.accepted < report.inputs or name == "cache"  # whose damaged entries are made again


def test_all_readers_are_tested(readers):
    assert list(readers) == NAMES


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda folder: 1 / 0, "ZeroDivisionError"),
        (lambda folder: bytearray(1 << 30), "MemoryError"),
        (lambda folder: list(iter(int, 1)), "TooSlow"),
        (lambda folder: __import__("numpy").float32(1e39), "RuntimeWarning"),
        (lambda folder: __import__("logging").getLogger("seqtasks.x").warning("x" * 9000), "a log message of 9000"),
    ],
)
def test_faults_are_seen(fuzz, monkeypatch, read, what):
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    from fuzz_readers import Reader

    with fuzz.written({"a": b"1"}) as folder:
        fault = fuzz.fault_of(Reader("x", [{"a": b"1"}], read), folder, fuzz.Report())
    assert fault is not None and fault[0].startswith(what)
