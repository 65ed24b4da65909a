"""Linear-chain conditional random field (CRF)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.argmax import argmax
from seqtasks.engines.backend.scan import scan
from seqtasks.layers.implicit_mask import MaskedLayer

NEVER = -1e9  # score of a disallowed transition; -inf would give NaN gradients


@keras.saving.register_keras_serializable("seqtasks")
class CRF(MaskedLayer):
    r"""Linear-chain conditional random field: a distribution over tag sequences.

    .. math::
        p(y | e) &= \exp(s(y, e)) / \sum_{y'} \exp(s(y', e)) \\
        s(y, e) &= b_{y_1} + \sum_t e_{t, y_t} + \sum_t A_{y_{t-1}, y_t} + c_{y_T}

    with emissions e and learned transition scores A, start scores b and end scores c.

    Masks: masked steps are skipped, wherever they are; the tags on either side of them are neighbours.
    Sums run in float32, or in float64 if the emissions have that dtype, whatever the layer's dtype.

    Reference: Lafferty, McCallum & Pereira 2001, https://repository.upenn.edu/cis_papers/159/

    Args:
        tags: Number of tags.
        allowed: Matrix `(tags, tags)`, false where the column's tag may not follow the row's tag;
            None: all transitions are allowed.
        starts: Flags `(tags,)`, false for tags that may not begin a sequence; None: all may.
        ends: Flags `(tags,)`, false for tags that may not end a sequence; None: all may.
        constrain_training: Apply these constraints in the loss and the marginals too, not only in decoding.
            The loss of targets that break them then grows by about 1e9 for each violation.

    Raises:
        ValueError: `allowed`, `starts` or `ends` does not have one entry for each tag, or the emissions
            have another width than `tags`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import CRF
        >>> crf = CRF(2)
        >>> emissions = np.array([[[1, 0], [0, 2], [3, 0]]], "float32")
        >>> np.asarray(crf(emissions)).tolist()  # the best tags
        [[0, 1, 0]]
        >>> tuple(crf(emissions, targets=np.array([[0, 1, 1]])).shape)  # the loss of each row
        (1,)
    """

    def __init__(
        self,
        tags: int,
        allowed: Sequence[Sequence[bool]] | None = None,
        starts: Sequence[bool] | None = None,
        ends: Sequence[bool] | None = None,
        constrain_training: bool = False,
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        self.tags = tags
        self.allowed = None if allowed is None else [[bool(v) for v in row] for row in allowed]
        self.starts = None if starts is None else [bool(v) for v in starts]
        self.ends = None if ends is None else [bool(v) for v in ends]
        self.constrain_training = constrain_training
        for name, flags in (("allowed", self.allowed), ("starts", self.starts), ("ends", self.ends)):
            rows = [flags, *(flags if name == "allowed" else [])] if flags is not None else []
            if any(len(row) != tags for row in rows):
                raise ValueError(
                    f"{name} does not fit {tags} tags; allowed: one entry for each tag; change {name} or tags"
                )

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        if input_shape is not None and input_shape[-1] != self.tags:
            raise ValueError(
                f"emissions are {input_shape[-1]} wide; allowed: one for each of {self.tags} tags; project them to "
                f"{self.tags}"
            )
        # No autocast: half precision would round the weights before they are summed.
        self.transitions = self.add_weight((self.tags, self.tags), "zeros", name="transitions", autocast=False)
        self.start = self.add_weight((self.tags,), "zeros", name="start", autocast=False)
        self.end = self.add_weight((self.tags,), "zeros", name="end", autocast=False)
        self.built = True

    def call(self, emissions: Any, targets: Any = None, mask: Any = None) -> Any:
        """Returns the best tags, or the loss of given target tags.

        Args:
            emissions: Scores of the tags at each step, `(batch, time, tags)`.
            targets: Target tag numbers, `(batch, time)`, any value at masked steps; None: decode.
            mask: `(batch, time)`, true at valid steps; None: the implicit mask of the emissions, or else all
                steps are valid.

        Returns:
            Without targets the best tags, `(batch, time)`, 0 at masked steps. With targets their negative
            log-likelihood, `(batch,)`, 0 for a row without a valid step.
        """
        if targets is None:
            return self.decode(emissions, mask)[0]
        return self.log_partition(emissions, mask) - self.score(emissions, targets, mask)

    def compute_output_spec(self, emissions: Any, targets: Any = None, mask: Any = None) -> Any:
        if targets is None:
            return keras.KerasTensor(emissions.shape[:-1], "int32")
        return keras.KerasTensor(emissions.shape[:1], _sums(emissions.dtype))

    def log_partition(self, emissions: Any, mask: Any = None) -> Any:
        """log Σ exp(s) over all sequences, (batch,)."""
        return self._forward(emissions, mask, None)[1]

    def score(self, emissions: Any, targets: Any, mask: Any = None) -> Any:
        """Returns the score s of target tags.

        Args:
            emissions: `(batch, time, tags)`.
            targets: Tag numbers, `(batch, time)`.
            mask: `(batch, time)`, true at valid steps; None: all are.

        Returns:
            Scores, `(batch,)`.
        """
        e, valid = self._sum_inputs(emissions, mask)
        targets = ops.where(valid, ops.cast(targets, "int32"), 0)  # padding may be -1, which is not a tag
        matrix, start, end = self._weights(e.dtype, self.constrain_training)
        # Sort valid steps first, in their order, so that the previous tag is always the left neighbour.
        steps = ops.shape(e)[1]
        order = ops.argsort(ops.arange(steps)[None] + ops.where(valid, 0, steps), axis=1)
        y, valid_sorted = (
            ops.take_along_axis(targets, order, 1),
            ops.cast(ops.take_along_axis(valid, order, 1), e.dtype),
        )
        chosen = ops.squeeze(ops.take_along_axis(e, targets[..., None], 2), -1)
        transition_scores = ops.take(ops.reshape(matrix, (-1,)), y[:, :-1] * self.tags + y[:, 1:])
        last = ops.equal(ops.arange(steps)[None] + 1, ops.sum(ops.cast(valid, "int32"), 1, keepdims=True))
        return (
            ops.sum(ops.where(valid, chosen, 0.0), 1)
            + ops.sum(transition_scores * valid_sorted[:, 1:], 1)
            + ops.sum(ops.take(start, y[:, :1]) * valid_sorted[:, :1], 1)
            + ops.sum(ops.where(last, ops.take(end, y), 0.0), 1)
        )

    def decode(self, emissions: Any, mask: Any = None) -> tuple[Any, Any]:
        """Finds the best tags by the Viterbi algorithm.

        Args:
            emissions: `(batch, time, tags)`.
            mask: `(batch, time)`, true at valid steps; None: all are.

        Returns:
            Tag numbers, `(batch, time)`, 0 at masked steps, and their score, `(batch,)`.
        """
        e, valid = self._sum_inputs(emissions, mask)
        matrix, start, end = self._weights(e.dtype, True)
        identity = ops.cast(ops.arange(self.tags), e.dtype)

        def step(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            best, started = carry
            emission, step_valid = x
            candidates = best[:, :, None] + matrix
            new = ops.where(started > 0, ops.max(candidates, 1), start) + emission
            backpointers = ops.where(step_valid * started > 0, ops.cast(argmax(candidates, 1), e.dtype), identity)
            return (ops.where(step_valid > 0, new, best), ops.maximum(started, step_valid)), backpointers

        (best, started), backpointers = scan(step, self._nothing(e), self._steps(e, valid), False, self.tags)
        final = best + end
        score = ops.where(started[:, 0] > 0, ops.max(final, 1), 0.0)

        def back(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            (tag,) = carry
            return (ops.take_along_axis(x[0], ops.cast(tag, "int32"), 1),), tag

        last = ops.cast(argmax(final, 1), e.dtype)[:, None]
        _, tags = scan(back, (last,), (backpointers,), True, 1)
        return ops.where(valid, ops.cast(ops.transpose(tags[..., 0]), "int32"), 0), score

    def marginals(self, emissions: Any, mask: Any = None) -> Any:
        """Returns the probability of each tag at each step, by the forward-backward algorithm.

        Args:
            emissions: `(batch, time, tags)`.
            mask: `(batch, time)`, true at valid steps; None: all are.

        Returns:
            Probabilities, `(batch, time, tags)`, zeros at masked steps.
        """
        alphas, _ = self._forward(emissions, mask, self.tags)
        e, valid = self._sum_inputs(emissions, mask)
        matrix, _, end = self._weights(e.dtype, self.constrain_training)

        def step(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            (beta,) = carry
            emission, step_valid = x
            before = ops.logsumexp(matrix + (emission + beta)[:, None, :], axis=2)
            return (ops.where(step_valid > 0, before, beta),), beta

        nothing, _ = self._nothing(e)
        _, betas = scan(step, (nothing + end,), self._steps(e, valid), True, self.tags)
        # The logsumexp of alpha + beta over tags is the log-partition at every step, so the softmax normalises
        # without the loss of precision of subtracting two large numbers.
        shares = ops.softmax(ops.transpose(alphas + betas, (1, 0, 2)), axis=-1)
        return ops.where(valid[..., None], shares, 0.0)

    def _forward(self, emissions: Any, mask: Any, width: int | None) -> tuple[Any, Any]:
        """Runs the forward algorithm.

        Args:
            emissions: `(batch, time, tags)`.
            mask: `(batch, time)`, true at valid steps; None: all are.
            width: Number of tags, to return the forward scores; None: do not.

        Returns:
            Forward scores `(time, batch, tags)`, or None, and the log-partition `(batch,)`.
        """
        e, valid = self._sum_inputs(emissions, mask)
        matrix, start, end = self._weights(e.dtype, self.constrain_training)

        def step(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            alpha, started = carry
            emission, step_valid = x
            new = ops.where(started > 0, ops.logsumexp(alpha[:, :, None] + matrix, axis=1), start) + emission
            alpha = ops.where(step_valid > 0, new, alpha)
            return (alpha, ops.maximum(started, step_valid)), alpha

        (alpha, started), alphas = scan(step, self._nothing(e), self._steps(e, valid), False, width)
        return alphas, ops.where(started[:, 0] > 0, ops.logsumexp(alpha + end, axis=1), 0.0)

    def _sum_inputs(self, emissions: Any, mask: Any) -> tuple[Any, Any]:
        """Casts the emissions to the dtype of the sums and the mask to bool.

        Returns:
            Emissions, `(batch, time, tags)`, and mask, `(batch, time)`.
        """
        e = ops.convert_to_tensor(emissions)
        e = ops.cast(e, _sums(e.dtype))
        valid = ops.ones_like(e[..., 0], dtype="bool") if mask is None else ops.cast(mask, "bool")
        return e, valid

    def _steps(self, e: Any, valid: Any) -> tuple[Any, Any]:
        """Returns emissions and mask with the time axis first, as `scan` takes them."""
        return ops.transpose(e, (1, 0, 2)), ops.transpose(ops.cast(valid, e.dtype))[..., None]

    def _nothing(self, e: Any) -> tuple[Any, Any]:
        """Initial carry of a scan: zero scores, `(batch, tags)`, and "started", `(batch, 1)`."""
        rows = ops.shape(e)[0]
        return ops.zeros((rows, self.tags), e.dtype), ops.zeros((rows, 1), e.dtype)

    def _weights(self, dtype: Any, constrain: bool) -> tuple[Any, Any, Any]:
        """Returns transition, start and end scores; `NEVER` where disallowed, if `constrain`."""
        if not self.built:  # `decode` or `score` may be called before the layer itself
            self.build()
        weights = []
        for weight, legal in ((self.transitions, self.allowed), (self.start, self.starts), (self.end, self.ends)):
            values = ops.cast(ops.convert_to_tensor(weight), dtype)
            weights.append(ops.where(ops.array(legal), values, NEVER) if constrain and legal is not None else values)
        return weights[0], weights[1], weights[2]

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        return arguments.get("targets") is None

    def get_config(self) -> dict[str, Any]:
        legal = {"allowed": self.allowed, "starts": self.starts, "ends": self.ends}
        return {**super().get_config(), "tags": self.tags, **legal, "constrain_training": self.constrain_training}


def _sums(dtype: Any) -> str:
    """Dtype in which scores of a dtype are summed."""
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"
