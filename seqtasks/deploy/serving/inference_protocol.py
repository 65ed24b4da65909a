"""Open Inference Protocol v2: health, metadata and inference with tensors, as clients of KServe and Triton use it.

Reference: https://github.com/kserve/open-inference-protocol (REST), with the binary tensor data extension of Triton.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from seqtasks.core.errors import DataError
from seqtasks.core.version import __version__
from seqtasks.deploy.serving import tensors
from seqtasks.deploy.serving.schemas import InferBody
from seqtasks.deploy.serving.served_model import ServedModel
from seqtasks.deploy.serving.service import Service

VERSION = "1"
LENGTH = "inference-header-content-length"  # header: number of bytes of JSON before the binary tensors
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferBody"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def add(app: FastAPI, service: Service) -> None:
    """Adds the paths of the protocol.

    Args:
        app: The application.
        service: The served models.
    """

    @app.get("/v2/health/live", tags=["Open Inference Protocol"])
    async def live() -> dict[str, bool]:
        """Whether the server answers; needs no token."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["Open Inference Protocol"])
    async def ready() -> dict[str, bool]:
        """Whether all models are loaded; needs no token."""
        return {"ready": True}

    @app.get("/v2", tags=["Open Inference Protocol"])
    async def server_metadata() -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return {"name": "seqtasks", "version": __version__, "extensions": ["binary_tensor_data"]}

    @app.get("/v2/models/{name}", tags=["Open Inference Protocol"])
    @app.get("/v2/models/{name}/versions/{version}", include_in_schema=False)
    async def model_metadata(name: str, version: str = VERSION) -> dict[str, Any]:
        """Inputs and outputs of a model."""
        return metadata(_model(service, name, version))

    @app.get("/v2/models/{name}/ready", tags=["Open Inference Protocol"])
    @app.get("/v2/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(name: str, version: str = VERSION) -> dict[str, Any]:
        """Whether a model is loaded."""
        return {"name": _model(service, name, version).name, "ready": True}

    @app.post("/v2/models/{name}/infer", tags=["Open Inference Protocol"], openapi_extra=BODY)
    @app.post("/v2/models/{name}/versions/{version}/infer", include_in_schema=False)
    async def infer(name: str, request: Request, version: str = VERSION) -> Response:
        """Predict. The tensor `inputs` has texts or files, the tensor `values` arrays; parameters are options."""
        model = _model(service, name, version)
        body, tail = _parsed(await request.body(), request.headers.get(LENGTH))
        inputs, sequence = tensors.inputs_of(body, tail, model.kind)
        options = {key: value for key, value in body.parameters.items() if key not in tensors.PARAMETERS}
        with service.time_limit() as limit:
            async with limit:
                rows = await model.predict(inputs, options)
        answer, head_length = tensors.answer_of(body, model.name, VERSION, rows, sequence)
        headers = {} if head_length is None else {LENGTH: str(head_length)}
        kind = "application/json" if head_length is None else "application/octet-stream"
        return Response(answer, media_type=kind, headers=headers)

    schema = app.openapi

    def with_body() -> dict[str, Any]:
        """The OpenAPI description with the body of `infer`, which is read by hand."""
        described = schema()
        body = InferBody.model_json_schema(ref_template="#/components/schemas/{model}")
        described["components"]["schemas"].update(body.pop("$defs", {}) | {"InferBody": body})
        return described

    app.openapi = with_body


def metadata(model: ServedModel) -> dict[str, Any]:
    """Metadata of a model: the tensors of its inputs and outputs.

    Args:
        model: The model.
    """
    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": "seqtasks",
        "inputs": [tensors.described_input(model)],
        "outputs": [
            {"name": column, "datatype": tensors.datatype_of(values), "shape": [-1]}
            for column, values in tensors.columns_of(model.columns).items()
        ],
        "parameters": {"task": model.task.name, "options": ", ".join(field.name for field in model.option_fields)},
    }


def _model(service: Service, name: str, version: str) -> ServedModel:
    if version != VERSION:
        raise HTTPException(400, f"model version is {version[:50]!r}; allowed: {VERSION}; ask for it, or for none")
    return service.model(name)


def _parsed(data: bytes, length: str | None) -> tuple[InferBody, bytes]:
    """The JSON of a request, and the binary tensors after it.

    Raises:
        DataError: The body is not one of the protocol.
    """
    head = len(data)
    if length is not None:
        head = int(length) if length.isdecimal() and len(length) < 12 else -1
        if not 0 <= head <= len(data):
            raise DataError(
                f"the header Inference-Header-Content-Length is {length[:50]!r}; allowed: 0 to {len(data)}, the size "
                "of the JSON part; send it"
            )
    try:
        return InferBody.model_validate_json(data[:head]), data[head:]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part)[:50] for part in first["loc"]) or "body"
        raise DataError(f"{place}: {first['msg']}; allowed: what /docs describes; change the request") from error
