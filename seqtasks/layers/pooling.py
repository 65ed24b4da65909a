"""Pooling over the valid time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
from keras import ops

from seqtasks.engines.backend.masking import last_valid_step
from seqtasks.layers.implicit_mask import MaskedLayer

How = Literal["last", "mean", "max", "attention", "concat"]


@keras.saving.register_keras_serializable("seqtasks")
class Pooling(MaskedLayer):
    """Pools over the valid time steps: last step, mean, maximum or attention.

    Attention is a learned weighted mean: step t has the score v · tanh(x_t W + b), and the weights are the
    softmax of the scores.

    Masks: masked steps have no effect, wherever they are and whatever they hold; the output has no mask.

    References: Yang et al. 2016, https://aclanthology.org/N16-1174/ (attention); Howard & Ruder
    2018, https://arxiv.org/abs/1801.06146 (concat)

    Args:
        how: `"last"`, `"mean"`, `"max"`, `"attention"`, or `"concat"`: last, mean and max concatenated.

    Raises:
        ValueError: `how` is another value.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Pooling
        >>> x = np.array([[[1.0], [3.0], [9.0]]])  # (batch, time, size)
        >>> mask = np.array([[True, True, False]])
        >>> np.asarray(Pooling("concat")(x, mask=mask)).tolist()
        [[3.0, 2.0, 3.0]]
    """

    def __init__(self, how: How, **kwargs: Any):
        super().__init__(**kwargs)
        if how not in get_args(How):
            raise ValueError(f"how is {how!r}; allowed: {', '.join(get_args(How))}; choose one of them")
        self.how = how

    def build(self, input_shape: Sequence[int | None]) -> None:
        if self.how == "attention":
            size = input_shape[-1]
            self.kernel = self.add_weight((size, size), "glorot_uniform", name="kernel")
            self.bias = self.add_weight((size,), "zeros", name="bias")
            self.scorer = self.add_weight((size, 1), "glorot_uniform", name="scorer")

    def call(self, x: Any, mask: Any = None) -> Any:
        """Pools over time.

        Args:
            x: Inputs, `(batch, time, size)`.
            mask: `(batch, time)`, true at valid steps, wherever they are; None: the implicit mask of `x`, or
                else all steps are valid.

        Returns:
            `(batch, size)`, or `(batch, 3 · size)` with `"concat"`; zeros for a row without a valid step.
        """
        if self.how == "concat":
            return ops.concatenate([_last(x, mask), _mean(x, mask), _max(x, mask)], axis=-1)
        if self.how == "attention":
            return _average(x, mask, self.step_weights(x, mask))
        return {"last": _last, "mean": _mean, "max": _max}[self.how](x, mask)

    def step_weights(self, x: Any, mask: Any = None) -> Any:
        """Returns the attention weight of each step; the layer must be built.

        Args:
            x: Inputs, `(batch, time, size)`.
            mask: `(batch, time)`, true at valid steps; None: all are.

        Returns:
            Weights, `(batch, time)`, in float32, or float64 if `x` is: they sum to one over the valid steps of
            a row and are zero at masked steps.

        Raises:
            ValueError: The layer does not pool by attention.
        """
        if self.how != "attention":
            raise ValueError(
                f"how is {self.how!r}, which has no step weights; allowed: attention; use Pooling('attention')"
            )
        valid, x = _valid_steps(x, mask), _cleared(x, mask)
        hidden = ops.tanh(ops.matmul(x, ops.cast(self.kernel, x.dtype)) + ops.cast(self.bias, x.dtype))
        scores = ops.cast(ops.matmul(hidden, ops.cast(self.scorer, x.dtype))[..., 0], _precise(x))
        # Not -inf: a row without a valid step would be 0/0 and have NaN gradients.
        return ops.softmax(ops.where(valid, scores, -1e9), axis=-1) * ops.cast(valid, scores.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Returns None: the output has no time axis."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "how": self.how}


def _last(x: Any, mask: Any) -> Any:
    """Last valid step, `(batch, size)`."""
    return last_valid_step(_cleared(x, mask), mask)


def _mean(x: Any, mask: Any) -> Any:
    """Mean over the valid steps, `(batch, size)`."""
    counted = ops.cast(_valid_steps(x, mask), _precise(x))
    return _average(x, mask, counted / ops.maximum(ops.sum(counted, axis=1, keepdims=True), 1))


def _max(x: Any, mask: Any) -> Any:
    """Maximum over the valid steps, `(batch, size)`."""
    valid = _valid_steps(x, mask)
    most = ops.max(ops.where(valid[..., None], x, float("-inf")), axis=1)
    return ops.where(ops.any(valid, axis=1)[:, None], most, 0)


def _average(x: Any, mask: Any, weights: Any) -> Any:
    # In float16 a sum over many steps would overflow.
    """Mean over time with the given weights, `(batch, size)`."""
    pooled = ops.einsum("bt,btf->bf", weights, ops.cast(_cleared(x, mask), weights.dtype))
    return ops.cast(pooled, x.dtype)


def _valid_steps(x: Any, mask: Any) -> Any:
    """Mask of valid steps, `(batch, time)`; all true without a mask."""
    return ops.ones_like(x[..., 0], dtype="bool") if mask is None else ops.cast(mask, "bool")


def _cleared(x: Any, mask: Any) -> Any:
    """Returns `x` with zeros at masked steps, also in place of NaN."""
    return x if mask is None else ops.where(_valid_steps(x, mask)[..., None], x, 0)


def _precise(x: Any) -> str:
    """Dtype for sums over time: at least float32."""
    return keras.backend.result_type(x.dtype, "float32")
