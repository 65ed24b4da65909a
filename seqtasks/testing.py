"""The contracts of cells and tasks, for our tests and for those of plugin authors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks import config as configuration
from seqtasks import engines, results, runs, use
from seqtasks.cells.base import make_cell
from seqtasks.progress import Reporter
from seqtasks.recurrent import Recurrent
from seqtasks.settings import build
from seqtasks.task import Task
from seqtasks.train import run

TOLERANCE = 1e-5


def check_task(
    cls: type[Task], folder: Path, overrides: Sequence[str] = (), inputs: Sequence[str] = (), cell: str = "gru"
) -> results.Row:
    """Trains a task shortly and checks what every task promises.

    It trains on at most 200 examples a split, its scores contain its metric and are
    finite, its row is stored and read back, the saved model gives the same scores, a
    second run is skipped, a causal task refuses a bidirectional encoder.

    Args:
        cls: the task.
        folder: an empty folder.
        overrides: settings, e.g. a small size or a data source.
        inputs: words for `predict`, if it shall be tried.
        cell: the cell to train.

    Raises:
        AssertionError: a promise is broken.
    """
    given = {key for key, _ in (configuration.split_override(text) for text in overrides)}
    small = ["train.epochs=1", "data.limit=200", "encoder.units=8", "train.batch_size=32", "data.source=builtin"]
    small = [text for text in small if text.partition("=")[0] not in given]
    chosen = [f"encoder.cell={cell}", *small, *overrides]
    own = cls.file.with_suffix(".yaml") if cls.file else None
    config = configuration.resolve(cls.name, cls.Options, chosen, task_file=own)
    row, skipped = run(config, cls, folder, Reporter(quiet=True))
    assert not skipped, "the folder was not empty"
    assert cls.metric in row.scores, f"score() gives no {cls.metric!r}"
    assert all(np.isfinite(value) for value in row.scores.values()), f"scores are not finite: {row.scores}"
    assert 0 < row.encoder_params <= row.params or cls.topology == "one-to-one"
    opened = runs.open_run(folder / row.run)
    assert results.read(opened.path) == row
    again = {line["score"]: line["now"] for line in use.evaluate(opened, Reporter(quiet=True))}
    for name, value in row.scores.items():
        assert abs(again[name] - value) <= 1e-5 * max(1, abs(value)), f"{name}: the saved model scores otherwise"
    assert run(config, cls, folder, Reporter(quiet=True)) == (row, True), "a finished run was not skipped"
    if inputs:
        assert use.predict(opened, inputs), "predict() gives no rows"
    assert build(cls.PredictOptions, {}) == cls.PredictOptions()
    return row


def check_cell(name: str, options: dict[str, Any] | None = None, units: int = 5) -> None:
    """Checks the rules of time for a registered cell on every engine that can run it.

    Padding changes nothing; rows without a real step and holes in the mask; both
    directions; chunks with carried state; rows reset; `keras.layers.RNN`; config.

    Args:
        name: of the cell.
        options: of the cell.
        units: its width.

    Raises:
        AssertionError: a rule is broken.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 9, 3)).astype("float32")
    lengths = np.array([9, 6, 2, 0])
    mask = np.arange(9)[None] < lengths[:, None]
    cell = make_cell(name, units, options)
    for engine in engines.available(cell):
        forward = Recurrent(cell, "forward", engine)
        backward = Recurrent(cell, "backward", engine)
        _check_padding(forward, x, mask)
        _check_padding(backward, x, mask)
        _check_holes(forward, x)
        _check_direction(forward, backward, x)
        _check_chunks(forward, x, mask)
        _check_reset(forward, x)
    _check_keras(cell, x)
    _check_config(cell, x)


def _check_padding(layer: Recurrent, x: np.ndarray, mask: np.ndarray) -> None:
    start = [np.full((len(x), size), 0.3, "float32") for size in layer.cell.state_size]
    outputs, states = _call(layer, x, mask=mask, initial_state=start)
    last, _ = _call(layer, x, mask=mask, initial_state=start, return_sequences=False)
    for row, length in enumerate(mask.sum(axis=1)):
        one = [s[row : row + 1] for s in start]
        _close(outputs[row, length:], 0, "outputs of masked steps are zero")
        if length == 0:
            _close(last[row], 0, "a row without a real step gives zeros")
            for state, before in zip(states, one, strict=True):
                _close(state[row], before[0], "a row without a real step keeps its state")
            continue
        alone, final = _call(layer, x[row : row + 1, :length], initial_state=one)
        _close(outputs[row, :length], alone[0], "padding changes no output")
        _close(last[row], alone[0, 0 if layer.direction == "backward" else -1], "the last output is of a real step")
        for state, other in zip(states, final, strict=True):
            _close(state[row], other[0], "padding changes no state")


def _check_holes(layer: Recurrent, x: np.ndarray) -> None:
    mask = np.ones(x.shape[:2], bool)
    mask[:, 1::3] = False
    outputs, states = _call(layer, x, mask=mask)
    dense, final = _call(layer, x[:, mask[0]])
    _close(outputs[:, mask[0]], dense, "holes in the mask are passed over")
    for state, other in zip(states, final, strict=True):
        _close(state, other, "holes in the mask are passed over")


def _check_direction(forward: Recurrent, backward: Recurrent, x: np.ndarray) -> None:
    _close(_call(backward, x)[0], _call(forward, x[:, ::-1])[0][:, ::-1], "backward is forward over the reversed input")


def _check_chunks(layer: Recurrent, x: np.ndarray, mask: np.ndarray) -> None:
    outputs, states = _call(layer, x, mask=mask)
    first, carried = _call(layer, x[:, :4], mask=mask[:, :4])
    second, final = _call(layer, x[:, 4:], mask=mask[:, 4:], initial_state=carried)
    _close(np.concatenate([first, second], axis=1), outputs, "chunks with carried state equal the whole")
    for state, other in zip(final, states, strict=True):
        _close(state, other, "chunks with carried state equal the whole")


def _check_reset(layer: Recurrent, x: np.ndarray) -> None:
    carried = _call(layer, x)[1]
    reset = np.arange(len(x)) % 2 == 0
    outputs, _ = _call(layer, x, initial_state=carried, reset=reset)
    _close(outputs[reset], _call(layer, x)[0][reset], "reset rows start afresh")
    _close(outputs[~reset], _call(layer, x, initial_state=carried)[0][~reset], "other rows go on")


def _check_keras(cell: Any, x: np.ndarray) -> None:
    ours = _call(Recurrent(cell, engine="loop"), x)[0]
    _close(keras.layers.RNN(cell, return_sequences=True)(x), ours, "keras.layers.RNN(cell) gives the same")


def _check_config(cell: Any, x: np.ndarray) -> None:
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert copy.get_config() == cell.get_config(), "get_config() and from_config() disagree"
    if not copy.built:  # Keras builds the copy of a built layer
        copy.build(x.shape)
    assert [tuple(w.shape) for w in copy.weights] == [tuple(w.shape) for w in cell.weights]
    copy.set_weights(cell.get_weights())
    _close(
        _call(Recurrent(copy, engine="loop"), x)[0],
        _call(Recurrent(cell, engine="loop"), x)[0],
        "a copy gives the same",
    )


def _call(layer: Recurrent, x: np.ndarray, **arguments: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    outputs, states = layer(x, **arguments)
    return keras.ops.convert_to_numpy(outputs), [keras.ops.convert_to_numpy(state) for state in states]


def _close(a: Any, b: Any, rule: str) -> None:
    worst = float(np.max(np.abs(np.asarray(a, "float64") - np.asarray(b, "float64")), initial=0.0))
    assert worst <= TOLERANCE, f"{rule}: they differ by {worst:.2g}"
