"""Paths of the server: answers equal to those of `predict`, streams, sessions, errors in one line."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seqtasks.deploy.serving.served_model import plain
from seqtasks.training.inference import options_of

TEXTS = ["def f(x): return x", "a = 1", "for i in range(10): print(i)", "x", "import os", "class A: pass  # a comment"]


def expected(service: Any, name: str, inputs: list[str], **options: Any) -> Any:
    """Answer of `Task.predict` itself."""
    run = service.models[name].run
    answer = run.task.predict(run.model, inputs, options_of(type(run.task), options))
    return [plain_row(row) for row in answer] if isinstance(answer, list) else "".join(answer)


def plain_row(row: dict[str, Any]) -> dict[str, Any]:
    return {key: plain(value) for key, value in row.items()}


def line(response: Any, status: int) -> str:
    """The error of a response, which has to be one line."""
    assert response.status_code == status, response.text
    message = response.json()["error"]
    assert set(response.json()) == {"error"} and message and "\n" not in message
    return message


def test_predictions_are_those_of_predict(client: Any, service: Any, names: dict[str, str]) -> None:
    answer = client.post("/predict", json={"inputs": TEXTS, "model": names["tagging"]}).json()
    assert answer == {"model": names["tagging"], "rows": expected(service, names["tagging"], TEXTS)}
    prompt = {"inputs": ["The value "], "model": names["char_lm"], "options": {"length": 70, "seed": 3}}
    (row,) = client.post("/predict", json=prompt).json()["rows"]
    assert row["text"] == expected(service, names["char_lm"], [], prompt="The value ", length=70, seed=3)
    many = {**prompt, "inputs": ["The value ", "A", "\n\n"]}
    assert client.post("/predict", json=many).json()["rows"][0] == row


def test_an_image_is_read_as_a_file_or_as_an_array(client: Any, names: dict[str, str]) -> None:
    array = np.zeros((28, 28), np.uint8)
    array[4:24, 12:16] = 255
    data = io.BytesIO()
    Image.fromarray(array).save(data, "PNG")
    file = {"base64": base64.b64encode(data.getvalue()).decode(), "name": "one.png"}
    body = {"inputs": [file, {"values": array.tolist()}], "model": names["mnist_rows"]}
    first, second = client.post("/predict", json=body).json()["rows"]
    assert first.pop("image") == "one.png" and second.pop("image") == "" and first == second


def test_a_task_without_predict_takes_arrays(client: Any, service: Any, names: dict[str, str]) -> None:
    model = service.models[names["adding"]].run.model
    array = np.random.default_rng(0).random((model.inputs[0].shape[1], 2), np.float32)
    body = {"inputs": [{"values": array.tolist()}], "model": names["adding"]}
    (row,) = client.post("/predict", json=body).json()["rows"]
    assert row["output"] == pytest.approx(np.asarray(model(array[None]))[0].tolist(), abs=1e-6)
    body["inputs"] = [{"values": [[1, 2, 3]]}]
    assert "the array has shape (1, 3); allowed: (" in line(client.post("/predict", json=body), 400)


def test_requests_that_come_together_get_the_answers_of_single_ones(service: Any, names: dict[str, str]) -> None:
    sizes: list[int] = []
    service.batcher._observe, observe = sizes.append, service.batcher._observe
    model, options = service.models[names["char_lm"]], [{"length": 60, "seed": i % 4} for i in range(12)]
    tagger = service.models[names["tagging"]]
    prompts = [f"{'abcdefgh' * (i % 3)}The {i}" for i in range(12)]

    async def ask(together: bool) -> list:
        jobs = [model.predict([text], o) for text, o in zip(prompts, options, strict=True)]
        jobs += [tagger.predict([text], {}) for text in TEXTS]
        return await asyncio.gather(*jobs) if together else [await job for job in jobs]

    single = asyncio.run(ask(False))
    assert set(sizes) == {1}
    assert asyncio.run(ask(True)) == single and max(sizes) >= len(TEXTS)
    service.batcher._observe = observe


def test_states_of_a_batch_equal_those_of_single_texts(service: Any, names: dict[str, str]) -> None:
    generator = service.models[names["char_lm"]].generator
    texts = [generator.task.encode_prompt(text)[1] for text in ("The value", "a", "\n\nSome longer text of it")]
    logits, states = generator.read(texts)
    for i, text in enumerate(texts):
        alone, alone_states = generator.read([text])
        np.testing.assert_allclose(logits[i], alone[0], atol=1e-6)
        for layer, alone_layer in zip(states, alone_states, strict=True):
            for state, alone_state in zip(layer, alone_layer, strict=True):
                np.testing.assert_allclose(state[i], alone_state[0], atol=1e-6)
    halves = generator.read([text[3:] for text in texts[::2]], [[s[:2] for s in layer] for layer in
                            generator.read([text[:3] for text in texts[::2]])[1]])  # fmt: skip
    np.testing.assert_allclose(halves[0], logits[::2], atol=1e-6)


def events(text: str) -> list[tuple[str, dict]]:
    parts = [part.split("\n") for part in text.strip().split("\n\n")]
    return [("message" if len(p) == 1 else p[0].partition(": ")[2], json.loads(p[-1][6:])) for p in parts]


def test_a_stream_has_the_text_of_predict(client: Any, service: Any, names: dict[str, str]) -> None:
    body = {"prompt": "The ", "options": {"length": 30, "seed": 5, "temperature": 0.7}, "model": names["char_lm"]}
    response = client.post("/generate", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    *pieces, (name, last) = events(response.text)
    text = "".join(data["text"] for _, data in pieces)
    assert (name, last) == ("end", {"tokens": 30, "session": None}) and len(pieces) > 3
    assert text == expected(service, names["char_lm"], [], prompt="The ", **body["options"])
    whole = client.post("/generate", json={**body, "stream": False}).json()
    assert whole == {"text": text, "tokens": 30, "session": None} and len(service.sessions) == 0


def test_a_session_goes_on_where_it_was(client: Any, service: Any, names: dict[str, str]) -> None:
    opened = client.post("/sessions", json={"model": names["char_lm"], "text": "The "})
    assert opened.status_code == 201 and opened.json()["expires_in"] == pytest.approx(600, abs=1)
    path = f"/sessions/{opened.json()['session']}"
    first = client.post(f"{path}/generate", json={"options": {"length": 20, "seed": 5}, "stream": False}).json()
    more = events(client.post(f"{path}/generate", json={"options": {"length": 10, "seed": 5}}).text)
    text = first["text"] + "".join(data["text"] for name, data in more if name == "message")
    assert "The " + text == expected(service, names["char_lm"], [], prompt="The ", length=30, seed=5)
    assert more[-1] == ("end", {"tokens": 10, "session": path.rpartition("/")[2]})
    assert client.post(f"{path}/read", json={"text": "and "}).status_code == 200
    # What was read and generated is the same as one text that is read from the start.
    both = client.post("/sessions", json={"model": names["char_lm"], "text": f"The {text}and "}).json()["session"]
    bodies = {"options": {"length": 10, "temperature": 0}, "stream": False}
    answers = [client.post(f"/sessions/{name}/generate", json=bodies).json()["text"] for name in (path[10:], both)]
    assert answers[0] == answers[1]
    client.post("/sessions", json={"model": names["char_lm"]})
    assert "3 sessions are open; allowed: 3" in line(client.post("/sessions", json={"model": names["char_lm"]}), 429)
    for session in list(service.sessions._sessions):
        assert client.delete(f"/sessions/{session}").status_code == 204
    assert "no session of this name" in line(client.get(path), 404)


WRONG = [
    ("/predict", {"inputs": []}, 400, "0 inputs; allowed: 1 to 40"),
    ("/predict", {"inputs": ["a"] * 41}, 400, "41 inputs; allowed: 1 to 40"),
    ("/predict", {"inputs": ["  "]}, 400, "a text is empty"),
    ("/predict", {"inputs": ["a" * 501]}, 400, "501 characters; allowed: 500"),
    ("/predict", {"inputs": ["\ud800"]}, 400, "surrogate"),
    ("/predict", {"inputs": [{"values": [1]}]}, 400, "allowed: a text"),
    ("/predict", {"inputs": ["a"], "options": {"out": "/etc/x"}}, 400, "unknown option 'out'; allowed: confidence"),
    ("/predict", {"inputs": "a"}, 422, "body.inputs: Input should be a valid list"),
    ("/predict", {"inputs": [1]}, 422, "body.inputs.0"),
    ("/predict", {"inputs": ["a"], "more": 1}, 422, "body.more: Extra inputs are not permitted"),
    ("/predict", {}, 422, "body.inputs: Field required"),
    ("/generate", {"prompt": "a"}, 404, "generates no text"),
    ("/sessions/none/read", {"text": "a"}, 404, "no session"),
    ("/nowhere", {}, 404, "there is no POST /nowhere"),
    ("/models", {}, 405, "/models does not take POST"),
]


@pytest.mark.parametrize(("path", "body", "status", "message"), WRONG)
def test_wrong_requests(client: Any, names: dict[str, str], path: str, body: dict, status: int, message: str) -> None:
    named = {**body, "model": names["tagging"]} if path in ("/predict", "/generate") else body
    response = client.post(path, content=json.dumps(named), headers={"content-type": "application/json"})
    assert message in line(response, status)


GENERATION = [
    ({"prompt": ""}, "has no token"),
    ({"options": {"length": 101}}, "length is 101; allowed: 100"),
    ({"options": {"length": 0}}, "allowed"),
    ({"options": {"length": "many"}}, "allowed"),
    ({"options": {"temperature": -1}}, "allowed: ≥ 0"),
    ({"options": {"temperature": float("nan")}}, "temperature is nan; allowed: finite"),
    ({"options": {"top_p": 2}}, "top_p is 2.0; allowed: > 0 and ≤ 1"),
    ({"options": {"top_k": 0}}, "allowed"),
    ({"options": {"seed": -1}}, "allowed"),
    ({"options": {"prompt": "x"}}, "unknown option 'prompt'"),
    ({"options": {"seed": [[]]}}, "seed"),
]


@pytest.mark.parametrize(("body", "message"), GENERATION)
@pytest.mark.parametrize("stream", [True, False])
def test_wrong_generation(client: Any, service: Any, names: dict[str, str], body: dict, message: str, stream: bool):
    text = json.dumps({**body, "model": names["char_lm"], "stream": stream})
    response = client.post("/generate", content=text, headers={"content-type": "application/json"})
    assert message in line(response, 400)
    assert len(service.sessions) == 0


def test_bodies_that_are_no_json(client: Any) -> None:
    head = {"content-type": "application/json"}
    for content in (b"", b"{", b"\xff\xfe", b"[" * 60_000, b'{"inputs": [1e999]}', b"null", b'"a"', b"1" * 5000):
        assert 400 <= client.post("/predict", content=content, headers=head).status_code < 500, content[:20]
    assert "body is too large; allowed: 100,000 bytes" in line(client.post("/predict", content=b" " * 100_001), 413)
    chunks = (b" " * 30_000 for _ in range(5))
    assert "body is too large" in line(client.post("/predict", content=chunks, headers=head), 413)
    assert "compressed" in line(client.post("/predict", content=b"x", headers={"content-encoding": "gzip"}), 415)
    text = {"content-type": "text/plain"}  # a page of another site may send this without being asked
    line(client.post("/predict", content=b'{"inputs": ["a"]}', headers=text), 422)


def test_pages_and_headers(client: Any, service: Any) -> None:
    models = client.get("/models", headers={"x-request-id": "my-1"})
    assert models.headers["x-request-id"] == "my-1" and len(models.json()) == 4
    generated = client.get("/models", headers={"x-request-id": "no space\x01"}).headers["x-request-id"]
    assert len(generated) == 32
    assert "not of this machine" in line(client.get("/models", headers={"host": "evil.example"}), 400)
    page = client.get("/docs").text
    assert "<script" not in page and "http://HOST:PORT/predict" in page and "/v2/models/{name}/infer" in page
    metrics = client.get("/metrics").text
    assert 'seqtasks_requests_total{path="/models",status="200"}' in metrics
    assert "seqtasks_batch_size_bucket" in metrics and "seqtasks_generated_tokens_total" in metrics
    assert client.get("/openapi.json").json()["paths"]["/predict"]["post"]["responses"].keys() >= {"200", "400", "429"}


def test_a_token(service: Any) -> None:
    from starlette.testclient import TestClient

    from seqtasks.deploy.serving.application import application

    client = TestClient(application(service, token="a-secret-of-16-x"), base_url="http://anywhere.example")
    assert "Authorization: Bearer TOKEN" in line(client.get("/models"), 401)
    for wrong in ("Bearer a-secret-of-16-y", "Basic a-secret-of-16-x", "a-secret-of-16-x", "Bearer "):
        line(client.get("/models", headers={"authorization": wrong}), 401)
    assert client.get("/models", headers={"authorization": "bearer a-secret-of-16-x"}).status_code == 200
    assert client.get("/v2/health/live").json() == {"live": True}


def test_a_request_that_takes_too_long(service: Any, client: Any, names: dict[str, str], monkeypatch) -> None:
    import dataclasses

    monkeypatch.setattr(service, "limits", dataclasses.replace(service.limits, seconds=0.0))
    body = {"inputs": ["a"], "model": names["tagging"]}
    assert "the answer takes longer than 0 s" in line(client.post("/predict", json=body), 408)


def test_too_many_requests(client: Any, service: Any, names: dict[str, str], monkeypatch) -> None:
    monkeypatch.setattr(service.batcher, "waiting", 0)
    answer = client.post("/predict", json={"inputs": ["a"], "model": names["tagging"]})
    assert "requests are waiting; allowed: 0" in line(answer, 429) and answer.headers["retry-after"] == "1"


def test_a_model_without_the_generator_in_c(service: Any, names: dict[str, str], monkeypatch) -> None:
    model = service.models[names["char_lm"]]
    prompts, options = ["The ", "A", "an"], {"length": 12, "temperature": 0}

    async def ask() -> list:
        return await asyncio.gather(*(model.predict([text], options) for text in prompts))

    in_c = asyncio.run(ask())
    monkeypatch.setattr(model.generator, "_writer", None)
    assert asyncio.run(ask()) == in_c
