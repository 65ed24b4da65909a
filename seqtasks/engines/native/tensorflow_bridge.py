"""The loop in C as an operation of TensorFlow, with its gradient, by `tf.numpy_function`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtasks.engines.native import library
from seqtasks.engines.native.direction import ARRAYS, Direction
from seqtasks.engines.native.library import HAS_B, HAS_C, Loop, Results, States


def loop(
    directions: Sequence[Direction], x: Any, mask: Any, sequences: bool, tokens: Any = None
) -> list[Sequence[Any]]:
    """Runs one direction or two at once.

    Args:
        directions: what to run.
        x: inputs of all, (batch, time, features); with tokens a table of them, (vocabulary, features).
        mask: (batch, time) of bool; None: all are real.
        sequences: whether the outputs of all steps are used.
        tokens: (batch, time), int32: which row of the table is the input of a step.

    Returns:
        For each: outputs (batch, time, units), zero where masked, the last h and, if it has one, the last c.
    """
    import tensorflow as tf

    nothing = tf.zeros((0,), tf.float32)
    known = tokens is not None
    rest = [array for array in (tokens, mask) if array is not None]
    kinds, turned = [d.kind for d in directions], [d.reverse for d in directions]
    many, given, kept = len(directions), ARRAYS, len(States._fields)

    def loops(x: np.ndarray, arrays: Sequence[np.ndarray]) -> list[Loop]:
        real = arrays[-1] if mask is not None else None
        numbers = arrays[given * many] if known else None
        found = []
        for i, kind in enumerate(kinds):
            w, bias, u, b, h0, c0 = arrays[given * i : given * (i + 1)]
            of = (b if kind in HAS_B else None, h0, c0 if kind in HAS_C else None)
            found.append(Loop(kind, turned[i], x, w, bias, u, *of, real, numbers))
        return found

    def forward(x: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
        return [array for states in library.forward(*loops(x, arrays)) for array in states]

    def backward(x: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
        runs, results = [], []
        for i, kind in enumerate(kinds):
            *run, dout, dh, dc = arrays[7 * i : 7 * (i + 1)]
            runs.append(States(*run, None, None))  # type: ignore[arg-type]
            results.append(Results(dout if sequences else None, dh, dc if kind in HAS_C else None))
        over = loops(x, arrays[7 * many :])
        found = library.backward(over, runs, results)
        of_inputs = [library.table(over, found)] if known else [gradients.found for gradients in found]
        return [*(array for gradients in found for array in gradients[:given]), *of_inputs]

    def backward_inputs(x: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
        one, *other = library.inputs(loops(x, arrays[many:]), arrays[:many])
        return np.add(one, other[0], out=one) if other else one

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def looped(x: Any, *tensors: Any) -> Any:
        flat = tf.numpy_function(forward, [x, *tensors, *rest], [tf.float32] * (kept * many), stateful=False)
        runs = [States(*flat[kept * i : kept * (i + 1)]) for i in range(many)]
        for i, (kind, run) in enumerate(zip(kinds, runs, strict=True)):
            (rows, steps), units = (tokens if known else x).shape[:2], tensors[given * i + 4].shape[1]
            run.out.set_shape((rows, steps, units))
            run.h_last.set_shape((rows, units))
            run.c_last.set_shape((rows, units) if kind in HAS_C else (0, 0))

        def gradient(*d: Any) -> list[Any]:
            inputs = [x]
            for i, run in enumerate(runs):
                dout, *last = d[3 * i : 3 * (i + 1)]
                inputs += [run.out, run.before, run.c, run.kept, dout if sequences else nothing, *last]
            count = len(tensors) + (1 if known else many)
            found = tf.numpy_function(backward, [*inputs, *tensors, *rest], [tf.float32] * count, stateful=False)
            own, of_inputs = found[: len(tensors)], found[len(tensors) :]
            if known:
                (dx,) = of_inputs
            else:  # an operation of its own, which TensorFlow drops where nobody asks for it
                dx = tf.numpy_function(backward_inputs, [x, *of_inputs, *tensors, *rest], tf.float32, stateful=False)
            dx.set_shape(x.shape)
            for array, tensor in zip(own, tensors, strict=True):
                array.set_shape(tensor.shape)
            return [dx, *own]

        return [array for run in runs for array in (run.out, run.h_last, run.c_last)], gradient

    inputs = [tf.convert_to_tensor(array) for d in directions for array in d.arrays()]
    results = looped(tf.convert_to_tensor(x), *inputs)
    return [results[3 * i : 3 * (i + 1)] for i in range(many)]
