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
    """Attention of queries over a memory; returns context vectors and attention weights.

    The score of a query q and a memory step m is v · tanh(W q + U m + b) (`"additive"`) or
    q W m (`"multiplicative"`; "general" in the paper). The weights are the softmax of the scores
    over the valid memory steps, and a context vector is the weighted mean of the memory.

    Masks: `mask` belongs to the memory; masked memory steps get weight zero. The context carries the
    implicit mask of the query, if it has one.

    References: Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473 (additive); Luong et
    al. 2015, https://arxiv.org/abs/1508.04025 (multiplicative)

    Args:
        how: Score function, `"additive"` or `"multiplicative"`.
        units: Width of the hidden layer of the additive score; unused by `"multiplicative"`.

    Raises:
        ValueError: `how` is another value.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Attention
        >>> query, memory = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 6), "float32")
        >>> context, weights = Attention("additive", units=8)(query, memory)
        >>> tuple(context.shape), tuple(weights.shape)
        ((2, 3, 6), (2, 3, 5))
    """

    mask_of = "memory"

    def __init__(self, how: How, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        if how not in get_args(How):
            raise ValueError(f"how is {how!r}; allowed: {', '.join(get_args(How))}; choose one of them")
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
        """Returns the memory's part of the scores, which does not depend on the query.

        Args:
            memory: Memory, `(batch, steps, features)`.

        Returns:
            Keys, `(batch, steps, units)`, or `(batch, steps, query_features)` with `"multiplicative"`.
        """
        return ops.matmul(memory, ops.cast(self.kernel, memory.dtype))

    def call(self, query: Any, memory: Any, mask: Any = None, keys: Any = None) -> tuple[Any, Any]:
        """Computes a context vector for each query.

        Args:
            query: Queries, `(batch, queries, query_features)`.
            memory: Memory, `(batch, steps, features)`.
            mask: Mask of the memory, `(batch, steps)`, true at valid steps; None: the implicit mask of the
                memory, or else all steps are valid.
            keys: Result of `keys(memory)`, to avoid computing it again; None: computed here.

        Returns:
            Context, `(batch, queries, features)`, and float32 weights, `(batch, queries, steps)`. The weights
            sum to one over the valid steps and are zero at masked steps; without a valid step all are zero.
        """
        keys = self.keys(memory) if keys is None else keys
        if self.how == "multiplicative":
            scores = ops.einsum("bqd,bsd->bqs", query, keys)
        else:
            projected_query = ops.matmul(query, ops.cast(self.query_kernel, query.dtype)) + ops.cast(
                self.bias, query.dtype
            )
            hidden = ops.tanh(projected_query[:, :, None] + keys[:, None])
            scores = ops.einsum("bqsd,d->bqs", hidden, ops.cast(self.scorer, hidden.dtype))
        scores = ops.cast(scores, "float32")
        if mask is None:
            weights = ops.softmax(scores, axis=-1)
        else:
            valid = ops.cast(mask, "bool")[:, None]
            # Not -inf: a row without a valid step would be 0/0 and have NaN gradients.
            weights = ops.softmax(ops.where(valid, scores, -1e9), axis=-1) * ops.cast(valid, "float32")
            memory = ops.where(ops.cast(mask, "bool")[..., None], memory, ops.zeros_like(memory))
        return ops.einsum("bqs,bsd->bqd", ops.cast(weights, memory.dtype), memory), weights

    def compute_output_spec(self, query: Any, memory: Any, mask: Any = None, keys: Any = None) -> Any:
        batch, queries, _ = query.shape
        context = keras.KerasTensor((batch, queries, memory.shape[-1]), self.compute_dtype)
        return context, keras.KerasTensor((batch, queries, memory.shape[1]), "float32")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> tuple[Any, None]:
        """Returns the implicit mask of the query for the context, and None for the weights."""
        # `previous_mask` is the mask of the memory if `mask` was given as an argument.
        return get_keras_mask(inputs), None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "how": self.how, "units": self.units}
