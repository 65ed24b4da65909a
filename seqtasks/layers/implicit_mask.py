"""Base layer that reads Keras's implicit mask and passes it on."""

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
    """Base class of layers that take a mask as an argument or Keras's implicit mask.

    - An explicit mask takes precedence over an implicit one.
    - Outputs with a time axis carry the mask that was used, if the first input carried one. A mask that
      is only an argument is not attached to outputs: models with masks as arguments also have sample
      weights, and Keras would mask their loss a second time.

    Keras itself reads the implicit mask only of layers with a single input; this class also reads it
    beside other inputs, such as an initial state.

    In a functional model a `UserWarning` names the operation at which the implicit mask was lost, where
    Keras does not warn: it does for layers without `supports_masking`, not for operations such as `x * 2`.
    """

    mask_of: str | None = None  # name of the input whose mask `mask` is; None: the first input

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = _call_arguments(type(self).call)
        position = names.index("mask")
        if position < len(args) <= len(names):
            # `Layer.__call__` computes the mask of the outputs only from a keyword argument.
            args, kwargs = args[:position], dict(zip(names[position:], args[position:], strict=False)) | kwargs
        arguments = dict(zip(names, args, strict=False)) | kwargs
        self.check_arguments(arguments)
        first, source = arguments.get(names[0]), arguments.get(self.mask_of or names[0])
        implicit, carries = get_keras_mask(source), get_keras_mask(first) is not None
        if arguments.get("mask") is None:
            if isinstance(source, keras.KerasTensor):
                # Passed as an argument, the mask would become an input of the functional model's node.
                warn_if_mask_lost(self, source)
            elif implicit is not None:
                kwargs["mask"] = implicit
        outputs = super().__call__(*args, **kwargs)  # Keras may attach a mask here if the layer returns its input
        if not (carries and self.keeps_time(arguments)):
            forget_masks(outputs)
        return outputs

    def check_arguments(self, arguments: dict[str, Any]) -> None:
        """Checks the arguments of a call, by name, before Keras handles them.

        Keras adds a list of all arguments to the message of an error that is raised in `call`.
        """

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # Keras marks the symbolic result of `x * 2` as sparse, although it is dense when the model runs.
        args, kwargs = keras.tree.map_structure(dense, (args, kwargs))
        return super().compute_output_spec(*args, **kwargs)

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        """Returns whether a call with these arguments, by name, has outputs with a time axis."""
        return True


def warn_if_mask_lost(layer: keras.layers.Layer, source: keras.KerasTensor) -> None:
    """Warns if the symbolic input of a layer has lost its implicit mask at an operation where Keras does not warn."""
    operation = _mask_lost_at(source)
    if operation is not None:
        warnings.warn(
            f"Layer '{layer.name}' (of type {type(layer).__name__}) receives no mask: the implicit mask was lost at "
            f"'{operation.name}' (of type {type(operation).__name__}), which does not pass it on, so padding is "
            "read as data. Pass the mask as an argument, or put the operation into a layer with "
            "supports_masking=True.",
            stacklevel=3,
        )


def dense(tensor: Any) -> Any:
    """Returns a symbolic tensor without its mark as sparse; anything else as it is."""
    if isinstance(tensor, keras.KerasTensor) and tensor.sparse:
        return keras.KerasTensor(tensor.shape, tensor.dtype)
    return tensor


@functools.cache
def _call_arguments(call: Callable[..., Any]) -> list[str]:
    """Returns the names of the arguments of a `call` method, without `self`."""
    return list(inspect.signature(call).parameters)[1:]


def forget_masks(tensors: Any) -> None:
    """Removes the implicit masks from a nested structure of tensors."""
    for tensor in keras.tree.flatten(tensors):
        if get_keras_mask(tensor) is not None:
            set_keras_mask(tensor, None)


def _mask_lost_at(tensor: Any) -> Any | None:
    """Finds the operation of a functional model at which the mask of `tensor` was lost.

    Returns:
        The operation whose inputs carry masks and whose output, an ancestor of `tensor`, does not. None
        if there is no such operation, or if Keras has already warned of it.
    """
    pending = [tensor]
    while pending:
        tensor = pending.pop()
        operation, index, *_ = getattr(tensor, "_keras_history", (None, 0))
        if operation is None or get_keras_mask(tensor) is not None or len(tensor.shape) < 3:
            continue  # an input of the model, a tensor with a mask, or a vector, which has no time axis
        inputs = operation._inbound_nodes[index].input_tensors
        if not any(get_keras_mask(one) is not None for one in inputs):
            pending += [] if isinstance(operation, keras.Layer) else inputs
        elif _is_silent(operation, inputs[0]):
            return operation
    return None


def _is_silent(operation: Any, first: Any) -> bool:
    """Returns whether Keras does not warn that this operation drops a mask.

    Keras's warning looks only at the first input.
    """
    if not isinstance(operation, keras.Layer) or operation.supports_masking:
        return True
    return get_keras_mask(first) is None
