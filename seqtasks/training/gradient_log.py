"""Norms of the gradients of each layer during training, and the share of clipped updates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from seqtasks.core.errors import RunError
from seqtasks.core.files import write_text
from seqtasks.engines.backend.gradients import dense, squared_norms
from seqtasks.experiments.run_folder import writing
from seqtasks.layers.encoder import Encoder

FILE = "gradients.csv"
LOGGED = "gradient_log"  # beginning of the names of the variables, which checkpoints treat as optional
MOST_ROWS = 4096  # maximum number of updates of an epoch that are written one by one
MOST_ENTRIES = 1 << 16  # maximum number of entries of a layer's gradient that are kept for a histogram
ALL = "all"


class GradientLog(keras.callbacks.Callback):
    """Callback of `train.log_gradients`: writes `gradients.csv` and adds columns to `history.csv`.

    The norms are those before clipping. They are computed inside the training step and kept in variables of the
    optimizer, so that a resumed run has the same log. `gradients.csv` has a row for each update, or for evenly spaced
    ones if an epoch has more than 4096: `epoch`, `step`, `all` (the norm over all weights), the norm of each layer, and
    `clipped`. To the logs of an epoch it adds the means and the maximum: `grad_norm`, `grad_norm_max`,
    `grad_norm/LAYER`, and with clipping `clipped`, the share of clipped updates.

    Args:
        model: Compiled model with a built optimizer, whose `apply` is replaced.
        steps: Number of updates of an epoch.
        clip: Maximum global norm of the gradient; None: no clipping.
        folder: Folder of `gradients.csv`; None: write no file.
        entries: Keep the gradients of the last update of each epoch, for trackers that draw histograms.

    Attributes:
        kept: Entries of the gradient of each layer in the last update of the last epoch, `(entries,)`; evenly spaced
            ones of a layer with more than 65,536. Empty before the first epoch ends, or without `entries`.
    """

    def __init__(self, model: keras.Model, steps: int, clip: float | None, folder: Path | None, entries: bool = False):
        super().__init__()
        self.groups = weight_groups(model)
        self.names = [ALL, *self.groups]
        self.clip = clip
        self.folder = folder
        self.every = max(1, math.ceil(steps / MOST_ROWS))
        optimizer = model.optimizer
        rows = math.ceil(1.25 * steps / self.every) + 16  # the number of batches varies between epochs in some tasks

        def variable(shape: tuple[int, ...], name: str) -> Any:
            made = keras.Variable(np.zeros(shape, "float32"), trainable=False, name=f"{LOGGED}_{name}")
            optimizer._track_variable(made)  # JAX only updates variables of the optimizer
            return made

        self.rows = variable((rows, len(self.names)), "rows")
        self.sums = variable((len(self.names),), "sums")
        self.largest = variable((len(self.names),), "largest")
        self.counts = variable((2,), "counts")  # updates, and clipped ones
        self.kept: dict[str, np.ndarray] = {}
        self._entries: dict[str, Any] = {}
        self._sizes = sizes = [math.prod(weight.shape) for weight in model.trainable_variables]
        for number, (name, members) in enumerate(self.groups.items() if entries else ()):
            every = max(1, math.ceil(sum(sizes[i] for i in members) / MOST_ENTRIES))
            count = sum(math.ceil(sizes[i] / every) for i in members)
            self._entries[name] = (every, variable((count,), f"entries_{number}"))
        plain = optimizer.apply

        def apply(grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> Any:
            self._record(grads)
            return plain(grads, trainable_variables)

        optimizer.apply = apply

    def _record(self, grads: Sequence[Any]) -> None:
        """Adds the norms of an update to the variables; runs inside the training step."""
        squares = squared_norms(grads)
        groups = [sum((squares[i] for i in numbers), ops.zeros(())) for numbers in self.groups.values()]
        norms = ops.sqrt(ops.stack([sum(squares, ops.zeros(())), *groups]))
        counts = ops.convert_to_tensor(self.counts)
        row = ops.minimum(ops.cast(counts[0], "int32") // self.every, self.rows.shape[0] - 1)
        rows = ops.convert_to_tensor(self.rows)
        chosen = ops.equal(ops.arange(self.rows.shape[0]), row)[:, None]
        first = ops.equal(ops.cast(counts[0], "int32") % self.every, 0)
        self.rows.assign(ops.where(ops.logical_and(chosen, first), norms[None], rows))
        self.sums.assign(ops.convert_to_tensor(self.sums) + norms)
        self.largest.assign(ops.maximum(ops.convert_to_tensor(self.largest), norms))
        clipped = ops.zeros(()) if self.clip is None else ops.cast(norms[0] > self.clip, "float32")
        self.counts.assign(counts + ops.stack([ops.ones(()), clipped]))
        for name, (every, entries) in self._entries.items():
            flat = [
                ops.zeros((self._sizes[i],)) if grads[i] is None else ops.reshape(dense(grads[i]), (-1,))
                for i in self.groups[name]
            ]
            entries.assign(ops.concatenate([ops.cast(values[::every], "float32") for values in flat]))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = (ops.convert_to_numpy(v) for v in (self.rows, self.sums, self.largest, self.counts))
        rows, sums, largest, (updates, clipped) = values
        means = sums / max(1.0, float(updates))
        if logs is not None:
            logs |= {"grad_norm": float(means[0]), "grad_norm_max": float(largest[0])}
            logs |= {f"grad_norm/{name}": float(mean) for name, mean in zip(self.names[1:], means[1:], strict=True)}
            if self.clip is not None:
                logs["clipped"] = float(clipped / max(1.0, float(updates)))
        self.kept = {name: np.array(ops.convert_to_numpy(v)) for name, (_, v) in self._entries.items()}
        if self.folder is not None:
            self._write(self.folder, epoch, rows, float(updates))
        for variable in (self.rows, self.sums, self.largest, self.counts):  # last, as the arrays may share its memory
            variable.assign(ops.zeros_like(variable))

    def _write(self, folder: Path, epoch: int, rows: np.ndarray, updates: float) -> None:
        """Writes the rows of an epoch to `gradients.csv`."""
        count = min(math.ceil(updates / self.every), len(rows))
        table = pd.DataFrame(rows[:count].astype(float), columns=self.names)
        table.insert(0, "epoch", epoch + 1)
        table.insert(1, "step", np.arange(count) * self.every + 1)
        table["clipped"] = (table[ALL] > self.clip).astype(int) if self.clip is not None else 0
        path = folder / FILE
        if path.is_file():
            before = read_log(folder)
            table = pd.concat([before[before["epoch"] <= epoch], table])  # an epoch that was repeated has new rows
        with writing(folder):
            write_text(path, table.to_csv(index=False, float_format="%.6g"))


def weight_groups(model: keras.Model) -> dict[str, list[int]]:
    """Numbers of the trainable weights of each layer; an encoder has one entry for each of its layers.

    Args:
        model: The model.

    Returns:
        Positions in `model.trainable_variables` by the name of the layer.

    Example:
        >>> import keras
        >>> from seqtasks.layers import Encoder
        >>> x = keras.Input((None, 3))
        >>> encoder = Encoder(cell="gru", units=4, layers=2, name="encoder")
        >>> model = keras.Model(x, keras.layers.Dense(1, name="head")(encoder(x)[0]))
        >>> weight_groups(model)
        {'encoder layer 1': [0, 1, 2], 'encoder layer 2': [3, 4, 5], 'head': [6, 7]}
    """
    numbers = {id(weight): i for i, weight in enumerate(model.trainable_variables)}
    groups: dict[str, list[int]] = {}

    def add(name: str, weights: Sequence[Any]) -> None:
        for weight in weights:
            if (number := numbers.pop(id(weight), None)) is not None:
                groups.setdefault(name, []).append(number)

    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, Encoder):
            for number, directions in enumerate(layer.layers, start=1):
                for recurrent in directions:
                    backward = " backward" if recurrent.direction == "backward" else ""
                    add(f"{layer.name} layer {number}{backward}", recurrent.trainable_variables)
    for layer in model.layers:
        add(layer.name, layer.trainable_variables)
    add("others", model.trainable_variables)
    return groups


def read_log(folder: Path) -> pd.DataFrame:
    """Reads `gradients.csv` of a run folder.

    Raises:
        RunError: The file is missing or damaged.
    """
    path = folder / FILE
    try:
        table = pd.read_csv(path)
        if not {"epoch", "step", ALL, "clipped"} <= set(table.columns):
            raise ValueError("columns are missing")
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}; remove the file, or train again with --force") from error
    return table
