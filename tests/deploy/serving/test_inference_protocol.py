"""Open Inference Protocol: metadata, tensors as JSON and in binary form, wrong tensors."""

from __future__ import annotations

import base64
import io
import json
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

TEXTS = ["def f(x): return x", "a = 1"]


def infer(client: Any, name: str, *tensors: dict, **more: Any) -> Any:
    return client.post(f"/v2/models/{name}/infer", json={"inputs": list(tensors), **more})


def texts(*values: str, **more: Any) -> dict[str, Any]:
    return {"name": "inputs", "datatype": "BYTES", "shape": [len(values)], "data": list(values), **more}


def test_health_and_metadata(client: Any, names: dict[str, str]) -> None:
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["name"] == "seqtasks"
    assert client.get(f"/v2/models/{names['tagging']}/ready").json()["ready"] is True
    facts = client.get(f"/v2/models/{names['tagging']}/versions/1").json()
    assert facts["inputs"] == [{"name": "inputs", "datatype": "BYTES", "shape": [-1]}]
    assert client.get(f"/v2/models/{names['adding']}").json()["inputs"][0]["datatype"] == "FP32"
    assert client.get("/v2/models/none").status_code == 404
    assert client.get(f"/v2/models/{names['tagging']}/versions/2").status_code == 400


def test_the_answer_has_the_columns_of_predict(client: Any, names: dict[str, str]) -> None:
    rows = client.post("/predict", json={"inputs": TEXTS, "model": names["tagging"]}).json()["rows"]
    answer = infer(client, names["tagging"], texts(*TEXTS), id="7").json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == (names["tagging"], "1", "7")
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert [json.loads(tags) for tags in outputs["tags"]["data"]] == [row["tags"] for row in rows]
    options = {"length": 20, "seed": 3}
    body = {"inputs": ["The "], "model": names["char_lm"], "options": options}
    (row,) = client.post("/predict", json=body).json()["rows"]
    answer = infer(client, names["char_lm"], texts("The "), parameters=options, outputs=[{"name": "text"}]).json()
    assert answer["outputs"] == [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [row["text"]]}]


def test_images_as_numbers_or_files(client: Any, names: dict[str, str]) -> None:
    array = np.random.default_rng(0).integers(0, 255, (28, 28)).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(array).save(data, "PNG")
    numbers = {"name": "values", "datatype": "UINT8", "shape": [1, 28, 28], "data": array.ravel().tolist()}
    file = texts(base64.b64encode(data.getvalue()).decode(), parameters={"content_type": "base64"})
    first, second = (infer(client, names["mnist_rows"], tensor).json()["outputs"] for tensor in (numbers, file))
    assert first == second
    assert {output["name"]: output["datatype"] for output in first}["P(0)"] == "FP64"


def test_binary_tensors(client: Any, names: dict[str, str]) -> None:
    encoded = b"".join(struct.pack("<I", len(text)) + text.encode() for text in TEXTS)
    head = {"inputs": [{"name": "inputs", "datatype": "BYTES", "shape": [2],
                        "parameters": {"binary_data_size": len(encoded)}}],
            "parameters": {"binary_data_output": True}}  # fmt: skip
    text = json.dumps(head).encode()
    answer = client.post(
        f"/v2/models/{names['tagging']}/infer",
        content=text + encoded,
        headers={"inference-header-content-length": str(len(text)), "content-type": "application/octet-stream"},
    )
    size = int(answer.headers["inference-header-content-length"])
    outputs, tail = json.loads(answer.content[:size])["outputs"], answer.content[size:]
    assert sum(output["parameters"]["binary_data_size"] for output in outputs) == len(tail)
    length = struct.unpack("<I", tail[:4])[0]
    assert tail[4 : 4 + length].decode() == TEXTS[0]


WRONG = [
    ([], "0 input tensors"),
    ([texts("a"), texts("b")], "2 input tensors"),
    ([texts("a", shape=[2])], "shape is [2], and the tensor has 1 values"),
    ([texts("a", shape=[-1])], "shape is [-1]"),
    ([texts("a", datatype="TEXT")], "datatype is 'TEXT'"),
    ([{**texts("a"), "data": [1]}], "values that are no strings"),
    ([{**texts("a"), "datatype": "FP32"}], "a tensor of numbers has other values"),
    ([{**texts("a"), "datatype": "FP32", "data": [1.0]}], "datatype FP32; allowed: BYTES"),
    ([texts("a", parameters={"binary_data_size": 7})], "binary_data_size is 7, and 0 bytes follow"),
    ([texts("a", name="values")], "the tensor values has BYTES"),
    (["a"], "inputs.0"),
]


@pytest.mark.parametrize(("tensors", "message"), WRONG)
def test_wrong_tensors(client: Any, names: dict[str, str], tensors: list, message: str) -> None:
    answer = infer(client, names["tagging"], *tensors)
    assert answer.status_code == 400 and message in answer.json()["error"] and "\n" not in answer.json()["error"]


def test_wrong_bodies_and_outputs(client: Any, names: dict[str, str]) -> None:
    path = f"/v2/models/{names['tagging']}/infer"
    for content in (b"", b"{", b"\xff", b"[]", b'{"inputs": null}', b"[" * 50_000):
        assert client.post(path, content=content).status_code == 400
    for length in ("-1", "1000", "x", "1" * 50):
        answer = client.post(path, content=b"{}", headers={"inference-header-content-length": length})
        assert answer.status_code == 400 and "Content-Length" in answer.json()["error"]
    answer = infer(client, names["tagging"], texts("a"), outputs=[{"name": "none"}])
    assert answer.status_code == 400 and "unknown output 'none'; allowed: text, tags" in answer.json()["error"]
    big = {"name": "values", "datatype": "UINT8", "shape": [1, 1, 1], "data": [300]}
    assert "does not fit UINT8" in infer(client, names["mnist_rows"], big).json()["error"]


def test_the_public_client_of_triton(service: Any, names: dict[str, str]) -> None:
    triton = pytest.importorskip(
        "tritonclient.http", reason="tritonclient is not installed: pip install tritonclient[http]"
    )
    from .running import serving

    with serving(service) as address:
        client = triton.InferenceServerClient(address)
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(names["tagging"])
        assert client.get_model_metadata(names["tagging"])["name"] == names["tagging"]
        tensor = triton.InferInput("inputs", [2], "BYTES")
        for binary in (True, False):
            tensor.set_data_from_numpy(np.array(TEXTS, object), binary_data=binary)
            wanted = [triton.InferRequestedOutput("tags", binary_data=binary)]
            tags = client.infer(names["tagging"], [tensor], outputs=wanted).as_numpy("tags")
            assert [len(json.loads(text)) for text in tags] == list(map(len, TEXTS))
        image = triton.InferInput("values", [1, 28, 28], "FP32")
        image.set_data_from_numpy(np.zeros((1, 28, 28), np.float32))
        p = [client.infer(names["mnist_rows"], [image]).as_numpy(f"P({n})") for n in range(10)]
        assert np.sum(p) == pytest.approx(1, abs=1e-3)
        with pytest.raises(triton.InferenceServerException, match="datatype"):
            client.infer(names["tagging"], [image])
        client.close()
