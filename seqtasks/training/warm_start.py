"""Initial weights of a model from those of a finished run (`train.start`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core import config as configuration
from seqtasks.core import plugins
from seqtasks.core.config import Config
from seqtasks.core.errors import RunError
from seqtasks.core.files import shown
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.task_types.base import Task
from seqtasks.training.saved_model import open_trained

Names = Sequence[str] | None  # of the entries along an axis; None: the axis has no names


def find(config: Config, runs_dir: Path) -> run_folder.Run | None:
    """Finds the run of `train.start`.

    Args:
        config: Configuration of the run that starts from it.
        runs_dir: Folder of all runs.

    Returns:
        The run; None if the setting is null.

    Raises:
        RunError: There is no such run, or it is not finished or has no model.
    """
    if config.train.start is None:
        return None
    folder = run_folder.with_model(run_folder.find(config.train.start, runs_dir))
    if not folder.finished:
        raise RunError(
            f"train.start={shown(config.train.start)} is not finished ({folder.status()}); allowed: a finished run; "
            f"continue it: {folder.command('resume')}"
        )
    return folder


def copy_weights(task: Task, config: Config, model: keras.Model, folder: run_folder.Run, reporter: Reporter) -> None:
    """Copies the weights of a run to a new model.

    Weights have to agree in number, order and shape. Along an axis whose entries have names, such as the words of an
    embedding or the tags of the output layer (`Task.named_weights`), the entries of names that both have are copied,
    and the others keep their initial values.

    Args:
        task: The task of the new model, with the spec of its data.
        config: Configuration of the new run.
        model: The new model.
        folder: The run to start from.
        reporter: Prints what was copied.

    Raises:
        RunError: The models do not fit; the message names the first difference.
    """
    old_task, old = _open(task, config, folder)
    names, old_names = _named(task, model), _named(old_task, old)
    if names is None or old_names is None:
        _check_facts(old_task.spec.to_dict(), task.spec.to_dict(), folder)
        names = old_names = {}
    new_weights, old_weights = model.trainable_weights, old.trainable_weights
    if len(new_weights) != len(old_weights):
        raise _unfit(folder, f"{len(old_weights)} weights", f"{len(new_weights)}")
    values, notes = [], []
    for new, weight in zip(new_weights, old_weights, strict=True):
        value, old_value = (np.array(keras.ops.convert_to_numpy(one)) for one in (new, weight))
        axes = names.get(id(new), [None] * value.ndim), old_names.get(id(weight), [None] * old_value.ndim)
        places = _places(value.shape, old_value.shape, *axes)
        if places is None:
            raise _unfit(folder, f"{weight.path} of shape {old_value.shape}", f"{new.path} of shape {value.shape}")
        value[np.ix_(*(to for to, _ in places))] = old_value[np.ix_(*(of for _, of in places))]
        values.append(value)
        for named, (to, _) in zip(axes[0], places, strict=True):
            if named is not None and len(to) < len(named):
                notes.append(f"; {len(to):,} of {len(named):,} entries of {new.path}")
    for new, value in zip(new_weights, values, strict=True):
        new.assign(value)
    reporter.say(f"start: {len(values)} weights of {folder.path}" + "".join(dict.fromkeys(notes)))


def _places(
    shape: Sequence[int], old_shape: Sequence[int], axes: Sequence[Names], old_axes: Sequence[Names]
) -> list[tuple[Sequence[int], Sequence[int]]] | None:
    """Numbers of the entries to write and of those to read along each axis; None: the weights do not fit."""
    if len(shape) != len(old_shape):
        return None
    places: list[tuple[Sequence[int], Sequence[int]]] = []
    for size, old_size, names, old in zip(shape, old_shape, axes, old_axes, strict=True):
        if names is None and old is None and size == old_size:
            places.append((range(size), range(size)))
        elif names is not None and old is not None:
            number = {name: i for i, name in enumerate(old)}
            to = [i for i, name in enumerate(names) if name in number]
            places.append((to, [number[names[i]] for i in to]))
        else:
            return None
    return places


def _open(task: Task, config: Config, folder: run_folder.Run) -> tuple[Task, keras.Model]:
    """Loads task and model of a run. Code that is stored in its folder is not executed.

    Raises:
        RunError: The run has code of its own, and it is not the code of the new run.
    """
    if not folder.copies:
        old_task, _, model = open_trained(folder)
        return old_task, model
    code = [None if task.file is None else Path(task.file).read_text(encoding="utf-8")]
    code.append(plugins.code_of_cell(config.encoder.cell))
    if any(path.read_text(encoding="utf-8") not in code for path in folder.copies):
        raise _unfit(folder, f"code of its own ({', '.join(path.name for path in folder.copies)})", "the same code")
    old_config = configuration.from_dict(folder.config_values(), type(task).Options)
    spec = type(task).stored_spec(folder.facts["spec"])
    return type(task)(old_config.options, spec), keras.models.load_model(folder.path / "model.keras")


def _named(task: Task, model: keras.Model) -> Mapping[int, Sequence[Names]] | None:
    named = task.named_weights(model)
    return None if named is None else {id(weight): axes for weight, *axes in named}


def _check_facts(old: Mapping[str, Any], new: Mapping[str, Any], folder: run_folder.Run) -> None:
    """Checks that texts and lists of texts among the facts about the data are equal: vocabularies, classes, channels.

    Raises:
        RunError: One of them differs.
    """
    for key in sorted(old.keys() | new.keys()):
        values = [facts.get(key) for facts in (old, new)]
        if values[0] != values[1] and any(_is_text(value) for value in values):
            raise _unfit(folder, f"other {key} in its data", "the same")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, Sequence) and bool(value) and all(isinstance(one, str) for one in value)
    )


def _unfit(folder: run_folder.Run, received: str, needed: str) -> RunError:
    return RunError(
        f"train.start={shown(folder.path)} has {received}, and this model needs {needed}; allowed: a run whose "
        "encoder, options and data fit; use its settings, or another run"
    )
