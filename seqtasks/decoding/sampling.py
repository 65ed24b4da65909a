"""Greedy decoding and sampling in one compiled loop, or in C.

A model is a step function `logits, states = step(tokens, states, *context)` with tokens `(batch,)`, logits
`(batch, vocabulary)` and states that are nested lists of `(batch, …)`. Constant inputs, such as a memory for
attention, are the `context`: they are passed once, `(batch, …)` each. Generation starts from the logits of the
first token and the states before it. It returns the logits and states after the last token, so that a later
call can continue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.engines.backend.compile import compiled

Step = Callable[..., tuple[Any, Any]]

MIN_TEMPERATURE = 1e-6  # logits divided by less overflow float32


@dataclass(frozen=True)
class Sampled:
    """Sampled sequences and the states to continue from.

    Attributes:
        tokens: Tokens, `(batch, length)`, filled up with `end` after the end of a sequence.
        scores: Log-probability, `(batch,)`, under the model without temperature, `top_k` and `top_p`; the end
            included.
        logits: Logits of the next token, `(batch, vocabulary)`.
        states: States after the last token.
    """

    tokens: IntArray
    scores: FloatArray
    logits: Any
    states: Any


class Sampler:
    """Generates sequences by random sampling, or greedily with temperature 0.

    The loop is compiled by XLA, once for each shape; on PyTorch it runs uncompiled, without gradients.

    Args:
        step: Step function of the model, `logits, states = step(tokens, states, *context)`. If it has a method
            `writer` and `end` is None, the function that `writer()` returns generates in place of the loop,
            unless it is None. It is called as `write(logits, states, uniforms, temperature, top_k, top_p)`, returns
            the fields of `Sampled`, and uses the weights that the model has when the sampler is created.
        temperature: Divisor of the logits; below 1e-6 the likeliest token is chosen (greedy decoding).
        top_k: Number of likeliest tokens to sample from; None: all.
        top_p: Nucleus sampling: sample from the likeliest tokens that together reach this probability, at least
            one (Holtzman et al. 2019, https://arxiv.org/abs/1904.09751); None: all.
        end: Token that ends a sequence; None: every sequence has the full length.

    Raises:
        ConfigError: `temperature` is negative, `top_k` is below 1 or `top_p` is not in (0, 1].

    Example:
        >>> import numpy as np
        >>> from keras import ops
        >>> from seqtasks.decoding import Sampler
        >>> from seqtasks.decoding.sampling import uniform
        >>> def step(tokens, states):  # the next token is the same one or the one after it
        ...     return 9.0 * (ops.one_hot(tokens, 5) + ops.one_hot((tokens + 1) % 5, 5)), states
        >>> logits, states = np.eye(5, dtype="float32")[:2], [np.zeros((2, 1))]  # of the first token
        >>> Sampler(step, temperature=0)(logits, states, uniform(4, seeds=[0, 0])).tokens.tolist()
        [[0, 0, 0, 0], [1, 1, 1, 1]]
    """

    def __init__(
        self,
        step: Step,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        end: int | None = None,
    ):
        for name, value, allowed, valid in (
            ("temperature", temperature, "≥ 0", temperature >= 0),
            ("top_k", top_k, "≥ 1", top_k is None or top_k >= 1),
            ("top_p", top_p, "> 0 and ≤ 1", top_p is None or 0 < top_p <= 1),
        ):
            if not valid:
                raise ConfigError(f"{name} is {value}; allowed: {allowed}; set {name} to such a value")
        self.step, self.top_k, self.end = step, top_k, end
        self.temperature = 0.0 if temperature < MIN_TEMPERATURE else temperature
        self.top_p = None if top_p is not None and np.float32(top_p) == 1 else top_p  # avoids a sort
        self._run = compiled(self._loop)
        self._write = step.writer() if end is None and hasattr(step, "writer") else None

    def __call__(self, logits: Any, states: Any, uniforms: FloatArray, *context: Any) -> Sampled:
        """Generates one sequence for each row.

        Args:
            logits: Logits of the first token, `(batch, vocabulary)`.
            states: States before the first token, nested lists of `(batch, …)`.
            uniforms: Random numbers in [0, 1), `(length, batch)`, see `uniform`. They are the only source of
                randomness, so a row does not depend on the other rows of the batch, except for rounding.
            context: Constant inputs of the step function, `(batch, …)` each.

        Returns:
            The sequences, `(batch, length)`, their scores, and the logits and states to continue from.
        """
        if self._write is not None:
            states = [[ops.convert_to_numpy(state) for state in layer] for layer in states]
            settings = self.temperature, self.top_k, self.top_p
            return Sampled(*self._write(ops.convert_to_numpy(logits), states, uniforms, *settings))
        drawn = ops.convert_to_tensor(np.asarray(uniforms, np.float32))
        tokens, scores, logits, states = self._run(ops.convert_to_tensor(logits), states, drawn, context)
        return Sampled(ops.convert_to_numpy(tokens), ops.convert_to_numpy(scores), logits, states)

    def stream(self, logits: Any, states: Any, uniforms: FloatArray, *context: Any) -> Iterator[Sampled]:
        """Generates token by token, for a display that shows each token and the states after it.

        The tokens are those of a call, up to rounding. Each step calls the step function once; compile it for speed,
        see `seqtasks.engines.backend.compile`. Sequences go on after their end.

        Args:
            logits: Logits of the first token, `(batch, vocabulary)`.
            states: States before the first token, nested lists of `(batch, …)`.
            uniforms: Random numbers in [0, 1), `(length, batch)`, see `uniform`.
            context: Constant inputs of the step function, `(batch, …)` each.

        Yields:
            After each token: the token, `(batch, 1)`, its score, and the logits and states to continue from.

        Example:
            >>> import numpy as np
            >>> from keras import ops
            >>> from seqtasks.decoding import Sampler
            >>> from seqtasks.decoding.sampling import uniform
            >>> def step(tokens, states):  # counts
            ...     return 9.0 * ops.one_hot((tokens + 1) % 5, 5), states
            >>> stream = Sampler(step, temperature=0).stream(np.eye(5)[2:3], [], uniform(4, seeds=[0]))
            >>> [int(sampled.tokens[0, 0]) for sampled in stream]
            [2, 3, 4, 0]
        """
        for drawn in np.asarray(uniforms, np.float32):
            logp = ops.convert_to_numpy(logits).astype(np.float32)
            logp = logp - logp.max(axis=-1, keepdims=True)
            logp -= np.log(np.exp(logp).sum(axis=-1, keepdims=True))
            chosen = self._choose_now(logp, drawn)
            scores = np.take_along_axis(logp, chosen[:, None], axis=1)[:, 0]
            logits, states = self.step(ops.convert_to_tensor(chosen), states, *context)
            yield Sampled(chosen[:, None], scores, logits, states)

    def _loop(self, logits: Any, states: Any, uniforms: Any, context: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
        length, batch = uniforms.shape
        positions = ops.arange(length)

        def body(t: Any, logits: Any, states: Any, tokens: Any, scores: Any, done: Any) -> tuple[Any, ...]:
            logp = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
            chosen = self._choose(logp, ops.take(uniforms, t, axis=0))
            score = ops.squeeze(ops.take_along_axis(logp, chosen[:, None], axis=1), 1)
            if self.end is not None:
                chosen = ops.where(done, self.end, chosen)
                score = ops.where(done, 0.0, score)
                done = ops.logical_or(done, ops.equal(chosen, self.end))
            tokens = ops.where(ops.equal(positions, t)[None], chosen[:, None], tokens)
            logits, states = self.step(chosen, states, *context)
            return t + 1, logits, states, tokens, scores + score, done

        def condition(t: Any, logits: Any, states: Any, tokens: Any, scores: Any, done: Any) -> Any:
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
        _, logits, states, tokens, scores, _ = ops.while_loop(condition, body, start)
        return tokens, scores, logits, states

    def _choose(self, logp: Any, u: Any) -> Any:
        """Draws a token for each row by inverse transform sampling."""
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
        cumulative = ops.cumsum(p, axis=-1)
        rank = ops.sum(ops.cast(cumulative <= (u * cumulative[:, -1])[:, None], "int32"), axis=-1)
        # Rounding must not select a token of probability 0, so the rank is at most that of the last other one.
        last = ops.max(ops.where(p > 0, ops.arange(p.shape[-1]), 0), axis=-1)
        rank = ops.minimum(rank, ops.cast(last, "int32"))
        if order is None:
            return rank
        return ops.squeeze(ops.take_along_axis(ops.cast(order, "int32"), rank[:, None], axis=1), 1)

    def _choose_now(self, logp: FloatArray, u: FloatArray) -> IntArray:
        """`_choose` in NumPy: single operations of a backend take a hundred times as long."""
        if self.temperature == 0:
            return logp.argmax(axis=-1).astype(np.int32)
        p = np.exp((logp - logp.max(axis=-1, keepdims=True)) / np.float32(self.temperature))
        p /= p.sum(axis=-1, keepdims=True)
        order = None
        if self.top_k is not None or self.top_p is not None:
            order = np.argsort(-p, axis=-1, kind="stable")
            p = np.take_along_axis(p, order, axis=-1)
            if self.top_k is not None:
                p[:, self.top_k :] = 0
            if self.top_p is not None:
                p = np.where(p.cumsum(axis=-1) - p < self.top_p, p, 0)  # never 0 for the first
        cumulative = p.cumsum(axis=-1, dtype=np.float32)
        rank = (cumulative <= (u * cumulative[:, -1])[:, None]).sum(axis=-1)
        rank = np.minimum(rank, p.shape[-1] - 1 - (p[:, ::-1] > 0).argmax(axis=-1))
        chosen = rank if order is None else np.take_along_axis(order, rank[:, None], axis=1)[:, 0]
        return chosen.astype(np.int32)


def uniform(length: int, seeds: Sequence[int], skip: int = 0) -> FloatArray:
    """Draws random numbers in [0, 1) for `Sampler`, with one seed for each row.

    Args:
        length: Number of steps.
        seeds: Seed of each row.
        skip: Number of steps to skip, those that earlier calls used.

    Returns:
        Float32 numbers, `(length, batch)`.

    Example:
        >>> uniform(3, seeds=[7, 8]).shape
        (3, 2)
        >>> bool((uniform(5, seeds=[7])[2:] == uniform(3, seeds=[7], skip=2)).all())
        True
    """
    drawn = [np.random.default_rng(seed).random(skip + length, np.float32)[skip:] for seed in seeds]
    return np.stack(drawn, axis=1)
