"""Trains one run: check, load data, build, fit, score, and store the result."""

from __future__ import annotations

import dataclasses
import logging
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import keras

from seqtasks.core import plugins
from seqtasks.core.config import Config, EncoderConfig
from seqtasks.core.environment import commit, machine, threads, versions
from seqtasks.core.errors import ConfigError, Interrupted, RunError
from seqtasks.core.files import write_atomic
from seqtasks.core.reporter import Reporter
from seqtasks.data import survey
from seqtasks.data.splits import Splits
from seqtasks.engines.backend.process_group import ProcessGroup
from seqtasks.experiments import example_outputs, results, run_folder
from seqtasks.experiments.results import CELL_FILE, NONE
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.base import Task
from seqtasks.training import drawing, prerequisite, processes, tracking, verdict, warm_start
from seqtasks.training.checkpoint import Checkpoint
from seqtasks.training.compiled_model import compiled, count
from seqtasks.training.fit import fit, monitor_mode
from seqtasks.training.resolution import Plan, Resolved, resolve, with_epochs

log = logging.getLogger(__name__)


def run(
    config: Config,
    task_class: type[Task],
    runs_dir: Path = Path("runs"),
    reporter: Reporter | None = None,
    force: bool = False,
    only: run_folder.Run | None = None,
    plan: Plan | None = None,
) -> tuple[results.Row, bool]:
    """Trains and scores the run of a configuration, or continues it if it was interrupted.

    Args:
        config: Configuration; settings that depend on the data may be missing.
        task_class: Class of `config.task`.
        runs_dir: Folder of all runs.
        reporter: Prints progress.
        force: Train again even if the run is finished.
        only: The only run folder that may be used; None: any.
        plan: Function that returns the configuration for a source and a size, see `resolution.resolve`.

    Returns:
        The result row, and whether the run was finished before.

    Raises:
        SeqtasksError: Wrong settings, missing data, a folder that cannot be written, or an interruption.
        RunError: With `only`, settings or data belong to another folder.
    """
    reporter = reporter or Reporter()
    check(config, task_class)
    warm_start.find(config, runs_dir)  # refused before data is loaded
    if only is None:
        return run_resolved(resolve(config, task_class, reporter, plan), runs_dir, reporter, force)
    resolved = resolve(only.same_data(config), task_class, reporter, plan)
    typed = dataclasses.replace(resolved.config, data=config.data)
    return run_resolved(dataclasses.replace(resolved, config=typed), runs_dir, reporter, force, only)


def run_resolved(
    resolved: Resolved,
    runs_dir: Path,
    reporter: Reporter,
    force: bool = False,
    only: run_folder.Run | None = None,
    trial: bool = False,
) -> tuple[results.Row, bool]:
    """Trains and scores a run whose data is loaded; see `run`.

    Args:
        resolved: The run with its data.
        runs_dir: Folder of all runs.
        reporter: Prints progress.
        force: Train again even if the run is finished.
        only: The only run folder that may be used; None: any.
        trial: Do not score the test split, and write a row of kind "trial" with the best validation score.
    """
    task, config, splits = resolved.task, resolved.config, resolved.splits
    if not task.uses_encoder and config.encoder != EncoderConfig():
        reporter.say(f"{task.name} has no recurrent network with these options: settings encoder.* are ignored")
        config = dataclasses.replace(config, encoder=EncoderConfig())
    code = plugins.code_of_cell(config.encoder.cell)
    named = None if task.uses_encoder else NONE
    old = only is not None and only.facts["format"] == 1
    path = run_folder.path_of(runs_dir, config, identity(task, config, splits, code, old), named)
    if only is not None and path.resolve() != only.path.resolve():
        raise RunError(
            f"data or settings differ from those of {only.path} and belong to {path}; allowed: the same data and "
            "settings; restore the data, or start a new run with seqtasks run"
        )
    group = processes.group_of(config.train)
    if group is not None and not group.first:
        _follow(task, splits, config, run_folder.Run(path, facts(task, splits)), group, trial)
    kind = {"kind": "trial"} if trial else {}
    folder = run_folder.create(path, config, facts(task, splits) | kind, task.file, code)
    if folder.is_trial and not trial:
        raise RunError(
            f"{folder.path} is a trial of a search; allowed: trials in folders of their own; give another --runs folder"
        )
    with folder.lock():
        row = None if force else results.finished(folder.path)
        if group is not None:
            group.from_first({"run": path.name, "trains": row is None})
        if row is not None:
            return tracking.send_finished(folder, row, config.train.trackers, reporter), True
        folder.tidy()
        if force or folder.finished:  # a finished run without a row has a damaged result
            folder.clear()
        if not trial:  # the survey looks for duplicates between the splits
            reporter.say(f"data: {survey.summary(task.survey(splits), task.unit)}")
        if resolved.computed:
            reporter.say(f"training: {resolved.computed}")
        try:
            with tracking.track(folder, config, reporter) as session:
                row = _train(task, splits, config, folder, reporter, trial, group, session)
            row = tracking.with_notes(row, session.notes, folder.path, row)
        except Interrupted:
            raise
        except KeyboardInterrupt as error:
            if folder.finished:
                raise Interrupted(
                    f"stopped while drawing plots; the result is stored: {folder.path / results.FILE}"
                ) from error
            folder.set_status("interrupted")
            raise Interrupted(f"stopped before the result; continue with: {folder.command('resume')}") from error
        if group is not None:
            group.from_first("scored")
        return row, False


def _follow(
    task: Task, splits: Splits, config: Config, folder: run_folder.Run, group: ProcessGroup, trial: bool
) -> NoReturn:
    """Trains with the first process of a group, which alone scores the model and writes to the folder.

    Raises:
        SystemExit: At the end, when the first process has the result.
        RunError: The first process trains another run.
    """
    begun = group.from_first()
    if begun["run"] != folder.path.name:
        raise RunError(
            f"process {group.rank} has the run {folder.path.name}, the first process {begun['run']}; allowed: the same "
            "data and settings in all processes; copy the data, or use the same command everywhere"
        )
    if begun["trains"]:
        quiet = Reporter(quiet=True)
        trained = _fit(task, splits, config, folder, quiet, group)
        if not trial:
            _refit(task, splits, config, folder, quiet, group, trained.before)
        group.from_first()
    raise SystemExit(0)


def check(config: Config, task_class: type[Task]) -> None:
    """Checks the settings of a configuration before any data is loaded.

    Raises:
        ConfigError: A bidirectional encoder in a causal task, an option that the cell does not have, an
            engine that cannot run the cell, or a batch that cannot be divided.
    """
    Encoder(config.encoder)
    if task_class.causal and config.encoder.bidirectional:
        raise ConfigError(
            f"encoder.bidirectional is true, but task {task_class.name} predicts each step from the steps before it; "
            "allowed: false, as a backward pass would read the targets; set encoder.bidirectional=false"
        )
    train = config.train
    if train.processes > 1:
        processes.check_backend(train.processes)
    if train.accumulate * train.processes > train.batch_size:
        raise ConfigError(
            f"train.accumulate={train.accumulate} and train.processes={train.processes} cut a batch of "
            f"{train.batch_size} examples into {train.accumulate * train.processes} parts; allowed: one example or "
            "more in each part; raise train.batch_size or lower the others"
        )
    if train.accumulate > 1 and train.jit and keras.backend.backend() == "tensorflow":
        raise ConfigError(
            f"train.accumulate={train.accumulate} with train.jit=true under TensorFlow, where XLA compiles no parts of "
            "a batch; allowed: one of them; set train.jit=false or train.accumulate=1, or KERAS_BACKEND=jax"
        )


def facts(task: Task, splits: Splits) -> dict[str, Any]:
    """The facts about task and data that `run.json` stores."""
    facts = {"task": task.name, "version": task.version, "source": splits.source, "fingerprint": splits.fingerprint}
    return {**facts, "spec": splits.spec.to_dict()}


def identity(
    task: Task, config: Config, splits: Splits, cell_code: str | None = None, former_names: bool = False
) -> str:
    """The hash in the name of a run folder.

    Args:
        task: The task, whose version is hashed.
        config: The configuration.
        splits: The data, whose source and fingerprint are hashed.
        cell_code: Text of the cell's file, for a cell that was given as a file.
        former_names: Hash the names that options had in seqtasks 0.1.
    """
    code = [] if cell_code is None else [run_folder.code_hash(cell_code)]
    return config.identity(task.version, splits.source, splits.fingerprint, *code, former_names=former_names)


def facts_of_row(task: Task, splits: Splits, config: Config, folder: run_folder.Run) -> dict[str, Any]:
    """The fields of a result row that are set in the same way for models and baselines."""
    code = {CELL_FILE: folder.facts[CELL_FILE]} if CELL_FILE in folder.facts else {}
    return {
        "task": task.name,
        "version": task.version,
        "topology": task.topology,
        "source": splits.source,
        "fingerprint": splits.fingerprint,
        "metric": task.primary_metric,
        "higher_is_better": task.primary_higher_is_better,
        "seed": config.seed,
        "config": config.to_dict(),
        "versions": versions() | task.scorer_versions | code,
        "commit": commit(),
        "machine": machine(),
        "threads": threads(),
        "run": folder.path.name,
        "test_examples": len(splits.test),
    }


@dataclasses.dataclass(frozen=True)
class _Trained:
    """A run after training: the model with the weights of the last step, and what the result row needs."""

    model: keras.Model
    encoder: Encoder
    checkpoint: Checkpoint
    batches_per_epoch: int
    before: run_folder.Run | None


@dataclasses.dataclass(frozen=True)
class _Refitted:
    """A model that was trained on training and validation examples, their number, and the time that it took."""

    model: keras.Model
    examples: int
    seconds: float


def _fit(
    task: Task,
    splits: Splits,
    config: Config,
    folder: run_folder.Run,
    reporter: Reporter,
    group: ProcessGroup | None,
    session: tracking.Session | None = None,
) -> _Trained:
    """Builds, compiles and trains the model."""
    before = None
    if group is None or group.first:  # the others receive its initial weights
        before = prerequisite.find_or_train(task, config, folder, reporter, run)
    start = warm_start.find(config, folder.path.parent)
    batches = task.batches(splits.train, config.train.batch_size, shuffle=True, seed=config.seed)
    validation = task.batches(splits.validation, config.train.eval_batch_size)
    model, encoder = compiled(task, config, batches.batches_per_epoch, before, reporter, group, start)
    what = f"{config.encoder.cell}, engine {encoder.running_engine}" if task.uses_encoder else "no recurrence"
    where = "" if group is None else f", {group.count} processes"
    reporter.say(f"{task.name}: {what}, {count(model.trainable_weights):,} parameters{where} → {folder.path}")
    checkpoint = fit(model, task, batches, validation, config, folder, reporter, group, session)
    return _Trained(model, encoder, checkpoint, batches.batches_per_epoch, before)


def _refit(
    task: Task,
    splits: Splits,
    config: Config,
    folder: run_folder.Run,
    reporter: Reporter,
    group: ProcessGroup | None,
    before: run_folder.Run | None,
) -> _Refitted | None:
    """Trains a new model on the examples of `Task.refit_examples`; None if there are none."""
    examples = task.refit_examples(splits)
    if examples is None:
        return None
    train = dataclasses.replace(config.train, log_gradients=False)  # the log is that of the run
    config = dataclasses.replace(config, train=train)
    batches = task.batches(examples, train.batch_size, shuffle=True, seed=config.seed)
    reporter.say(
        f"training again, on the {len(examples)} {task.unit} of training and validation; this model is scored and saved"
    )
    start = warm_start.find(config, folder.path.parent)
    model, _ = compiled(task, config, batches.batches_per_epoch, before, reporter, group, start)
    history = fit(model, task, batches, None, config, folder, reporter, group).history
    return _Refitted(model, len(examples), sum(one["seconds"] + one["validation_seconds"] for one in history))


def _train(
    task: Task,
    splits: Splits,
    config: Config,
    folder: run_folder.Run,
    reporter: Reporter,
    trial: bool = False,
    group: ProcessGroup | None = None,
    session: tracking.Session | None = None,
) -> results.Row:
    started = time.time()
    trained = _fit(task, splits, config, folder, reporter, group, session)
    model, encoder, checkpoint, before = trained.model, trained.encoder, trained.checkpoint, trained.before
    # Record the resolved number of units (encoder.match) in the result row.
    run_config = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, units=encoder.config.units))
    history, refitted = checkpoint.history, None
    fields = facts_of_row(task, splits, run_config, folder)
    if trial:
        assert checkpoint.best is not None
        monitored = {"metric": task.monitor, "higher_is_better": monitor_mode(task) == "max", "test_examples": None}
        fields |= {"kind": "trial", "value": checkpoint.best, "scores": {}, **monitored}
    else:
        refitted = _refit(task, splits, config, folder, reporter, group, before)
        if refitted is None:
            checkpoint.restore_best()
        else:
            model = refitted.model
        model.steps_per_execution = 1  # otherwise Keras also predicts several batches in one call
        with run_folder.writing(folder.path):
            write_atomic(folder.path / "model.keras", _inference(model).save)
        test = task.batches(splits.test, config.train.eval_batch_size)
        scores = task.score(model, test)
        fields |= {"kind": "model", "value": scores[task.primary_metric], "scores": scores}
    unset = with_epochs(dataclasses.replace(config.train, epochs=None), trained.batches_per_epoch)
    seconds = [epoch["seconds"] for epoch in history]
    earlier = 0.0 if before is None else results.read(before.path).seconds
    row = results.Row(
        **fields,
        validation={
            k.removeprefix("val_"): v for k, v in history[checkpoint.best_epoch - 1].items() if k.startswith("val_")
        },
        cell=config.encoder.cell if task.uses_encoder else NONE,
        engine=encoder.running_engine if task.uses_encoder else keras.backend.backend(),
        encoder_params=count(encoder.trainable_weights),
        params=count(model.trainable_weights),
        epochs=len(history),
        seconds=sum(seconds)
        + sum(epoch["validation_seconds"] for epoch in history)
        + (0.0 if refitted is None else refitted.seconds)
        + earlier,
        seconds_per_epoch=statistics.median(seconds),
        examples_per_second=len(splits.train) / statistics.median(seconds),
        started=utc(started),
        finished=utc(time.time()),
        refit_examples=None if refitted is None else refitted.examples,
        notes=verdict.of_training(task, config.train, trained.batches_per_epoch, unset.known_epochs),
    )
    if not trial:
        keep_outputs(task, row.value, folder.path)
    if session is not None:
        session.log_result(row)
        row = dataclasses.replace(row, notes=[*row.notes, *session.notes])
    results.write(row, folder.path)
    for name in ("checkpoint.npz", "best.npz", "refit.npz"):
        (folder.path / name).unlink(missing_ok=True)
    folder.set_status("finished")
    if not trial:
        drawing.draw(task, model, test, history, checkpoint.best_epoch, row, folder)
    return row


def keep_outputs(task: Task, value: float, path: Path) -> None:
    """Stores the outputs of the test split, by which tables compare models.

    Args:
        task: The task, after `score` was called.
        value: Score of the run; outputs that do not determine it are not stored.
        path: Run folder.
    """
    kept = task.example_outputs
    if kept is None:
        return
    if not kept.determines(value):
        log.warning(
            "%s: the outputs that the task keeps make a score of %.6g, but its result is %.6g; they are not stored",
            *(path, kept.score, value),
        )
        return
    with run_folder.writing(path):
        example_outputs.write(kept, path)


def _inference(model: keras.Model) -> keras.Model:
    """The model without optimizer and loss: a third of the file, no objects to register."""
    return keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], model.outputs[0], name=model.name)


def utc(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC.

    Example:
        >>> utc(0)
        '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
