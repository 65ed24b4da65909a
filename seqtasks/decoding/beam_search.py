"""Beam search in one compiled loop.

The step function of a model is described in `seqtasks.decoding.sampling`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops, tree

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.decoding.sampling import Step
from seqtasks.engines.backend.compile import compiled

IMPOSSIBLE = -1e30  # log-probability of what cannot occur; -inf would give NaN in -inf - -inf


@dataclass(frozen=True)
class Hypotheses:
    """The best hypotheses of each row, the best first.

    Attributes:
        tokens: Tokens, `(batch, n_best, length)`, filled up with `end` (0 if `end` is None).
        scores: Log-probability, `(batch, n_best)`.
        lengths: Number of tokens, the end included, `(batch, n_best)`.
        ranks: Sort key, `(batch, n_best)`: the score divided by the length penalty, plus the bonus.
    """

    tokens: IntArray
    scores: FloatArray
    lengths: IntArray
    ranks: FloatArray


class BeamSearch:
    """Beam search: keeps the `beams` best hypotheses at each step.

    Finished hypotheses stay in the beam unchanged. Hypotheses are ranked by

        log p(tokens) / ((5 + length) / 6) ** length_penalty + bonus

    The loop is compiled by XLA, once for each shape; on PyTorch it runs uncompiled, without gradients.

    References: Graves 2012, https://arxiv.org/abs/1211.3711; Wu et al. 2016,
    https://arxiv.org/abs/1609.08144 (length penalty)

    Args:
        step: Step function of the model, `logits, states = step(tokens, states, *context)`, see
            `seqtasks.decoding.sampling`.
        beams: Number of hypotheses kept at each step.
        length: Maximum number of tokens.
        end: Token that ends a sequence; None: every sequence has the full length.
        length_penalty: Exponent of the length penalty; 0: no penalty, which prefers short sequences.
        n_best: Number of hypotheses returned for each row, at most `beams`.
        early_stop: Whether to stop as soon as no better hypothesis can follow. A bonus may rise, so with one
            the search stops only when all hypotheses are finished.
        bonus: Function `bonus(states, *context)` that returns `(batch · beams,)`, added to the rank; None: no
            bonus.

    Raises:
        ConfigError: `n_best` is not from 1 to `beams`, `length` is below 1 or `length_penalty` is negative.

    Example:
        >>> import numpy as np
        >>> from keras import ops
        >>> from seqtasks.decoding import BeamSearch
        >>> table = np.log([[1.0, 1e-9, 1e-9], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])  # p(next token | token)
        >>> def step(tokens, states):
        ...     return ops.take(ops.convert_to_tensor(table, "float32"), tokens, axis=0), states
        >>> search = BeamSearch(step, beams=4, length=3, end=0)
        >>> logits, states = np.log([[0.1, 0.5, 0.4]]), [np.zeros((1, 1))]  # of the first token
        >>> search(logits.astype("float32"), states).tokens.tolist()  # (batch, n_best, length)
        [[[2, 0, 0]]]
    """

    def __init__(
        self,
        step: Step,
        beams: int,
        length: int,
        end: int | None = None,
        length_penalty: float = 0.0,
        n_best: int = 1,
        early_stop: bool = True,
        bonus: Callable[..., Any] | None = None,
    ):
        if not 1 <= n_best <= beams:
            raise ConfigError(
                f"n_best is {n_best} of {beams} beams; allowed: 1 ≤ n_best ≤ beams; set n_best lower or beams higher"
            )
        if length < 1 or length_penalty < 0:
            raise ConfigError(
                f"length is {length} and length_penalty is {length_penalty}; allowed: length ≥ 1, length_penalty ≥ 0; "
                "change the one that is out of range"
            )
        self.step, self.beams, self.length, self.end = step, beams, length, end
        self.length_penalty, self.n_best, self.bonus = length_penalty, n_best, bonus
        self.early_stop = early_stop and bonus is None
        self._run = compiled(self._loop)

    def __call__(self, logits: Any, states: Any, *context: Any) -> Hypotheses:
        """Searches for the best sequences of each row.

        Args:
            logits: Logits of the first token, `(batch, vocabulary)`.
            states: States before the first token, nested lists of `(batch, …)`.
            context: Constant inputs of the step function, `(batch, …)` each.

        Returns:
            The `n_best` hypotheses of each row.
        """
        ranked = self._run(ops.convert_to_tensor(logits), states, context)
        return Hypotheses(*(ops.convert_to_numpy(array)[:, : self.n_best] for array in ranked))

    def _norm(self, length: Any) -> Any:
        return ((5.0 + ops.cast(length, "float32")) / 6.0) ** self.length_penalty

    def _loop(self, logits: Any, states: Any, context: Sequence[Any]) -> tuple[Any, ...]:
        batch, vocabulary = logits.shape
        k = self.beams
        context = [ops.repeat(array, k, axis=0) for array in context]  # all beams of a row have the same
        positions = ops.arange(self.length)
        rows = ops.arange(batch)[:, None] * k

        def body(
            t: Any, logits: Any, states: Any, tokens: Any, scores: Any, lengths: Any, done: Any, bonuses: Any
        ) -> tuple[Any, ...]:
            logp = ops.reshape(ops.log_softmax(ops.cast(logits, "float32"), axis=-1), (batch, k, vocabulary))
            if self.end is not None:  # a finished hypothesis continues with `end` only, at log-probability 0
                end_only = ops.where(ops.equal(ops.arange(vocabulary), self.end), 0.0, IMPOSSIBLE)
                logp = ops.where(done[:, :, None], end_only, logp)
            total = scores[:, :, None] + logp
            longer = ops.where(done, lengths, lengths + 1)
            if self.bonus is not None:  # the bonus of a finished hypothesis does not change
                bonuses = ops.where(done, bonuses, ops.reshape(self.bonus(states, *context), (batch, k)))
            rank = total / self._norm(longer)[:, :, None] + bonuses[:, :, None]
            rank = ops.where(total > IMPOSSIBLE / 2, rank, IMPOSSIBLE)
            _, best = ops.top_k(ops.reshape(rank, (batch, k * vocabulary)), k)
            parents, chosen = ops.cast(best // vocabulary, "int32"), ops.cast(best % vocabulary, "int32")
            scores = ops.take_along_axis(ops.reshape(total, (batch, k * vocabulary)), best, axis=1)
            scores = ops.maximum(scores, IMPOSSIBLE)
            lengths = ops.take_along_axis(longer, parents, axis=1)
            done, bonuses = (ops.take_along_axis(array, parents, axis=1) for array in (done, bonuses))
            tokens = ops.take_along_axis(tokens, parents[:, :, None], axis=1)
            tokens = ops.where(ops.equal(positions, t), chosen[:, :, None], tokens)
            if self.end is not None:
                done = ops.logical_or(done, ops.equal(chosen, self.end))
            flat = ops.reshape(rows + parents, (-1,))
            states = tree.map_structure(lambda state: ops.take(state, flat, axis=0), states)
            logits, states = self.step(ops.reshape(chosen, (-1,)), states, *context)
            return t + 1, logits, states, tokens, scores, lengths, done, bonuses

        def condition(
            t: Any, logits: Any, states: Any, tokens: Any, scores: Any, lengths: Any, done: Any, bonuses: Any
        ) -> Any:
            unfinished = ops.logical_not(ops.all(done))
            if self.early_stop and self.end is not None:
                rank = scores / self._norm(lengths)
                # Upper bound: scores only fall, and the rank of a score is highest at the maximum length.
                bound = ops.max(ops.where(done, IMPOSSIBLE, scores / self._norm(self.length)), axis=1)
                worst = ops.min(ops.where(done, rank, IMPOSSIBLE)[:, : self.n_best], axis=1)
                unfinished = ops.logical_and(unfinished, ops.any(bound > worst))
            return ops.logical_and(t < self.length, unfinished)

        # The k copies of a row are equal at first, so only the first of them may be extended.
        first = ops.where(ops.arange(k) == 0, 0.0, IMPOSSIBLE)
        start = (
            ops.convert_to_tensor(0, "int32"),
            ops.repeat(logits, k, axis=0),
            tree.map_structure(lambda state: ops.repeat(state, k, axis=0), states),
            ops.full((batch, k, self.length), 0 if self.end is None else self.end, "int32"),
            ops.broadcast_to(ops.cast(first, "float32"), (batch, k)),
            ops.zeros((batch, k), "int32"),
            ops.zeros((batch, k), "bool"),
            ops.zeros((batch, k), "float32"),
        )
        _, _, _, tokens, scores, lengths, _, bonuses = ops.while_loop(condition, body, start)
        return tokens, scores, lengths, scores / self._norm(lengths) + bonuses
