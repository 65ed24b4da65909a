"""The loop in C as an operation of TensorFlow, with its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtasks.engines.native import library
from seqtasks.engines.native.library import HAS_B, HAS_C, Gradients, Loop, Results, States


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


def loop(directions: Sequence[Direction], x: Any, mask: Any, sequences: bool) -> list[Sequence[Any]]:
    """Runs one direction or two at once.

    Args:
        directions: what to run.
        x: inputs of all, (batch, time, features).
        mask: (batch, time) of bool; None: all are real.
        sequences: whether the outputs of all steps are used.

    Returns:
        For each: outputs (batch, time, units), zero where masked, the last h and, if it has one, the last c.
    """
    import tensorflow as tf

    nothing = tf.zeros((0,), tf.float32)
    masks = [] if mask is None else [mask]
    kinds, turned = [d.kind for d in directions], [d.reverse for d in directions]
    many, given, kept, wanted = len(directions), 6, len(States._fields), len(Gradients._fields)

    def loops(x: np.ndarray, arrays: Sequence[np.ndarray]) -> list[Loop]:
        real = arrays[-1] if masks else None
        found = []
        for i, kind in enumerate(kinds):
            w, bias, u, b, h0, c0 = arrays[given * i : given * (i + 1)]
            of = (b if kind in HAS_B else None, h0, c0 if kind in HAS_C else None)
            found.append(Loop(kind, turned[i], x, w, bias, u, *of, real))
        return found

    def forward(x: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
        return [array for states in library.forward(*loops(x, arrays)) for array in states]

    def backward(x: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
        runs, results = [], []
        for i, kind in enumerate(kinds):
            *run, dout, dh, dc = arrays[7 * i : 7 * (i + 1)]
            runs.append(States(*run, None, None))  # type: ignore[arg-type]
            results.append(Results(dout if sequences else None, dh, dc if kind in HAS_C else None))
        found = library.backward(loops(x, arrays[7 * many :]), runs, results)
        return [array for gradients in found for array in gradients]

    def backward_inputs(x: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
        one, *other = library.inputs(loops(x, arrays[many:]), arrays[:many])
        return np.add(one, other[0], out=one) if other else one

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def looped(x: Any, *tensors: Any) -> Any:
        flat = tf.numpy_function(forward, [x, *tensors, *masks], [tf.float32] * (kept * many), stateful=False)
        runs = [States(*flat[kept * i : kept * (i + 1)]) for i in range(many)]
        for i, (kind, run) in enumerate(zip(kinds, runs, strict=True)):
            rows, units = x.shape[0], tensors[given * i + 4].shape[1]
            run.out.set_shape((*x.shape[:2], units))
            run.h_last.set_shape((rows, units))
            run.c_last.set_shape((rows, units) if kind in HAS_C else (0, 0))

        def gradient(*d: Any) -> list[Any]:
            inputs = [x]
            for i, run in enumerate(runs):
                dout, *last = d[3 * i : 3 * (i + 1)]
                inputs += [run.out, run.before, run.c, run.kept, dout if sequences else nothing, *last]
            flat = tf.numpy_function(
                backward, [*inputs, *tensors, *masks], [tf.float32] * (wanted * many), stateful=False
            )
            found = [Gradients(*flat[wanted * i : wanted * (i + 1)]) for i in range(many)]
            # An operation of its own, which TensorFlow drops where nobody asks for it.
            gates = [gradients.found for gradients in found]
            dx = tf.numpy_function(backward_inputs, [x, *gates, *tensors, *masks], tf.float32, stateful=False)
            dx.set_shape(x.shape)
            own = [array for gradients in found for array in gradients[:-1]]
            for array, tensor in zip(own, tensors, strict=True):
                array.set_shape(tensor.shape)
            return [dx, *own]

        return [array for run in runs for array in (run.out, run.h_last, run.c_last)], gradient

    inputs = []
    for d in directions:
        h0, *c0 = d.states
        rest = nothing if d.b is None else d.b, h0, c0[0] if c0 else nothing
        inputs += [tf.convert_to_tensor(array) for array in (d.w, d.bias, d.u, *rest)]
    results = looped(tf.convert_to_tensor(x), *inputs)
    return [results[3 * i : 3 * (i + 1)] for i in range(many)]
