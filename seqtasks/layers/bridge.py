"""Initial decoder states from final encoder states of any cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class Bridge(keras.layers.Layer):
    """Each new state is tanh(W s + b) of all given ones side by side.

    Reference: Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473, appendix A.2.2, of whose encoder only the backward
    half is read

    Args:
        sizes: widths of the new states: one list for each layer.
    """

    def __init__(self, sizes: Sequence[Sequence[int]], **kwargs: Any):
        super().__init__(**kwargs)
        self.sizes = [list(layer) for layer in sizes]
        self.kernels = [
            [keras.layers.Dense(size, "tanh", dtype=self.dtype_policy) for size in layer] for layer in self.sizes
        ]
        self.flat = [
            dense for layer in self.kernels for dense in layer
        ]  # of lists of lists Keras before 3.15 saves none

    def build(self, input_shape: Any) -> None:
        width = sum(state[-1] for state in _leaves(input_shape))
        for dense in self.flat:
            dense.build((None, width))

    def call(self, states: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """New states, one list for each layer.

        Args:
            states: of the other network: one list of (batch, size) for each of its layers and directions.
        """
        s = ops.concatenate([ops.cast(state, self.compute_dtype) for layer in states for state in layer], axis=-1)
        return [[dense(s) for dense in layer] for layer in self.kernels]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}


def _leaves(shapes: Any) -> list[Sequence[int]]:
    """The shapes inside of nested lists of them."""
    if all(part is None or isinstance(part, int) for part in shapes):
        return [shapes]
    return [leaf for part in shapes for leaf in _leaves(part)]
