"""The web application: paths for prediction, generation, sessions, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import typing
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from seqtasks.core.errors import SeqtasksError, UnknownNameError
from seqtasks.core.settings import describe
from seqtasks.core.version import __version__
from seqtasks.deploy.inputs import forms
from seqtasks.deploy.serving import inference_protocol, schemas
from seqtasks.deploy.serving.batching import TooBusyError
from seqtasks.deploy.serving.gate import Gate
from seqtasks.deploy.serving.page import page_of
from seqtasks.deploy.serving.served_model import ServedModel
from seqtasks.deploy.serving.service import Service
from seqtasks.deploy.serving.sessions import BusySessionError, NoSessionError, Sessions, SessionsFullError

# Status of an error by its class; the first that fits counts.
STATUS: Sequence[tuple[type[Exception], int]] = (
    (TooBusyError, 429),
    (SessionsFullError, 429),
    (NoSessionError, 404),
    (UnknownNameError, 404),
    (BusySessionError, 409),
    (SeqtasksError, 400),
)
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorAnswer, "description": text}
    for status, text in (
        (400, "An input or option that is not allowed"),
        (401, "No valid token"),
        (404, "No such model or session"),
        (408, "The time limit is over"),
        (409, "The session is in use"),
        (413, "The body is too large"),
        (415, "The body has another encoding"),
        (422, "The body has another form"),
        (429, "Too much work is waiting, or too many sessions are open"),
    )
}


def application(service: Service, token: str | None = None, log_requests: bool = False) -> Gate:
    """Builds the web application.

    Args:
        service: The served models.
        token: Bearer token of the requests; None: none.
        log_requests: Whether to log every request.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        expiry = asyncio.create_task(_expire(service.sessions))
        yield
        expiry.cancel()

    app = FastAPI(
        title="seqtasks",
        version=__version__,
        summary="Trained sequence models: prediction, generation, sessions, Open Inference Protocol v2",
        docs_url=None,
        redoc_url=None,
        responses=ERRORS,
        lifespan=lifespan,
    )
    _add_errors(app)
    _add_prediction(app, service)
    _add_sessions(app, service)
    inference_protocol.add(app, service)
    return Gate(app, service.limits, service.metrics, token, log_requests)


async def _expire(sessions: Sessions) -> None:
    """Frees expired sessions, also if no request comes."""
    while True:
        await asyncio.sleep(min(30.0, sessions.seconds))
        sessions.expire()


def _add_errors(app: FastAPI) -> None:
    """Adds answers of one line for all errors."""

    def line(status: int, text: str) -> JSONResponse:
        message = " ".join(text.encode("utf-8", "replace").decode().split())
        headers = {"retry-after": "1"} if status == 429 else None
        return JSONResponse({"error": message[:1000]}, status, headers)

    async def not_allowed(request: Request, error: Exception) -> Response:
        return line(next(status for kind, status in STATUS if isinstance(error, kind)), str(error))

    async def wrong_body(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(part)[:50] for part in first["loc"])
        return line(422, f"{place}: {first['msg']}; allowed: what /docs describes; change the request")

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path[:100]
        messages = {
            404: f"there is no {request.method} {path}; allowed: the paths of /docs; use one of them",
            405: f"{path} does not take {request.method}; allowed: the methods of /docs; use one of them",
        }
        return line(error.status_code, messages.get(error.status_code, str(error.detail)))

    app.exception_handler(SeqtasksError)(not_allowed)
    app.exception_handler(RequestValidationError)(wrong_body)
    app.exception_handler(HTTPException)(refused)


def _add_prediction(app: FastAPI, service: Service) -> None:
    """Adds the pages about the server, and prediction."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(page_of(app.openapi()), headers=headers)

    @app.get("/metrics", tags=["server"], response_class=Response)
    async def metrics() -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/models", tags=["server"])
    async def models() -> list[dict[str, Any]]:
        """Served models: task, score, inputs and options."""
        return [description(model) for model in service.models.values()]

    @app.post("/predict", tags=["prediction"], response_model=schemas.PredictAnswer)
    async def predict(body: schemas.PredictBody) -> Response:
        """Predict for texts, images, sounds, series or arrays; complete prompts."""
        model = service.model(body.model)
        inputs = [item if isinstance(item, str) else item.model_dump() for item in body.inputs]
        with service.time_limit() as limit:
            async with limit:
                rows = await model.predict(inputs, body.options)
        return JSONResponse({"model": model.name, "rows": rows})


def _add_sessions(app: FastAPI, service: Service) -> None:
    """Adds generation of text, and sessions."""
    sessions, streams = service.sessions, service.streams
    events = {200: {"content": {"text/event-stream": {}, "application/json": {}}, "model": schemas.GenerateAnswer}}

    async def answer(model: ServedModel, session: Any, options: Any, prefix: str, stream: bool, keep: bool) -> Response:
        before = len(session.generated)
        if stream:
            return StreamingResponse(
                streams.events(model, session, options, prefix, keep),
                media_type="text/event-stream",
                headers={"cache-control": "no-store"},
            )
        with service.time_limit() as limit:
            async with limit:
                text = await streams.whole(model, session, options, prefix, keep)
        count = len(session.generated) - before
        return JSONResponse({"text": text, "tokens": count, "session": session.id if keep else None})

    async def opened(model: ServedModel, text: str | None, seed: int = 0) -> tuple[Any, str]:
        """A session that the request has taken, and the text to print first."""
        session = sessions.create(model.name)
        session.busy = True
        try:
            with service.time_limit() as limit:
                async with limit:
                    return session, "" if text is None else await model.read(session, text, seed)
        except BaseException:
            sessions.remove(session)
            raise

    @app.post("/generate", tags=["generation"], responses=events)
    async def generate(body: schemas.GenerateBody) -> Response:
        """Continue a text. The session ends with the stream or the connection, unless it is kept."""
        model = service.language_model(body.model)
        options = model.options(body.options)
        session, prefix = await opened(model, body.prompt, options.seed)
        return await answer(model, session, options, prefix, body.stream, body.keep)

    @app.post("/sessions", tags=["sessions"], response_model=schemas.SessionAnswer, status_code=201)
    async def open_session(body: schemas.SessionBody) -> Response:
        """Open a session, which keeps the states of a language model until it is ended or expires."""
        session, _ = await opened(service.language_model(body.model), body.text)
        sessions.release(session)
        return JSONResponse(_session(session), 201)

    @app.get("/sessions/{name}", tags=["sessions"], response_model=schemas.SessionAnswer)
    async def get_session(name: str) -> Response:
        """Show a session; this does not extend its time."""
        return JSONResponse(_session(sessions.get(name)))

    @app.delete("/sessions/{name}", tags=["sessions"], status_code=204)
    async def end_session(name: str) -> Response:
        """End a session."""
        sessions.remove(sessions.get(name))
        return Response(status_code=204)

    @app.post("/sessions/{name}/read", tags=["sessions"], response_model=schemas.SessionAnswer)
    async def read(name: str, body: schemas.ReadBody) -> Response:
        """Read a text after what the session has read and generated."""
        session = sessions.take(name)
        try:
            with service.time_limit() as limit:
                async with limit:
                    await service.model(session.model).read(session, body.text, session.seed)
        finally:
            sessions.release(session)
        return JSONResponse(_session(session))

    @app.post("/sessions/{name}/generate", tags=["sessions"], responses=events)
    async def continue_session(name: str, body: schemas.ContinueBody) -> Response:
        """Continue the text of a session. If the client goes away in mid-stream, the session ends."""
        session = sessions.take(name)
        try:
            model = service.model(session.model)
            options = model.options(body.options)
            model.check_session(session)
        except SeqtasksError:
            sessions.release(session)
            raise
        if not session.generated:
            session.seed = options.seed
        return await answer(model, session, options, "", body.stream, True)

    def _session(session: Any) -> dict[str, Any]:
        return {"session": session.id, "model": session.model, "expires_in": round(sessions.left(session), 1)}


def description(model: ServedModel) -> dict[str, Any]:
    """Describes a model for clients: task, inputs, options and classes.

    Args:
        model: The model.
    """
    hints = typing.get_type_hints(model.task.PredictOptions)
    return {
        "name": model.name,
        "task": model.task.name,
        "title": model.run.title,
        "inputs": forms(model.kind),
        "generates": model.generator is not None,
        "classes": model.task.classes,
        "options": {
            field.name: {
                "type": describe(hints[field.name]),
                "default": field.default if isinstance(field.default, str | int | float | None) else None,
                "help": field.metadata.get("help", ""),
            }
            for field in model.option_fields
        },
    }
