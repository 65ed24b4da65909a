"""Exchange of the recurrent layers of a Keras model for those of seqtasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from seqtasks.cells.base import Cell
from seqtasks.core.errors import DataError
from seqtasks.core.reporter import Reporter
from seqtasks.engines.native import keras_cells
from seqtasks.layers.drop_in import GRU, LSTM, KerasLoop, SimpleRNN
from seqtasks.layers.rnn import RNN

CLASSES: dict[type[keras.layers.Layer], type[KerasLoop]] = {
    keras.layers.LSTM: LSTM,
    keras.layers.GRU: GRU,
    keras.layers.SimpleRNN: SimpleRNN,
    keras.layers.RNN: RNN,
}


@dataclass(frozen=True)
class Exchange:
    """Report on a recurrent layer of an accelerated model.

    Args:
        name: Name of the layer.
        kind: Name of its class before.
        changed: Whether it is a layer of seqtasks now.
        reason: Why it was left, or what does not run faster; empty if there is nothing to say.
    """

    name: str
    kind: str
    changed: bool
    reason: str = ""

    def __str__(self) -> str:
        done = f"now seqtasks.layers.{self.kind}" if self.changed else "left"
        return f"{self.name} ({self.kind}): {done}" + (f": {self.reason}" if self.reason else "")


def accelerate(model: keras.Model | str | Path, verbose: bool = True) -> keras.Model:
    """Exchanges the recurrent layers of a Keras model for faster ones of seqtasks.

    The model is changed in place: its layers keep their weights, names and places, also inside of wrappers, nested and
    subclassed models, and a compiled model keeps its optimizer with its variables, its loss and its metrics. Outputs
    are equal up to rounding. Layers that the native engine cannot run are left: those with other activations than tanh
    and sigmoid or in another precision than float32, subclasses, and convolutional ones. A saved accelerated model
    needs seqtasks to be loaded.

    Args:
        model: The model, or the file of one (`.keras` or `.h5`), which is loaded.
        verbose: Whether to print which layers were changed, and which were left and why, on standard error.

    Returns:
        The model.

    Raises:
        DataError: There is no such file, or it holds no Keras model.
        TypeError: `model` is neither a model nor a file.

    Example:
        >>> import keras, numpy as np, seqtasks
        >>> model = keras.Sequential([keras.Input((5, 3)), keras.layers.Bidirectional(keras.layers.GRU(4))])
        >>> x = np.ones((2, 5, 3), "float32")
        >>> before = model.predict(x, verbose=0)
        >>> after = seqtasks.accelerate(model, verbose=False).predict(x, verbose=0)
        >>> bool(np.allclose(before, after, atol=1e-6)), type(model.layers[0].forward_layer).__module__
        (True, 'seqtasks.layers.drop_in')
    """
    if isinstance(model, str | Path):
        model = load(model)
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"accelerate received a {type(model).__name__}; allowed: a keras.Model or the path of a .keras file; pass "
            "the model itself"
        )
    exchanges = exchange(model)
    reporter = Reporter(quiet=not verbose)
    for done in exchanges:
        reporter.say(str(done))
    if not exchanges:
        reporter.say(f"{model.name} has no recurrent layer of Keras")
    if any(done.changed for done in exchanges) and model.compiled and model.jit_compile:
        reporter.say("compiled with jit_compile=True, where Keras's loops run; compile again with jit_compile=False")
    return model


def load(path: str | Path) -> keras.Model:
    """Loads a Keras model from a file.

    Raises:
        DataError: There is no such file, or it holds no Keras model.
    """
    if not Path(path).is_file():
        raise DataError(f"no file {path}; allowed: a Keras model as .keras or .h5; check the path")
    try:
        return keras.saving.load_model(path)
    except (ValueError, TypeError, OSError) as error:
        reason = str(error).strip().split("\n")[0].split(". ")[0]
        raise DataError(
            f"{path} cannot be loaded: {reason}; allowed: a Keras model as .keras or .h5; load it yourself, with its "
            "custom_objects, and pass the model to seqtasks.accelerate"
        ) from error


def exchange(model: keras.Model) -> list[Exchange]:
    """Exchanges the recurrent layers of a model in place, see `accelerate`.

    Returns:
        What was done with each recurrent layer that is not one of seqtasks.
    """
    exchanges = []
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.RNN) and not isinstance(layer, KerasLoop):
            kind, reason = type(layer).__name__, _unsupported_reason(layer)
            if reason is None:
                _become_ours(layer)
                exchanges.append(Exchange(layer.name, kind, True, _slow_training(layer)))
            else:
                exchanges.append(Exchange(layer.name, kind, False, reason))
    if any(done.changed for done in exchanges):
        # They were traced with the layers of Keras.
        model.train_function = model.test_function = model.predict_function = None
    return exchanges


def _cells(layer: keras.layers.RNN) -> list[Any]:
    """Returns the cells of a layer, also of stacked ones."""
    return list(layer.cell.cells) if isinstance(layer.cell, keras.layers.StackedRNNCells) else [layer.cell]


def _unsupported_reason(layer: keras.layers.RNN) -> str | None:
    """Returns why a layer is left as it is, or None if it can be exchanged."""
    if type(layer) not in CLASSES:
        return f"seqtasks has no layer for {type(layer).__name__}"
    if getattr(layer, "use_cudnn", "auto") is True:
        return "use_cudnn=True asks for cuDNN"
    reasons = (None if isinstance(cell, Cell) else keras_cells.unsupported_reason(cell) for cell in _cells(layer))
    reason = next((reason for reason in reasons if reason), None)
    return reason and f"engine native: {reason}"


def _slow_training(layer: keras.layers.RNN) -> str:
    """Returns why Keras's loop trains a layer, or nothing."""
    reasons = (None if isinstance(cell, Cell) else keras_cells.training_reason(cell) for cell in _cells(layer))
    reason = next((reason for reason in reasons if reason), None)
    return f"training runs as in Keras, as {reason}" if reason else ""


def _become_ours(layer: Any) -> None:
    """Makes a layer of Keras one of seqtasks.

    Its class is replaced, a subclass of its own: the layer is referred to by models, wrappers, losses and the
    optimizer, which all stay as they are.
    """
    layer.__class__ = CLASSES[type(layer)]
    if isinstance(layer, RNN):
        layer.set_defaults()
    layer.set_engine("auto")
