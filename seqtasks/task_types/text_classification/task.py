"""Text classification task: vocabulary, batches by length, saliency, linear baseline."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.config import Config
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.ragged_files import collect
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.data.text import labelled_texts
from seqtasks.data.text.token_cache import stored_vocabulary
from seqtasks.data.text.vocabulary import Vocabulary, VocabularySpec
from seqtasks.data.text.word_vectors import start_from
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import log_softmax
from seqtasks.layers.pooling import How
from seqtasks.task_types.base import Baseline, Pretrained, Task, bucketed_logits
from seqtasks.task_types.common.columns import class_row
from seqtasks.task_types.common.export_plan import ExportPlan
from seqtasks.task_types.common.linear_baseline import logistic_regression
from seqtasks.task_types.common.plots import class_pictures
from seqtasks.task_types.common.scores import class_scores
from seqtasks.task_types.common.steps import Steps, class_properties, text_properties
from seqtasks.task_types.text_classification import pretraining, saliency
from seqtasks.task_types.text_classification.model import TextClassifierParts, text_classifier


@dataclass(frozen=True)
class TextOptions:
    """Options of text classification: columns of tables, vocabulary, model, initial weights.

    The attributes are the settings `options.*`, with a help text each in `seqtasks show TASK`.

    Example:
        >>> from seqtasks.task_types import TextOptions
        >>> options = TextOptions(vocab_size=5_000, pooling="mean")
        >>> options.pooling, options.embedding_dim
        ('mean', 100)
    """

    text_column: str = setting("text", "text column of CSV and TSV files", column=True)
    label_column: str = setting("label", "label column of CSV and TSV files", column=True)
    vocab_size: int = setting(20_000, "maximum number of words in the vocabulary", ge=2, affects_data=False)
    min_frequency: int = setting(2, "minimum frequency of a word in the vocabulary", ge=1, affects_data=False)
    embedding_dim: int = setting(100, "embedding size of words", ge=1, affects_data=False)
    word_dropout: float = setting(0.0, "dropout rate on whole words of the embedding", ge=0, lt=1, affects_data=False)
    embedding_dropout: float = setting(
        0.0, "dropout rate on embedding dimensions, one mask for each text", ge=0, lt=1, affects_data=False
    )
    recurrence: bool = setting(True, "use the recurrent encoder; false: pool the word embeddings", affects_data=False)
    pooling: How = setting(
        "max", "pooling of the outputs over time; concat: last, mean and max concatenated", affects_data=False
    )
    dropout: float = setting(0.0, "dropout rate on the pooled outputs", ge=0, lt=1, affects_data=False)
    adversarial: float = setting(
        0.0,
        "size of adversarial perturbations of the embeddings in training; 0: none; 3 is a good start",
        ge=0,
        affects_data=False,
    )
    vectors: str | None = setting(
        None, "text file of word vectors (GloVe, fastText) that initialise the embedding", affects_data=False
    )
    pretrain: str = setting(
        "none",
        "initial weights: none: random; lm: a language model of the same texts, trained first; or a run of text_lm",
        affects_data=False,
    )
    pretrain_epochs: int = setting(
        2, "number of training epochs of the language model of options.pretrain", ge=1, affects_data=False
    )
    max_tokens_per_batch: int | None = setting(
        None, "maximum number of tokens of a batch; null: no limit", ge=1, affects_data=False
    )


@dataclass(frozen=True)
class TextPredictOptions:
    """Options of `seqtasks predict` for text classification."""

    heat: str | None = setting(
        None,
        "file to write: the texts with each word coloured by its influence, such as words.html or words.png",
        output=saliency.SUFFIXES,
    )


@dataclass(frozen=True, kw_only=True)
class TextSpec(VocabularySpec):
    """Facts about labelled texts.

    Attributes:
        vocabulary: Vocabulary of the training texts, `Vocabulary.to_text()`.
        size: Number of words of the vocabulary; token numbers are one higher, because 0 is padding.
        classes: Names of the classes, in the order of their numbers.
        tokens: Number of tokens of each split.

    Example:
        >>> from seqtasks.data.text.vocabulary import Vocabulary
        >>> from seqtasks.task_types import TextSpec
        >>> words = Vocabulary.train("words", ["good film", "bad film"])
        >>> counts = {"train": 4, "validation": 0, "test": 0}
        >>> spec = TextSpec(vocabulary=words.to_text(), size=len(words), classes=["neg", "pos"], tokens=counts)
        >>> spec.to_vocabulary().encode("film").tolist() == words.encode("film").tolist()
        True
    """

    classes: Sequence[str]
    tokens: Mapping[str, int]


class TextTask(Task):
    """Base class of text classification tasks: predicts the label of a text.

    The data are CSV or TSV tables, or a data set of texts with labels. The model is a word embedding, the encoder,
    pooling over time and a softmax over the classes.

    Masks: padding is masked in the encoder and in the pooling.

    Attributes:
        language_task: Name of the task that `options.pretrain=lm` trains first.

    Example:
        >>> from seqtasks import Source
        >>> from seqtasks.task_types import TextTask
        >>> class Reviews(TextTask):
        ...     topology, builtin, name = "many-to-one", "opinions", "reviews"
        >>> task = Reviews()
        >>> task.spec = task.load(Source("builtin", "opinions", limit=100), seed=0).spec
        >>> task.classes, task.tokens(["a good plot", "a"]).shape  # (texts, time)
        (['negative', 'positive'], (2, 3))
    """

    files = "any"
    reads = "texts"
    hub_task = "text-classification"
    separate_inputs = True
    unit = "texts"
    language_task: ClassVar[str]
    Options = TextOptions
    options: TextOptions
    PredictOptions = TextPredictOptions
    Spec = TextSpec
    spec: TextSpec

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        labelled = labelled_texts.load(source, o.text_column, o.label_column)
        self._texts = {part: texts for part, (texts, _) in labelled.parts.items()}
        settings = labelled_texts.word_settings(o.vocab_size, o.min_frequency)
        if labelled.large:
            words = stored_vocabulary([labelled.fingerprint], lambda: lines_of(labelled.parts["train"][0]), **settings)
        else:
            words = Vocabulary.train(texts=lines_of(labelled.parts["train"][0]), **settings)
        vocabulary = words.to_text()
        parts = {}
        for part, (texts, labels) in labelled.parts.items():
            key = json.dumps([labelled.fingerprint, part, vocabulary]) if labelled.large else None
            parts[part] = Examples({"tokens": encoded(words, texts, key)}, labels.numbered(labelled.classes))
        spec = TextSpec(
            vocabulary=vocabulary,
            size=len(words),
            classes=labelled.classes,
            tokens={part: len(examples.inputs["tokens"].values) for part, examples in parts.items()},
        )
        return Splits(**parts, source=labelled.source, fingerprint=labelled.fingerprint, spec=spec)

    @property
    def words(self) -> Vocabulary:
        """Vocabulary of the training texts."""
        return self.spec.to_vocabulary()

    def tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Encodes texts as inputs of the model.

        Args:
            texts: Texts, one line each.

        Returns:
            Token numbers, int32 `(texts, time)`, 0 at padding.
        """
        return encoded(self.words, texts).padded()

    @property
    def uses_encoder(self) -> bool:
        return bool(self.options.recurrence)

    def build_model(self, encoder: Encoder) -> keras.Model:
        """Builds the model from tokens, `(batch, time)`, to logits, `(batch, classes)`."""
        return text_classifier(encoder, self.spec.size + 1, len(self.classes), self.options, self.name)

    def pretraining_config(self, config: Config) -> Config | None:
        if self.options.pretrain == "none":
            return None
        if self.options.vectors:
            raise ConfigError(
                f"both options.pretrain={self.options.pretrain} and options.vectors={self.options.vectors} are set; "
                "allowed: one of them, as both initialise the embedding; remove one"
            )
        return pretraining.language_config(self.language_task, config)

    @property
    def pretrained_run(self) -> str | None:
        return None if self.options.pretrain in ("none", "lm") else str(self.options.pretrain)

    def init_weights(self, model: keras.Model, pretrained: Pretrained | None) -> None:
        if pretrained is not None:
            pretraining.transfer_weights(model, pretrained, self.spec.vocabulary)
        elif self.options.vectors:
            words = self.words
            names = ["", *map(words.token, range(len(words)))]
            embedding, file = TextClassifierParts.of(model).embedding, Path(self.options.vectors)
            start_from(embedding, names, file, "options.embedding_dim")

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> Buckets:
        return Buckets(examples, batch_size, self.options.max_tokens_per_batch, shuffle, seed)

    def predict_logits(self, model: keras.Model, batches: Buckets) -> FloatArray:
        return bucketed_logits(model, batches, len(self.classes))

    def scores_from_logits(self, logits: FloatArray, targets: IntArray) -> dict[str, float]:
        return class_scores(logits, targets)

    def export_plan(self, model: keras.Model) -> ExportPlan:
        return ExportPlan(self, model, tokens="tokens")

    def survey(self, splits: Splits) -> Survey:
        survey = super().survey(splits)
        empty = {part: sum(not text.strip() for text in texts) for part, texts in self._texts.items()}
        return dataclasses.replace(
            survey, keys={part: texts.digests() for part, texts in self._texts.items()}, empty=empty
        )

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        words = sum(self.spec.tokens.values())
        return {"TF-IDF + logistic regression": 4e-6 * words * max(1, len(self.classes) - 1)}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        def linear() -> Baseline:
            from sklearn.feature_extraction.text import TfidfVectorizer

            return logistic_regression(
                (self._texts["train"], splits.train.targets),
                self._texts["test"],
                len(self.classes),
                lambda logits: self.scores_from_logits(logits, splits.test.targets),
                before=[TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)],
                C=10,
                max_iter=300,
            )

        return {"TF-IDF + logistic regression": linear}

    def plots(self, model: keras.Model, batches: Buckets) -> Iterator[tuple[str, Any]]:
        logits, targets = self.predict_logits(model, batches), batches.examples.targets
        return class_pictures(self.name, logits, targets, self.classes, "test texts", self._texts["test"])

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        if not any(text.strip() for text in inputs):
            raise ConfigError('there is no text; allowed: one or more words; write --input "what a lovely film"')
        return self.tokens(inputs)

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes words by their text, its properties, and the class of the whole text."""
        tokens, words = np.asarray(inputs), self.words
        labels = [[words.token(n - 1) for n in row if n] for row in tokens]
        time = tokens.shape[1]
        properties = text_properties(labels, " ", time)
        titles: list[str] = []
        if targets is not None:
            properties |= class_properties(targets, self.classes, time)
            titles = [self.classes[n] for n in targets]
        return Steps(labels, " ", tokens, None, properties, titles)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: TextPredictOptions) -> list[dict[str, Any]]:
        """Predicts class probabilities, and the words with the most influence.

        Args:
            model: Trained model.
            inputs: Texts; empty ones are left out.
            options: Options of `seqtasks predict`.

        Returns:
            Rows with the columns `text`, `answer`, a probability for each class, and `because`: up to five words with
            the largest saliency, with `+` for and `-` against the answer.

        Raises:
            ConfigError: There is no text, or the file of `options.heat` cannot be written.
        """
        texts = [text for text in inputs if text.strip()]
        if not texts:
            raise ConfigError(
                "no text to classify; allowed: one or more texts; write, for example: seqtasks predict RUN "
                '"what a lovely film"'
            )
        words, rows = self.words, []
        saliencies = self.keep(model, "saliency", lambda: saliency.gradient_times_input(model))
        for text in map(labelled_texts.line, texts):
            tokens, spans = self.tokens([text]), words.spans(text)
            p = np.exp(log_softmax(model.predict_on_batch(tokens)))[0]
            best = int(p.argmax())
            weights = saliencies(tokens, np.array([best]))[0][: len(spans)]
            strongest = [(weights[i], text[slice(*spans[i])]) for i in np.argsort(-np.abs(weights))[:5]]
            row = class_row({"text": saliency.colorize(text, spans, weights)}, self.classes, p)
            rows.append(row | {"because": " ".join(f"{'+' if w > 0 else '-'}{word}" for w, word in strongest)})
        if options.heat is not None:
            saliency.write(Path(options.heat), [row["text"] for row in rows], [row["answer"] for row in rows])
        return rows


def lines_of(texts: Iterable[str]) -> Iterator[str]:
    """Yields texts on one line each, as they are encoded."""
    return map(labelled_texts.line, texts)


def encoded(words: Vocabulary, texts: Iterable[str], key: str | None = None) -> Ragged:
    """Encodes texts as token numbers, which are one higher than in the vocabulary because 0 is padding.

    Args:
        words: The vocabulary.
        texts: The texts.
        key: Key of the numbers in the cache, from where they are mapped, see `ragged_files.collect`; None: in memory.
    """
    return collect(lambda: (row.astype(np.int32) + 1 for row in words.encode_pieces(lines_of(texts))), key=key)
