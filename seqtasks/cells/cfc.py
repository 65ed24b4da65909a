"""Closed-form continuous-time network (CfC)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell(
    "cfc",
    paper="https://arxiv.org/abs/2106.13898",
    year=2022,
    params="backbone*(m + n + 1) + (depth - 1)*backbone*(backbone + 1) + 4*n*(backbone + 1)",
)
class CfC(Cell):
    r"""Closed-form continuous-time network (CfC), which needs no solver of its equation.

    .. math::
        v &= \lambda(x_t W + h_{t-1} U + b_1) \\
        v &\leftarrow \lambda(v K_l + b_l), \quad l = 2 … \text{depth} \\
        f, q, g, k &= v H + c \\
        s &= \sigma(q - f \Delta_t) \\
        h_t &= s \odot \tanh(g) + (1 - s) \odot \tanh(k)

    Δ_t is the gap since the step before, and λ(a) = 1.7159 tanh(0.666 a). The gate s
    goes from g to k as time passes. This is the default, gated form of the authors'
    code; the bias q of its gate is not in the paper.

    The backbone, λ of one or more layers, has W, `(features, backbone)`, U,
    `(units, backbone)`, each K_l `(backbone, backbone)` and each b_l `(backbone,)`. The
    four heads are H, `(backbone, 4 * units)`, and c, `(4 * units,)`, with blocks in the
    order f, q, g, k.

    The state h is `(batch, units)`, starts as zeros, and is also the output.

    Args:
        units: Number of hidden units, at least 1.
        backbone: Width of the backbone, at least 1; default 128.
        depth: Number of layers of the backbone, at least 1; default 1.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units`, `backbone` or `depth` is below 1.

    Reference:
        Hasani, Lechner, Amini, Liebenwein, Ray, Tschaikowski, Teschl & Rus, Closed-form
        continuous-time neural networks (2022).
        https://arxiv.org/abs/2106.13898

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> x, gaps = np.zeros((2, 5, 3), "float32"), np.full((2, 5), 0.5, "float32")
        >>> layer = layers.Recurrent(cells.CfC(8, backbone=16))
        >>> outputs, (h,) = layer(x, time_gaps=gaps)
        >>> tuple(outputs.shape), tuple(h.shape), tuple(layer.cell.U.shape)
        ((2, 5, 8), (2, 8), (8, 16))
    """

    uses_gaps = True

    def __init__(self, units: int, backbone: int = 128, depth: int = 1, **kwargs: Any):
        super().__init__(units, **kwargs)
        for name, value in (("backbone", backbone), ("depth", depth)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; allowed: ≥ 1")
        self.backbone = backbone
        self.depth = depth

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, width = input_shape[-1], self.units, self.backbone
        self.W = self.add_kernel(m, width)
        self.U = self.add_recurrent(n, width)
        self.K = [self.add_kernel(width, width, f"backbone_kernel_{i}") for i in range(1, self.depth)]
        self.b = [self.add_bias(width, name=f"bias_{i}") for i in range(self.depth)]
        self.H = self.add_kernel(width, 4 * n, "head_kernel")
        self.c = self.add_bias(4 * n, name="head_bias")

    def project(self, x: Any) -> Any:
        x, gaps, _ = self.split_inputs(x)
        return ops.concatenate([x @ self.W + self.b[0], gaps], axis=-1)

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        (h,) = states
        p, gaps = p[:, :-1], p[:, -1:]
        v = _activation(p + self.dot(h, self.U))
        for K, b in zip(self.K, self.b[1:], strict=True):
            v = _activation(v @ K + b)
        f, q, g, k = ops.split(v @ self.H + self.c, 4, axis=-1)
        s = ops.sigmoid(q - f * gaps)
        h = s * ops.tanh(g) + (1 - s) * ops.tanh(k)
        return h, [h]


def _activation(x: Any) -> Any:
    """Scaled tanh of LeCun et al. 1998, with the rounded constants of the authors' code."""
    return 1.7159 * ops.tanh(0.666 * x)
