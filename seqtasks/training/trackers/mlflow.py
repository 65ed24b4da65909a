"""Runs of an MLflow tracking server, or of an SQLite store beside the run folders."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from seqtasks.experiments.results import Row
from seqtasks.training.tracker import TrackedRun, Tracker, register_tracker

FOLDER, STORE = "mlflow", "mlflow.db"  # the store, in the folder of all runs
MOST_METRICS, MOST_PARAMS = 1000, 100  # maxima of one request
LONGEST = 500  # maximum number of characters of a parameter that every MLflow takes
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
# A server that does not answer holds up training for seconds, not for the minutes of MLflow's own defaults.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # where `--json` prints the row
}


@register_tracker("mlflow")
class MLflow(Tracker):
    """Logs settings, metrics of each epoch, test scores, texts and the files of the run folder to MLflow.

    The environment variables `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME` name server and experiment, and those
    of MLflow for passwords count, too. Without the first, the store is `mlflow/mlflow.db` beside the run folders;
    without the second, the experiment has the name of the task.

    Args:
        run: The run.
        state: `{"uri": server without a password, "run_id": identifier of the run}`.
    """

    modules = ("mlflow", "sqlalchemy", "alembic")  # a store in SQLite needs the last two
    package = "seqtasks[mlflow]"

    def __init__(self, run: TrackedRun, state: dict[str, Any]):
        super().__init__(run, state)
        self._client: Any = None
        self._experiment = ""

    @property
    def address(self) -> str:
        uri = self.state["uri"]
        if uri.startswith("http"):
            return f"{uri}/#/experiments/{self._experiment}/runs/{self.state['run_id']}"
        return f"mlflow server --backend-store-uri {uri}"

    def start(self) -> int:
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        for logger in ("mlflow.store.db.utils", "mlflow.tracking.fluent", "alembic"):
            logging.getLogger(logger).setLevel(logging.WARNING)
        from mlflow import MlflowClient

        uri = os.environ.get("MLFLOW_TRACKING_URI") or self._local_store()
        with self._first_use(uri):
            self._client = MlflowClient(uri)
            known = self._known_run() if self.state.get("uri") == _without_password(uri) else None
            if known is None:
                self._experiment = self._find_experiment(uri)
        if known is not None:
            self._experiment = known.info.experiment_id
            self._client.update_run(known.info.run_id, status="RUNNING")
            steps = [metric.step for metric in self._client.get_metric_history(known.info.run_id, "seconds")]
            return max(steps, default=0)
        self.state |= {"uri": _without_password(uri), "run_id": self._new_run()}
        return 0

    def log(self, epochs: Sequence[Mapping[str, float]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        batch: list[Any] = []
        for values in epochs:  # an epoch is in one request, so that a server has all of it or nothing
            step = int(values["epoch"])
            metrics = [Metric(_key(key), float(value), now, step) for key, value in values.items() if key != "epoch"]
            if len(batch) + len(metrics) > MOST_METRICS:
                self._log(metrics=batch)
                batch = []
            batch += metrics
        self._log(metrics=batch)

    def log_text(self, epoch: int, name: str, text: str) -> None:
        self._client.log_text(self.state["run_id"], text, f"texts/{_key(name)}/epoch_{epoch:05d}.txt")

    def log_result(self, row: Row) -> None:
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        scores = {f"test_{name}": value for name, value in row.scores.items()}
        numbers = {**scores, "parameters": row.params, "encoder_parameters": row.encoder_params}
        tags = {
            "seqtasks.engine": row.engine,
            "seqtasks.metric": row.metric,
            "mlflow.note.content": "\n".join(row.notes),
        }
        self._log(
            metrics=[Metric(_key(key), float(value), now, row.epochs) for key, value in numbers.items()],
            tags=[RunTag(key, value) for key, value in tags.items() if value],
        )

    def close(self, status: str) -> None:
        if status == "finished":
            folder = self.run.path
            for name in ("config.yaml", "history.csv", "gradients.csv", "result.json"):
                if (folder / name).is_file():
                    self._client.log_artifact(self.state["run_id"], str(folder / name))
            if (folder / "plots").is_dir():
                self._client.log_artifacts(self.state["run_id"], str(folder / "plots"), "plots")
        self._client.set_terminated(self.state["run_id"], STATUS[status])

    def _log(self, **entries: Any) -> None:
        self._client.log_batch(self.state["run_id"], **entries)

    def _local_store(self) -> str:
        return f"sqlite:///{(self.run.path.parent / FOLDER / STORE).resolve()}"

    @contextlib.contextmanager
    def _first_use(self, uri: str) -> Iterator[None]:
        """Lets one process at a time open a store of this folder, as the first one creates its tables."""
        if uri != self._local_store():
            yield
            return
        from filelock import FileLock

        folder = self.run.path.parent / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=120):
            yield

    def _known_run(self) -> Any:
        """The run of an earlier session; None if the server has it no longer."""
        from mlflow.exceptions import MlflowException

        try:
            known = self._client.get_run(self.state["run_id"])
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return known if known.info.lifecycle_stage == "active" else None

    def _find_experiment(self, uri: str) -> str:
        """Identifier of the experiment, which is created where there is none."""
        from mlflow.exceptions import MlflowException

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or str(self.run.settings["task"])
        known = self._client.get_experiment_by_name(name)
        if known is None:
            folder = self.run.path.parent / FOLDER / "artifacts"
            place = folder.resolve().as_uri() if uri == self._local_store() else None  # else the server chooses
            try:
                return str(self._client.create_experiment(name, artifact_location=place))
            except MlflowException as error:
                known = self._client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or known is None:  # created by another process
                    raise
        return str(known.experiment_id)

    def _new_run(self) -> str:
        from mlflow.entities import Param

        tags = {f"seqtasks.{name}": value for name, value in self.run.facts.items()}
        tags |= {"seqtasks.folder": str(self.run.path.resolve()), "mlflow.source.name": "seqtasks"}
        identifier = self._client.create_run(self._experiment, tags=tags, run_name=self.run.path.name).info.run_id
        params = [Param(_key(key), _text(value)) for key, value in self.run.settings.items()]
        for begin in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(identifier, params=params[begin : begin + MOST_PARAMS])
        return str(identifier)


def _key(name: str) -> str:
    """A name with the characters that MLflow allows.

    Example:
        >>> _key("grad_norm/layer [1]")
        'grad_norm/layer _1_'
    """
    return re.sub(r"[^\w\-. /:]", "_", name, flags=re.ASCII)


def _text(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _without_password(uri: str) -> str:
    """The address of a server without a user name and password.

    Example:
        >>> _without_password("https://me:secret@host:5000/path/")
        'https://host:5000/path'
    """
    if not uri.startswith("http"):
        return uri
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
