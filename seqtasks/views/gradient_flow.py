"""Norm of the gradient of a loss with respect to the states, step by step back in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import BoolArray, FloatArray
from seqtasks.core.errors import ConfigError
from seqtasks.engines.backend.gradients import input_gradient
from seqtasks.layers.recording import Record, recording
from seqtasks.views.activations import layer_names, ordered

SMALLEST = 1e-30  # norms below are left out of slopes: float32 has few digits there


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """Gradient norms of one network.

    Attributes:
        label: Name of the network in a picture, such as its cell.
        norms: For each layer by its name, the mean norm over the sequences at 0, 1, 2, … steps back, `(steps,)`.
        trained: Whether the network is trained.
    """

    label: str
    norms: Mapping[str, FloatArray]
    trained: bool = True


def gradient_norms(
    model: keras.Model, batch: Sequence[Any], loss: Any, steps: int | None = None
) -> dict[str, FloatArray]:
    """Computes the gradient norm of the loss at the last step with respect to the states of earlier steps.

    The state of a step is all states of the cell after it, such as h and c, as independent variables. If the model
    has one loss for a sequence, that is the loss. Layers of the backward direction are left out: the last step is
    the first that they read.

    Args:
        model: Model with an encoder of recurrent layers; it runs in inference mode.
        batch: Inputs and targets, and weights `(batch, time)` if there is padding.
        loss: The task's loss.
        steps: Maximum number of steps back; None: all.

    Returns:
        For each layer by its name, the mean norm over the sequences of the batch at 0, 1, 2, … steps back.

    Raises:
        ConfigError: The model has no recurrent layer that reads whole sequences.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.views.gradient_flow import gradient_norms
        >>> x = keras.Input((None, 1))
        >>> last, _ = Encoder(cell="ind_rnn", units=1, name="encoder")(x, return_sequences=False)
        >>> model = keras.Model(x, last)
        >>> model.set_weights([np.ones((1, 1)), np.full(1, 0.5), np.zeros(1)])
        >>> norms = gradient_norms(model, (np.ones((1, 4, 1), "float32"), np.zeros(1)), keras.losses.MeanSquaredError())
        >>> (norms["layer 1"] / norms["layer 1"][0]).tolist()
        [1.0, 0.5, 0.25, 0.125]
    """
    inputs, targets = ordered(model, batch[0]), ops.convert_to_tensor(batch[1])
    records = _forward_records(model, inputs)
    sizes = [sum(state.shape[-1] for state in record.states) for record in records]
    begins = dict(zip((id(record.layer) for record in records), np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    shape = records[0].states[0].shape[:2]
    last = None if len(batch) < 3 else ops.convert_to_tensor(_last_only(np.asarray(batch[2]) > 0), "float32")

    def total(shift: Any, arguments: Any, targets: Any, last: Any) -> Any:
        def of_layer(layer: Any, _: Any) -> list[Any] | None:
            begin = begins.get(id(layer))
            if begin is None:
                return None
            ends = np.cumsum([begin, *layer.cell.state_size]).tolist()
            return [shift[..., a:b] for a, b in pairwise(ends)]

        with recording(gates=False, shifts=of_layer):
            return _last_losses(loss, targets, model(arguments, training=False), last)

    zeros = ops.zeros((*shape, sum(sizes)), records[0].layer.compute_dtype)
    _, gradient = input_gradient(total)(zeros, inputs, targets, last)
    values = np.asarray(ops.convert_to_numpy(gradient), np.float64)
    names = layer_names(model)
    norms = {}
    for record, begin, size in zip(records, begins.values(), sizes, strict=True):
        mask = record.inputs.mask
        valid = np.ones(shape, bool) if mask is None else np.asarray(ops.convert_to_numpy(mask), bool)
        of_layer = np.linalg.norm(values[..., begin : begin + size], axis=-1)
        norms[names[id(record.layer)]] = _by_steps_back(of_layer, valid, steps)
    return norms


def slope(norms: FloatArray, first: int, last: int) -> float:
    """Slope of the logarithm of the norms for each step back; its exponential is the factor of a step.

    Args:
        norms: Norms at 0, 1, 2, … steps back, `(steps,)`.
        first: First step back of the fitted line.
        last: Last step back of the fitted line.

    Returns:
        The slope by least squares; NaN if fewer than two norms are above 1e-30.

    Example:
        >>> round(slope(0.5 ** np.arange(10), 2, 8), 4)  # the logarithm of 0.5
        -0.6931
    """
    back = np.arange(len(norms))
    used = (back >= first) & (back <= last) & (np.asarray(norms) > SMALLEST)
    return float(np.polyfit(back[used], np.log(norms[used]), 1)[0]) if used.sum() > 1 else float("nan")


def _forward_records(model: keras.Model, inputs: Any) -> list[Record]:
    """Runs the model and returns one record for each layer of the forward direction."""
    names = layer_names(model)
    with recording(gates=False) as records:
        model(inputs, training=False)
    forward = [record for record in records if id(record.layer) in names and not record.inputs.reverse]
    if not forward or len({id(record.layer) for record in forward}) < len(forward):
        raise ConfigError(
            f"the model {model.name} has no recurrent layer that reads whole sequences; allowed: models with an "
            "encoder of recurrent layers; look at a run of another task"
        )
    return forward


def _last_losses(loss: Any, targets: Any, outputs: Any, last: Any) -> Any:
    """Sum over the sequences of the losses at their last steps, or of their losses."""
    losses = loss.call(targets, outputs) if isinstance(loss, keras.losses.Loss) else loss(targets, outputs)
    if len(losses.shape) == 2:
        losses = losses[:, -1] if last is None else ops.sum(losses * ops.cast(last, losses.dtype), axis=1)
    return ops.sum(losses)


def _last_only(valid: BoolArray) -> BoolArray:
    """True at the last valid step of each row only, `(batch, time)`."""
    steps = np.arange(1, valid.shape[1] + 1)
    last = np.where(valid, steps, 0).max(axis=1, keepdims=True)
    return valid & (steps == last)


def _by_steps_back(norms: FloatArray, valid: BoolArray, steps: int | None) -> FloatArray:
    """Mean norm of the sequences that have a step so far back.

    Args:
        norms: `(batch, time)`.
        valid: `(batch, time)`, true at valid steps.
        steps: Maximum number of steps back; None: all.
    """
    rows = [row[mask][::-1] for row, mask in zip(norms, valid, strict=True)]
    longest = min(max(map(len, rows)), len(norms[0]) if steps is None else steps + 1)
    return np.array([np.mean([row[k] for row in rows if len(row) > k]) for k in range(longest)])
