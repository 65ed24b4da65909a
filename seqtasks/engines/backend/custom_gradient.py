"""Custom gradients of TensorFlow whose graphs are freed with the model."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

PREFIX = "CustomGradient-"  # of the names that TensorFlow gives


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a function as `tf.custom_gradient` does, without keeping its graph for the life of the process.

    For each call in a graph, `tf.custom_gradient` registers a gradient under a new name and never removes it. The
    gradient refers to the graph, so every model that was ever trained stays in memory: 11 MB for a model of three
    recurrent layers of 4 units. Here the graph owns its gradients, and their names go with it.

    Args:
        function: Function that takes tensors and returns its results and a function of their gradients.

    Returns:
        The decorated function. It takes tensors only, and uses no variables.
    """
    import tensorflow as tf
    from tensorflow.python.framework import ops

    decorated = tf.custom_gradient(function)
    # A private name: where a later TensorFlow has another one, gradients are kept as TensorFlow keeps them.
    registry: dict[str, dict[str, Any]] | None = getattr(ops.gradient_registry, "_registry", None)
    if tf.executing_eagerly() or registry is None:
        return decorated

    @functools.wraps(function)
    def call(*tensors: Any) -> Any:
        before = ops.uid()  # names end with later numbers of this counter
        results = decorated(*tensors)
        graph = ops.get_default_graph()
        # Garbage collection may remove entries of other graphs at any time, but not while names are copied: that makes
        # no tuples, whose allocation could start it.
        for name in list(registry):
            if name.startswith(PREFIX) and int(name.removeprefix(PREFIX)) > before:
                _own_gradient(graph, registry, name, registry[name])
        return results

    return call


def _own_gradient(graph: Any, registry: dict[str, dict[str, Any]], name: str, entry: dict[str, Any]) -> None:
    """Makes a graph the owner of a registered gradient; the registry refers to it weakly.

    Args:
        graph: Graph that has the operation.
        registry: Gradients of TensorFlow by name.
        name: Name of the gradient.
        entry: Its entry, which holds the gradient as `type`.
    """
    gradient = entry["type"]
    reference = weakref.ref(gradient)

    def referred(*arguments: Any) -> Any:
        owned = reference()
        if owned is None:
            raise LookupError(f"the graph of {name} was freed")
        return owned(*arguments)

    graph.add_to_collection("seqtasks_gradients", gradient)
    entry["type"] = referred
    weakref.finalize(graph, registry.pop, name, None).atexit = False
