"""`seqtasks accelerate`: exchanges the recurrent layers of a saved Keras model."""

from __future__ import annotations

import sys
from pathlib import Path

from seqtasks.core import keras_import
from seqtasks.core.errors import DataError
from seqtasks.core.files import check_output, shown, write_output


def main(model: str, out: str | None) -> None:
    """Exchanges the layers, prints what was done, and writes the model.

    Args:
        model: File of a Keras model.
        out: File to write to; None: nothing is written.

    Raises:
        ConfigError: The file cannot be written.
        DataError: There is no such model, or no layer of it can be exchanged.
    """
    path = None if out is None else check_output(out, "--out", (".keras",))
    if not Path(model).is_file():  # before Keras is imported
        raise DataError(f"no file {model}; allowed: a Keras model as .keras or .h5; check the path")
    keras_import.import_keras()
    from seqtasks.layers import acceleration

    loaded = acceleration.load(model)
    exchanges = acceleration.exchange(loaded)
    for done in exchanges:
        print(done)
    if not any(done.changed for done in exchanges):
        raise DataError(
            f"{model} has no layer to exchange; allowed: LSTM, GRU, SimpleRNN and RNN of Keras with their usual "
            "activations in float32; use the model as it is"
        )
    if path is not None:
        write_output(path, lambda file: loaded.save(file))
        print(f"wrote {shown(path)}; import seqtasks before it is loaded", file=sys.stderr)
