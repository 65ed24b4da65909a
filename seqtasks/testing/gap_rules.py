"""Cell contract, time-aware cells: gaps between the steps and the observation mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtasks.layers.recurrent import Recurrent
from seqtasks.testing.cell_fixture import STEPS, Subject, batch, call, close, start, timing


def check_gaps(subject: Subject, engine: str) -> None:
    """Checks the rules of gaps and observation masks on one engine, if the cell uses them."""
    forward, backward = subject.layer(engine), subject.layer(engine, "backward")
    if not forward.cell.uses_gaps:
        return
    _ones(forward)
    _scale(forward)
    _direction(forward, backward)
    _chunks(forward)
    for layer in (forward, backward):
        _padding(layer)
        _holes(layer)
        if layer.cell.uses_observed:
            _missing(layer)


def _same(a: tuple[Any, list[Any]], b: tuple[Any, list[Any]], rule: str) -> None:
    """Checks that two results of `call` are equal."""
    for computed, expected in zip((a[0], *a[1]), (b[0], *b[1]), strict=True):
        close(computed, expected, rule)


def _ones(layer: Recurrent) -> None:
    x, mask = batch()
    times = timing(layer.cell)
    others = {name: array for name, array in times.items() if name != "time_gaps"}
    ones = np.ones((len(x), STEPS), "float32")
    result = call(layer, x, mask=mask, time_gaps=ones, **others)
    _same(call(layer, x, mask=mask, **others), result, "without gaps all are 1")


def _scale(layer: Recurrent) -> None:
    x, _ = batch()
    times = timing(layer.cell)
    outputs, _ = call(layer, x, **times)
    scaled, _ = call(layer, x, **{**times, "time_gaps": 3 * times["time_gaps"]})
    assert np.max(np.abs(scaled - outputs)) > 1e-4, "the scale of the gaps has no effect"


def _direction(forward: Recurrent, backward: Recurrent) -> None:
    x, _ = batch()
    times = timing(forward.cell)
    reversed_times = {name: array[:, ::-1] for name, array in times.items()}
    gaps = times["time_gaps"][:, ::-1]
    # Read backward, a step is as far from the later step as the later step was from it.
    reversed_times["time_gaps"] = np.concatenate([np.zeros_like(gaps[:, :1]), gaps[:, :-1]], axis=1)
    expected = call(forward, x[:, ::-1], **reversed_times)
    _same(call(backward, x, **times), (expected[0][:, ::-1], expected[1]), "backward gaps are those to the later step")


def _chunks(layer: Recurrent) -> None:
    x, mask = batch()
    times = timing(layer.cell)
    parts = [{name: array[:, part] for name, array in times.items()} for part in (slice(4), slice(4, None))]
    first, carried = call(layer, x[:, :4], mask=mask[:, :4], **parts[0])
    second, final = call(layer, x[:, 4:], mask=mask[:, 4:], initial_state=carried, **parts[1])
    whole = call(layer, x, mask=mask, **times)
    _same((np.concatenate([first, second], axis=1), final), whole, "chunks with gaps equal the whole sequence")


def _padding(layer: Recurrent) -> None:
    x, mask = batch()
    times, states = timing(layer.cell), start(layer, len(x))
    times["time_gaps"] = np.where(mask, times["time_gaps"], 7.0).astype("float32")
    outputs, final = call(layer, x, mask=mask, initial_state=states, **times)
    for row, length in enumerate(mask.sum(axis=1)):
        of_row = {name: array[row : row + 1, :length] for name, array in times.items()}
        if length:
            alone = call(layer, x[row : row + 1, :length], initial_state=[s[row : row + 1] for s in states], **of_row)
            padded = outputs[row : row + 1, :length], [state[row : row + 1] for state in final]
            _same(padded, alone, "gaps of padding have no effect")


def _holes(layer: Recurrent) -> None:
    x, _ = batch()
    times = timing(layer.cell)
    mask = np.array([False, True, False, False, True, True])
    valid = np.flatnonzero(mask)
    outputs, final = call(layer, x, mask=np.tile(mask, (len(x), 1)), **times)
    dense = {name: array[:, valid] for name, array in times.items()}
    ends = np.cumsum(times["time_gaps"], axis=1)[:, valid]
    dense["time_gaps"] = np.diff(ends, axis=1, prepend=0).astype("float32")
    _same((outputs[:, valid], final), call(layer, x[:, valid], **dense), "gaps of masked steps add up")


def _missing(layer: Recurrent) -> None:
    x, mask = batch()
    times = timing(layer.cell)
    hidden = np.where(times["observed"], x, np.nan).astype("float32")
    _same(call(layer, hidden, mask=mask, **times), call(layer, x, mask=mask, **times), "missing values have no effect")
    zeros = np.where(times["observed"], x, 0.0).astype("float32")
    as_values, _ = call(layer, zeros, mask=mask, time_gaps=times["time_gaps"])
    differences = np.abs(call(layer, x, mask=mask, **times)[0] - as_values)
    assert np.max(differences) > 1e-4, "the observation mask has no effect"
    times["observed"] = np.ones_like(times["observed"])
    whole = call(layer, x, time_gaps=times["time_gaps"])
    _same(call(layer, x, **times), whole, "without an observation mask all values are observed")
