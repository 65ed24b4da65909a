"""Beam search in one compiled loop; `seqtasks.decoding.sampling` describes the interface of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops, tree

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.decoding.sampling import Step
from seqtasks.engines.backend.compile import compiled

NEVER = -1e30  # a log-probability; -inf - -inf would be no number


@dataclass(frozen=True)
class Hypotheses:
    """The best sequences of each row, the best first.

    Attributes:
        tokens: (batch, n_best, length); `end` fills a sequence after its end.
        scores: (batch, n_best), log-probability.
        lengths: (batch, n_best), tokens, the end included.
        ranks: (batch, n_best), what they were sorted by: score over length penalty.
    """

    tokens: IntArray
    scores: FloatArray
    lengths: IntArray
    ranks: FloatArray


class BeamSearch:
    """Keeps the best beginnings at each step (Graves 2012, https://arxiv.org/abs/1211.3711).

    Finished sequences stay in the beam as they are. Sequences are ranked by their
    log-probability over ((5 + length) / 6) ** penalty, plus a bonus (Wu et al. 2016,
    https://arxiv.org/abs/1609.08144).

    Args:
        step: the model.
        beams: beginnings that are kept.
        length: the most tokens.
        end: the token that ends a sequence; None: each has the full length.
        length_penalty: the power; 0 prefers short sequences, as the model does.
        n_best: sequences to return.
        early_stop: stop as soon as nothing better can come; with a bonus, which may rise, when all
            are finished.
        bonus: `bonus(states, *given)`, (rows,), is added to the rank; None: nothing.

    Raises:
        ConfigError: a value that is not allowed.
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
            raise ConfigError(f"n_best is {n_best} of {beams} beams; allowed: 1 ≤ n_best ≤ beams")
        if length < 1 or length_penalty < 0:
            raise ConfigError(
                f"length is {length} and length_penalty is {length_penalty}; allowed: length ≥ 1, length_penalty ≥ 0"
            )
        self.step, self.beams, self.length, self.end = step, beams, length, end
        self.length_penalty, self.n_best, self.bonus = length_penalty, n_best, bonus
        self.early_stop = early_stop and bonus is None
        self._run = compiled(self._loop)

    def __call__(self, logits: Any, states: Any, *given: Any) -> Hypotheses:
        """Searches.

        Args:
            logits: (batch, vocabulary), of the first token.
            states: before it.
            given: what the model needs besides, (batch, …) each.
        """
        ranked = self._run(ops.convert_to_tensor(logits), states, given)
        return Hypotheses(*(ops.convert_to_numpy(array)[:, : self.n_best] for array in ranked))

    def _norm(self, length: Any) -> Any:
        return ((5.0 + ops.cast(length, "float32")) / 6.0) ** self.length_penalty

    def _loop(self, logits: Any, states: Any, given: Sequence[Any]) -> tuple[Any, ...]:
        batch, words = logits.shape
        k = self.beams
        given = [ops.repeat(array, k, axis=0) for array in given]  # beams of a row share them
        places = ops.arange(self.length)
        rows = ops.arange(batch)[:, None] * k

        def turn(
            t: Any, logits: Any, states: Any, tokens: Any, scores: Any, lengths: Any, done: Any, bonuses: Any
        ) -> tuple[Any, ...]:
            logp = ops.reshape(ops.log_softmax(ops.cast(logits, "float32"), axis=-1), (batch, k, words))
            if self.end is not None:  # a finished sequence has one way on, which costs nothing
                only = ops.where(ops.equal(ops.arange(words), self.end), 0.0, NEVER)
                logp = ops.where(done[:, :, None], only, logp)
            total = scores[:, :, None] + logp
            longer = ops.where(done, lengths, lengths + 1)
            if self.bonus is not None:  # that of a finished sequence stays
                bonuses = ops.where(done, bonuses, ops.reshape(self.bonus(states, *given), (batch, k)))
            rank = total / self._norm(longer)[:, :, None] + bonuses[:, :, None]
            rank = ops.where(total > NEVER / 2, rank, NEVER)
            _, best = ops.top_k(ops.reshape(rank, (batch, k * words)), k)
            parents, chosen = ops.cast(best // words, "int32"), ops.cast(best % words, "int32")
            scores = ops.take_along_axis(ops.reshape(total, (batch, k * words)), best, axis=1)
            scores = ops.maximum(scores, NEVER)
            lengths = ops.take_along_axis(longer, parents, axis=1)
            done, bonuses = (ops.take_along_axis(array, parents, axis=1) for array in (done, bonuses))
            tokens = ops.take_along_axis(tokens, parents[:, :, None], axis=1)
            tokens = ops.where(ops.equal(places, t), chosen[:, :, None], tokens)
            if self.end is not None:
                done = ops.logical_or(done, ops.equal(chosen, self.end))
            flat = ops.reshape(rows + parents, (-1,))
            states = tree.map_structure(lambda state: ops.take(state, flat, axis=0), states)
            logits, states = self.step(ops.reshape(chosen, (-1,)), states, *given)
            return t + 1, logits, states, tokens, scores, lengths, done, bonuses

        def going(
            t: Any, logits: Any, states: Any, tokens: Any, scores: Any, lengths: Any, done: Any, bonuses: Any
        ) -> Any:
            left = ops.logical_not(ops.all(done))
            if self.early_stop and self.end is not None:
                rank = scores / self._norm(lengths)
                # Scores only fall; the longest sequence has the mildest penalty.
                hope = ops.max(ops.where(done, NEVER, scores / self._norm(self.length)), axis=1)
                sure = ops.min(ops.where(done, rank, NEVER)[:, : self.n_best], axis=1)
                left = ops.logical_and(left, ops.any(hope > sure))
            return ops.logical_and(t < self.length, left)

        first = ops.where(ops.arange(k) == 0, 0.0, NEVER)
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
        _, _, _, tokens, scores, lengths, _, bonuses = ops.while_loop(going, turn, start)
        return tokens, scores, lengths, scores / self._norm(lengths) + bonuses
