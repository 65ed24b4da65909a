"""Models that were trained in mixed precision, in float32."""

from __future__ import annotations

import json

import keras


def in_float32(model: keras.Model, precision: str) -> keras.Model:
    """Makes a model with the same weights that computes in float32, and makes this the precision of new layers.

    Mixed precision keeps the weights in float32, so only the rounding of the outputs changes. Converters translate
    float16 and bfloat16 in part, and runtimes on a processor compute them more slowly.

    Args:
        model: Trained model.
        precision: Name of its dtype policy, "mixed_float16" or "mixed_bfloat16".

    Example:
        >>> import keras
        >>> from seqtasks.layers import Encoder
        >>> x = keras.Input((None, 3))
        >>> layer = Encoder(cell="gru", units=4, dtype="mixed_float16")
        >>> model = in_float32(keras.Model(x, layer(x)[0]), "mixed_float16")
        >>> model.output.dtype
        'float32'
    """
    keras.config.set_dtype_policy("float32")
    text = json.dumps(keras.saving.serialize_keras_object(model))
    made: keras.Model = keras.saving.deserialize_keras_object(json.loads(text.replace(f'"{precision}"', '"float32"')))
    made.set_weights(model.get_weights())
    return made
