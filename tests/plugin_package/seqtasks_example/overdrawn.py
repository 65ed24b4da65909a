"""Was an account ever overdrawn? Many-to-one.

    +1 -1 +1 +1 -1 -1  →  no
    +1 -1 -1 +1 +1 +1  →  yes: -1 after the third step

The answer needs a counter and a memory of its lowest value.
"""

from __future__ import annotations

import keras
import numpy as np

from seqtasks import Encoder, Examples, Source, Splits, Task, fingerprint, register_task


@register_task("overdrawn")
class Overdrawn(Task):
    """Was an account ever overdrawn?"""

    topology = "many-to-one"
    metric = "accuracy"
    builtin = "generated"

    def load(self, source: Source, seed: int) -> Splits:
        rng = np.random.default_rng(0)
        x = rng.choice([-1, 1], size=(3000, 16, 1), p=[0.35, 0.65]).astype("float32")
        y = (x.cumsum(axis=1).min(axis=(1, 2)) < 0).astype("int64")
        parts = np.split(np.arange(len(x)), [2000, 2500])
        train, validation, test = (Examples({"amounts": x}, y).take(part) for part in parts)
        return Splits(train, validation, test, str(source), fingerprint({"x": x, "y": y}), {"classes": ["no", "yes"]})

    def model(self, encoder: Encoder) -> keras.Model:
        inputs = keras.Input((None, 1), name="amounts")
        last, _ = encoder(inputs, return_sequences=False)
        return keras.Model(inputs, keras.layers.Dense(2, dtype="float32")(last))
