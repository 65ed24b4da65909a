"""Initialisation of a text classifier by a language model of the same texts.

Reference: Dai & Le 2015, https://arxiv.org/abs/1511.01432
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from seqtasks.core import config as configuration
from seqtasks.core import plugins
from seqtasks.core.config import Config
from seqtasks.core.errors import ConfigError
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.base import Pretrained
from seqtasks.task_types.language_modeling.model import LanguageModelParts
from seqtasks.task_types.text_classification.model import TextClassifierParts

SHARED = ("text_column", "label_column", "vocab_size", "min_frequency", "embedding_dim")  # options of both tasks


def language_config(name: str, config: Config) -> Config:
    """The configuration of the language model that a classifier starts from.

    Its encoder, data, seed and vocabulary are those of the classifier, all else is the default of its task. For
    a bidirectional layer the model has two encoders, one for each direction: a single one that reads in both
    directions would see the words to predict.

    Args:
        name: Task of the language model.
        config: Configuration of the classifier, whose options have `pretrain` and `pretrain_epochs`.

    Raises:
        ConfigError: Stacked bidirectional layers, whose forward halves read the backward ones.
    """
    if config.encoder.bidirectional and config.encoder.layers > 1:
        raise ConfigError(
            f"options.pretrain={config.options.pretrain} with {config.encoder.layers} bidirectional layers: the upper "
            "ones read what both directions found, those of a language model one; set encoder.layers=1 or "
            "encoder.bidirectional=false"
        )
    default = configuration.resolve(name, plugins.load_task(name).Options)
    options = {option: getattr(config.options, option) for option in SHARED}
    train = {"epochs": config.options.pretrain_epochs, "precision": config.train.precision, "jit": config.train.jit}
    return dataclasses.replace(
        default,
        seed=config.seed,
        data=config.data,
        encoder=dataclasses.replace(config.encoder, bidirectional=False),
        train=dataclasses.replace(default.train, **train),
        options=dataclasses.replace(default.options, **options, backward=config.encoder.bidirectional),
    )


def transfer_weights(model: keras.Model, pretrained: Pretrained, vocabulary: str) -> None:
    """Copies the embedding and the encoder of a language model into a classifier, or the forward half of the encoder.

    Args:
        model: The classifier, whose token numbers are one higher, as 0 is padding.
        pretrained: The language model.
        vocabulary: Vocabulary of the classifier.

    Raises:
        ConfigError: The two disagree in words or in the sizes of their weights.
    """
    if getattr(pretrained.spec, "vocabulary", None) != vocabulary:
        raise ConfigError(
            f"{pretrained.path} knows other words; train it on the same texts with the same options.vocab_size and "
            "options.min_frequency, or set options.pretrain=lm"
        )
    parts, language = TextClassifierParts.of(model), LanguageModelParts.of(pretrained.model)
    halves, encoder = [language.encoder], [] if parts.encoder is None else [parts.encoder]
    if language.backward is not None and any(one.config.bidirectional for one in encoder):
        halves.append(language.backward)
    weights = {
        "embedding": [list(one.embedding.trainable_weights) for one in (parts, language)],
        "encoder": [
            [w for one in encoder for w in _weights(one, len(halves) > 1)],
            [w for half in halves for w in _weights(half)],
        ],
    }
    pairs: list[tuple[Any, Any]] = []
    for name, (target, source) in weights.items():
        shapes = [[tuple(w.shape) for w in weights] for weights in (target, source)]
        if name == "embedding":
            shapes[1] = [(rows + 1, width) for rows, width in shapes[1]]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"the {name} has weights of {shapes[0]}, that of {pretrained.path} gives {shapes[1]}; set encoder.* "
                "and options.embedding_dim as there, or options.pretrain=lm"
            )
        pairs += zip(target, source, strict=True)
    (embedding, source_embedding), *other_pairs = pairs
    values = keras.ops.convert_to_numpy(embedding.value)
    embedding.assign(keras.ops.concatenate([values[:1], keras.ops.cast(source_embedding.value, embedding.dtype)]))
    for target, source in other_pairs:
        target.assign(source.value)


def _weights(encoder: Encoder, both: bool = True) -> list[Any]:
    """Those of the forward layers, of the backward ones if `both`, and of all else."""
    weights = [w for r in encoder.recurrents if both or r.direction == "forward" for w in r.trainable_weights]
    known = {id(w) for recurrent in encoder.recurrents for w in recurrent.trainable_weights}
    return weights + [weight for weight in encoder.trainable_weights if id(weight) not in known]
