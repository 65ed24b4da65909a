"""Traces the graphs of an export plan with TensorFlow."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from seqtasks.layers.recording import portable
from seqtasks.task_types.common.export_plan import Graph


@dataclass(frozen=True, eq=False)
class TracedGraph:
    """A graph as a function of TensorFlow.

    Attributes:
        graph: The graph.
        function_of_signature: Function of tensors in the order of the inputs.
        signature: The inputs, those of the states last.
    """

    graph: Graph
    function_of_signature: Any
    signature: list[tf.TensorSpec]

    @functools.cached_property
    def function(self) -> Any:
        """The function with its graph."""
        return self.function_of_signature.get_concrete_function()

    @property
    def captured(self) -> dict[str, np.ndarray]:
        """Tensors that the function captures and that are no variables, by their name in the graph."""
        pairs = self.function.graph.captures
        return {inner.name: outer.numpy() for outer, inner in pairs if outer.dtype != tf.resource}

    @property
    def outputs(self) -> dict[str, tf.TensorSpec]:
        """Shape and type of each output."""
        return dict(self.function.structured_outputs)

    def save(self, folder: Path) -> None:
        """Writes a SavedModel whose only signature is the function."""
        module = tf.Module()
        module.kept = list(self.function.variables)  # a SavedModel has only what the module refers to
        module.run = self.function_of_signature
        tf.saved_model.save(module, str(folder), signatures=self.function)


def trace(graph: Graph) -> TracedGraph:
    """Traces a graph.

    Recurrent layers run on the engine `loop`: the operation of the engine `native` exists in seqtasks only.

    Args:
        graph: The graph.
    """
    ports = [*graph.inputs, *graph.state_inputs]
    signature = [tf.TensorSpec(port.shape, port.dtype, port.name) for port in ports]

    def function(*tensors: Any) -> dict[str, Any]:
        named = {port.name: tensor for port, tensor in zip(ports, tensors, strict=True)}
        with portable():
            outputs = graph.function(named)
        return {name: tf.identity(tensor, name) for name, tensor in outputs.items()}

    return TracedGraph(graph, tf.function(function, input_signature=signature, autograph=False), signature)
