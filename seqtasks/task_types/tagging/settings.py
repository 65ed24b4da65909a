"""Settings of tagging, and the facts about sentences that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from seqtasks.core.settings import setting
from seqtasks.data.spec import Spec


@dataclass(frozen=True)
class TaggingOptions:
    """Options of tagging tasks: tags and the word model.

    The attributes are the settings `options.*`, with a help text each in `seqtasks show TASK`.

    Example:
        >>> from seqtasks.task_types import TaggingOptions
        >>> options = TaggingOptions(characters="rnn", crf=True)
        >>> options.characters, options.crf, options.embedding_dim
        ('rnn', True, 100)
    """

    column: str = setting("upos", "column of CoNLL-U files: upos, xpos, or the name of a feature such as Number")
    embedding_dim: int = setting(100, "embedding size of words", ge=1, affects_data=False)
    min_frequency: int = setting(1, "minimum frequency of a word with an embedding", ge=1, affects_data=False)
    word_dropout: float = setting(
        1.0,
        "α: a word of frequency n is replaced by <unk> in training with probability α/(α + n)",
        ge=0,
        affects_data=False,
    )
    characters: Literal["rnn", "cnn", "none"] = setting("cnn", "character encoder of words", affects_data=False)
    character_units: int = setting(100, "half the output size of the character encoder", ge=1, affects_data=False)
    character_cell: str = setting(
        "lstm", "recurrent cell of the character encoder rnn, a name from `seqtasks list cells`", affects_data=False
    )
    dropout: float = setting(
        0.4, "dropout rate on word embeddings and character encodings", ge=0, lt=1, affects_data=False
    )
    crf: bool = setting(False, "linear-chain conditional random field over the tags", affects_data=False)
    vectors: str | None = setting(
        None, "text file of word vectors (GloVe, fastText) that initialise the embedding", affects_data=False
    )
    max_tokens_per_batch: int | None = setting(
        None, "maximum number of tokens of a batch; null: no limit", ge=1, affects_data=False
    )


@dataclass(frozen=True)
class TaggingPredictOptions:
    """Options of `seqtasks predict` for taggers."""

    confidence: bool = setting(
        False,
        "probability of each predicted tag: below the tags, in columns of csv and json, and in tokenised files beside "
        "the tag (CoNLL-U: Confidence=0.97 in MISC)",
    )


@dataclass(frozen=True, kw_only=True)
class TaggingSpec(Spec):
    """Facts about tagged sentences.

    Attributes:
        words: Lower-case words that have an embedding, in the order of their numbers, after padding and unknown.
        characters: Characters of the training words, in the order of their numbers, after padding and unknown.
        labels: Names of the tags, in the order of their numbers; those that are not in training come last.
        tokens: Number of words of each split.

    Example:
        >>> from seqtasks.task_types import TaggingSpec
        >>> spec = TaggingSpec(
        ...     words=["<pad>", "<unk>", "the", "cat"],
        ...     characters=["<pad>", "<unk>", "t", "h"],
        ...     labels=["DET", "NOUN"],
        ...     tokens={"train": 2, "validation": 0, "test": 0},
        ... )
        >>> TaggingSpec.from_dict(spec.to_dict()) == spec
        True
    """

    words: Sequence[str]
    characters: Sequence[str]
    labels: Sequence[str]
    tokens: Mapping[str, int]
