"""Whether Keras only asks for the shapes of the outputs of a layer."""

from __future__ import annotations

from typing import Any

from keras.src.backend.common.symbolic_scope import in_symbolic_scope


def infers_shapes(x: Any) -> bool:
    """Whether `x` has a number of steps that is not known yet, and its values are never computed.

    Under JAX Keras infers the shapes of a functional model from such arrays; an associative scan does not take them.

    Args:
        x: `(time, …)`.
    """
    return in_symbolic_scope() and not isinstance(x.shape[0], int)
