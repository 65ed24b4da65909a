"""Greedy decoding and sampling in one compiled loop, or in C.

A model is a function `logits, states = step(tokens, states)`: tokens are (batch,) whole
numbers, logits (batch, vocabulary), a state is (batch, …). Generation starts from the logits
of the first token and the states before it, and gives the states after the last one, so that
it can go on. What stays the same, such as a memory that is attended to, is given once, (batch, …)
each, and reaches the model as further arguments: `step(tokens, states, *given)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.engines.backend.compile import compiled

Step = Callable[..., tuple[Any, Any]]

LEAST_TEMPERATURE = 1e-6  # logits divided by less are no numbers of float32


@dataclass(frozen=True)
class Sampled:
    """Sequences, one a row.

    Attributes:
        tokens: (batch, length); `end` fills a row after its end.
        scores: (batch,), log-probability under the model as it is, its end included.
        logits: (batch, vocabulary), of the token that would follow.
        states: after the last token.
    """

    tokens: IntArray
    scores: FloatArray
    logits: Any
    states: Any


class Sampler:
    """Draws from a model, or takes its likeliest token; compiled once for each shape.

    Args:
        step: the model. If it has a method `writer`, what that gives (None: nothing) makes sequences without an end:
            called as `write(logits, states, uniforms, temperature, top_k, top_p)`, it returns all that is in `Sampled`,
            by the weights that the model has when this is made.
        temperature: divides the logits; 0, for which everything below 1e-6 is taken, takes the likeliest token.
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
        self.step, self.top_k, self.end = step, top_k, end
        self.temperature = 0.0 if temperature < LEAST_TEMPERATURE else temperature
        self.top_p = None if top_p is not None and np.float32(top_p) == 1 else top_p  # then nothing has to be sorted
        self._run = compiled(self._loop)
        self._write = step.writer() if end is None and hasattr(step, "writer") else None

    def __call__(self, logits: Any, states: Any, uniforms: FloatArray, *given: Any) -> Sampled:
        """Generates.

        Args:
            logits: (batch, vocabulary), of the first token.
            states: before it.
            uniforms: (length, batch), from 0 to below 1, see `uniform`; they alone decide what
                is drawn, so a row does not depend, but for rounding, on the batch around it.
            given: what the model needs besides, (batch, …) each.
        """
        if self._write is not None:
            states = [[ops.convert_to_numpy(state) for state in layer] for layer in states]
            how = self.temperature, self.top_k, self.top_p
            return Sampled(*self._write(ops.convert_to_numpy(logits), states, uniforms, *how))
        drawn = ops.convert_to_tensor(np.asarray(uniforms, np.float32))
        tokens, scores, logits, states = self._run(ops.convert_to_tensor(logits), states, drawn, given)
        return Sampled(ops.convert_to_numpy(tokens), ops.convert_to_numpy(scores), logits, states)

    def _loop(self, logits: Any, states: Any, uniforms: Any, given: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
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
            logits, states = self.step(chosen, states, *given)
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


def uniform(length: int, seeds: Sequence[int], skip: int = 0) -> FloatArray:
    """Random numbers (length, batch); each row of the batch has a seed of its own.

    Args:
        length: steps.
        seeds: one a row.
        skip: steps already used.
    """
    drawn = [np.random.default_rng(seed).random(skip + length, np.float32)[skip:] for seed in seeds]
    return np.stack(drawn, axis=1)
