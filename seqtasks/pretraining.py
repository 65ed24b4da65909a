"""A classifier of texts that starts from a language model of the same texts.

Reference: Dai & Le 2015, https://arxiv.org/abs/1511.01432
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from seqtasks import config as configuration
from seqtasks import plugins, runs
from seqtasks.config import Config
from seqtasks.encoder import Encoder
from seqtasks.errors import ConfigError, Interrupted, RunError
from seqtasks.progress import Reporter
from seqtasks.task import Task
from seqtasks.use import open_trained

SHARED = ("text_column", "label_column", "size", "min_frequency", "embedding")  # options of both tasks


def language_run(name: str, config: Config, folder: runs.Run, reporter: Reporter) -> runs.Run:
    """The run of a language model that `options.pretrain` names; it is trained first if it is not finished.

    Its encoder, data, seed and words are those of the classifier, the rest is the
    configuration of its own task. It lies beside the classifier's run. For a bidirectional
    layer there are two encoders in it, as one that reads both ways would see the words to predict.

    Args:
        name: of the language model's task.
        config: of the classifier, whose options have `pretrain` and `pretrain_epochs`.
        folder: of the classifier's run.
        reporter: where progress goes.

    Raises:
        ConfigError: bidirectional layers upon each other, whose forward halves read the backward ones.
        RunError: `pretrain` names a run that is not one of a language model of texts.
        Interrupted: training was stopped.
    """
    if config.encoder.bidirectional and config.encoder.layers > 1:
        raise ConfigError(
            f"options.pretrain={config.options.pretrain} with {config.encoder.layers} bidirectional layers: the upper "
            "ones read what both directions found, those of a language model one; set encoder.layers=1 or "
            "encoder.bidirectional=false"
        )
    if config.options.pretrain != "lm":
        found = runs.find(config.options.pretrain, folder.path.parent)
        if found.facts["task"] != name or not found.finished:
            raise RunError(
                f"{found.path} is a run of {found.facts['task']} ({found.status()}); options.pretrain takes lm, or a "
                f"finished run of {name}: seqtasks run {name}"
            )
        return found
    from seqtasks.train import run  # which imports tasks, which import this

    cls = plugins.load_task(name)
    own = language_config(cls, config)
    reporter.say(f"first a language model of the same texts; then {config.task} goes on from it")
    try:
        row, _ = run(own, cls, folder.path.parent, reporter)
    except Interrupted as error:
        folder.set_status("interrupted")
        raise Interrupted(f"stopped in its language model; continue with: {folder.command('resume')}") from error
    return runs.open_run(folder.path.parent / row.run)


def language_config(task: type[Task], config: Config) -> Config:
    """The configuration of that language model.

    Args:
        task: of the language model.
        config: of the classifier.
    """
    own = configuration.resolve(task.name, task.Options)
    options = {name: getattr(config.options, name) for name in SHARED}
    train = {"epochs": config.options.pretrain_epochs, "precision": config.train.precision, "jit": config.train.jit}
    return dataclasses.replace(
        own,
        seed=config.seed,
        data=config.data,
        encoder=dataclasses.replace(config.encoder, bidirectional=False),
        train=dataclasses.replace(own.train, **train),
        options=dataclasses.replace(own.options, **options, backward=config.encoder.bidirectional),
    )


def take_over(model: keras.Model, folder: runs.Run, vocabulary: str) -> None:
    """Gives a classifier the embedding and the encoder of a language model, or the forward half of an encoder.

    Args:
        model: the classifier, whose token numbers are one higher, as 0 is padding.
        folder: of the language model's run.
        vocabulary: of the classifier.

    Raises:
        ConfigError: the two disagree in words or in the sizes of their weights.
    """
    task, _, given = open_trained(folder)
    if task.spec["vocabulary"] != vocabulary:
        raise ConfigError(
            f"{folder.path} knows other words; train it on the same texts with the same options.size and "
            "options.min_frequency, or set options.pretrain=lm"
        )
    names = {layer.name for layer in given.layers} & {"encoder", "backward"}
    encoder = model.get_layer("encoder")
    if not encoder.config.bidirectional:
        names.discard("backward")
    halves = [given.get_layer(name) for name in sorted(names, reverse=True)]
    weights = {
        "embedding": [list(m.get_layer("embedding").trainable_weights) for m in (model, given)],
        "encoder": [_weights(encoder, len(halves) > 1), [w for half in halves for w in _weights(half)]],
    }
    pairs: list[tuple[Any, Any]] = []
    for name, (mine, its) in weights.items():
        shapes = [[tuple(w.shape) for w in weights] for weights in (mine, its)]
        if name == "embedding":
            shapes[1] = [(rows + 1, width) for rows, width in shapes[1]]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"the {name} has weights of {shapes[0]}, that of {folder.path} gives {shapes[1]}; set encoder.* and "
                "options.embedding as there, or options.pretrain=lm"
            )
        pairs += zip(mine, its, strict=True)
    (embedding, its_embedding), *rest = pairs
    values = keras.ops.convert_to_numpy(embedding.value)
    embedding.assign(keras.ops.concatenate([values[:1], keras.ops.cast(its_embedding.value, embedding.dtype)]))
    for mine, its in rest:
        mine.assign(its.value)


def _weights(encoder: Encoder, both: bool = True) -> list[Any]:
    """Those of the forward layers, of the backward ones if `both`, and of all else."""
    found = [w for r in encoder.recurrents if both or r.direction == "forward" for w in r.trainable_weights]
    known = {id(w) for recurrent in encoder.recurrents for w in recurrent.trainable_weights}
    return found + [weight for weight in encoder.trainable_weights if id(weight) not in known]
