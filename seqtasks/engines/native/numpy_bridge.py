"""The native kernel on NumPy arrays."""

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
    """`RnnCall` of rnn_call.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("steps", "batch", "features", "units", "vocabulary")),
        *((name, ctypes.c_int32) for name in ("kind", "reverse", "threads")),
        *((name, ctypes.c_void_p) for name in (*_INPUTS, *_RESULTS, *_GRADIENTS)),
    ]


@dataclass(frozen=True)
class Loop:
    """What one direction of a layer runs over.

    Args:
        kind: `LSTM`, `GRU`, ….
        reverse: from the last step to the first.
        x: inputs, float32 (batch, time, features), or a table of them, (vocabulary, features).
        w: (features, gates · units).
        bias: (gates · units,).
        u: recurrent weights, (units, gates · units).
        b: of `GRU` the bias of the recurrent product, of `PEEPHOLE_LSTM` the peepholes i, f, o: (3 · units,).
        h0: (batch, units).
        c0: of those with a second state, (batch, units).
        mask: bool (batch, time), true at real steps; None: all are.
        tokens: int32 (batch, time): the row of the table that is the input; None: x holds the inputs. Each row is
            projected once, however many steps have it.

    Raises:
        ValueError: arrays of other shapes or types.
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
            raise ValueError(f"x and h0 have {axes[0]} and {axes[1]} axes; allowed: {inputs}, (batch, units)")
        steps, batch, features, units = self.sizes
        if max(batch * steps, units, features, self.vocabulary) * 4 * max(units, features) > 2**40:
            raise ValueError(f"{steps} steps of {batch} rows of {units} units are too many; take smaller batches")
        _check("x", self.x, self.x.shape)  # which the sizes are from
        if self.tokens is not None:
            _check("tokens", self.tokens, (batch, steps), np.int32)
        for name, shape in shapes(self.kind, batch, features, units).items():
            _check(name, getattr(self, name), shape)
        if self.mask is not None:
            _check("mask", self.mask, (batch, steps), np.bool_)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Steps, rows, features, units."""
        batch, steps = (self.x if self.tokens is None else self.tokens).shape[:2]
        return steps, batch, self.x.shape[-1], self.h0.shape[1]

    @property
    def vocabulary(self) -> int:
        """Rows of the table; 0 where there is none."""
        return 0 if self.tokens is None else len(self.x)


class States(NamedTuple):
    """What a run gives, and what its way back needs."""

    out: np.ndarray  #: h after each step, zero where masked (batch, time, units)
    before: np.ndarray  #: h before each real step, anything elsewhere (time, batch, units)
    c: np.ndarray  #: c after each step (time, batch, units)
    saved: np.ndarray  #: values for the backward pass, listed in rnn_call.h (time, batch, …)
    h_last: np.ndarray  #: (batch, units)
    c_last: np.ndarray  #: (batch, units)


class Results(NamedTuple):
    """Gradients of what a run gives."""

    dout: np.ndarray | None  #: None: zeros
    dh_last: np.ndarray
    dc_last: np.ndarray | None


class Gradients(NamedTuple):
    """Gradients of what a run takes, but for inputs that are no table."""

    dw: np.ndarray
    dbias: np.ndarray
    du: np.ndarray
    db: np.ndarray
    dh0: np.ndarray
    dc0: np.ndarray
    gate_grads: np.ndarray  #: those of the gates, from which `inputs` computes those of the inputs
    rows: np.ndarray  #: with tokens: which rows of the table real steps have, int32 (count,)
    dx: np.ndarray  #: and their gradients, (count, features)


def forward(*loops: Loop) -> list[States]:
    """Runs over time, one loop or two at once.

    Raises:
        MemoryError: there is not enough.
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
    """The gradients of a run, but for those of its inputs.

    Args:
        loops: as `forward` had them.
        states: as `forward` gave them.
        results: for each loop the gradients of its results.

    Raises:
        ValueError: arrays of other shapes or types.
        MemoryError: there is not enough.
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
        taken = loop.w, loop.bias, loop.u, loop.b, loop.h0, loop.c0
        empties = [empty((0,) if array is None else array.shape) for array in taken]
        most = min(batch * steps, loop.vocabulary)
        used, dx = np.zeros(most + 1, np.int32), empty((most, loop.sizes[2]))
        gate_grads = empty((steps, batch, GATE_GRADS[loop.kind] * units))
        gradient = Gradients._make([*empties, gate_grads, used, dx])
        if not batch:  # the kernel has nothing to go over
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
    """The gradients of inputs, (batch, time, features); zero at masked steps.

    Args:
        loops: as `forward` had them, without tokens.
        gate_grads: for each loop those that `backward` returned.

    Raises:
        ValueError: arrays of other shapes or types.
        MemoryError: there is not enough.
    """
    results, calls = [], []
    for loop, grads in zip(loops, gate_grads, strict=True):
        steps, batch, _, units = loop.sizes
        if loop.tokens is not None:
            raise ValueError("the gradients of a table are those that `backward` gives")
        _check("gate_grads", grads, (steps, batch, GATE_GRADS[loop.kind] * units))
        results.append(empty(loop.x.shape))
        calls.append(_rnn_call(loop, gate_grads=grads, dx=results[-1]))
    _call(library.library().seqtasks_inputs, calls)
    return results


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array aligned so that TensorFlow takes it without a copy."""
    size = int(np.prod(shape, dtype=np.int64))
    memory = np.empty(size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + size].reshape(shape)


def _check(name: str, array: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and array.shape == shape
    if not fits or not array.flags.c_contiguous:
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{name} is {got}; allowed: contiguous {np.dtype(dtype)} {shape}")


def _rnn_call(loop: Loop, **arrays: Any) -> RnnCall:
    named = {name: getattr(loop, name) for name in _INPUTS} | arrays
    addresses = {name: array.ctypes.data for name, array in named.items() if array is not None}
    return RnnCall(*loop.sizes, loop.vocabulary, loop.kind, int(loop.reverse), library.threads(), **addresses)


def _call(function: Any, calls: Sequence[RnnCall]) -> None:
    failed = function((RnnCall * len(calls))(*calls), len(calls))
    if failed == _TOKEN_OUT_OF_RANGE:
        raise ValueError(f"tokens name rows that the table has not got; allowed: 0 to {calls[0].vocabulary - 1}")
    if failed:
        rows, units = calls[0].batch, calls[0].units
        raise MemoryError(f"not enough memory for {rows} rows of {units} units; take smaller batches")
