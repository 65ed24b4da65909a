"""Arguments of the native kernel in the form of its bindings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

ARRAYS = 6  # number of arrays of a direction: w, bias, u, b, h0, c0


@dataclass(frozen=True)
class Direction:
    """One direction of a layer.

    Args:
        kind: Kind of loop, such as `library.LSTM`.
        reverse: Whether to run from the last step to the first.
        w: Input weights, `(features, gates · units)`.
        bias: `(gates · units,)`.
        u: Recurrent weights, `(units, gates · units)`.
        b: Recurrent bias or peepholes, `(3 · units,)`, or None.
        states: States before the first step, each `(batch, units)`.
    """

    kind: int
    reverse: bool
    w: Any
    bias: Any
    u: Any
    b: Any
    states: Sequence[Any]

    def arrays(self) -> list[Any]:
        """Returns w, bias, u, b, h0, c0 as tensors; empty tensors for those that are missing."""
        empty = ops.zeros((0,), "float32")
        h0, *c0 = self.states
        arrays = (self.w, self.bias, self.u, empty if self.b is None else self.b, h0, c0[0] if c0 else empty)
        return [ops.convert_to_tensor(array) for array in arrays]


def shape_header(kind: int, reverse: bool, threads: int, known: bool, masked: bool, sequences: bool) -> np.ndarray:
    """Returns the `ShapeHeader` of framework_call.h, which describes a loop.

    Args:
        kind: Kind of loop.
        reverse: Whether it runs from the last step to the first.
        threads: Maximum number of threads.
        known: Whether its inputs are rows of a table.
        masked: Whether it has a mask.
        sequences: Whether the outputs of all steps are used.
    """
    return np.array([kind, reverse, threads, known + 2 * masked + 4 * sequences], np.int32)


def tokens_and_mask(tokens: Any, mask: Any) -> tuple[Any, Any]:
    """Returns tokens and mask, with empty tensors in place of None."""
    return ops.zeros((0,), "int32") if tokens is None else tokens, ops.zeros((0,), "bool") if mask is None else mask
