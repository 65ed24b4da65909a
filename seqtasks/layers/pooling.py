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
    """The last real step, or the mean, the maximum or a learned average of the real steps.

    Attention scores step t by v · tanh(x_t W + b); its weights are the softmax of the scores.

    References: Yang et al. 2016, https://aclanthology.org/N16-1174/ (attention); Howard & Ruder
    2018, https://arxiv.org/abs/1801.06146 (concat)

    Args:
        how: `"last"`, `"mean"`, `"max"`, `"attention"`, or `"concat"`: last, mean and max side by side.

    Raises:
        ValueError: another `how`.
    """

    def __init__(self, how: How, **kwargs: Any):
        super().__init__(**kwargs)
        if how not in get_args(How):
            raise ValueError(f"how is {how!r}; allowed: {', '.join(get_args(How))}")
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
            x: (batch, time, size).
            mask: (batch, time), true at real steps, wherever they stand; None: the mask that `x` carries, else
                all are.

        Returns:
            (batch, size), 3 · size for `"concat"`; zeros for a row without a real step.
        """
        if self.how == "concat":
            return ops.concatenate([_last(x, mask), _mean(x, mask), _max(x, mask)], axis=-1)
        if self.how == "attention":
            return _average(x, mask, self.step_weights(x, mask))
        return {"last": _last, "mean": _mean, "max": _max}[self.how](x, mask)

    def step_weights(self, x: Any, mask: Any = None) -> Any:
        """How much attention each step gets, once the layer is built.

        Args:
            x: (batch, time, size).
            mask: (batch, time), true at real steps; None: all are.

        Returns:
            Float32, or float64 for such x, (batch, time): they sum to one over the real steps of
            a row and are zero elsewhere.

        Raises:
            ValueError: the layer does not pool by attention.
        """
        if self.how != "attention":
            raise ValueError(f"how is {self.how!r}, which learns no weights; allowed: attention")
        real, x = _real(x, mask), _cleared(x, mask)
        hidden = ops.tanh(ops.matmul(x, ops.cast(self.kernel, x.dtype)) + ops.cast(self.bias, x.dtype))
        scores = ops.cast(ops.matmul(hidden, ops.cast(self.scorer, x.dtype))[..., 0], _precise(x))
        # Not -inf: a row without a real step would be 0/0, and its gradients NaN.
        return ops.softmax(ops.where(real, scores, -1e9), axis=-1) * ops.cast(real, scores.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: time is gone."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "how": self.how}


def _last(x: Any, mask: Any) -> Any:
    return last_valid_step(_cleared(x, mask), mask)


def _mean(x: Any, mask: Any) -> Any:
    counted = ops.cast(_real(x, mask), _precise(x))
    return _average(x, mask, counted / ops.maximum(ops.sum(counted, axis=1, keepdims=True), 1))


def _max(x: Any, mask: Any) -> Any:
    real = _real(x, mask)
    most = ops.max(ops.where(real[..., None], x, float("-inf")), axis=1)
    return ops.where(ops.any(real, axis=1)[:, None], most, 0)


def _average(x: Any, mask: Any, weights: Any) -> Any:
    # In float16 a sum over many steps would overflow.
    pooled = ops.einsum("bt,btf->bf", weights, ops.cast(_cleared(x, mask), weights.dtype))
    return ops.cast(pooled, x.dtype)


def _real(x: Any, mask: Any) -> Any:
    return ops.ones_like(x[..., 0], dtype="bool") if mask is None else ops.cast(mask, "bool")


def _cleared(x: Any, mask: Any) -> Any:
    """Zeros at padding, whatever stands there, NaN included."""
    return x if mask is None else ops.where(_real(x, mask)[..., None], x, 0)


def _precise(x: Any) -> str:
    return keras.backend.result_type(x.dtype, "float32")
