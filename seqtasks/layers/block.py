"""Blocks around a cell, as papers use them: short convolution, gate, normalisation, feed-forward layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import keras
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.recurrence import Recurrence
from seqtasks.core.errors import ConfigError
from seqtasks.engines.loop import project_steps

Kind = Literal["gated", "xlstm", "griffin"]
KINDS = ("gated", "xlstm", "griffin")
WIDTH = 4  # steps of the convolution in Mamba, xLSTM and Griffin
EPSILON = 1e-5


@keras.saving.register_keras_serializable("seqtasks")
class Block(Cell):
    r"""A cell with the block that papers put around it; itself a cell.

    conv is a convolution over the last `WIDTH` valid steps, one filter for each unit, and norm has one scale for each
    unit. The products have no biases. Where x and the cell have different widths, the first summand x is left out.

    `"gated"`, the block of Mamba; the normalisation of the output is that of Mamba-2:

    .. math::
        a, z &= \mathrm{RMSNorm}(x) W \\
        y &= \mathrm{cell}(\mathrm{silu}(\mathrm{conv}(a))) \\
        o &= x + (\mathrm{RMSNorm}(y) \odot \mathrm{silu}(z)) V

    `"xlstm"`, the block of sLSTM with a feed-forward layer of 4/3 of the units. In the paper only the gates i and f
    read the convolution; here the whole cell does. LayerNorm has no shift, and V is there only if the output of the
    cell is not as wide as `units`:

    .. math::
        y &= \mathrm{cell}(\mathrm{silu}(\mathrm{conv}(\mathrm{LayerNorm}(x)))) \\
        r &= x + \mathrm{LayerNorm}(y) V \\
        o &= r + (\mathrm{gelu}(\mathrm{LayerNorm}(r) W_1) \odot \mathrm{LayerNorm}(r) W_2) W_3

    `"griffin"`, the recurrent block of Griffin with its feed-forward layer of three times the units:

    .. math::
        a, z &= \mathrm{RMSNorm}(x) W \\
        y &= \mathrm{cell}(\mathrm{conv}(a)) \\
        r &= x + (y \odot \mathrm{gelu}(z)) V \\
        o &= r + (\mathrm{gelu}(\mathrm{RMSNorm}(r) W_1) \odot \mathrm{RMSNorm}(r) W_2) W_3

    The states are those of the cell and the inputs of the convolution at the last three valid steps, latest first,
    `(batch, 3 * width)`, which start as zeros. So masks, carried states, both directions, generation and export work
    as for any cell. The output has `units` numbers. A block of a cell with `scan` has one, too.

    Args:
        cell: The cell in the block; it is not built yet.
        kind: `"gated"`, `"xlstm"` or `"griffin"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ConfigError: The cell reads an observation mask, which belongs to the features of the inputs.

    Reference:
        Gu & Dao 2023, https://arxiv.org/abs/2312.00752; Beck et al. 2024, https://arxiv.org/abs/2405.04517;
        De et al. 2024, https://arxiv.org/abs/2402.19427

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import MinGRU
        >>> from seqtasks.layers import Recurrent
        >>> from seqtasks.layers.block import block
        >>> outputs, (h, conv) = Recurrent(block(MinGRU(8), "gated"))(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(conv.shape)
        ((2, 5, 8), (2, 8), (2, 24))
    """

    def __init__(self, cell: Cell, kind: Kind, **kwargs: Any):
        super().__init__(cell.units, **kwargs)
        if cell.uses_observed:
            raise ConfigError(
                f"encoder.block is {kind} with cell {cell.cell_name}, which reads which inputs were observed; allowed: "
                "none; set encoder.block=none"
            )
        self.cell = cell
        self.kind = kind
        self.features = 0  # set by `build`
        # Facts of a class in other cells.
        facts: dict[str, Any] = {"cell_name": cell.cell_name, "states": (*cell.states, "conv"), "params": None}
        facts |= {"uses_gaps": cell.uses_gaps, "counts_time": cell.counts_time, "scans_chunks": cell.scans_chunks}
        self.__dict__.update(facts)

    @property
    def conv_size(self) -> int:
        """Number of inputs of the convolution; with `"xlstm"` 0 until the block is built."""
        return self.features if self.kind == "xlstm" else self.units

    @property
    def state_size(self) -> list[int]:
        return [*self.cell.state_size, (WIDTH - 1) * self.conv_size]

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output of the first part."""
        return self.features == self.units

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, inner = input_shape[-1], self.units, self.cell.output_size
        assert m is not None
        self.features = m
        self.scale = self._scale(m, "scale")
        if self.kind != "xlstm":
            self.W = self.add_kernel(m, n + inner, "block_kernel")
        limit = 1 / math.sqrt(WIDTH)
        uniform = keras.initializers.RandomUniform(-limit, limit)
        self.filters = self.add_weight((WIDTH, self.conv_size), uniform, name="block_filters")
        self.shift = self.add_bias(self.conv_size, name="block_filter_bias")
        self.cell.build((None, None, self.conv_size))
        self.cell.built = True
        if self.kind != "griffin":
            self.inner_scale = self._scale(inner, "inner_scale")
        if self.kind != "xlstm" or inner != n:
            self.V = self.add_kernel(inner, n, "block_output_kernel")
        if self.kind != "gated":
            wide = math.ceil(4 * n / 3) if self.kind == "xlstm" else 3 * n
            self.forward_scale = self._scale(n, "forward_scale")
            self.forward_kernel = self.add_kernel(n, 2 * wide, "forward_kernel")
            self.forward_output = self.add_kernel(wide, n, "forward_output_kernel")

    def _scale(self, size: int, name: str) -> Any:
        return self.add_weight((size,), "ones", name=f"block_{name}")

    def _norm(self, x: Any, scale: Any) -> Any:
        """RMSNorm, or with `"xlstm"` LayerNorm, along the last axis."""
        if self.kind == "xlstm":
            x = x - ops.mean(x, axis=-1, keepdims=True)
        return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + EPSILON) * scale

    def project(self, x: Any) -> Any:
        gaps = []
        if self.uses_gaps:
            x, gap, _ = self.split_inputs(x)
            gaps = [gap]
        a = self._norm(x, self.scale)
        if self.kind != "xlstm":
            a, z = self._split(a @ self.W, self.units)
            a = ops.concatenate([a, ops.silu(z) if self.kind == "gated" else _gelu(z)], axis=-1)
        return ops.concatenate([a, *([x] if self.residual else []), *gaps], axis=-1)

    @staticmethod
    def _split(x: Any, size: int) -> tuple[Any, Any]:
        return x[..., :size], x[..., size:]

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        *inner, conv = states
        size = self.conv_size
        a, others = self._split(p, size)
        before = [conv[:, i * size : (i + 1) * size] for i in range(WIDTH - 1)]
        y, inner = self.cell.step(self.cell.project(self._read(a, before, others)), inner)
        conv = ops.concatenate([a, *before[:-1]], axis=-1)
        return self._output(y, others), [*inner, conv]

    def _scan(self, p: Any, states: Sequence[Any], recur: Recurrence) -> tuple[Any, list[Any]]:
        """`scan` of a block around a cell that has one."""
        assert self.cell.scan is not None
        *inner, conv = states
        size = self.conv_size
        a, others = self._split(p, size)
        before, last, values = [], [], a
        for i in range(WIDTH - 1):
            values, held = recur.shift(values, conv[:, i * size : (i + 1) * size])
            before.append(values)
            last.append(held)
        y, histories = self.cell.scan(project_steps(self.cell, self._read(a, before, others)), inner, recur)
        return self._output(y, others), [*histories, ops.concatenate(last, axis=-1)]

    def _read(self, a: Any, before: Sequence[Any], others: Any) -> Any:
        """What the cell reads: the convolution of its inputs at this step and those before, and gaps.

        Args:
            a: Inputs of the convolution, `(…, size)`.
            before: The same at the last three valid steps before, latest first.
            others: The remaining columns of `project`.
        """
        x = self.shift + a * self.filters[0]
        for i, values in enumerate(before):
            x = x + values * self.filters[i + 1]
        if self.kind != "griffin":
            x = ops.silu(x)
        return ops.concatenate([x, others[..., -1:]], axis=-1) if self.uses_gaps else x

    def _output(self, y: Any, others: Any) -> Any:
        """The output of the block from that of the cell, `(…, output_size of the cell)`."""
        if self.kind == "xlstm":
            x, y = others, self._norm(y, self.inner_scale)
        else:
            z, x = self._split(others, self.cell.output_size)
            y = (self._norm(y, self.inner_scale) if self.kind == "gated" else y) * z
        if self.kind != "xlstm" or self.cell.output_size != self.units:
            y = y @ self.V
        if self.residual:
            y = y + x[..., : self.units]
        if self.kind == "gated":
            return y
        first, second = ops.split(self._norm(y, self.forward_scale) @ self.forward_kernel, 2, axis=-1)
        return y + (_gelu(first) * second) @ self.forward_output

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        conv = ops.zeros((batch_size, (WIDTH - 1) * self.conv_size), dtype=self.compute_dtype)
        return [*self.cell.get_initial_state(batch_size), conv]

    # Dropout, recorded gates and prepared values are those of the cell in the block.

    def recurrent_weights(self) -> dict[str, Any]:
        return self.cell.recurrent_weights()

    def prepare(self) -> dict[str, Any]:
        return self.cell.prepare()

    @contextmanager
    def preparation(self) -> Iterator[None]:
        with self.cell.preparation():
            yield

    @contextmanager
    def variational_dropout(self, mask: Any) -> Iterator[None]:
        with self.cell.variational_dropout(mask):
            yield

    @contextmanager
    def weight_drop(self, drop: Callable[[Any], Any]) -> Iterator[None]:
        with self.cell.weight_drop(drop):
            yield

    @contextmanager
    def recorded_gates(self) -> Iterator[dict[str, Any]]:
        with self.cell.recorded_gates() as gates:
            yield gates

    def get_config(self) -> dict[str, Any]:
        base = keras.layers.Layer.get_config(self)
        return {**base, "cell": keras.saving.serialize_keras_object(self.cell), "kind": self.kind}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Block:
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


@keras.saving.register_keras_serializable("seqtasks")
class ParallelBlock(Block):
    """A block around a cell that is linear in its state, which engine `parallel` can run.

    Example:
        >>> from seqtasks.cells import LSTM, MinGRU
        >>> from seqtasks.layers.block import block
        >>> type(block(MinGRU(8), "griffin")).__name__, type(block(LSTM(8), "griffin")).__name__
        ('ParallelBlock', 'Block')
    """

    scan = Block._scan


def block(cell: Cell, kind: str) -> Cell:
    """Puts a block around a cell.

    Args:
        cell: The cell, not built yet.
        kind: `"none"`, which returns the cell itself, or a kind of `Block`.

    Raises:
        ConfigError: The kind is unknown, or the cell cannot be in a block.
    """
    if kind == "none":
        return cell
    if kind not in KINDS:
        raise ConfigError(f"block is {kind!r}; allowed: none, {', '.join(KINDS)}; choose one of them")
    kinds: Any = kind
    return (ParallelBlock if cell.has_own("scan") else Block)(cell, kinds, dtype=cell.dtype_policy)


def _gelu(x: Any) -> Any:
    return ops.gelu(x, approximate=True)
