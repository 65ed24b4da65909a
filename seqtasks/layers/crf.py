"""Linear-chain conditional random field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqtasks.engines.backend.scan import scan
from seqtasks.layers.implicit_mask import MaskedLayer

NEVER = -1e9  # the score of what is forbidden; with -inf gradients were no numbers


@keras.saving.register_keras_serializable("seqtasks")
class CRF(MaskedLayer):
    r"""p(y | e) = exp(s(y, e)) / Σ exp(s(y', e)) over all sequences of tags y'.

    .. math::
        s(y, e) = b_{y_1} + \sum_t e_{t, y_t} + \sum_t A_{y_{t-1}, y_t} + c_{y_T}

    Masked steps count as absent, wherever they are. Sums run in float32, or in float64 if
    the emissions are, whatever the layer's dtype.

    Reference: Lafferty, McCallum & Pereira 2001, https://repository.upenn.edu/cis_papers/159/

    Args:
        tags: how many there are.
        allowed: (tags, tags), false where the second may not follow the first; None: all may.
        starts: (tags,), false for those that begin no sequence.
        ends: (tags,), false for those that end none.
        constrain_training: forbid them in the loss and the marginals too, not only in decoding;
            the loss of forbidden targets is about 1e9 for each step that is.

    Raises:
        ValueError: what is allowed is not told for each of the tags; emissions of another width.
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
                raise ValueError(f"{name} does not fit {tags} tags: one entry for each is needed")

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        if input_shape is not None and input_shape[-1] != self.tags:
            raise ValueError(f"emissions are {input_shape[-1]} wide; one for each of {self.tags} tags is needed")
        # Not autocast: in half precision they would be rounded before they are summed.
        self.transitions = self.add_weight((self.tags, self.tags), "zeros", name="transitions", autocast=False)
        self.start = self.add_weight((self.tags,), "zeros", name="start", autocast=False)
        self.end = self.add_weight((self.tags,), "zeros", name="end", autocast=False)
        self.built = True

    def call(self, emissions: Any, targets: Any = None, mask: Any = None) -> Any:
        """Tags, or the loss of given ones.

        Args:
            emissions: (batch, time, tags).
            targets: (batch, time), tag numbers; whatever at masked steps.
            mask: (batch, time), true at real steps; None: the mask that the emissions carry,
                else all are real.

        Returns:
            The best tags (batch, time), 0 at masked steps; with targets their negative
            log-likelihood (batch,), 0 for a row without a real step.
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
        """s of given tags, (batch,)."""
        e, real = self._real(emissions, mask)
        targets = ops.where(real, ops.cast(targets, "int32"), 0)  # padding may be -1, which is no tag
        matrix, start, end = self._weights(e.dtype, self.constrain_training)
        # Real steps first, in their order: then the tag before is the one to the left.
        steps = ops.shape(e)[1]
        order = ops.argsort(ops.arange(steps)[None] + ops.where(real, 0, steps), axis=1)
        y, kept = ops.take_along_axis(targets, order, 1), ops.cast(ops.take_along_axis(real, order, 1), e.dtype)
        chosen = ops.squeeze(ops.take_along_axis(e, targets[..., None], 2), -1)
        moves = ops.take(ops.reshape(matrix, (-1,)), y[:, :-1] * self.tags + y[:, 1:])
        last = ops.equal(ops.arange(steps)[None] + 1, ops.sum(ops.cast(real, "int32"), 1, keepdims=True))
        return (
            ops.sum(ops.where(real, chosen, 0.0), 1)
            + ops.sum(moves * kept[:, 1:], 1)
            + ops.sum(ops.take(start, y[:, :1]) * kept[:, :1], 1)
            + ops.sum(ops.where(last, ops.take(end, y), 0.0), 1)
        )

    def decode(self, emissions: Any, mask: Any = None) -> tuple[Any, Any]:
        """The best tags (batch, time), 0 at masked steps, and their score (batch,)."""
        e, real = self._real(emissions, mask)
        matrix, start, end = self._weights(e.dtype, True)
        same = ops.cast(ops.arange(self.tags), e.dtype)

        def step(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            best, begun = carry
            now, here = x
            ways = best[:, :, None] + matrix
            new = ops.where(begun > 0, ops.max(ways, 1), start) + now
            came = ops.where(here * begun > 0, ops.cast(ops.argmax(ways, 1), e.dtype), same)
            return (ops.where(here > 0, new, best), ops.maximum(begun, here)), came

        (best, begun), came = scan(step, self._nothing(e), self._steps(e, real), False, self.tags)
        final = best + end
        score = ops.where(begun[:, 0] > 0, ops.max(final, 1), 0.0)

        def back(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            (tag,) = carry
            return (ops.take_along_axis(x[0], ops.cast(tag, "int32"), 1),), tag

        last = ops.cast(ops.argmax(final, 1), e.dtype)[:, None]
        _, tags = scan(back, (last,), (came,), True, 1)
        return ops.where(real, ops.cast(ops.transpose(tags[..., 0]), "int32"), 0), score

    def marginals(self, emissions: Any, mask: Any = None) -> Any:
        """The probability of each tag at each step, (batch, time, tags), zeros at masked steps."""
        alphas, _ = self._forward(emissions, mask, self.tags)
        e, real = self._real(emissions, mask)
        matrix, _, end = self._weights(e.dtype, self.constrain_training)

        def step(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            (beta,) = carry
            now, here = x
            before = ops.logsumexp(matrix + (now + beta)[:, None, :], axis=2)
            return (ops.where(here > 0, before, beta),), beta

        nothing, _ = self._nothing(e)
        _, betas = scan(step, (nothing + end,), self._steps(e, real), True, self.tags)
        # Their sum over tags is the log-partition at every step; a softmax loses nothing where both are large.
        shares = ops.softmax(ops.transpose(alphas + betas, (1, 0, 2)), axis=-1)
        return ops.where(real[..., None], shares, 0.0)

    def _forward(self, emissions: Any, mask: Any, width: int | None) -> tuple[Any, Any]:
        """The forward scores (time, batch, tags) where a width is given, and the log-partition (batch,)."""
        e, real = self._real(emissions, mask)
        matrix, start, end = self._weights(e.dtype, self.constrain_training)

        def step(carry: tuple[Any, ...], x: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
            alpha, begun = carry
            now, here = x
            new = ops.where(begun > 0, ops.logsumexp(alpha[:, :, None] + matrix, axis=1), start) + now
            alpha = ops.where(here > 0, new, alpha)
            return (alpha, ops.maximum(begun, here)), alpha

        (alpha, begun), alphas = scan(step, self._nothing(e), self._steps(e, real), False, width)
        return alphas, ops.where(begun[:, 0] > 0, ops.logsumexp(alpha + end, axis=1), 0.0)

    def _real(self, emissions: Any, mask: Any) -> tuple[Any, Any]:
        """The emissions as they are summed, and the mask, both (batch, time, …)."""
        e = ops.convert_to_tensor(emissions)
        e = ops.cast(e, _sums(e.dtype))
        real = ops.ones_like(e[..., 0], dtype="bool") if mask is None else ops.cast(mask, "bool")
        return e, real

    def _steps(self, e: Any, real: Any) -> tuple[Any, Any]:
        return ops.transpose(e, (1, 0, 2)), ops.transpose(ops.cast(real, e.dtype))[..., None]

    def _nothing(self, e: Any) -> tuple[Any, Any]:
        """The scores before any step, and whether there was one, (batch, tags) and (batch, 1)."""
        rows = ops.shape(e)[0]
        return ops.zeros((rows, self.tags), e.dtype), ops.zeros((rows, 1), e.dtype)

    def _weights(self, dtype: Any, constrain: bool) -> tuple[Any, Any, Any]:
        if not self.built:  # a method may be called before the layer is
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
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"
