"""A service with small models of several tasks, shared by the tests of its paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from seqtasks.deploy.opened_run import OpenedRun
from seqtasks.deploy.serving.limits import Limits
from seqtasks.experiments import run_folder

from ...views.playground.tiny_runs import unpack

TASKS = ("char_lm", "tagging", "mnist_rows", "adding")


@pytest.fixture(scope="session")
def served_runs(tmp_path_factory: pytest.TempPathFactory) -> list[OpenedRun]:
    runs = unpack(tmp_path_factory.mktemp("served"))
    return [OpenedRun.open(run_folder.open_run(next(runs.glob(f"{task}-*")))) for task in TASKS]


@pytest.fixture(scope="session")
def service(served_runs: list[OpenedRun]) -> Iterator[Any]:
    pytest.importorskip("fastapi", reason="FastAPI is not installed: the extra `serve`")
    from seqtasks.deploy.serving.service import Service

    made = Service(served_runs, Limits(body=100_000, length=500, tokens=100, sessions=3, inputs=40))
    yield made
    made.batcher.close()


@pytest.fixture(scope="session")
def client(service: Any) -> Iterator[Any]:
    from starlette.testclient import TestClient

    from seqtasks.deploy.serving.application import application

    with TestClient(application(service), base_url="http://localhost") as made:
        yield made


@pytest.fixture(scope="session")
def names(service: Any) -> dict[str, str]:
    """Names of the models by their task."""
    return {model.task.name: model.name for model in service.models.values()}
