"""Bidirectional: the wrapper of Keras, also for stateful layers with a mask."""

from __future__ import annotations

from typing import Any

import keras

from seqtasks.layers.drop_in import plain_mask


@keras.saving.register_keras_serializable("seqtasks")
class Bidirectional(keras.layers.Bidirectional):
    """Wrapper in place of `keras.layers.Bidirectional`, also for stateful layers.

    Inputs are `(batch, time, features)`; outputs `(batch, time, units)`, or `(batch, units)` of the last step.

    Keras's wrapper raises TypeError for a stateful layer with `return_state=True` and a mask. Layers of seqtasks work
    in either. Arguments, outputs and weights are the same.

    Masks: outputs with a time axis carry the mask of the inputs; outputs of masked steps are zero.

    Args:
        layer: A recurrent layer of seqtasks or Keras, such as `LSTM`, `GRU`, `SimpleRNN` or `RNN`.
        merge_mode: `"concat"`, `"sum"`, `"mul"`, `"ave"` or None, which returns both outputs.
        **kwargs: Further arguments of `keras.layers.Bidirectional`.

    Raises:
        ValueError: `layer` is not a layer, or another value of `merge_mode`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import GRU, Bidirectional
        >>> layer = Bidirectional(GRU(4, stateful=True, return_state=True))
        >>> outputs, forward, backward = layer(np.zeros((2, 5, 3), "float32"), mask=np.ones((2, 5), bool))
        >>> tuple(outputs.shape), tuple(forward.shape)
        ((2, 8), (2, 4))
    """

    def __init__(self, layer: keras.layers.Layer, merge_mode: str | None = "concat", **kwargs: Any):
        super().__init__(layer, merge_mode=merge_mode, **kwargs)
        self.supports_masking = True  # Keras 3.16 sets False (keras#23235)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the mask of each output, and None for each state."""
        outputs = plain_mask(mask) if self.return_sequences else None
        masks = [outputs] if self.merge_mode else [outputs, outputs]
        if self.return_state:
            sizes = (keras.tree.flatten(one.cell.state_size) for one in (self.forward_layer, self.backward_layer))
            masks += [None for one in sizes for _ in one]
        return masks if len(masks) > 1 else masks[0]
