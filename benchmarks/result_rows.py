"""Runs a seqtasks command in a process of its own and returns the result rows that it prints; for other benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def rows_of(words: list[str]) -> list[dict[str, Any]]:
    """The result rows that a command prints as JSON."""
    done = subprocess.run([sys.executable, "-m", "seqtasks", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"seqtasks {' '.join(words)}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
