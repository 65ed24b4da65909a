"""Memory does not grow with the number of examples, as `benchmarks/data_memory.py` measures it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "data_memory.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is read from /proc")
@pytest.mark.parametrize("kind", ["labelled", "pairs", "tagged"])
def test_ten_times_the_examples_take_little_more_memory(kind):
    """In lists they took 76 MB more (labelled texts), of which most was not their text."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), kind, "--sizes", "15000,150000"], capture_output=True, text=True, check=True
    )
    converted, mapped = map(int, re.findall(r"([-+]\d+)", done.stdout.splitlines()[-1].rpartition(": ")[2]))
    assert converted < 60 and mapped < 60, done.stdout
