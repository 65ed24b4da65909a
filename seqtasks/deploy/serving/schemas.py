"""Bodies of requests and answers, as the OpenAPI page describes them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Number = float | int
Values = Annotated[list[Any], Field(description="Nested lists of numbers, of equal lengths")]


class Body(BaseModel):
    """Base class of bodies: unknown names are errors."""

    model_config = ConfigDict(extra="forbid")


class EncodedFile(Body):
    """A file, such as an image, a recording or a table."""

    base64: str = Field(description="Content of the file in base64")
    name: str | None = Field(None, max_length=200, description="Name of the file; its suffix names the format")


class Array(Body):
    """An image (brightness from 0 to 255), a sound (samples from -1 to 1), or the input array of a model."""

    values: Values
    rate: int | None = Field(None, description="Samples a second of a sound; 8,000 if left out")


class Table(Body):
    """Rows of a table of series."""

    rows: list[dict[str, Number | str | bool | None]] = Field(description="A value for each column of each row")


InputItem = str | EncodedFile | Array | Table
Options = Annotated[
    dict[str, Any], Field(description="Options of `seqtasks predict` for the task; `GET /models` lists them")
]
ModelName = Annotated[
    str | None, Field(max_length=300, description="Name of the run; can be left out if one run is served")
]


class PredictBody(Body):
    """Inputs to predict for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"inputs": ["the cat sat on the mat"], "options": {}}]}
    )
    inputs: list[InputItem] = Field(description="Texts or prompts, or objects, as the task reads them")
    options: Options = {}
    model: ModelName = None


class PredictAnswer(BaseModel):
    """Rows of an answer, as `seqtasks predict --format json` prints them."""

    model: str
    rows: list[dict[str, Any]]


class GenerateBody(Body):
    """Text to continue by a language model."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prompt": "The ", "options": {"length": 40, "seed": 1}}]}
    )
    prompt: str = Field("\n", description="Text to continue")
    options: Options = {}
    stream: bool = Field(True, description="Send pieces of text as server-sent events; false: one answer")
    keep: bool = Field(False, description="Keep the session at the end, to continue it; the last event names it")
    model: ModelName = None


class SessionBody(Body):
    """A session to open."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "The "}]})
    text: str | None = Field(None, description="Text that the model reads first")
    model: ModelName = None


class ReadBody(Body):
    """Text that a session reads after what it has read and generated."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "and then "}]})
    text: str


class ContinueBody(Body):
    """Options of the continuation of a session."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"options": {"length": 40}}]})
    options: Options = {}
    stream: bool = Field(True, description="Send pieces of text as server-sent events; false: one answer")


class SessionAnswer(BaseModel):
    """State of a session."""

    session: str
    model: str
    expires_in: float = Field(description="Seconds until the session ends if there is no further request")


class GenerateAnswer(BaseModel):
    """A generated text."""

    text: str
    tokens: int = Field(description="Number of generated tokens")
    session: str | None = Field(None, description="Session to continue; null: it has ended")


class Tensor(BaseModel):
    """A tensor of the Open Inference Protocol."""

    name: str = Field(max_length=200)
    shape: list[int] = Field(max_length=8)
    datatype: str = Field(max_length=10)
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class RequestedOutput(BaseModel):
    """An output tensor that is asked for."""

    name: str = Field(max_length=300)
    parameters: dict[str, Any] = {}


class InferBody(BaseModel):
    """A request of the Open Inference Protocol."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"inputs": [{"name": "inputs", "shape": [1], "datatype": "BYTES", "data": ["the cat"]}]}]
        }
    )
    id: str | None = Field(None, max_length=200)
    parameters: dict[str, Any] = Field({}, description="Options of the task, by name")
    inputs: list[Tensor]
    outputs: list[RequestedOutput] | None = None


class ErrorAnswer(BaseModel):
    """An error in one line: what was received, what is allowed, what to do."""

    error: str
