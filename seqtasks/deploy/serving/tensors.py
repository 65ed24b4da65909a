"""Tensors of the Open Inference Protocol: inputs of a task from tensors, and rows of an answer as tensors."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.core.errors import DataError
from seqtasks.deploy.inputs import Input, Kind

if TYPE_CHECKING:
    from seqtasks.deploy.serving.schemas import InferBody, Tensor
    from seqtasks.deploy.serving.served_model import ServedModel

DTYPES: Mapping[str, str] = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
TEXTS = ("texts", "prompt", "words", "table")  # kinds whose inputs can be texts
ARRAYS = ("image", "video", "sound", "array")  # kinds whose inputs can be arrays
# Parameters of a request that are not options of the task.
PARAMETERS = ("binary_data_output", "sequence_id", "sequence_start", "sequence_end", "priority", "timeout")


def inputs_of(body: InferBody, tail: bytes, kind: Kind) -> tuple[list[Input], int]:
    """The inputs of a task from the tensors of a request.

    Args:
        body: JSON of the request.
        tail: Binary tensors after it.
        kind: Kind of inputs of the task.

    Returns:
        The inputs, and their number.

    Raises:
        DataError: The tensors are not those that the task reads.
    """
    if len(body.inputs) != 1:
        raise DataError(f"the request has {len(body.inputs)} input tensors; allowed: one; send {expected(kind)}")
    tensor = body.inputs[0]
    values = _values(tensor, tail)
    if tensor.datatype == "BYTES":
        if tensor.name == "values":
            raise DataError("the tensor values has BYTES; allowed: numbers; name it inputs, or send numbers")
        items: list[Input] = [_item(value, tensor, kind) for value in values]
    elif kind in ARRAYS:
        array = np.array(values, DTYPES[tensor.datatype]).reshape(tensor.shape)
        if not array.ndim:
            raise DataError(f"the tensor has shape []; allowed: the number of inputs first; send {expected(kind)}")
        items = [{"values": row.tolist()} for row in array]
    else:
        raise DataError(f"the tensor has datatype {tensor.datatype}; allowed: BYTES; send {expected(kind)}")
    return items, len(items)


def expected(kind: Kind) -> str:
    """The input tensor of a kind, for messages."""
    return "the tensor values, FP32 [n, …]" if kind == "array" else "the tensor inputs, BYTES [n]"


def described_input(model: ServedModel) -> dict[str, Any]:
    """Metadata of the input tensor of a model."""
    if model.kind == "array":
        shape = [-1 if n is None else n for n in model.run.model.inputs[0].shape]
        return {"name": "values", "datatype": "FP32", "shape": shape}
    return {"name": "inputs", "datatype": "BYTES", "shape": [-1]}


def _item(value: str | bytes, tensor: Tensor, kind: Kind) -> Input:
    """A text, or a file: JSON has it in base64 if the parameter content_type is base64."""
    if isinstance(value, str) and tensor.parameters.get("content_type") == "base64":
        return {"base64": value}
    if kind in TEXTS:
        try:
            return value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError as error:
            raise DataError("a text is not UTF-8; allowed: UTF-8; encode it so") from error
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return {"base64": base64.b64encode(data).decode()}


def _values(tensor: Tensor, tail: bytes) -> Sequence[Any]:
    """The values of a tensor as a flat sequence.

    Raises:
        DataError: Datatype, shape and data do not fit together.
    """
    count = math.prod(tensor.shape) if all(n >= 0 for n in tensor.shape) else -1
    if tensor.datatype != "BYTES" and tensor.datatype not in DTYPES:
        raise DataError(f"datatype is {tensor.datatype!r}; allowed: BYTES, {', '.join(DTYPES)}; send one of them")
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        values = list(_flat(tensor.data or []))
    elif isinstance(size, int) and not isinstance(size, bool) and size == len(tail):
        values = _binary(tensor.datatype, tail)
    else:
        raise DataError(f"binary_data_size is {str(size)[:20]}, and {len(tail)} bytes follow; allowed: equal sizes")
    if count != len(values):
        raise DataError(
            f"shape is {tensor.shape}, and the tensor has {len(values)} values; allowed: as many as the shape"
        )
    if tensor.datatype == "BYTES":
        if not all(isinstance(value, str | bytes) for value in values):
            raise DataError("a tensor of BYTES has values that are no strings; allowed: strings; send strings")
        return values
    if not all(isinstance(value, bool | int | float) for value in values):
        raise DataError("a tensor of numbers has other values; allowed: numbers; send numbers")
    try:
        numbers: list[Any] = np.array(values, DTYPES[tensor.datatype]).tolist()
        return numbers
    except (OverflowError, ValueError) as error:
        raise DataError(
            f"a number does not fit {tensor.datatype}; allowed: its range; send another datatype"
        ) from error


def _flat(data: Any, depth: int = 0) -> Any:
    """The values of nested lists; the protocol allows nested and flat ones."""
    for value in data:
        if isinstance(value, list) and depth < 8:
            yield from _flat(value, depth + 1)
        else:
            yield value


def _binary(datatype: str, data: bytes) -> list[Any]:
    """The values of a binary tensor.

    Raises:
        DataError: The bytes are incomplete.
    """
    if datatype != "BYTES":
        kind = np.dtype(DTYPES[datatype])
        if len(data) % kind.itemsize:
            raise DataError(f"{len(data)} bytes of {datatype}; allowed: a multiple of {kind.itemsize}; send all bytes")
        values: list[Any] = np.frombuffer(data, kind).tolist()
        return values
    texts, place = [], 0
    while place < len(data):
        end = place + 4
        end += int.from_bytes(data[place:end], "little") if end <= len(data) else len(data)
        if end > len(data):
            raise DataError(
                "the binary tensor is incomplete; allowed: a length of 4 bytes before each string; send all"
            )
        texts.append(data[place + 4 : end])
        place = end
    return texts


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The columns of rows; lists are written as JSON.

    Example:
        >>> columns_of([{"text": "a b", "tags": ["X", "Y"]}])
        {'text': ['a b'], 'tags': ['["X", "Y"]']}
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [_cell(row.get(name)) for row in rows] for name in names}


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def datatype_of(values: Sequence[Any]) -> str:
    """The datatype of a column: numbers, truth values, or text.

    Example:
        >>> datatype_of([1, 2]), datatype_of([1, 0.5]), datatype_of([True]), datatype_of(["a", 1])
        ('INT64', 'FP64', 'BOOL', 'BYTES')
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int} and None not in values:
        return "INT64"
    return "FP64" if kinds and kinds <= {int, float} else "BYTES"


def answer_of(
    body: InferBody, model: str, version: str, rows: Sequence[Mapping[str, Any]], count: int
) -> tuple[bytes, int | None]:
    """The answer to a request.

    Args:
        body: The request.
        model: Name of the model.
        version: Version of the model.
        rows: Rows of the prediction.
        count: Number of inputs.

    Returns:
        The answer, and the size of its JSON part if binary tensors follow.

    Raises:
        DataError: The request names an output that the model does not have.
    """
    columns = columns_of(rows)
    requested = {one.name: one.parameters for one in body.outputs} if body.outputs else {name: {} for name in columns}
    unknown = next((name for name in requested if name not in columns), None)
    if unknown is not None:
        raise DataError(f"unknown output {unknown[:100]!r}; allowed: {', '.join(columns)}; ask for one of them")
    outputs, tails = [], []
    for name, parameters in requested.items():
        values = columns[name]
        datatype = datatype_of(values)
        filled = [_filled(value, datatype) for value in values]
        output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": [len(values)]}
        if parameters.get("binary_data", body.parameters.get("binary_data_output", False)) is True:
            data = _bytes(filled, datatype)
            tails.append(data)
            output["parameters"] = {"binary_data_size": len(data)}
        else:
            output["data"] = [None if value != value else value for value in filled]  # JSON has no NaN
        outputs.append(output)
    head = {"model_name": model, "model_version": version, **({"id": body.id} if body.id else {}), "outputs": outputs}
    encoded = json.dumps(head, ensure_ascii=False).encode("utf-8", "replace")
    return b"".join([encoded, *tails]), len(encoded) if tails else None


def _filled(value: Any, datatype: str) -> Any:
    """The value of a cell in the datatype of its column; empty cells are NaN or the empty text."""
    if datatype == "BYTES":
        return "" if value is None else str(value)
    if datatype == "FP64":
        return math.nan if value is None else float(value)
    return bool(value) if datatype == "BOOL" else value


def _bytes(values: Sequence[Any], datatype: str) -> bytes:
    if datatype == "BYTES":
        encoded = [value.encode("utf-8", "replace") for value in values]
        return b"".join(struct.pack("<I", len(data)) + data for data in encoded)
    return np.array(values, DTYPES[datatype]).tobytes()
