"""Clockwork RNN (CW-RNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError


@register_cell("clockwork_rnn", paper="https://arxiv.org/abs/1402.3511", year=2014, params="n*(m + 1) + connections")
class ClockworkRNN(Cell):
    r"""Clockwork RNN (CW-RNN), whose modules are updated at different periods.

    .. math::
        h^g_t &= \tanh(x_t W^g + [h^g_{t-1}, \ldots, h^G_{t-1}] U^g + b^g)
            \quad (t \bmod 2^{g-1} = 0) \\
        h^g_t &= h^g_{t-1} \quad (\text{otherwise})

    The units are divided into G = `modules` equal parts, or almost equal ones; if
    there are fewer units than modules, some modules have none. Module g has period
    2^(g-1), and reads the states of itself and of slower modules. W is
    `(features, units)`, b is `(units,)`, and U is one matrix for each module, `(size
    of the modules that it reads, its size)`. t is 0 at the first step, where all
    modules are updated.

    The states are h, `(batch, units)`, and t modulo the longest period, `(batch, 1)`.
    Both start as zeros; h is also the output. Masked steps do not count. The state t
    counts time, so zoneout is not allowed.

    Args:
        units: Number of hidden units, at least 1.
        modules: Number of modules, from 1 to 11; default 4, which has the periods 1,
            2, 4 and 8. The longest period should be about that of the longest
            dependency.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or `modules` is out of its range.

    Reference:
        Koutník, Greff, Gomez & Schmidhuber, A clockwork RNN (2014).
        https://arxiv.org/abs/1402.3511

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.ClockworkRNN(8, modules=3))
        >>> outputs, (h, t) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), float(t[0, 0])
        ((2, 5, 8), (2, 8), 1.0)
    """

    states = ("h", "t")
    counts_time = True

    def __init__(self, units: int, modules: int = 4, **kwargs: Any):
        super().__init__(units, **kwargs)
        if not 1 <= modules <= 11:  # float16 counts up to 2048
            raise ConfigError(f"modules is {modules}; allowed: 1 to 11, with periods of 1 to 1024; choose 4")
        self.modules = modules

    @property
    def sizes(self) -> list[int]:
        """Number of units of each module that has any, the fastest first."""
        return [len(part) for part in np.array_split(np.arange(self.units), self.modules) if len(part)]

    @property
    def connections(self) -> int:
        """Number of recurrent weights."""
        return sum(size * sum(self.sizes[g:]) for g, size in enumerate(self.sizes))

    @property
    def state_size(self) -> list[int]:
        return [self.units, 1]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n = input_shape[-1], self.units
        self.W = self.add_kernel(m, n)
        self.U = [self.add_recurrent(sum(self.sizes[g:]), size, f"recurrent_{g}") for g, size in enumerate(self.sizes)]
        self.b = self.add_bias(n)
        self.period = np.repeat(2.0 ** np.arange(len(self.sizes)), self.sizes)

    def project(self, x: Any) -> Any:
        return x @ self.W + self.b

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, t = states
        read = self.drop(h)
        products = [read[:, -U.shape[0] :] @ U for U in self.U]
        period = ops.convert_to_tensor(self.period, t.dtype)
        due = ops.mod(t, period) < 1
        h = ops.where(due, ops.tanh(p + ops.concatenate(products, axis=-1)), h)
        return h, [h, ops.mod(t + 1, ops.max(period))]
