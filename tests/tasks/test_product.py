"""Every cell trains in every task: an update changes recurrent weights, all stay finite."""

from __future__ import annotations

import functools
import itertools

import keras
import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.reporter import Reporter
from seqtasks.training import resolution
from seqtasks.training.compiled_model import build

BUNDLED = [entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")]
TASKS = [name for name in BUNDLED if plugins.load_task(name).uses_encoder is not False]  # text tasks: by an option
CELLS = [entry.name for entry in plugins.cells.entries() if entry.module.startswith("seqtasks.")]
PAIRS = list(itertools.product(TASKS, CELLS))
# Each task once, with a different cell each.
SAMPLE = list(zip(TASKS, np.random.default_rng(0).permutation(CELLS).tolist(), strict=False))
SAMPLE[1::2] = [pytest.param(*pair, marks=pytest.mark.slow) for pair in SAMPLE[1::2]]
SMALL = ["data.source=builtin", "encoder.units=6", "train.batch_size=4"]
CHARACTERS = {"char_lm": 2000, "word_lm": 2000}  # `data.limit` counts characters in these tasks


@functools.cache
def loaded(name: str):
    cls = plugins.load_task(name)
    config = resolve(name, cls.Options, [*SMALL, f"data.limit={CHARACTERS.get(name, 60)}"])
    task = cls(config.options)
    return task, resolution.load(task, config, Reporter(quiet=True))


def trains(name: str, cell: str, jit: bool) -> None:
    task, splits = loaded(name)
    config = resolve(name, type(task).Options, [*SMALL, f"encoder.cell={cell}"])
    model, encoder = build(task, config)
    model.compile("sgd", task.loss(), weighted_metrics=task.metrics(), jit_compile=jit)
    watched = encoder.trainable_weights or model.trainable_weights  # an echo state network trains its readout only
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in watched]
    loss = model.train_on_batch(*task.batches(splits.train, 4, shuffle=True)[0], return_dict=True)["loss"]
    assert np.isfinite(loss)
    assert any((old != keras.ops.convert_to_numpy(new)).any() for old, new in zip(before, watched, strict=True))
    assert all(np.isfinite(keras.ops.convert_to_numpy(weight)).all() for weight in model.weights)
    keras.backend.clear_session()


@pytest.mark.a_third
@pytest.mark.parametrize(("task", "cell"), SAMPLE)
def test_a_sample(task: str, cell: str) -> None:
    trains(task, cell, jit=False)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "cell"), PAIRS)
def test_all(task: str, cell: str) -> None:
    trains(task, cell, jit=True)
