"""The native kernel as functions of NumPy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqtasks.engines.native import library
from seqtasks.engines.native.library import GATE_GRADS, HAS_C, SAVED, shapes

_TOKEN_OUT_OF_RANGE = 2  # TOKEN_OUT_OF_RANGE of kernel.c

_INPUTS = ("x", "tokens", "w", "bias", "u", "b", "h0", "c0", "mask")
_RESULTS = ("out", "before", "c", "saved", "h_last", "c_last")
_GRADIENTS = ("dout", "dh_last", "dc_last", "dx", "dw", "dbias", "du", "db", "dh0", "dc0", "gate_grads", "used")


class RnnCall(ctypes.Structure):
    """Mirror of `RnnCall` in rnn_call.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("steps", "batch", "features", "units", "vocabulary")),
        *((name, ctypes.c_int32) for name in ("kind", "reverse", "threads")),
        *((name, ctypes.c_void_p) for name in (*_INPUTS, *_RESULTS, *_GRADIENTS)),
    ]


@dataclass(frozen=True)
class Loop:
    """Inputs and weights of one direction of a layer.

    Args:
        kind: Kind of loop: `LSTM`, `GRU`, ….
        reverse: Whether to run from the last step to the first.
        x: Inputs, float32 `(batch, time, features)`; with `tokens` a table of them, `(vocabulary, features)`.
        w: Input weights, `(features, gates · units)`.
        bias: `(gates · units,)`.
        u: Recurrent weights, `(units, gates · units)`.
        b: `(3 · units,)`: bias of the recurrent product (`GRU`) or peepholes i, f, o (`PEEPHOLE_LSTM`); else
            None.
        h0: Initial h, `(batch, units)`.
        c0: Initial c, `(batch, units)`, of kinds with a second state; else None.
        mask: Bool `(batch, time)`, true at valid steps; None: all are.
        tokens: Row of the table that is the input of each step, int32 `(batch, time)`; None: `x` holds the
            inputs. Each distinct row is projected once.

    Raises:
        ValueError: An array has another shape or dtype, or the sizes are too large for the kernel.
    """

    kind: int
    reverse: bool
    x: np.ndarray
    w: np.ndarray
    bias: np.ndarray
    u: np.ndarray
    b: np.ndarray | None
    h0: np.ndarray
    c0: np.ndarray | None
    mask: np.ndarray | None
    tokens: np.ndarray | None = None

    def __post_init__(self) -> None:
        axes, tokens = (np.ndim(self.x), np.ndim(self.h0)), self.tokens
        if axes != (3 if tokens is None else 2, 2) or (tokens is not None and np.ndim(tokens) != 2):
            inputs = "(batch, time, features)" if tokens is None else "(vocabulary, features) and tokens (batch, time)"
            raise ValueError(
                f"x and h0 have {axes[0]} and {axes[1]} axes; allowed: {inputs}, (batch, units); reshape them"
            )
        steps, batch, features, units = self.sizes
        if max(batch * steps, units, features, self.vocabulary) * 4 * max(units, features) > 2**40:
            raise ValueError(
                f"{steps} steps of {batch} rows of {units} units; allowed: products of less than 2^40 bytes; use "
                "smaller batches"
            )
        _check("x", self.x, self.x.shape)
        if self.tokens is not None:
            _check("tokens", self.tokens, (batch, steps), np.int32)
        for name, shape in shapes(self.kind, batch, features, units).items():
            _check(name, getattr(self, name), shape)
        if self.mask is not None:
            _check("mask", self.mask, (batch, steps), np.bool_)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Steps, rows, features and units."""
        batch, steps = (self.x if self.tokens is None else self.tokens).shape[:2]
        return steps, batch, self.x.shape[-1], self.h0.shape[1]

    @property
    def vocabulary(self) -> int:
        """Number of rows of the table; 0 without a table."""
        return 0 if self.tokens is None else len(self.x)


class States(NamedTuple):
    """Results of a run, and the values that its backward pass needs."""

    out: np.ndarray  #: h after each step, zero at masked steps, `(batch, time, units)`
    before: np.ndarray  #: h before each valid step, any value at masked steps, `(time, batch, units)`
    c: np.ndarray  #: c after each step, `(time, batch, units)`
    saved: np.ndarray  #: values for the backward pass, listed in rnn_call.h, `(time, batch, …)`
    h_last: np.ndarray  #: final h, `(batch, units)`
    c_last: np.ndarray  #: final c, `(batch, units)`


class Results(NamedTuple):
    """Gradients of the loss with respect to the results of a run."""

    dout: np.ndarray | None  #: `(batch, time, units)`; None: zeros
    dh_last: np.ndarray
    dc_last: np.ndarray | None


class Gradients(NamedTuple):
    """Gradients of the loss with respect to weights, states and table of a run."""

    dw: np.ndarray
    dbias: np.ndarray
    du: np.ndarray
    db: np.ndarray
    dh0: np.ndarray
    dc0: np.ndarray
    gate_grads: np.ndarray  #: gradients of the gates, from which `inputs` computes those of the inputs
    rows: np.ndarray  #: with tokens: rows of the table that valid steps read, int32 `(count,)`
    dx: np.ndarray  #: with tokens: gradients of these rows, `(count, features)`


def forward(*loops: Loop) -> list[States]:
    """Runs one loop over time, or two at the same time.

    Raises:
        ValueError: A token is not a row of the table.
        MemoryError: There is not enough memory.
    """
    results, calls = [], []
    for loop in loops:
        steps, batch, _, units = loop.sizes
        one, every = (batch, units), (batch, steps, units)
        has_c = loop.kind in HAS_C
        states = States(
            out=empty(every),
            before=empty((steps, batch, units)),
            c=empty((steps, batch, units) if has_c else (0, 0, 0)),
            saved=empty((steps, batch, SAVED[loop.kind] * units)),
            h_last=empty(one),
            c_last=empty(one if has_c else (0, 0)),
        )
        results.append(states)
        calls.append(_rnn_call(loop, **states._asdict()))
    _call(library.library().seqtasks_forward, calls)
    return results


def backward(loops: Sequence[Loop], states: Sequence[States], results: Sequence[Results]) -> list[Gradients]:
    """Computes the gradients of a run, except for those of its inputs.

    Args:
        loops: Arguments of `forward`.
        states: Results of `forward`.
        results: For each loop the gradients of its results.

    Raises:
        ValueError: An array has another shape or dtype.
        MemoryError: There is not enough memory.
    """
    gradients, calls = [], []
    for loop, run, result in zip(loops, states, results, strict=True):
        steps, batch, _, units = loop.sizes
        one, every, has_c = (batch, units), (batch, steps, units), loop.kind in HAS_C
        widths = {"before": units, "saved": SAVED[loop.kind] * units} | ({"c": units} if has_c else {})
        for name, width in widths.items():
            _check(name, getattr(run, name), (steps, batch, width))
        _check("out", run.out, every)
        if result.dout is not None:
            _check("dout", result.dout, every)
        _check("dh_last", result.dh_last, one)
        if has_c:
            _check("dc_last", result.dc_last, one)
        parameters = loop.w, loop.bias, loop.u, loop.b, loop.h0, loop.c0
        empties = [empty((0,) if array is None else array.shape) for array in parameters]
        max_rows = min(batch * steps, loop.vocabulary)
        used, dx = np.zeros(max_rows + 1, np.int32), empty((max_rows, loop.sizes[2]))
        gate_grads = empty((steps, batch, GATE_GRADS[loop.kind] * units))
        gradient = Gradients._make([*empties, gate_grads, used, dx])
        if not batch:  # the kernel leaves the arrays of an empty batch uninitialised
            for array in gradient:
                array.fill(0)
        gradients.append(gradient)
        saved = {name: getattr(run, name) for name in ("out", "before", "c", "saved")}
        arrays = {{"rows": "used"}.get(name, name): array for name, array in gradient._asdict().items()}
        calls.append(_rnn_call(loop, **saved, **result._asdict(), **arrays))
    _call(library.library().seqtasks_backward, calls)
    return [
        gradient._replace(rows=gradient.rows[1 : gradient.rows[0] + 1], dx=gradient.dx[: gradient.rows[0]])
        for gradient in gradients
    ]


def inputs(loops: Sequence[Loop], gate_grads: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Computes the gradients of the inputs.

    Args:
        loops: Arguments of `forward`, without tokens.
        gate_grads: For each loop those that `backward` returned.

    Returns:
        For each loop `(batch, time, features)`; zero at masked steps.

    Raises:
        ValueError: An array has another shape or dtype, or a loop has tokens.
        MemoryError: There is not enough memory.
    """
    results, calls = [], []
    for loop, grads in zip(loops, gate_grads, strict=True):
        steps, batch, _, units = loop.sizes
        if loop.tokens is not None:
            raise ValueError("a loop has tokens; allowed: loops without; use the gradients of the table by `backward`")
        _check("gate_grads", grads, (steps, batch, GATE_GRADS[loop.kind] * units))
        results.append(empty(loop.x.shape))
        calls.append(_rnn_call(loop, gate_grads=grads, dx=results[-1]))
    _call(library.library().seqtasks_inputs, calls)
    return results


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """Creates a float32 array with an alignment that TensorFlow accepts without a copy."""
    size = int(np.prod(shape, dtype=np.int64))
    memory = np.empty(size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + size].reshape(shape)


def _check(name: str, array: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
    """Raises ValueError if an array has another shape or dtype or is not contiguous."""
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.shape == shape
    if not fits or not array.flags.c_contiguous:
        received = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{name} is {received}; allowed: contiguous {np.dtype(dtype)} {shape}; convert it")


def _rnn_call(loop: Loop, **arrays: Any) -> RnnCall:
    """Fills in an `RnnCall` for a loop."""
    named = {name: getattr(loop, name) for name in _INPUTS} | arrays
    addresses = {name: array.ctypes.data for name, array in named.items() if array is not None}
    return RnnCall(*loop.sizes, loop.vocabulary, loop.kind, int(loop.reverse), library.threads(), **addresses)


def _call(function: Any, calls: Sequence[RnnCall]) -> None:
    """Calls a function of the kernel and raises its errors."""
    error = function((RnnCall * len(calls))(*calls), len(calls))
    if error == _TOKEN_OUT_OF_RANGE:
        raise ValueError(
            f"tokens are outside of the table; allowed: 0 to {calls[0].vocabulary - 1}; change them or the table"
        )
    if error:
        rows, units = calls[0].batch, calls[0].units
        raise MemoryError(f"not enough memory for {rows} rows of {units} units; use smaller batches")
