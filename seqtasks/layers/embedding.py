"""An embedding that also gives its whole table."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqtasks.layers.implicit_mask import forget_masks


@keras.saving.register_keras_serializable("seqtasks")
class Embedding(keras.layers.Embedding):
    """Keras's embedding, with the same weights and arguments.

    An encoder that reads its vectors as they are can be given its table, too: a layer then projects
    each row that comes in a batch once, not each place where it stands:

        encoder(embedding(tokens), tokens=tokens, table=embedding(tokens, whole=True))
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs = super().__call__(*args, **kwargs)
        if kwargs.get("whole"):
            forget_masks(outputs)  # with mask_zero the table would carry the mask of the tokens
        return outputs

    def call(self, inputs: Any, whole: bool = False) -> Any:
        """Looks up.

        Args:
            inputs: whole numbers of any shape.
            whole: the table itself, whatever the inputs are.

        Returns:
            (*shape of the inputs, width), or (vocabulary, width).
        """
        if not whole:
            return super().call(inputs)
        return ops.cast(ops.convert_to_tensor(self.embeddings), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any, whole: bool = False) -> tuple[int | None, ...]:
        return (self.input_dim, self.output_dim) if whole else super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, whole: bool = False) -> Any:
        if not whole:
            return super().compute_output_spec(inputs)
        return keras.KerasTensor((self.input_dim, self.output_dim), self.compute_dtype)
