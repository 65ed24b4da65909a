"""MLflow: a store in SQLite, and a real server that is killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seqtasks.core.config import resolve
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results
from seqtasks.training import tracking, train
from seqtasks.training.tracker import TrackedRun
from seqtasks.training.trackers import mlflow as tracker_module
from seqtasks.training.trackers.mlflow import MLflow

pytest.importorskip("mlflow", reason="needs MLflow: pip install '.[mlflow]'")
SETTINGS = {"task": "my_task", "encoder.units": 8, "train.jit": False, "train.early_stopping": None, "text": "x" * 900}
ROWS = [{"epoch": e, "seconds": 1.0, "loss": 1 / e, "grad_norm/layer [1]": 0.5} for e in range(1, 4)]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in tracker_module.DEFAULTS.items():  # which `start` would leave in the environment
        monkeypatch.setenv(name, value)


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(uri)


def steps(uri: str, run: str, metric: str = "loss") -> list[int]:
    return [entry.step for entry in client(uri).get_metric_history(run, metric)]


def test_a_store_beside_the_runs(tmp_path: Path) -> None:
    """One test, as MLflow takes seconds to create the tables of a store."""
    folder = tmp_path / "runs" / "my_task-gru-0123abcd"
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "curves.png").write_bytes(b"png")
    (folder / "history.csv").write_text("epoch\n1\n")
    run, state = TrackedRun(folder, SETTINGS, {"source": "builtin:digits"}), {}
    tracker = MLflow(run, state)
    assert tracker.start() == 0
    uri = f"sqlite:///{tmp_path}/runs/mlflow/mlflow.db"
    assert state["uri"] == uri and tracker.address == f"mlflow server --backend-store-uri {uri}"
    tracker.log(ROWS[:2])
    tracker.log_text(2, "temperature 0.5", "to be")
    tracker.close("interrupted")
    stored = client(uri).get_run(state["run_id"])
    assert (stored.info.run_name, stored.info.status) == (folder.name, "KILLED")
    params = stored.data.params
    assert {name: params[name] for name in list(SETTINGS)[:4]} == {
        "task": "my_task", "encoder.units": "8", "train.jit": "false", "train.early_stopping": "null"
    }  # fmt: skip
    assert len(params["text"]) == 500 and stored.data.tags["seqtasks.source"] == "builtin:digits"
    assert stored.data.metrics["grad_norm/layer _1_"] == 0.5
    assert client(uri).get_experiment(stored.info.experiment_id).name == "my_task"

    again = MLflow(run, dict(state))
    assert again.start() == 2  # of the store, also if the run folder was not told
    assert client(uri).get_run(state["run_id"]).info.status == "RUNNING"
    again.log(ROWS[2:])
    again.close("finished")
    assert steps(uri, state["run_id"]) == [1, 2, 3]
    assert client(uri).get_run(state["run_id"]).info.status == "FINISHED"
    files = {file.path for file in client(uri).list_artifacts(state["run_id"])}
    assert files == {"history.csv", "plots", "texts"}
    assert (tmp_path / "runs" / "mlflow" / "artifacts").is_dir()

    client(uri).delete_run(state["run_id"])  # by a user: the rest goes to a new run
    third = MLflow(run, dict(state))
    assert third.start() == 0 and third.state["run_id"] != state["run_id"]
    elsewhere = MLflow(run, {"uri": "http://127.0.0.1:1", "run_id": state["run_id"]})
    assert elsewhere.start() == 0 and elsewhere.state["uri"] == uri


def test_many_epochs_are_several_requests_of_whole_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_module, "MOST_METRICS", 7)  # 3 numbers an epoch
    requests: list[list[int]] = []

    class Client:
        def log_batch(self, run_id: str, metrics: Any) -> None:
            requests.append([metric.step for metric in metrics])

    tracker = MLflow(TrackedRun(tmp_path, {}, {}), {"run_id": "x"})
    tracker._client = Client()
    tracker.log(ROWS)
    assert requests == [[1, 1, 1, 2, 2, 2], [3, 3, 3]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """Function that starts `mlflow server` on loopback, or starts it again, and returns its process."""
    program = os.environ.get("SEQTASKS_MLFLOW")
    if not program:
        pytest.skip("SEQTASKS_MLFLOW does not name the program mlflow of an environment with the package mlflow")
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int) -> subprocess.Popen[bytes]:
        command = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
        command += ["--artifacts-destination", f"{tmp_path}/artifacts"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        with (tmp_path / "server.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        started.append(process)
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                return process
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, (tmp_path / "server.log").read_text()
                time.sleep(0.5)
        raise TimeoutError((tmp_path / "server.log").read_text())

    yield start
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a server with its workers."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.slow
def test_a_server_that_is_killed_in_the_middle_gets_the_rest_later(
    tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    process = server(port)
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}/")
    monkeypatch.setattr(tracking, "SECONDS", 0.0)
    task = load_task("mnist_rows")
    settings = ["data.source=builtin", "data.limit=100", "encoder.units=4", "train.epochs=4", "train.trackers=[mlflow]"]
    config = resolve("mnist_rows", task.Options, settings)
    plain = MLflow.log

    def log(self: MLflow, epochs: Any) -> None:
        plain(self, epochs)
        if epochs[-1]["epoch"] == 2:
            kill(process)

    monkeypatch.setattr(MLflow, "log", log)
    row, _ = train.run(config, task, tmp_path / "runs", Reporter(quiet=True))
    (note,) = [note for note in row.notes if "mlflow" in note]
    assert note.startswith("tracker mlflow failed after epoch 2") and "secret" not in note
    state = (tmp_path / "runs" / row.run / tracking.FILE).read_text()
    assert "secret" not in state
    server(port)
    row, skipped = train.run(config, task, tmp_path / "runs", Reporter(quiet=True))
    assert skipped and not any("mlflow" in note for note in results.read(tmp_path / "runs" / row.run).notes)
    (experiment,) = [one for one in client(uri).search_experiments() if one.name == "mnist_rows"]
    (run,) = client(uri).search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED" and run.data.metrics["test_accuracy"] == pytest.approx(row.value)
    assert steps(uri, run.info.run_id) == steps(uri, run.info.run_id, "val_loss") == [1, 2, 3, 4]
    assert {file.path for file in client(uri).list_artifacts(run.info.run_id)} >= {"config.yaml", "result.json"}
