"""The native kernel as a JAX operation with gradients."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from seqtasks.engines.native import library
from seqtasks.engines.native.arguments import ARRAYS, Direction, shape_header, tokens_and_mask
from seqtasks.engines.native.library import GATE_GRADS, HAS_C, SAVED


class CallSettings(NamedTuple):
    """Settings of a call; hashable, so that JAX can compare calls."""

    kinds: tuple[int, ...]
    reverse: tuple[bool, ...]
    known: bool  #: whether inputs are rows of a table
    masked: bool
    sequences: bool
    threads: int

    def shapes(self) -> list[np.ndarray]:
        """Returns the `ShapeHeader` of each direction."""
        each = zip(self.kinds, self.reverse, strict=True)
        return [shape_header(*one, self.threads, self.known, self.masked, self.sequences) for one in each]


def loop(
    directions: Sequence[Direction], x: Any, mask: Any, sequences: bool, tokens: Any = None
) -> list[Sequence[Any]]:
    """Runs one direction or two at the same time; see `tensorflow_bridge.loop`."""
    kinds, turned = tuple(d.kind for d in directions), tuple(d.reverse for d in directions)
    settings = CallSettings(kinds, turned, tokens is not None, mask is not None, sequences, library.threads())
    steps_and_mask = tokens_and_mask(tokens, mask)
    arrays = [array for d in directions for array in d.arrays()]
    return [list(result) for result in _looped()(settings, ops.convert_to_tensor(x), steps_and_mask, tuple(arrays))]


def _sizes(
    settings: CallSettings, x: Any, steps: Sequence[Any], arrays: Sequence[Any]
) -> tuple[list[tuple[int, int, int, int]], list[Any]]:
    """Checks the arguments of a call.

    Returns:
        Rows, steps, features and units of each direction, and the arguments of each.

    Raises:
        ValueError: An array has another shape or dtype, so that the kernel would read beyond its end.
    """
    tokens, mask = steps
    axes = np.ndim(x), np.ndim(tokens) if settings.known else 2
    if axes != (2 if settings.known else 3, 2):
        raise ValueError(
            f"inputs have {axes[0]} axes, tokens {axes[1]}; allowed: 3 axes of inputs, or 2 of a table and 2 of "
            "tokens; reshape them"
        )
    (rows, time), features = (tokens if settings.known else x).shape[:2], x.shape[-1]
    sizes, arguments = [], []
    for i, kind in enumerate(settings.kinds):
        w, bias, u, b, h0, c0 = arrays[ARRAYS * i : ARRAYS * (i + 1)]
        units, named = u.shape[0], {"w": w, "bias": bias, "u": u, "b": b, "h0": h0, "c0": c0}
        allowed = {
            "inputs": (x, x.shape, "float32"),
            "tokens": (tokens, (rows, time) if settings.known else (0,), "int32"),
            "mask": (mask, (rows, time) if settings.masked else (0,), "bool"),
        }
        for name, shape in library.shapes(kind, rows, features, units).items():
            allowed[name] = named[name], shape, "float32"
        for name, (array, shape, dtype) in allowed.items():
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(f"{name} is {array.dtype} {array.shape}; allowed: {dtype} {shape}; convert it")
        sizes.append((rows, time, features, units))
        arguments.append([x, tokens, w, bias, u, b, h0, c0, mask])
    return sizes, arguments


@functools.cache
def _register() -> None:
    """Registers the functions of the kernel with JAX."""
    import jax

    for name in ("forward", "backward", "inputs"):
        call = jax.ffi.pycapsule(getattr(library.library(), f"seqtasks_xla_{name}"))
        jax.ffi.register_ffi_target(f"seqtasks_{name}", call, platform="cpu")


def _call(
    name: str, settings: CallSettings, each: Sequence[Sequence[Any]], shapes: Sequence[Sequence[tuple[Any, str]]]
) -> list[Any]:
    """Calls a function of the kernel.

    Args:
        name: `"forward"`, `"backward"` or `"inputs"`.
        settings: Settings of the call.
        each: Input arrays of each direction.
        shapes: Shapes and dtypes of the results of each direction.

    Returns:
        The results of each direction.
    """
    import jax

    _register()
    operands = [array for header, arrays in zip(settings.shapes(), each, strict=True) for array in (header, *arrays)]
    result_types = [jax.ShapeDtypeStruct(shape, dtype) for of_one in shapes for shape, dtype in of_one]
    outputs = jax.ffi.ffi_call(f"seqtasks_{name}", result_types, vmap_method="sequential")(*operands)
    count = len(result_types) // len(shapes)
    return [outputs[i * count : (i + 1) * count] for i in range(len(shapes))]


@functools.cache
def _looped() -> Any:
    """Returns the kernel as a JAX function with a custom gradient."""
    import jax
    import jax.numpy as jnp

    def forward(settings: CallSettings, x: Any, steps: Any, arrays: Any) -> tuple[Any, Any]:
        sizes, arguments = _sizes(settings, x, steps, arrays)
        shapes = []
        for kind, (rows, time, _, units) in zip(settings.kinds, sizes, strict=True):
            has_c = kind in HAS_C
            every, saved = (time, rows, units), (time, rows, SAVED[kind] * units)
            result_shapes = (
                (rows, time, units),
                every,
                every if has_c else (0,),
                saved,
                (rows, units),
                (rows, units) if has_c else (0,),
            )
            shapes.append([(shape, "float32") for shape in result_shapes])
        runs = _call("forward", settings, arguments, shapes)
        return [[run[0], *run[4:]] for run in runs], (x, steps, arrays, [run[:4] for run in runs])

    def backward(settings: CallSettings, residuals: Any, d: Any) -> tuple[Any, ...]:
        x, steps, arrays, runs = residuals
        sizes, arguments = _sizes(settings, x, steps, arrays)
        shapes = []
        for i, (kind, (rows, time, features, units)) in enumerate(zip(settings.kinds, sizes, strict=True)):
            max_rows = min(rows * time, len(x)) if settings.known else 0
            gradient_shapes = [(array.shape, "float32") for array in arrays[ARRAYS * i : ARRAYS * (i + 1)]]
            gradient_shapes += [
                ((time, rows, GATE_GRADS[kind] * units), "float32"),
                ((max_rows + 1,), "int32"),
                ((max_rows, features), "float32"),
            ]
            shapes.append(gradient_shapes)
        inputs = [[*one, *run, *output_grads] for one, run, output_grads in zip(arguments, runs, d, strict=True)]
        gradients = _call("backward", settings, inputs, shapes)
        if settings.known:
            dx = jnp.zeros_like(x)
            for *_, used, row_grads in gradients:
                filled = jnp.arange(len(row_grads)) < used[0]  # the other entries are not initialised and are dropped
                dx = dx.at[jnp.where(filled, used[1:], len(x))].add(row_grads, mode="drop")
        else:
            each = [[*one, gradient[ARRAYS]] for one, gradient in zip(arguments, gradients, strict=True)]
            dx = sum(one for (one,) in _call("inputs", settings, each, [[(x.shape, "float32")]] * len(each)))
        return dx, None, tuple(array for gradient in gradients for array in gradient[:ARRAYS])

    def plain(settings: CallSettings, x: Any, steps: Any, arrays: Any) -> Any:
        return forward(settings, x, steps, arrays)[0]

    looped = jax.custom_vjp(plain, nondiff_argnums=(0,))
    looped.defvjp(forward, backward)
    return looped
