"""Pretraining: initial weights of a text classifier from a language model of the same texts.

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
    """Returns the configuration of the language model that a classifier starts from.

    Encoder, data, seed and vocabulary are those of the classifier, other settings the defaults of the language model's
    task. For a bidirectional classifier the language model has two encoders, one for each direction, because one
    bidirectional encoder would read the words to predict.

    Args:
        name: Task of the language model.
        config: Configuration of the classifier, with `options.pretrain` and `options.pretrain_epochs`.

    Raises:
        ConfigError: More than one bidirectional layer: from the second on, forward layers read backward outputs.
    """
    if config.encoder.bidirectional and config.encoder.layers > 1:
        raise ConfigError(
            f"options.pretrain={config.options.pretrain} with {config.encoder.layers} bidirectional layers; allowed: "
            "one, as each direction of a language model reads only its own outputs; set encoder.layers=1 or "
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
    """Copies the embedding and the encoder of a language model into a classifier.

    For a bidirectional classifier, the forward and the backward encoder of the language model are copied to the two
    directions; if the language model has no backward encoder, the backward layers keep their random weights.

    Args:
        model: The classifier; its token numbers are one higher than the language model's, because 0 is padding.
        pretrained: The language model.
        vocabulary: Vocabulary of the classifier, `Vocabulary.to_text()`.

    Raises:
        ConfigError: The vocabularies or the shapes of the weights differ.
    """
    if getattr(pretrained.spec, "vocabulary", None) != vocabulary:
        raise ConfigError(
            f"{pretrained.path} has another vocabulary; allowed: that of the classifier; train it on the same texts "
            "with the same options.vocab_size and options.min_frequency, or set options.pretrain=lm"
        )
    parts, language = TextClassifierParts.of(model), LanguageModelParts.of(pretrained.model)
    sources, targets = [language.encoder], [] if parts.encoder is None else [parts.encoder]
    if language.backward is not None and any(encoder.config.bidirectional for encoder in targets):
        sources.append(language.backward)
    weights = {
        "embedding": [list(layers.embedding.trainable_weights) for layers in (parts, language)],
        "encoder": [
            [w for encoder in targets for w in _weights(encoder, len(sources) > 1)],
            [w for encoder in sources for w in _weights(encoder)],
        ],
    }
    pairs: list[tuple[Any, Any]] = []
    for name, (target, source) in weights.items():
        shapes = [[tuple(w.shape) for w in weights] for weights in (target, source)]
        if name == "embedding":
            shapes[1] = [(rows + 1, width) for rows, width in shapes[1]]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"the {name} has weights of shapes {shapes[0]}; allowed: {shapes[1]}, as in {pretrained.path}; set "
                "encoder.* and options.embedding_dim to the values of that run, or options.pretrain=lm"
            )
        pairs += zip(target, source, strict=True)
    (embedding, source_embedding), *other_pairs = pairs
    values = keras.ops.convert_to_numpy(embedding.value)
    embedding.assign(keras.ops.concatenate([values[:1], keras.ops.cast(source_embedding.value, embedding.dtype)]))
    for target, source in other_pairs:
        target.assign(source.value)


def _weights(encoder: Encoder, both: bool = True) -> list[Any]:
    """Weights of the recurrent layers, only the forward ones unless `both`, then the other weights of an encoder."""
    weights = [w for r in encoder.recurrents if both or r.direction == "forward" for w in r.trainable_weights]
    recurrent = {id(w) for r in encoder.recurrents for w in r.trainable_weights}
    return weights + [weight for weight in encoder.trainable_weights if id(weight) not in recurrent]
