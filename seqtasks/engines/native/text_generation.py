"""Text generation in C for a stack of recurrent layers and a softmax."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqtasks.engines.native import library, numpy_bridge
from seqtasks.engines.native.library import GATES, HAS_C, shapes

# Minimum number of weights per thread: with fewer, synchronisation costs more than another thread saves.
SHARE = 2**15


@dataclass(frozen=True)
class Layer:
    """Weights of one recurrent layer, see `numpy_bridge.Loop`.

    Args:
        kind: Kind of loop: `LSTM`, `GRU`, ….
        w: Input weights, `(features, gates · units)`; None: the inputs are already projected, with their bias.
        bias: `(gates · units,)`.
        u: Recurrent weights, `(units, gates · units)`.
        b: Recurrent bias or peepholes, `(3 · units,)`, or None.
    """

    kind: int
    w: np.ndarray | None
    bias: np.ndarray
    u: np.ndarray
    b: np.ndarray | None = None


class Generated(NamedTuple):
    """Generated tokens, and the state from which generation can continue."""

    tokens: np.ndarray  #: int32 `(batch, steps)`
    scores: np.ndarray  #: log-probability under the model without temperature and truncation, `(batch,)`
    logits: np.ndarray  #: logits of the next token, `(batch, vocabulary)`
    states: list[list[np.ndarray]]  #: states of each layer, each `(batch, units)`


class _Layer(ctypes.Structure):
    """Mirror of `Layer` in generation.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("features", "units")),
        *((name, ctypes.c_int32) for name in ("kind", "gates")),
        *((name, ctypes.c_void_p) for name in ("w", "bias", "u", "b", "h", "c")),
    ]


class _GenerationCall(ctypes.Structure):
    """Mirror of `GenerationCall` in generation.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("steps", "batch", "vocabulary", "layers", "top_k")),
        *((name, ctypes.c_int32) for name in ("threads", "kernel")),
        *((name, ctypes.c_float) for name in ("temperature", "top_p")),
        ("layer", ctypes.POINTER(_Layer)),
        *((name, ctypes.c_void_p) for name in ("table", "head", "head_bias", "packed", "uniforms")),
        *((name, ctypes.c_void_p) for name in ("logits", "tokens", "shifted_logits", "exp_sums")),
    ]


class NativeTextGenerator:
    """Language model in C that generates text: a table of inputs, recurrent layers, a softmax.

    The weights are copied at construction; later changes of the model have no effect.

    Args:
        table: Input of the first layer for each token, `(vocabulary, features)`, or `(vocabulary, gates ·
            units)` if that layer has no `w`.
        layers: The layers; each reads the h of the layer before.
        head: Weights of the softmax, `(units, vocabulary)`.
        bias: Bias of the softmax, `(vocabulary,)`.

    Raises:
        ValueError: The shapes of the arrays do not fit together.
    """

    def __init__(self, table: np.ndarray, layers: Sequence[Layer], head: np.ndarray, bias: np.ndarray):
        self._kinds, self._units = [layer.kind for layer in layers], [len(layer.u) for layer in layers]
        self._size = len(table)
        self._kept = [_array("table", table, (self._size, None))]
        structures: list[_Layer] = []
        width = self._kept[0].shape[1]
        if not layers:
            raise ValueError("there are 0 layers; allowed: 1 or more; pass the layers of the model")
        for layer, units in zip(layers, self._units, strict=True):
            gates = GATES[layer.kind] * units
            expected = {n: s for n, s in shapes(layer.kind, 0, width, units).items() if n not in ("h0", "c0")}
            if layer.w is None:
                if structures or width != gates:
                    raise ValueError(
                        f"a layer without w reads {width} numbers; allowed: the first layer, {gates} numbers; project "
                        "the table"
                    )
                del expected["w"]
            weights = {n: a for n in ("w", "bias", "u", "b") if (a := getattr(layer, n)) is not None}
            if set(weights) != set(expected):
                raise ValueError(
                    f"a layer has {', '.join(weights)}; allowed: {', '.join(expected)}; pass exactly these"
                )
            checked = {name: _array(name, array, expected[name]) for name, array in weights.items()}
            self._kept += checked.values()
            pointers = {name: array.ctypes.data for name, array in checked.items()}
            pointers.setdefault("w", pointers["bias"])  # any valid address: a layer without w does not read it
            features = 0 if layer.w is None else width
            structures.append(_Layer(features, units, layer.kind, GATES[layer.kind], **pointers))
            width = units
        head, bias = _array("head", head, (width, self._size)), _array("bias", bias, (self._size,))
        self._layers = (_Layer * len(structures))(*structures)
        pointers = {"table": self._kept[0].ctypes.data, "head": head.ctypes.data, "head_bias": bias.ctypes.data}
        self._call = _GenerationCall(vocabulary=self._size, layers=len(structures), layer=self._layers, **pointers)
        self._packed = numpy_bridge.empty((library.library().seqtasks_packed(ctypes.byref(self._call)),))
        self._call.packed = self._packed.ctypes.data
        library.library().seqtasks_pack(ctypes.byref(self._call))

    def __call__(
        self,
        logits: Any,
        states: Sequence[Sequence[Any]],
        uniforms: np.ndarray,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> Generated:
        """Generates tokens; see `seqtasks.decoding.sampling.Sampler`.

        Args:
            logits: Logits of the first token, `(batch, vocabulary)`.
            states: States of each layer before it, each `(batch, units)`.
            uniforms: Uniform random numbers, `(steps, batch)`, in [0, 1).
            temperature: Temperature of the softmax; 0: always the most probable token.
            top_k: Sample from this many of the most probable tokens; None: from all.
            top_p: Sample from the most probable tokens that together have this probability; None: from all.

        Raises:
            ValueError: The shapes of the arrays do not fit together.
            MemoryError: There is not enough memory.
        """
        uniforms = _array("uniforms", uniforms, (None, None))
        steps, batch = uniforms.shape
        first = _array("logits", logits, (batch, self._size)).copy()
        if len(states) != len(self._units):
            raise ValueError(f"states of {len(states)} layers; allowed: {len(self._units)}; pass those of each layer")
        after, structures = [], (_Layer * len(self._layers))(*self._layers)
        for layer, kind, units, layer_states in zip(structures, self._kinds, self._units, states, strict=True):
            names = ("h", "c") if kind in HAS_C else ("h",)
            copies = [_array(n, s, (batch, units)).copy() for n, s in zip(names, layer_states, strict=True)]
            for name, array in zip(names, copies, strict=True):
                setattr(layer, name, array.ctypes.data)
            after.append(copies)
        tokens, shifted, exp_sums = (np.zeros((batch, steps), dtype) for dtype in (np.int32, np.float32, np.float32))
        call = _GenerationCall.from_buffer_copy(self._call)
        call.layer, call.steps, call.batch, call.threads = structures, steps, batch, self._threads()
        call.temperature, call.top_k, call.top_p = temperature, top_k or 0, 1.0 if top_p is None else top_p
        call.uniforms, call.logits, call.tokens = uniforms.ctypes.data, first.ctypes.data, tokens.ctypes.data
        call.shifted_logits, call.exp_sums = shifted.ctypes.data, exp_sums.ctypes.data
        if batch and steps and library.library().seqtasks_write(ctypes.byref(call)):
            raise MemoryError(f"not enough memory for {batch} rows; use smaller batches")
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = (shifted - np.log(exp_sums)).sum(axis=1) if steps else np.zeros(batch, np.float32)
        return Generated(tokens, scores, first, after)

    def _threads(self) -> int:
        """Number of threads, limited by the number of weights and of units."""
        return max(1, min(library.threads(), len(self._packed) // SHARE, min(self._units) // 32))


def _array(name: str, array: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """Returns a contiguous float32 array; raises ValueError if it has another shape."""
    contiguous = np.ascontiguousarray(array, np.float32)
    if contiguous.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, contiguous.shape, strict=True)):
        expected = tuple("any" if n is None else n for n in shape)
        raise ValueError(f"{name} is {contiguous.shape}; allowed: {expected}; reshape it".replace("'", ""))
    return contiguous
