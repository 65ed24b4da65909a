"""The native kernel as TensorFlow operations with gradients; see tensorflow.h."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqtasks.engines.backend.custom_gradient import custom_gradient
from seqtasks.engines.native import library
from seqtasks.engines.native.arguments import ARRAYS, Direction, shape_header, tokens_and_mask
from seqtasks.engines.native.library import HAS_C

RUN = 6  # number of results of a loop: out, before, c, saved, h_last, c_last
GRADIENTS = ARRAYS + 3  # one for each array, the gradients of the gates, the used rows of a table, their gradients


def loop(
    directions: Sequence[Direction], x: Any, mask: Any, sequences: bool, tokens: Any = None
) -> list[Sequence[Any]]:
    """Runs one direction or two at the same time.

    Args:
        directions: Weights and initial states of each direction.
        x: Inputs of both, `(batch, time, features)`; with tokens a table of them, `(vocabulary, features)`.
        mask: Bool `(batch, time)`, true at valid steps; None: all are.
        sequences: Whether the outputs of all steps are used.
        tokens: Row of the table that is the input of each step, int32 `(batch, time)`.

    Returns:
        For each direction: outputs, `(batch, time, units)`, zero at masked steps; final h, `(batch, units)`;
        final c, `(batch, units)`, or `(0,)` if the kind has none.
    """
    import tensorflow as tf

    operations = library.operations()
    known, many = tokens is not None, len(directions)
    flags = known, mask is not None, sequences
    shapes = [shape_header(d.kind, d.reverse, library.threads(), *flags) for d in directions]
    empty = tf.zeros((0,), tf.float32)
    numbers, mask_or_empty = tokens_and_mask(tokens, mask)

    def arguments_of(x: Any, tensors: Sequence[Any], *extra: Sequence[Any]) -> list[Any]:
        """Returns the arguments of an operation, loop by loop."""
        arguments = []
        for i in range(many):
            arguments += [shapes[i], x, numbers, *tensors[ARRAYS * i : ARRAYS * (i + 1)], mask_or_empty]
            arguments += [array for arrays in extra for array in arrays[i]]
        return arguments

    @custom_gradient
    def looped(x: Any, *tensors: Any) -> Any:
        flat = operations.seqtasks_forward(arguments_of(x, tensors), R=[tf.float32] * (RUN * many))
        runs = [flat[RUN * i : RUN * (i + 1)] for i in range(many)]
        for i, (direction, (out, *_, h_last, c_last)) in enumerate(zip(directions, runs, strict=True)):
            (rows, length), units = (tokens if known else x).shape[:2], tensors[ARRAYS * i + 4].shape[1]
            out.set_shape((rows, length, units))
            h_last.set_shape((rows, units))
            c_last.set_shape((rows, units) if direction.kind in HAS_C else (0,))

        def gradient(*d: Any) -> list[Any]:
            output_grads = [(d[3 * i] if sequences else empty, *d[3 * i + 1 : 3 * i + 3]) for i in range(many)]
            types = [*[tf.float32] * (ARRAYS + 1), tf.int32, tf.float32] * many
            flat = operations.seqtasks_backward(
                arguments_of(x, tensors, [run[:4] for run in runs], output_grads), R=types
            )
            per_loop = [flat[GRADIENTS * i : GRADIENTS * (i + 1)] for i in range(many)]
            if known:
                dx = tf.zeros_like(x)
                for *_, used, rows in per_loop:  # `used`: the count of rows, then their numbers
                    dx = tf.tensor_scatter_nd_add(dx, used[1 : used[0] + 1, None], rows[: used[0]])
            else:  # a separate operation, which TensorFlow prunes if these gradients are not used
                of_gates = [of_one[ARRAYS : ARRAYS + 1] for of_one in per_loop]
                dx = tf.add_n(operations.seqtasks_inputs(arguments_of(x, tensors, of_gates), R=[tf.float32] * many))
            dx.set_shape(x.shape)
            of_arrays = [array for gradients in per_loop for array in gradients[:ARRAYS]]
            for array, tensor in zip(of_arrays, tensors, strict=True):
                array.set_shape(tensor.shape)
            return [dx, *of_arrays]

        return [array for out, *_, h_last, c_last in runs for array in (out, h_last, c_last)], gradient

    inputs = [tf.convert_to_tensor(array) for d in directions for array in d.arrays()]
    results = looped(tf.convert_to_tensor(x), *inputs)
    return [results[3 * i : 3 * (i + 1)] for i in range(many)]
