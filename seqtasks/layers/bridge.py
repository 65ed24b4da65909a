"""Bridge: initial decoder states computed from final encoder states, for any two cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("seqtasks")
class Bridge(keras.layers.Layer):
    """Computes initial decoder states from final encoder states.

    Each new state is tanh(W s + b), where s is the concatenation of all given states. The numbers and
    widths of the states may differ between encoder and decoder. Masks do not concern it: final states
    have no time axis.

    Reference: Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473, appendix A.2.2, where only the
    backward encoder state is used

    Args:
        sizes: Widths of the new states: one list for each layer, such as `Decoder.state_sizes`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Bridge
        >>> encoder_states = [[np.ones((2, 8), "float32")]]  # a GRU with 8 units
        >>> [tuple(state.shape) for state in Bridge([[4, 4]])(encoder_states)[0]]  # an LSTM with 4 units
        [(2, 4), (2, 4)]
    """

    def __init__(self, sizes: Sequence[Sequence[int]], **kwargs: Any):
        super().__init__(**kwargs)
        self.sizes = [list(layer) for layer in sizes]
        self.kernels = [
            [keras.layers.Dense(size, "tanh", dtype=self.dtype_policy) for size in layer] for layer in self.sizes
        ]
        # Keras before 3.15 does not save the weights of layers in a list of lists.
        self.flat = [dense for layer in self.kernels for dense in layer]

    def build(self, input_shape: Any) -> None:
        width = sum(state[-1] for state in _leaves(input_shape))
        for dense in self.flat:
            dense.build((None, width))

    def call(self, states: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Computes the new states.

        Args:
            states: Final states of the encoder, one list of `(batch, units)` for each layer and direction.

        Returns:
            New states, one list of `(batch, size)` for each layer of `sizes`.
        """
        s = ops.concatenate([ops.cast(state, self.compute_dtype) for layer in states for state in layer], axis=-1)
        return [[dense(s) for dense in layer] for layer in self.kernels]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}


def _leaves(shapes: Any) -> list[Sequence[int]]:
    """Returns the shapes in nested lists of shapes as one flat list."""
    if all(part is None or isinstance(part, int) for part in shapes):
        return [shapes]
    return [leaf for part in shapes for leaf in _leaves(part)]
