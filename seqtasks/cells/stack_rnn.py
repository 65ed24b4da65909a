"""Stack-augmented recurrent network (Stack-RNN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqtasks.cells.base import Cell
from seqtasks.cells.registration import register_cell
from seqtasks.core.errors import ConfigError

ACTIONS = ("push", "pop", "noop")


@register_cell("stack_rnn", paper="https://arxiv.org/abs/1503.01007", year=2015, params="n*(m + n + stacks*(top + 4))")
class StackRNN(Cell):
    r"""Stack-augmented recurrent network (Stack-RNN), a simple RNN with differentiable stacks.

    .. math::
        h_t &= \sigma(x_t U + h_{t-1} R + s_{t-1}[0 \ldots k-1] P) \\
        a_t &= \mathrm{softmax}(h_t A) \\
        s_t[0] &= a_t^{push} \sigma(h_t D) + a_t^{pop} s_{t-1}[1] + a_t^{noop} s_{t-1}[0] \\
        s_t[i] &= a_t^{push} s_{t-1}[i-1] + a_t^{pop} s_{t-1}[i+1] + a_t^{noop} s_{t-1}[i]

    Each of the K = `stacks` stacks has its own actions a; s[0] is its top and k =
    `top` the number of elements that the network reads. U is `(features, units)`, R is
    `(units, units)`, P is `(K * k, units)`, A is `(units, 3 * K)`, with blocks in the
    order push, pop, noop, and D is `(units, K)`. The paper's stacks grow without bound;
    here they hold `depth` elements, and one that is pushed out at the bottom is lost.

    The states are h, `(batch, units)`, and the stacks s, `(batch, depth * K)`, from the
    top down. They start as zeros; h is also the output.

    Args:
        units: Number of hidden units, at least 1.
        stacks: Number K of stacks, at least 1; default 4.
        depth: Number of elements of a stack, at least `top`; default 32.
        top: Number k of elements that the network reads, at least 1; default 2.
        **kwargs: Arguments of `Cell`.

    Raises:
        ConfigError: `units` is below 1, or an option is out of its range.

    Reference:
        Joulin & Mikolov, Inferring algorithmic patterns with stack-augmented recurrent
        nets (2015).
        https://arxiv.org/abs/1503.01007

    Example:
        >>> import numpy as np
        >>> from seqtasks import cells, layers
        >>> layer = layers.Recurrent(cells.StackRNN(8, stacks=2, depth=10))
        >>> outputs, (h, s) = layer(np.zeros((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(s.shape)
        ((2, 5, 8), (2, 8), (2, 20))
    """

    states = ("h", "s")

    def __init__(self, units: int, stacks: int = 4, depth: int = 32, top: int = 2, **kwargs: Any):
        super().__init__(units, **kwargs)
        if stacks < 1:
            raise ConfigError(f"stacks is {stacks}; allowed: ≥ 1; use a simple_rnn for a network without a stack")
        if not 1 <= top <= depth:
            raise ConfigError(f"top is {top} and depth is {depth}; allowed: 1 ≤ top ≤ depth; raise depth")
        self.stacks = stacks
        self.depth = depth
        self.top = top

    @property
    def state_size(self) -> list[int]:
        return [self.units, self.depth * self.stacks]

    def build(self, input_shape: Sequence[int | None]) -> None:
        m, n, K = input_shape[-1], self.units, self.stacks
        self.U = self.add_kernel(m, n)
        self.R = self.add_recurrent(n, n)
        self.P = self.add_recurrent(K * self.top, n, "recurrent_stack")
        self.A = self.add_kernel(n, 3 * K, "action_kernel")
        self.D = self.add_kernel(n, K, "push_kernel")

    def project(self, x: Any) -> Any:
        return x @ self.U

    def step(self, p: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        h, s = states
        K = self.stacks
        h = ops.sigmoid(p + self.dot(h, self.R) + self.dot(s[:, : K * self.top], self.P))
        actions = ops.softmax(ops.reshape(h @ self.A, (-1, 3, 1, K)), axis=1)
        push, pop, noop = (self.gate(name, ops.reshape(actions[:, i], (-1, K))) for i, name in enumerate(ACTIONS))
        pushed = ops.concatenate([ops.sigmoid(h @ self.D), s[:, :-K]], axis=-1)
        popped = ops.concatenate([s[:, K:], ops.zeros_like(s[:, :K])], axis=-1)
        push, pop, noop = (ops.tile(action, (1, self.depth)) for action in (push, pop, noop))
        return h, [h, push * pushed + pop * popped + noop * s]
