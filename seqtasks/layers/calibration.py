"""Layer that keeps the size of normal errors and a threshold beside the weights of a model."""

from __future__ import annotations

from typing import Any

import keras

from seqtasks.core.arrays import FloatArray

NEVER = 3.0e38  # a threshold above all scores, until there is one; finite, as all weights are


@keras.saving.register_keras_serializable("seqtasks")
class Calibration(keras.layers.Layer):
    """Returns its inputs unchanged, and keeps numbers that are computed from validation data.

    They are weights that are not trained, so that they are saved and restored with the model whose errors they
    describe. Masks are passed on unchanged; there is no state.

    Args:
        outputs: Number of outputs of the model at each step.
        **kwargs: `name` and `dtype`.

    Attributes:
        scale: Root mean square of the normal errors of each output, `(outputs,)`; 1 until it is set.
        threshold: Score above which a step is an anomaly, `()`; infinite until it is set.

    Example:
        >>> import numpy as np
        >>> from seqtasks.layers import Calibration
        >>> layer = Calibration(2)
        >>> outputs = layer(np.ones((1, 3, 2), "float32"))  # (batch, time, outputs)
        >>> layer.set([0.5, 2.0], 3.0)
        >>> tuple(outputs.shape), float(layer.threshold)
        ((1, 3, 2), 3.0)
    """

    def __init__(self, outputs: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.outputs = outputs
        self.supports_masking = True
        self.scale = self.add_weight(
            name="scale", shape=(outputs,), initializer="ones", trainable=False, dtype="float32"
        )
        self.threshold = self.add_weight(
            name="threshold", shape=(), initializer=keras.initializers.Constant(NEVER), trainable=False,
            dtype="float32",
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def set(self, scale: FloatArray | list[float], threshold: float) -> None:
        """Sets both numbers.

        Args:
            scale: Root mean square of the normal errors of each output, `(outputs,)`.
            threshold: Score above which a step is an anomaly.
        """
        self.scale.assign(scale)
        self.threshold.assign(threshold)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "outputs": self.outputs}
