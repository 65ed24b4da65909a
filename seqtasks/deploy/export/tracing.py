"""Traces the graphs of an export plan with TensorFlow."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer

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

    def save(self, folder: Path, fold: bool = False) -> None:
        """Writes a SavedModel whose only signature is the function.

        Args:
            folder: Folder to write.
            fold: Compute what follows from the weights alone, such as a matrix exponential, and write it as constants.
        """
        module = tf.Module()
        module.run = _folded(self.function, self.signature) if fold else self.function_of_signature
        function = module.run.get_concrete_function() if fold else self.function
        module.kept = list(function.variables)  # a SavedModel has only what the module refers to
        tf.saved_model.save(module, str(folder), signatures=function)


def _folded(function: Any, signature: list[tf.TensorSpec]) -> Any:
    """A function with the same inputs and outputs, in which weights and what follows from them are constants."""
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    names = [tensor.name for tensor in frozen.outputs]
    meta = tf.compat.v1.train.export_meta_graph(graph_def=frozen.graph.as_graph_def(), graph=frozen.graph)
    # What Grappler keeps: the nodes of this collection.
    meta.collection_def["train_op"].node_list.value.extend([*(t.name for t in frozen.inputs), *names])
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.optimizers.append("constfold")
    definition = tf_optimizer.OptimizeGraph(config, meta)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
    inputs = [wrapped.graph.get_tensor_by_name(tensor.name) for tensor in frozen.inputs]
    pruned = wrapped.prune(inputs, [wrapped.graph.get_tensor_by_name(name) for name in names])
    keys = sorted(function.structured_outputs)  # the order in which TensorFlow flattens a dictionary

    def call(*tensors: Any) -> dict[str, Any]:
        return dict(zip(keys, pruned(*tensors), strict=True))

    return tf.function(call, input_signature=signature, autograph=False)


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
