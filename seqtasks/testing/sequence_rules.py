"""Cell contract, sequences: padding, masks, direction, chunks, reset, windows."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.config import EncoderConfig
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recurrent import Recurrent
from seqtasks.testing.cell_fixture import (
    FEATURES,
    Subject,
    batch,
    call,
    close,
    gradients,
    loss_of,
    start,
    timing,
    weight_values,
    with_weights,
)


def check_time(subject: Subject, engine: str) -> None:
    """Checks all rules of masks and states on one engine."""
    forward, backward = subject.layer(engine), subject.layer(engine, "backward")
    _padding(forward)
    _padding(backward)
    _padding_and_gradients(forward)
    _holes(forward)
    _implicit_mask(forward)
    _direction(forward, backward)
    _chunks(forward)
    _reset(forward)
    _windows(subject, engine)


def _padding(layer: Recurrent) -> None:
    x, mask = batch()
    states = start(layer, len(x))
    outputs, final = call(layer, x, mask=mask, initial_state=states)
    last, _ = call(layer, x, mask=mask, initial_state=states, return_sequences=False)
    for row, length in enumerate(mask.sum(axis=1)):
        one = [s[row : row + 1] for s in states]
        close(outputs[row, length:], 0, "outputs of masked steps are zero")
        if length == 0:
            close(last[row], 0, "the output of a sequence without a valid step is zero")
            for state, before in zip(final, one, strict=True):
                close(state[row], before[0], "a sequence without a valid step keeps its state")
            continue
        alone, ends = call(layer, x[row : row + 1, :length], initial_state=one)
        close(outputs[row, :length], alone[0], "padding changes no output")
        close(last[row], alone[0, 0 if layer.direction == "backward" else -1], "the last output is of a valid step")
        for state, end in zip(final, ends, strict=True):
            close(state[row], end[0], "padding changes no state")


def _padding_and_gradients(layer: Recurrent) -> None:
    x, mask = batch()
    x, mask = x[1:3], mask[1:3]
    weights = weight_values(layer)

    def loss(x: np.ndarray, mask: Any) -> Any:
        return lambda values: with_weights(layer, values, lambda: loss_of_sums(*layer(x, mask=mask)))

    def loss_of_sums(outputs: Any, states: Any) -> Any:
        # Summed over time, so that padding, whose outputs are zero, does not change the sum.
        return loss_of(ops.sum(outputs, axis=1), states)

    parts = [gradients(loss(x[i : i + 1, :n], None), weights) for i, n in enumerate(mask.sum(axis=1))]
    wide = np.concatenate([x, np.ones_like(x[:, :3])], axis=1), np.pad(mask, ((0, 0), (0, 3)))
    close(loss(*wide)(weights), loss(x, mask)(weights), "padding changes no loss")
    for whole, *each in zip(gradients(loss(*wide), weights), *parts, strict=True):
        close(whole, sum(each), "padding changes no gradient")


def _holes(layer: Recurrent) -> None:
    x, _ = batch()
    mask = np.ones(x.shape[:2], bool)
    mask[:, 1::3] = False
    outputs, states = call(layer, x, mask=mask)
    dense, final = call(layer, x[:, mask[0]])
    close(outputs[:, mask[0]], dense, "masked steps inside a sequence are skipped")
    for state, other in zip(states, final, strict=True):
        close(state, other, "masked steps inside a sequence are skipped")


def _implicit_mask(layer: Recurrent) -> None:
    x, mask = batch()
    hidden = np.where(mask[..., None], x, 9.0).astype(x.dtype)
    carrying = keras.layers.Masking(9.0)(hidden)  # attaches the mask to its output
    outputs, states = call(layer, x, mask=mask)
    implicit, final = call(layer, carrying)
    close(implicit, outputs, "a mask that Keras attaches to the input equals a mask argument")
    for state, other in zip(final, states, strict=True):
        close(state, other, "a mask that Keras attaches to the input equals a mask argument")


def _direction(forward: Recurrent, backward: Recurrent) -> None:
    x, _ = batch()
    expected = call(forward, x[:, ::-1])[0][:, ::-1]
    close(call(backward, x)[0], expected, "the backward direction is forward over the reversed input")


def _chunks(layer: Recurrent) -> None:
    x, mask = batch()
    outputs, states = call(layer, x, mask=mask)
    first, carried = call(layer, x[:, :4], mask=mask[:, :4])
    second, final = call(layer, x[:, 4:], mask=mask[:, 4:], initial_state=carried)
    close(np.concatenate([first, second], axis=1), outputs, "chunks with carried state equal the whole sequence")
    for state, other in zip(final, states, strict=True):
        close(state, other, "chunks with carried state equal the whole sequence")


def _reset(layer: Recurrent) -> None:
    x, _ = batch()
    carried = call(layer, x)[1]
    reset = np.arange(len(x)) % 2 == 0
    outputs, _ = call(layer, x, initial_state=carried, reset=reset)
    close(outputs[reset], call(layer, x)[0][reset], "rows that are reset start from the initial state")
    close(outputs[~reset], call(layer, x, initial_state=carried)[0][~reset], "rows that are not reset keep their state")


def _windows(subject: Subject, engine: str) -> None:
    """Checks that a stateful layer carries state, but no gradient, across windows."""
    x, _ = batch(2)
    cell = subject.cell()
    stateful_layer = Recurrent(cell, engine=engine, stateful=True, max_batch=2)
    stateful_layer.build(x.shape)
    stateful_layer.built = True
    plain = Recurrent(cell, engine=engine)
    plain.build(x.shape)
    weights = weight_values(cell)

    def stateful() -> Any:
        first, second = (stateful_layer(part, training=True) for part in (x[:, :4], x[:, 4:]))
        return loss_of(*first) + loss_of(*second)

    carried = [ops.convert_to_numpy(state) for state in plain(x[:, :4])[1]]
    separate = [(x[:, :4], None), (x[:, 4:], carried)]

    def window(inputs: Any, states: Any, values: Any) -> Any:
        return with_weights(cell, values, lambda: loss_of(*plain(inputs, initial_state=states)))

    parts = [gradients(functools.partial(window, *of_window), weights) for of_window in separate]
    whole = gradients(lambda w: with_weights(cell, w, stateful), weights)
    for gradient, *each in zip(whole, *parts, strict=True):
        close(gradient, sum(each), "no gradient flows across windows")


def check_stack(subject: Subject) -> None:
    """Checks two bidirectional layers: each sequence of a batch is as it is alone."""
    x, mask = batch()
    config = EncoderConfig(
        cell=subject.name, units=subject.units, layers=2, bidirectional=True, options=dict(subject.options)
    )
    encoder = Encoder(config)
    encoder.build((None, None, FEATURES))
    times = timing(encoder.recurrents[0].cell)
    outputs, _ = encoder(x, mask=mask, **times)
    vectors, _ = encoder(x, mask=mask, return_sequences=False, **times)
    outputs, vectors = ops.convert_to_numpy(outputs), ops.convert_to_numpy(vectors)
    for row, length in enumerate(mask.sum(axis=1)):
        close(outputs[row, length:], 0, "outputs of masked steps of a bidirectional stack are zero")
        if length:
            of_row = {name: array[row : row + 1, :length] for name, array in times.items()}
            alone = ops.convert_to_numpy(encoder(x[row : row + 1, :length], **of_row)[0])[0]
            close(outputs[row, :length], alone, "padding changes no output of a bidirectional stack")
            half = alone.shape[-1] // 2
            ends = np.concatenate([alone[-1, :half], alone[0, half:]])
            close(vectors[row], ends, "a bidirectional stack ends at the last and the first valid step")
