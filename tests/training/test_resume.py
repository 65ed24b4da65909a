"""A killed run goes on as if nothing had happened: the final weights are those of an uninterrupted one.

Runs in the process of the tests are interrupted in test_train.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

RUN = [
    "mnist_rows",
    "data.source=builtin",
    "encoder.units=8",
    "encoder.dropout=0.3",
    "encoder.recurrent_dropout=0.2",
    "train.batch_size=4",
    "train.epochs=4",
    "train.schedule=plateau",
    "train.patience=1",
    "train.early_stopping=3",
    "train.average=epochs",
    "train.last_epochs=3",
    "options.augment=true",
]


def start(*words: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "seqtasks", *words, "--runs", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
    )


def finish(child: subprocess.Popen[str]) -> None:
    _, err = child.communicate(timeout=200)
    assert child.returncode == 0, err


def stands(folder: Path) -> tuple[int, int]:
    """Epoch and step of the checkpoint below `folder`; (-1, 0) if there is none."""
    for path in folder.glob("*/checkpoint.npz"):
        with np.load(path) as saved:
            meta = json.loads(str(saved["meta"]))
        return meta["epoch"], meta["step"]
    return -1, 0


def wait_for(child: subprocess.Popen[str], folder: Path, epoch: int) -> None:
    until = time.time() + 120
    while time.time() < until and child.poll() is None:
        at, step = stands(folder)
        if at > epoch or (at == epoch and step > 10):
            return
        time.sleep(0.02)
    pytest.fail(f"no checkpoint inside epoch {epoch + 1}: {stands(folder)}, exit code {child.poll()}")


def weights(folder: Path) -> list[np.ndarray]:
    import keras

    import seqtasks  # noqa: F401  registers our layers

    (path,) = folder.glob("*/model.keras")
    return [np.asarray(w) for w in keras.models.load_model(path).get_weights()]


@pytest.mark.slow
def test_ctrl_c_and_kill_9_leave_no_trace_in_the_result(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start("run", *RUN, folder=whole))

    child = start("run", *RUN, "train.checkpoint_seconds=0.05", folder=broken)
    wait_for(child, broken, 0)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=200)
    assert child.returncode == 130, err
    assert "continue with: seqtasks resume" in err
    assert "Traceback" not in err
    (folder,) = broken.iterdir()
    assert json.loads((folder / "status.json").read_text())["status"] == "interrupted"

    child = start("resume", str(folder), folder=broken)
    wait_for(child, broken, 1)
    child.kill()
    child.wait()
    assert not (folder / "result.json").exists()
    assert stands(broken)[0] >= 1

    finish(start("run", *RUN, "train.checkpoint_seconds=0.05", folder=broken))  # the same command continues it, too
    for a, b in zip(weights(whole), weights(broken), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6, rtol=0)

    rows = [json.loads(next(f.glob("*/result.json")).read_text()) for f in (whole, broken)]
    assert rows[0]["scores"] == rows[1]["scores"]
    histories = [np.genfromtxt(next(f.glob("*/history.csv")), delimiter=",", names=True) for f in (whole, broken)]
    for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-6)
    assert not list(folder.glob("checkpoint.npz")) + list(folder.glob("best.npz")) + list(folder.glob(".*.npz"))


@pytest.mark.slow
def test_two_runs_never_write_in_one_folder(tmp_path: Path) -> None:
    long = (*RUN, "train.epochs=500", "train.early_stopping=null", "train.checkpoint_seconds=0.05")
    first = start("run", *long, folder=tmp_path)
    wait_for(first, tmp_path, 0)
    second = start("run", *long, folder=tmp_path)
    _, err = second.communicate(timeout=200)
    assert second.returncode == 75
    assert "another process is training in" in err
    first.kill()
    first.wait()
