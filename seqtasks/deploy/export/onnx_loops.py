"""Weights that an ONNX loop carries unchanged from step to step become constants of its body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def keep_weights_inside(model: Any) -> None:
    """Moves weights into the bodies of loops, in place, so that a quantizer finds them.

    tf2onnx hands a weight to a loop as a variable that every step returns as it was. Quantizers know weights only
    as initializers.

    Args:
        model: An `onnx.ModelProto`.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Loop":
            body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
            _take_in(node, body, weights)
    read = set(_read_in(model.graph))
    for tensor in [one for one in model.graph.initializer if one.name not in read]:
        model.graph.initializer.remove(tensor)


def _read_in(graph: Any) -> Iterator[str]:
    """Names that a graph and the graphs inside of it read."""
    yield from (one.name for one in graph.output)
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _read_in(attribute.g)


def _take_in(node: Any, body: Any, weights: dict[str, Any]) -> None:
    """Replaces carried variables that are weights by initializers of the body."""
    source = {one.output[0]: one.input[0] for one in body.node if one.op_type == "Identity"}
    for place in reversed(range(len(node.input) - 2)):  # inputs: number of steps, condition, variables
        name, returned = body.input[place + 2].name, body.output[place + 1].name
        if node.input[place + 2] not in weights or source.get(returned, returned) != name:
            continue
        constant = body.initializer.add()
        constant.CopyFrom(weights[node.input[place + 2]])
        constant.name = name
        del node.input[place + 2], node.output[place], body.input[place + 2], body.output[place + 1]
