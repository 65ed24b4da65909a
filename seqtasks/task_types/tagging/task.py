"""Sequence tagging task: sentences, word and character model, scores, rendering."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core.errors import ConfigError
from seqtasks.core.span_scheme import span_scheme
from seqtasks.data.bucketing import Ragged
from seqtasks.data.ragged_files import collect, row_digests
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.data.text import tagged_sentences
from seqtasks.data.text.conll import Sentence
from seqtasks.data.text.conll_filling import TOKENISED, fill_labels
from seqtasks.data.text.label_index import LabelIndex
from seqtasks.data.text.tagged_batches import TaggedBatches, Types
from seqtasks.data.text.word_vectors import start_from
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import TagLoss
from seqtasks.layers.metrics import TagAccuracy
from seqtasks.task_types.base import Baseline, Pretrained, Task
from seqtasks.task_types.common.plots import class_report, confusion
from seqtasks.task_types.common.steps import MOST_CLASSES, Steps, text_properties
from seqtasks.task_types.common.worst_errors import confused_classes, least_certain, worst_sentences, worst_tags
from seqtasks.task_types.tagging.baselines import most_frequent, word_shapes
from seqtasks.task_types.tagging.export_plan import TaggingPlan
from seqtasks.task_types.tagging.model import TaggingParts, tagger_of, tagging_model
from seqtasks.task_types.tagging.rendering import colorize, format_interlinear, words_of
from seqtasks.task_types.tagging.scores import sentence_terms, tagging_scores
from seqtasks.task_types.tagging.settings import TaggingOptions, TaggingPredictOptions, TaggingSpec

EXAMPLE = "The cat sat on the mat ."


class TaggingTask(Task):
    """Base class of tagging tasks: predicts a tag for each word of a sentence.

    The data are CoNLL files or a data set of sentences with tags. The model is a word embedding, a character encoder,
    the encoder and a softmax or CRF over the tags. If the tags are B-…, I-… and O, the metric is the F1 of spans.

    Masks: padding is masked, and has weight 0 in the loss.

    Example:
        >>> from seqtasks import Source
        >>> from seqtasks.task_types import TaggingTask
        >>> class Code(TaggingTask):
        ...     topology, builtin, name = "synced", "python", "code"
        >>> task = Code()
        >>> splits = task.load(Source("builtin", "python", limit=20), seed=0)
        >>> task.spec = splits.spec
        >>> words, tags = task.sentences(splits.train)[0]
        >>> len(words) == len(tags), len(splits.train)
        (True, 20)
    """

    files = "any"
    unit = "sentences"
    reads = "texts"
    hub_task = "token-classification"
    separate_inputs = True
    fills = TOKENISED
    Options = TaggingOptions
    options: TaggingOptions
    PredictOptions = TaggingPredictOptions
    Spec = TaggingSpec
    spec: TaggingSpec

    def load(self, source: Source, seed: int) -> Splits:
        tagged = tagged_sentences.load(source, self.options.column)
        tags, types = (
            {part: rows.occurrences(what) for part, rows in tagged.parts.items()} for what in ("tags", "words")
        )
        # Labels that do not occur in training come last: they are never predicted, and count as errors.
        labels = [*dict.fromkeys([*dict(Counter(tags["train"]).most_common()), *chain(*tags.values())])]
        lower, letters = Counter[str](), Counter[str]()
        for word, times in types["train"].items():
            lower[word.lower()] += times
            for letter in word:
                letters[letter] += times
        words, characters = LabelIndex.count(lower, self.options.min_frequency), LabelIndex.count(letters)
        counts = np.zeros(len(words), np.int64)
        for word, times in lower.items():
            counts[words.number(word)] += times
        self._names, self._known = list(dict.fromkeys(chain(*types.values()))), set(types["train"])
        self._types = Types(self._names, words, characters, counts)
        names = {"words": self._names, "tags": labels}
        parts = {}
        for part, rows in tagged.parts.items():
            word_rows, tag_rows = (
                collect(
                    partial(rows.numbered, what, names[what]),
                    key=json.dumps([tagged.fingerprint, part, what]) if tagged.large else None,
                )
                for what in ("words", "tags")
            )
            parts[part] = Examples({"words": word_rows}, tag_rows)
        spec = TaggingSpec(
            words=words.names,
            characters=characters.names,
            labels=labels,
            tokens={part: len(examples.targets.values) for part, examples in parts.items()},
        )
        return Splits(**parts, source=tagged.source, fingerprint=tagged.fingerprint, spec=spec)

    @property
    def primary_metric(self) -> str:
        return "f1" if span_scheme(self.spec.labels) else self.metric

    def build_model(self, encoder: Encoder) -> keras.Model:
        """Builds the model of words, characters and targets; its output is `(batch, time, 2)`.

        The output holds loss and correctness of each target tag, see `TagHead`.
        """
        spec = self.spec
        return tagging_model(encoder, len(spec.words), len(spec.characters), spec.labels, self.options, self.name)

    def init_weights(self, model: keras.Model, pretrained: Pretrained | None) -> None:
        if self.options.vectors:
            path = Path(self.options.vectors)
            start_from(TaggingParts.of(model).embedding, self.spec.words, path, "options.embedding_dim")

    def named_weights(self, model: keras.Model) -> list[tuple[Any, ...]]:
        parts, spec = TaggingParts.of(model), self.spec
        head, labels = parts.head, spec.labels
        named = [
            (parts.embedding.embeddings, spec.words, None),
            (head.scores.kernel, None, labels),
            (head.scores.bias, labels),
        ]
        if parts.spelling is not None:
            named.append((parts.spelling.embedding.embeddings, spec.characters, None))
        if head.crf is not None:
            named += [(head.crf.transitions, labels, labels), (head.crf.start, labels), (head.crf.end, labels)]
        return named

    def loss(self) -> Any:
        return TagLoss()

    def metrics(self) -> list[Any]:
        return [TagAccuracy()]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> TaggedBatches:
        o = self.options
        return TaggedBatches(
            examples,
            self._types,
            batch_size,
            o.max_tokens_per_batch,
            shuffle,
            seed,
            word_dropout=o.word_dropout if shuffle else 0.0,
            characters=o.characters != "none",
        )

    def tags(self, model: keras.Model, batches: TaggedBatches) -> list[list[str]]:
        """Predicts the tags of all sentences, in the order of the examples.

        Args:
            model: Trained model.
            batches: Batches of the sentences.
        """
        tagger, tags = self.keep(model, "tagger", lambda: tagger_of(model)), [[""]] * len(batches.examples)
        for index in range(len(batches)):
            inputs = batches[index][0]
            for row, numbers in zip(batches.rows(index), tagger.predict_on_batch(inputs), strict=True):
                tags[row] = [self.spec.labels[n] for n in numbers[: batches.lengths[row]]]
        return tags

    def tags_and_confidences(
        self, model: keras.Model, batches: TaggedBatches
    ) -> tuple[list[list[str]], list[list[float]]]:
        """Predicts the tags of all sentences, and the probability of each tag.

        Both are in the order of the examples.

        With a CRF the probability is the sum over all tag sequences that have the tag there.

        Args:
            model: Trained model.
            batches: Batches of the sentences.
        """
        tagger = self.keep(model, "confident tagger", lambda: tagger_of(model, probabilities=True))
        tags, confidences = [[""]] * len(batches.examples), [[0.0]] * len(batches.examples)
        for index in range(len(batches)):
            numbers, shares = tagger.predict_on_batch(batches[index][0])
            chosen = np.take_along_axis(shares, numbers[..., None], axis=-1)[..., 0]
            for row, best, probability in zip(batches.rows(index), numbers, chosen, strict=True):
                length = batches.lengths[row]
                tags[row] = [self.spec.labels[n] for n in best[:length]]
                confidences[row] = np.round(probability[:length].astype(np.float64), 4).tolist()
        return tags, confidences

    def sentences(self, examples: Examples) -> list[Sentence]:
        """Returns words and tags of each example.

        Args:
            examples: Examples of a split.
        """
        words, tags, labels = examples.inputs["words"], examples.targets, self.spec.labels
        return [
            ([self._names[n] for n in words.row(i)], [labels[n] for n in tags.row(i)]) for i in range(len(examples))
        ]

    def score(self, model: keras.Model, batches: TaggedBatches) -> dict[str, float]:
        sentences, predicted = self.sentences(batches.examples), self.tags(model, batches)
        missing = {tag for _, tags in sentences for tag in tags} - set(chain(*predicted))
        self.unpredicted = [tag for tag in self.spec.labels if tag in missing]
        number = {tag: i for i, tag in enumerate(self.spec.labels)}
        self.keep_outputs(
            *sentence_terms([tags for _, tags in sentences], predicted, self.spec.labels),
            outputs=np.array([number[tag] for tag in chain(*predicted)]),
        )
        return self._scores(sentences, predicted)

    def export_plan(self, model: keras.Model) -> TaggingPlan:
        return TaggingPlan(self, model)

    def survey(self, splits: Splits) -> Survey:
        tags = {
            part: dict(zip(self.spec.labels, np.bincount(examples.targets.values).tolist(), strict=False))
            for part, examples in splits.parts.items()
        }
        return Survey(
            {part: len(examples) for part, examples in splits.parts.items()},
            {part: {tag: count for tag, count in counts.items() if count} for part, counts in tags.items()},
            {part: row_digests(examples.inputs["words"]) for part, examples in splits.parts.items()},
        )

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        return {"logistic regression": 3e-5 * len(self.spec.labels) * self.spec.tokens["train"]}

    def _scores(self, sentences: list[Sentence], predicted: list[list[str]]) -> dict[str, float]:
        words, true = [list(rows) for rows in zip(*sentences, strict=True)]
        return tagging_scores(true, predicted, words, self._known, self.spec.labels)

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        train, test = self.sentences(splits.train), self.sentences(splits.test)

        def frequent() -> Baseline:
            predicted, size = most_frequent(train, test)
            return Baseline(self._scores(test, predicted), size, "NumPy")

        def shapes() -> Baseline:
            predicted, size = word_shapes(train, test)
            return Baseline(self._scores(test, predicted), size)

        return {"most frequent tag": frequent, "logistic regression": shapes}

    def plots(self, model: keras.Model, batches: TaggedBatches) -> Iterator[tuple[str, Any]]:
        words, true = (list(rows) for rows in zip(*self.sentences(batches.examples), strict=True))
        predicted = self.tags(model, batches)
        flat_true, flat_predicted = list(chain(*true)), list(chain(*predicted))
        number = {tag: i for i, tag in enumerate(self.spec.labels)}
        targets, outputs = (np.array([number[tag] for tag in tags]) for tags in (flat_true, flat_predicted))
        score = self._scores(list(zip(words, true, strict=True)), predicted)[self.primary_metric]
        unit = "characters" if self._of_characters else "words"
        title = f"{self.name}: {self.primary_metric} {100 * score:.2f} % on {len(targets):,} test {unit}"
        yield "confusion", confusion(targets, outputs, self.spec.labels, title)
        yield "classes", class_report(flat_true, flat_predicted)
        if flat_true != flat_predicted:
            separator = "" if self._of_characters else " "
            yield "confusions", confused_classes(flat_true, flat_predicted)
            yield "worst_errors", worst_tags(words, true, predicted, separator)
            yield "worst_sentences", worst_sentences(words, true, predicted, separator)
        _, confidences = self.tags_and_confidences(model, batches)
        yield "least_certain", least_certain(words, predicted, confidences, "" if self._of_characters else " ")

    @property
    def _of_characters(self) -> bool:
        """Whether the words are single characters, as in source code."""
        return all(len(word) == 1 for word in self.spec.words[2:])

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        return self._batches_of(self._rows(inputs))[0][0]

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes words by their text, their tags and the tags of their neighbours."""
        tokens, spec = np.asarray(inputs["words"]), self.spec
        labels = [[spec.words[n] for n in row if n] for row in tokens]
        separator = "" if self._of_characters else " "
        properties = text_properties(labels, separator, tokens.shape[1])
        if targets is not None:
            tags = np.where(tokens > 0, targets, -1)
            before, after = (np.full_like(tags, -1) for _ in range(2))
            before[:, 1:], after[:, :-1] = tags[:, :-1], tags[:, 1:]
            for number, tag in list(enumerate(spec.labels))[:MOST_CLASSES]:
                for name, numbers in (("tag", tags), ("tag before", before), ("next tag", after)):
                    properties[f"{name}: {tag}"] = np.where(numbers < 0, np.nan, numbers == number)
        return Steps(labels, separator, tokens, None, properties)

    def _rows(self, inputs: Sequence[str]) -> list[list[str]]:
        """Words of each sentence.

        Raises:
            ConfigError: No input has a word.
        """
        end = "\n" if self._of_characters and "\n" in self.spec.words else ""  # training lines end with it
        rows = [list(line + end) if self._of_characters else words_of(line) for line in inputs]
        if not any(rows):
            received = f"no word in {' '.join(inputs)!r}" if inputs else "no text to tag"
            raise ConfigError(
                f'{received}; allowed: one or more sentences; write, for example: seqtasks predict RUN "{EXAMPLE}"'
            )
        return rows

    def _batches_of(self, rows: Sequence[Sequence[str]]) -> TaggedBatches:
        """Batches of sentences whose tags are not known."""
        types = LabelIndex(list(dict.fromkeys(word for row in rows for word in row)))
        self._types = Types(types.names, LabelIndex(self.spec.words), LabelIndex(self.spec.characters))
        words = Ragged.of([[types.number(word) for word in row] for row in rows])
        return self.batches(Examples({"words": words}, Ragged(np.zeros_like(words.values), words.ends)), 32)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]]:
        """Predicts the tags of sentences.

        Args:
            model: Trained model.
            inputs: Sentences.
            options: `TaggingPredictOptions`.

        Returns:
            Rows with the columns `text`, `words` and `tags`; without `words` if the words are single characters; with
            `options.confidence` also `confidence`, the probability of each tag, and `lowest`, the lowest of them.

        Raises:
            ConfigError: No input has a word.
        """
        rows = self._rows(inputs)
        batches, confidences = self._batches_of(rows), None
        if getattr(options, "confidence", False):
            predicted, confidences = self.tags_and_confidences(model, batches)
        else:
            predicted = self.tags(model, batches)
        answers: list[dict[str, Any]] = []
        for number, (line, row, tags) in enumerate(zip(inputs, rows, predicted, strict=True)):
            words = {} if self._of_characters else {"words": row}
            length = len(line) if self._of_characters else len(row)
            answers.append({"text": line, **words, "tags": tags[:length]})
            if confidences is not None:
                shares = confidences[number][:length]
                answers[-1] |= {"confidence": shares, "lowest": min(shares, default=1.0)}
        return answers

    def predict_file(self, model: keras.Model, path: Path, options: Any = None) -> Iterator[str]:
        def labels(rows: list[list[str]]) -> Any:
            if not getattr(options, "confidence", False):
                return self.tags(model, self._batches_of(rows))
            tags, confidences = self.tags_and_confidences(model, self._batches_of(rows))
            return [list(zip(*pair, strict=True)) for pair in zip(tags, confidences, strict=True)]

        return fill_labels(path, self.options.column, labels)

    @property
    def answer_column(self) -> str:
        return "tags"

    def show_answer(self, row: dict[str, Any]) -> str:
        """Formats words above their tags, or source code in colours.

        Args:
            row: Row that `predict` returned.
        """
        if "words" in row:
            shares = [[f"{share:.2f}" for share in row["confidence"]]] if "confidence" in row else []
            return format_interlinear(row["words"], row["tags"], *shares) + "\n"
        return "".join(colorize([[*row["text"], "\n"]], [[*row["tags"], "space"]]))
