"""The devices of each backend; a machine without a GPU has none, whatever the backend says of that."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
@pytest.mark.slow
def test_gpus_of_each_backend_are_listed(backend, monkeypatch):
    pytest.importorskip(backend)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    code = (
        "from seqtasks.engines.backend import devices; found = devices.gpus(); print(type(found).__name__, len(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    kind, number = done.stdout.split()
    assert kind == "tuple"
    if backend == "torch":
        import torch

        assert int(number) == torch.cuda.device_count()
