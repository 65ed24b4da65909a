"""Sequences out of a model: greedy, sampled, or the best of a beam, in one compiled loop.

A model is a function `logits, states = step(tokens, states)`: tokens are (batch,) whole
numbers, logits (batch, vocabulary), a state is (batch, …). Generation starts from the logits
of the first token and the states before it, and gives the states after the last one, so that
it can go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops, tree

from seqtasks.engines.compiled import compiled
from seqtasks.errors import ConfigError

Step = Callable[[Any, Any], tuple[Any, Any]]
NEVER = -1e30  # a log-probability; -inf - -inf would be no number


@dataclass(frozen=True)
class Sampled:
    """Sequences, one a row.

    Attributes:
        tokens: (batch, length); `end` fills a row after its end.
        scores: (batch,), log-probability under the model as it is, its end included.
        logits: (batch, vocabulary), of the token that would follow.
        states: after the last token.
    """

    tokens: np.ndarray
    scores: np.ndarray
    logits: Any
    states: Any


class Sampler:
    """Draws from a model, or takes its likeliest token; compiled once for each shape.

    Args:
        step: the model.
        temperature: divides the logits; 0 takes the likeliest token.
        top_k: only so many of the likeliest tokens; None: all.
        top_p: only the likeliest tokens that together reach this probability, one at least
            (Holtzman et al. 2019, https://arxiv.org/abs/1904.09751); None: all.
        end: the token that ends a sequence; None: each has the full length.

    Raises:
        ConfigError: a value that is not allowed.
    """

    def __init__(
        self,
        step: Step,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        end: int | None = None,
    ):
        for name, value, allowed, right in (
            ("temperature", temperature, "≥ 0", temperature >= 0),
            ("top_k", top_k, "≥ 1", top_k is None or top_k >= 1),
            ("top_p", top_p, "> 0 and ≤ 1", top_p is None or 0 < top_p <= 1),
        ):
            if not right:
                raise ConfigError(f"{name} is {value}; allowed: {allowed}")
        self.step, self.temperature, self.top_k, self.top_p, self.end = step, temperature, top_k, top_p, end
        self._run = compiled(self._loop)

    def __call__(self, logits: Any, states: Any, uniforms: np.ndarray) -> Sampled:
        """Generates.

        Args:
            logits: (batch, vocabulary), of the first token.
            states: before it.
            uniforms: (length, batch), from 0 to below 1, see `uniform`; they alone decide
                what is drawn, so a row does not depend on the batch around it.
        """
        given = ops.convert_to_tensor(np.asarray(uniforms, np.float32))
        tokens, scores, logits, states = self._run(ops.convert_to_tensor(logits), states, given)
        return Sampled(ops.convert_to_numpy(tokens), ops.convert_to_numpy(scores), logits, states)

    def _loop(self, logits: Any, states: Any, uniforms: Any) -> tuple[Any, Any, Any, Any]:
        length, batch = uniforms.shape
        places = ops.arange(length)

        def turn(t: Any, logits: Any, states: Any, tokens: Any, scores: Any, done: Any) -> tuple[Any, ...]:
            logp = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
            chosen = self._choose(logp, ops.take(uniforms, t, axis=0))
            gain = ops.squeeze(ops.take_along_axis(logp, chosen[:, None], axis=1), 1)
            if self.end is not None:
                chosen = ops.where(done, self.end, chosen)
                gain = ops.where(done, 0.0, gain)
                done = ops.logical_or(done, ops.equal(chosen, self.end))
            tokens = ops.where(ops.equal(places, t)[None], chosen[:, None], tokens)
            logits, states = self.step(chosen, states)
            return t + 1, logits, states, tokens, scores + gain, done

        def going(t: Any, logits: Any, states: Any, tokens: Any, scores: Any, done: Any) -> Any:
            return ops.logical_and(t < length, ops.logical_not(ops.all(done)))

        fill = 0 if self.end is None else self.end
        start = (
            ops.convert_to_tensor(0, "int32"),
            logits,
            states,
            ops.full((batch, length), fill, "int32"),
            ops.zeros((batch,), "float32"),
            ops.zeros((batch,), "bool"),
        )
        _, logits, states, tokens, scores, _ = ops.while_loop(going, turn, start)
        return tokens, scores, logits, states

    def _choose(self, logp: Any, u: Any) -> Any:
        """A token for each row, by inversion of the distribution function."""
        if self.temperature == 0:
            return ops.cast(ops.argmax(logp, axis=-1), "int32")
        p, order = ops.softmax(logp / self.temperature, axis=-1), None
        if self.top_k is not None or self.top_p is not None:
            order = ops.argsort(-p, axis=-1)
            p = ops.take_along_axis(p, order, axis=-1)
            if self.top_k is not None:
                p = ops.where(ops.arange(p.shape[-1]) < self.top_k, p, 0.0)
            if self.top_p is not None:
                before = ops.cumsum(p, axis=-1) - p
                p = ops.where(ops.logical_or(before < self.top_p, ops.arange(p.shape[-1]) == 0), p, 0.0)
        # The last token with any probability bounds the place: rounding must not reach one that has none.
        below = ops.cumsum(p, axis=-1)
        place = ops.sum(ops.cast(below <= (u * below[:, -1])[:, None], "int32"), axis=-1)
        last = ops.max(ops.where(p > 0, ops.arange(p.shape[-1]), 0), axis=-1)
        place = ops.minimum(place, ops.cast(last, "int32"))
        return (
            place
            if order is None
            else ops.squeeze(ops.take_along_axis(ops.cast(order, "int32"), place[:, None], axis=1), 1)
        )


def uniform(length: int, seeds: Sequence[int], skip: int = 0) -> np.ndarray:
    """Random numbers (length, batch); each row of the batch has a seed of its own.

    Args:
        length: steps.
        seeds: one a row.
        skip: steps already used.
    """
    drawn = [np.random.default_rng(seed).random(skip + length, np.float32)[skip:] for seed in seeds]
    return np.stack(drawn, axis=1)


@dataclass(frozen=True)
class Hypotheses:
    """The best sequences of each row, the best first.

    Attributes:
        tokens: (batch, n_best, length); `end` fills a sequence after its end.
        scores: (batch, n_best), log-probability.
        lengths: (batch, n_best), tokens, the end included.
        ranks: (batch, n_best), what they were sorted by: score over length penalty.
    """

    tokens: np.ndarray
    scores: np.ndarray
    lengths: np.ndarray
    ranks: np.ndarray


class BeamSearch:
    """Keeps the best beginnings at each step (Graves 2012, https://arxiv.org/abs/1211.3711).

    Finished sequences stay in the beam as they are. Sequences are ranked by their
    log-probability over ((5 + length) / 6) ** penalty (Wu et al. 2016,
    https://arxiv.org/abs/1609.08144).

    Args:
        step: the model.
        beams: beginnings that are kept.
        length: the most tokens.
        end: the token that ends a sequence; None: each has the full length.
        length_penalty: the power; 0 prefers short sequences, as the model does.
        n_best: sequences to return.
        early_stop: stop as soon as nothing better can come.

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
    ):
        if not 1 <= n_best <= beams:
            raise ConfigError(f"n_best is {n_best} of {beams} beams; allowed: 1 ≤ n_best ≤ beams")
        if length < 1 or length_penalty < 0:
            raise ConfigError(
                f"length is {length} and length_penalty is {length_penalty}; allowed: length ≥ 1, length_penalty ≥ 0"
            )
        self.step, self.beams, self.length, self.end = step, beams, length, end
        self.length_penalty, self.n_best, self.early_stop = length_penalty, n_best, early_stop
        self._run = compiled(self._loop)

    def __call__(self, logits: Any, states: Any) -> Hypotheses:
        """Searches.

        Args:
            logits: (batch, vocabulary), of the first token.
            states: before it.
        """
        found = self._run(ops.convert_to_tensor(logits), states)
        return Hypotheses(*(ops.convert_to_numpy(array)[:, : self.n_best] for array in found))

    def _norm(self, length: Any) -> Any:
        return ((5.0 + ops.cast(length, "float32")) / 6.0) ** self.length_penalty

    def _loop(self, logits: Any, states: Any) -> tuple[Any, ...]:
        batch, words = logits.shape
        k = self.beams
        places = ops.arange(self.length)
        rows = ops.arange(batch)[:, None] * k

        def turn(
            t: Any, logits: Any, states: Any, tokens: Any, scores: Any, lengths: Any, done: Any
        ) -> tuple[Any, ...]:
            logp = ops.reshape(ops.log_softmax(ops.cast(logits, "float32"), axis=-1), (batch, k, words))
            if self.end is not None:  # a finished sequence has one way on, which costs nothing
                only = ops.where(ops.equal(ops.arange(words), self.end), 0.0, NEVER)
                logp = ops.where(done[:, :, None], only, logp)
            total = scores[:, :, None] + logp
            longer = ops.where(done, lengths, lengths + 1)
            rank = ops.where(total > NEVER / 2, total / self._norm(longer)[:, :, None], NEVER)
            _, best = ops.top_k(ops.reshape(rank, (batch, k * words)), k)
            parents, chosen = ops.cast(best // words, "int32"), ops.cast(best % words, "int32")
            scores = ops.take_along_axis(ops.reshape(total, (batch, k * words)), best, axis=1)
            scores = ops.maximum(scores, NEVER)
            lengths = ops.take_along_axis(longer, parents, axis=1)
            done = ops.take_along_axis(done, parents, axis=1)
            tokens = ops.take_along_axis(tokens, parents[:, :, None], axis=1)
            tokens = ops.where(ops.equal(places, t), chosen[:, :, None], tokens)
            if self.end is not None:
                done = ops.logical_or(done, ops.equal(chosen, self.end))
            flat = ops.reshape(rows + parents, (-1,))
            states = tree.map_structure(lambda state: ops.take(state, flat, axis=0), states)
            logits, states = self.step(ops.reshape(chosen, (-1,)), states)
            return t + 1, logits, states, tokens, scores, lengths, done

        def going(t: Any, logits: Any, states: Any, tokens: Any, scores: Any, lengths: Any, done: Any) -> Any:
            more = ops.logical_not(ops.all(done))
            if self.early_stop and self.end is not None:
                rank = scores / self._norm(lengths)
                # Scores only fall; the longest sequence has the mildest penalty.
                hope = ops.max(ops.where(done, NEVER, scores / self._norm(self.length)), axis=1)
                sure = ops.min(ops.where(done, rank, NEVER)[:, : self.n_best], axis=1)
                more = ops.logical_and(more, ops.any(hope > sure))
            return ops.logical_and(t < self.length, more)

        first = ops.where(ops.arange(k) == 0, 0.0, NEVER)
        start = (
            ops.convert_to_tensor(0, "int32"),
            ops.repeat(logits, k, axis=0),
            tree.map_structure(lambda state: ops.repeat(state, k, axis=0), states),
            ops.full((batch, k, self.length), 0 if self.end is None else self.end, "int32"),
            ops.broadcast_to(ops.cast(first, "float32"), (batch, k)),
            ops.zeros((batch, k), "int32"),
            ops.zeros((batch, k), "bool"),
        )
        _, _, _, tokens, scores, lengths, _ = ops.while_loop(going, turn, start)
        return tokens, scores, lengths, scores / self._norm(lengths)
