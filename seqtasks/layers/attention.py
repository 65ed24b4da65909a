"""Additive and multiplicative attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
from keras import ops

from seqtasks.layers.implicit_mask import MaskedLayer, get_keras_mask

How = Literal["additive", "multiplicative"]


@keras.saving.register_keras_serializable("seqtasks")
class Attention(MaskedLayer):
    """The mean of a memory, weighted by the softmax of how well each of its steps suits a query.

    The score of a query q and a step m is v · tanh(W q + U m + b) (`"additive"`), or
    q W m (`"multiplicative"`, there called general).

    References: Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473 (additive); Luong et
    al. 2015, https://arxiv.org/abs/1508.04025 (multiplicative)

    Args:
        how: `"additive"` or `"multiplicative"`.
        units: width of the tanh.

    Raises:
        ValueError: another `how`.
    """

    mask_of = "memory"

    def __init__(self, how: How, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        if how not in get_args(How):
            raise ValueError(f"how is {how!r}; allowed: {', '.join(get_args(How))}")
        self.how = how
        self.units = units

    def build(self, query_shape: Sequence[int | None], memory_shape: Sequence[int | None]) -> None:
        query, memory = query_shape[-1], memory_shape[-1]
        if self.how == "multiplicative":
            self.kernel = self.add_weight((memory, query), "glorot_uniform", name="kernel")
            return
        self.kernel = self.add_weight((memory, self.units), "glorot_uniform", name="kernel")
        self.query_kernel = self.add_weight((query, self.units), "glorot_uniform", name="query_kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")
        self.scorer = self.add_weight((self.units,), keras.initializers.RandomUniform(-0.1, 0.1), name="scorer")

    def keys(self, memory: Any) -> Any:
        """What the scores need of a memory (batch, steps, size), whatever the query: (batch, steps, width)."""
        return ops.matmul(memory, ops.cast(self.kernel, memory.dtype))

    def call(self, query: Any, memory: Any, mask: Any = None, keys: Any = None) -> tuple[Any, Any]:
        """Reads a memory.

        Args:
            query: (batch, queries, size).
            memory: (batch, steps, width).
            mask: (batch, steps), true at real steps; None: the mask that the memory carries, else all are.
            keys: `keys(memory)`, where it is there already.

        Returns:
            What is read, (batch, queries, width), and float32 weights (batch, queries, steps): they sum to
            one over the real steps and are zero elsewhere; all zero for a row without a real step.
        """
        keys = self.keys(memory) if keys is None else keys
        if self.how == "multiplicative":
            scores = ops.einsum("bqd,bsd->bqs", query, keys)
        else:
            asked = ops.matmul(query, ops.cast(self.query_kernel, query.dtype)) + ops.cast(self.bias, query.dtype)
            hidden = ops.tanh(asked[:, :, None] + keys[:, None])
            scores = ops.einsum("bqsd,d->bqs", hidden, ops.cast(self.scorer, hidden.dtype))
        scores = ops.cast(scores, "float32")
        if mask is None:
            weights = ops.softmax(scores, axis=-1)
        else:
            real = ops.cast(mask, "bool")[:, None]
            # Not -inf: a row without a real step would be 0/0, and its gradients NaN.
            weights = ops.softmax(ops.where(real, scores, -1e9), axis=-1) * ops.cast(real, "float32")
            memory = ops.where(ops.cast(mask, "bool")[..., None], memory, ops.zeros_like(memory))
        return ops.einsum("bqs,bsd->bqd", ops.cast(weights, memory.dtype), memory), weights

    def compute_output_spec(self, query: Any, memory: Any, mask: Any = None, keys: Any = None) -> Any:
        batch, queries, _ = query.shape
        context = keras.KerasTensor((batch, queries, memory.shape[-1]), self.compute_dtype)
        return context, keras.KerasTensor((batch, queries, memory.shape[1]), "float32")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, None]:
        """The mask that the query carries, for what is read; None for the weights."""
        return get_keras_mask(inputs), None  # the previous mask is the one of the memory, if that is an argument

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "how": self.how, "units": self.units}
