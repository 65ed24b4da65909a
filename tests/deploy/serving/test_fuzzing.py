"""Requests that schemathesis mutates from our own OpenAPI description: errors in one line, never the server's fault."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

BODIES = 50  # mutated requests of each path, at least 200 bodies in all
QUIET = settings(
    max_examples=BODIES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
def test_mutated_requests_are_refused_in_one_line(service: Any, names: dict[str, str]) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install schemathesis")
    from starlette.testclient import TestClient

    from seqtasks.deploy.serving.application import application

    from .running import serving

    description = TestClient(application(service), base_url="http://localhost").get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(description)
    statuses: Counter[int] = Counter()
    models = st.sampled_from([{"name": name} for name in names.values()])

    def send(path: str, mode: Any, address: str) -> None:
        @seed(1)
        @QUIET
        @given(data=st.data())
        def drawn(data: Any) -> None:
            values = {"path_parameters": data.draw(models)} if "{name}" in path else {}
            case = data.draw(schema[path]["POST"].as_strategy(generation_mode=mode, **values))
            answer = case.call(base_url=f"http://{address}", timeout=60)
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            statuses[answer.status_code] += mode is schemathesis.GenerationMode.NEGATIVE
            if answer.status_code >= 400:
                error = answer.json()["error"]
                assert error and "\n" not in error and len(error) <= 1000
            for session in list(service.sessions._sessions.values()):
                service.sessions.remove(session)

        drawn()

    with serving(service) as address:
        for path in ("/predict", "/generate", "/sessions", "/sessions/{name}/generate", "/v2/models/{name}/infer"):
            for mode in (schemathesis.GenerationMode.NEGATIVE, schemathesis.GenerationMode.POSITIVE):
                send(path, mode, address)
    print(dict(statuses))
    assert sum(count for status, count in statuses.items() if 400 <= status < 500) >= 200, statuses
