"""Chunked execution of cells whose state is a matrix.

A chunk of consecutive steps is computed by products of matrices, and the states are carried from chunk to
chunk. The work and the memory are linear in time: a longer chunk has more work within it, a shorter one
more reads and writes of the states. Chunks are not compiled by XLA, whose products are slow on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.scan import scan
from seqtasks.engines.backend.shape_inference import infers_shapes

LONGEST = 64  # steps of a chunk
UNKNOWN = 32  # steps of a chunk if the number of steps is not known when the graph is built


def run(
    chunk: Callable[..., Any], p: Any, states: Sequence[Any], size: int, valid: Any = None
) -> tuple[Any, list[Any]]:
    """Runs a function on chunks of time with carried states.

    Args:
        chunk: Function `outputs, states = chunk(p, states, valid)`, with projected inputs `(batch, steps,
            width)`, zero at masked steps, and a mask `(batch, 1, steps, 1)`, or None; outputs are `(batch,
            steps, output_size)`. The number of steps is a power of two.
        p: Projected inputs, `(time, batch, width)`.
        states: States before the first step, each `(batch, …)`.
        size: Width of the outputs, output_size.
        valid: Mask, bool `(time, batch, 1)`; None: all steps are valid.

    Returns:
        Outputs, `(time, batch, output_size)`, of any value at masked steps, and the final states.
    """
    dtype, width = p.dtype, p.shape[-1]
    if infers_shapes(p):
        return ops.zeros_like(p[..., :1]) + ops.zeros((size,), dtype=dtype), list(states)
    time, batch = ops.shape(p)[:2]
    steps = chunk_length(p.shape[0])
    p, valid = _fill(p, valid, steps)
    if valid is not None:
        p = ops.where(valid, p, ops.zeros_like(p))
    wide = "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"
    count = None if p.shape[0] is None else p.shape[0] // steps

    def body(carry: tuple[Any, ...], xs: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        of_chunk = None if valid is None else ops.reshape(xs[1], (-1, 1, steps, 1))
        outputs, new = chunk(ops.reshape(xs[0], (-1, steps, width)), list(carry), of_chunk)
        return tuple(new), ops.reshape(outputs, (-1, steps * size))

    xs = [_by_chunk(ops.cast(p, wide), steps)] + ([] if valid is None else [_by_chunk(valid, steps)])
    carry = tuple(ops.cast(state, wide) for state in states)
    if count == 1:
        carry, outputs = body(carry, tuple(x[0] for x in xs))
        outputs = ops.expand_dims(outputs, 0)
    else:
        carry, outputs = scan(body, carry, xs, False, steps * size)
    outputs = ops.swapaxes(ops.reshape(outputs, (-1, batch, steps, size)), 1, 2)
    outputs = ops.reshape(outputs, (-1, batch, size))[:time]
    return ops.cast(outputs, dtype), [ops.cast(state, dtype) for state in carry]


def chunk_length(time: int | None) -> int:
    """Returns the number of steps of a chunk: a power of two that is not longer than the sequence needs."""
    return UNKNOWN if time is None else min(LONGEST, 1 << (time - 1).bit_length())


def _fill(p: Any, valid: Any, steps: int) -> tuple[Any, Any]:
    """Appends masked steps up to a whole number of chunks."""
    if p.shape[0] is not None and p.shape[0] % steps == 0:
        return p, valid
    time, batch = ops.shape(p)[:2]
    padding = -time % steps
    valid = ops.ones((time, batch, 1), dtype="bool") if valid is None else valid
    filled = ops.concatenate([p, ops.zeros((padding, batch, p.shape[-1]), dtype=p.dtype)], axis=0)
    return filled, ops.concatenate([valid, ops.zeros((padding, batch, 1), dtype="bool")], axis=0)


def _by_chunk(x: Any, steps: int) -> Any:
    """Reshapes `(time, batch, width)` to `(chunks, batch, steps * width)`."""
    x = ops.reshape(x, (-1, steps, ops.shape(x)[1], x.shape[-1]))
    return ops.reshape(ops.swapaxes(x, 1, 2), (-1, ops.shape(x)[2], steps * x.shape[-1]))
