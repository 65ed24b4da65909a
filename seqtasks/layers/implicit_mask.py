"""Base layer that reads and propagates Keras's implicit mask."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import keras
from keras.src.backend import get_keras_mask as get_keras_mask
from keras.src.backend import set_keras_mask


class MaskedLayer(keras.layers.Layer):
    """Base of the layers that read a mask: an argument, or else the mask that Keras attached to an input.

    - An explicit mask wins over an implicit one.
    - Outputs with a time axis carry the mask that was used, if the first input carried one. A mask that is only an
      argument is not attached to outputs: a model that gives its masks as arguments gives sample weights too, and
      Keras would mask its loss a second time.

    Keras by itself reads the implicit mask only where one tensor comes in; here it is read beside others, such as an
    initial state, too.

    In a functional model a `UserWarning` names the operation at which a mask was lost, where Keras has no warning:
    it has one for layers without `supports_masking`, and none for operations such as `x * 2`.
    """

    mask_of: str | None = None  # name of the input that `mask` belongs to; None: the first

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = _call_arguments(type(self).call)
        at = names.index("mask")
        if at < len(args) <= len(names):
            # `Layer.__call__` takes the mask of the outputs from the keyword only.
            args, kwargs = args[:at], dict(zip(names[at:], args[at:], strict=False)) | kwargs
        arguments = dict(zip(names, args, strict=False)) | kwargs
        first, source = arguments.get(names[0]), arguments.get(self.mask_of or names[0])
        implicit, carries = get_keras_mask(source), get_keras_mask(first) is not None
        if arguments.get("mask") is None:
            if isinstance(source, keras.KerasTensor):
                # As an argument the mask would become an input of the node in the functional graph.
                self._warn_of_loss(source)
            elif implicit is not None:
                kwargs["mask"] = implicit
        outputs = super().__call__(*args, **kwargs)  # where it returns its input, Keras may set a mask on that
        if not (carries and self.keeps_time(arguments)):
            forget_masks(outputs)
        return outputs

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        """Whether a call with these arguments, by name, gives outputs with a time axis."""
        return True

    def _warn_of_loss(self, source: keras.KerasTensor) -> None:
        operation = _lost_at(source)
        if operation is not None:
            warnings.warn(
                f"Layer '{self.name}' (of type {type(self).__name__}) gets no mask: the one that Keras attached was "
                f"lost at '{operation.name}' (of type {type(operation).__name__}), which hands none on. Padding is "
                "read as data. Give the layer its mask as an argument, or put the operation into a layer with "
                "supports_masking=True.",
                stacklevel=3,
            )


@functools.cache
def _call_arguments(call: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(call).parameters)[1:]


def forget_masks(tensors: Any) -> None:
    """Removes Keras's masks from a nested structure of tensors."""
    for tensor in keras.tree.flatten(tensors):
        if get_keras_mask(tensor) is not None:
            set_keras_mask(tensor, None)


def _lost_at(tensor: Any) -> Any | None:
    """The operation of a functional model whose inputs carry masks and whose output, an ancestor of `tensor`, does not.

    None where there is none, and where Keras has warned of it.
    """
    pending = [tensor]
    while pending:
        tensor = pending.pop()
        operation, index, *_ = getattr(tensor, "_keras_history", (None, 0))
        if operation is None or get_keras_mask(tensor) is not None or len(tensor.shape) < 3:
            continue  # an input of the model, a tensor with its mask, or a vector, whose time axis is gone
        inputs = operation._inbound_nodes[index].input_tensors
        if not any(get_keras_mask(one) is not None for one in inputs):
            pending += [] if isinstance(operation, keras.Layer) else inputs
        elif _is_silent(operation, inputs[0]):
            return operation
    return None


def _is_silent(operation: Any, first: Any) -> bool:
    """Whether Keras has no warning where this operation drops a mask; its warning sees the first input only."""
    if not isinstance(operation, keras.Layer) or operation.supports_masking:
        return True
    return get_keras_mask(first) is None
