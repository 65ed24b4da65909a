"""Arguments of the native kernel, as its bindings pass them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

ARRAYS = 6  # of a direction: w, bias, u, b, h0, c0


@dataclass(frozen=True)
class Direction:
    """One direction of a layer.

    Args:
        kind: of the loop, as `library` names it.
        reverse: from the last step to the first.
        w: (features, gates · units).
        bias: (gates · units,).
        u: recurrent weights, (units, gates · units).
        b: what else the kernel needs, (3 · units,), or None.
        states: before the first step, each (batch, units).
    """

    kind: int
    reverse: bool
    w: Any
    bias: Any
    u: Any
    b: Any
    states: Sequence[Any]

    def arrays(self) -> list[Any]:
        """Tensors of all that is differentiated, empty ones for what there is not: w, bias, u, b, h0, c0."""
        nothing = ops.zeros((0,), "float32")
        h0, *c0 = self.states
        arrays = (self.w, self.bias, self.u, nothing if self.b is None else self.b, h0, c0[0] if c0 else nothing)
        return [ops.convert_to_tensor(array) for array in arrays]


def shape_header(kind: int, reverse: bool, threads: int, known: bool, masked: bool, sequences: bool) -> np.ndarray:
    """`ShapeHeader` of framework_call.h: what a loop does; `known`: its inputs are rows of a table."""
    return np.array([kind, reverse, threads, known + 2 * masked + 4 * sequences], np.int32)


def tokens_and_mask(tokens: Any, mask: Any) -> tuple[Any, Any]:
    """Both, empty ones for None."""
    return ops.zeros((0,), "int32") if tokens is None else tokens, ops.zeros((0,), "bool") if mask is None else mask
