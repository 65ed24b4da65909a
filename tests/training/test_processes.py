"""Runs in several processes: the same losses as in one, one stop for all, and errors of one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqtasks.core import keras_import
from seqtasks.core.config import TrainConfig
from seqtasks.core.errors import ConfigError, RunError
from seqtasks.core.reporter import Reporter
from seqtasks.training import processes, requests

SLURM = {
    "SLURM_JOB_ID": "70000",
    "SLURM_STEP_NODELIST": "node[07-09,12]",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
}


def test_other_backends_are_refused_in_one_line_that_names_jax(tmp_path, monkeypatch):
    for backend in ("tensorflow", "torch"):
        monkeypatch.setattr(keras_import, "backend_name", lambda name=backend: name)
        with pytest.raises(ConfigError, match=rf"Keras backend {backend}; allowed: 1.*set KERAS_BACKEND=jax"):
            requests.train("char_lm", ["train.processes=2"], None, tmp_path, Reporter(quiet=True))
    assert not list(tmp_path.iterdir())


def test_processes_find_their_place():
    by_hand = {"SEQTASKS_COORDINATOR": "host:99", "SEQTASKS_PROCESS": "2"}
    assert processes.membership(by_hand, 3) == ("host:99", 2)
    assert processes.membership(by_hand | SLURM, 3) == ("host:99", 2)
    assert processes.membership(SLURM, 4) == ("node07:61808", 3)
    assert processes.membership({}, 2) is None
    assert processes.membership(SLURM, 1) is None  # an ordinary run inside a job
    for wrong in (
        {"SEQTASKS_PROCESS": "1"},
        {"SEQTASKS_COORDINATOR": "host:99"},
        by_hand | {"SEQTASKS_PROCESS": "3"},
        by_hand | {"SEQTASKS_PROCESS": "-1"},
        by_hand | {"SEQTASKS_COORDINATOR": "host"},
    ):
        with pytest.raises(ConfigError, match=r"set both in every process, or neither"):
            processes.membership(wrong, 3)
    with pytest.raises(ConfigError, match=r"srun started 4 tasks; allowed: equal numbers; use srun --ntasks=2"):
        processes.membership(SLURM, 2)


def test_a_run_alone_cannot_have_the_setting(monkeypatch):
    monkeypatch.setattr(processes, "_groups", [])
    monkeypatch.setattr(keras_import, "backend_name", lambda: "jax")
    assert processes.group_of(TrainConfig()) is None
    with pytest.raises(ConfigError, match=r"train.processes is 2, but 1 process began this run; .*train.processes=2"):
        processes.group_of(TrainConfig(processes=2))


def test_the_message_of_a_failed_process_is_that_of_the_command(tmp_path, capfd):
    with pytest.raises(RunError, match="unknown task 'char_lmm'; did you mean char_lm"):
        processes.launch(["run", "char_lmm", "--runs", str(tmp_path)], 2)
    assert capfd.readouterr().err == ""  # the caller prints it


def test_threads_are_divided(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert processes._share_of_cores(2)["OMP_NUM_THREADS"] == "3"
    assert processes._share_of_cores(99)["OMP_NUM_THREADS"] == "1"


# What follows trains under JAX in processes of its own.

COMMON = ["train.jit=true", "encoder.dropout=0"]
CHAR_LM = [*COMMON, "data.source=builtin", "data.limit=24000", "data.limit_test=3000", "encoder.cell=gru",
           "encoder.units=12", "train.batch_size=15", "options.bptt=16", "train.epochs=1", "options.eval_streams=4",
           "options.dynamic_rate=null"]  # fmt: skip
TAGGING = [*COMMON, "encoder.units=8", "options.embedding_dim=6", "options.characters=none", "options.dropout=0",
           "options.word_dropout=0", "encoder.bidirectional=true", "train.batch_size=9", "train.epochs=3"]  # fmt: skip


def corpus(folder: Path) -> Path:
    """Sentences of 3 or 6 words, so that batches have padding, but few lengths to compile."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for part, count in (("train", 170), ("dev", 20), ("test", 20)):
        rows = [
            "".join(f"w{rng.integers(30)}\t{'ABC'[rng.integers(3)]}\n" for _ in range(rng.choice([3, 6], p=[0.6, 0.4])))
            for _ in range(count)
        ]
        (folder / f"{part}.conll").write_text("\n".join(rows) + "\n")
    return folder


def command(task: str, words: list[str], count: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command of a run that records its losses, and its environment."""
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("recorded.py"), folder / "recorded.py")
    env = {**os.environ, "KERAS_BACKEND": "jax", "RECORDED_TASK": task, "RECORD": str(folder / "losses.txt")}
    words = [str(folder / "recorded.py"), *words, f"train.processes={count}", "--runs", str(folder / "runs"), "--json"]
    return [sys.executable, "-m", "seqtasks", "run", *words], env


def run(task: str, words: list[str], count: int, folder: Path) -> tuple[dict, np.ndarray]:
    """The result row, and the loss of each step."""
    arguments, env = command(task, words, count, folder)
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), np.loadtxt(folder / "losses.txt")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("task", ["tagging", "char_lm"])
def test_losses_of_one_and_two_processes_are_equal(tmp_path, task):
    words = CHAR_LM if task == "char_lm" else [*TAGGING, f"data.source=files:{corpus(tmp_path / 'data')}"]
    (one, alone), (two, together) = (run(task, words, count, tmp_path / str(count)) for count in (1, 2))
    assert len(alone) == len(together) >= 50
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert np.ptp(alone[:50]) > 0.01  # the weights do change
    assert two["run"] == one["run"] and two["value"] == pytest.approx(one["value"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_stop_of_one_stops_all_and_another_number_of_processes_goes_on(tmp_path):
    """Also with the carried states of a language model, which belong to rows of the whole batch."""
    words = [*CHAR_LM, "train.accumulate=2"]
    _, undisturbed = run("char_lm", words, 1, tmp_path / "alone")
    folder = tmp_path / "stopped"
    arguments, env = command("char_lm", words, 2, folder)
    done = subprocess.run(arguments, env=env | {"STOP_AFTER": "9"}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 130, done.stderr
    assert "stopped in epoch 1 after step" in json.loads(done.stdout.splitlines()[-1])["error"]
    assert "seqtasks: stopped in epoch 1 after step" in done.stderr.splitlines()[-1]
    losses = folder / "losses.txt"
    before = len(losses.read_text().splitlines())
    (checkpoint,) = (folder / "runs").glob("*/checkpoint.npz")
    with np.load(checkpoint) as saved:
        assert json.loads(str(saved["meta"]))["step"] == before == 10  # the step after the signal
    row, recorded = run("char_lm", words, 3, folder)
    assert row["config"]["train"]["processes"] == 3
    np.testing.assert_allclose(recorded, undisturbed, rtol=0, atol=1e-5)
