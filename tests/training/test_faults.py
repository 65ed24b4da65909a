"""Killed runs: five of them, at random moments, in processes; `benchmarks/faults.py` kills a hundred."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "faults.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked after TensorFlow was imported")
def test_five_kills_leave_no_trace() -> None:
    command = [sys.executable, str(SCRIPT), "--kills", "5", "--tasks", "adding", "--faults", "sigterm,validation"]
    child = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert child.returncode == 0, child.stdout + child.stderr[-2000:]
    lines = [line for line in child.stdout.splitlines() if line.startswith("kill")]
    assert len(lines) == 5 and all(line.endswith(": equal") for line in lines)
    assert "5 kills and 2 other faults" in child.stdout and ": 0 failed" in child.stdout
