"""Translation task: parallel corpus, vocabularies, model, beam search, BLEU, baselines."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.settings import setting
from seqtasks.data import seq2seq_batches
from seqtasks.data.ragged_files import collect
from seqtasks.data.seq2seq_batches import Pairs
from seqtasks.data.source import Source
from seqtasks.data.spec import Spec
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.data.text import parallel_corpus
from seqtasks.data.text.packed_texts import pair_digests
from seqtasks.data.text.token_cache import stored_vocabulary
from seqtasks.data.text.vocabulary import Vocabulary
from seqtasks.decoding.seq2seq import Seq2SeqOptions
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.base import Baseline
from seqtasks.task_types.common.plots import attention_map, export_figure
from seqtasks.task_types.common.steps import Steps, text_properties
from seqtasks.task_types.seq2seq.scores import line_scores, word_by_word
from seqtasks.task_types.seq2seq.task import Seq2SeqPredictOptions, Seq2SeqTask
from seqtasks.task_types.translation.model import Translator, translation_model

log = logging.getLogger(__name__)
LONGEST = 20  # source tokens of the sentence whose attention is drawn
UNKNOWN = 2  # token number of an unknown word; 0 is padding, 1 the end


@dataclass(frozen=True)
class TranslationOptions(Seq2SeqOptions):
    """Options of a translation task: languages, tokens and model.

    Example:
        >>> from seqtasks.task_types import TranslationOptions
        >>> options = TranslationOptions(source="en", target="fr", unit="words")
        >>> options.num_beams, options.attention
        (5, 'additive')
    """

    source: str = setting("en", "source language, the suffix of its files")
    target: str = setting("de", "target language, the suffix of its files")
    unit: Literal["bpe", "words"] = setting("bpe", "token type: byte-pair units or words", affects_data=False)
    vocab_size: int = setting(
        4000, "maximum number of tokens in the vocabulary of each language", ge=300, affects_data=False
    )
    shared: bool = setting(False, "share vocabulary and embedding between the languages", affects_data=False)
    max_length: int = setting(
        100, "maximum number of tokens of a training pair; longer ones are left out", ge=1, affects_data=False
    )
    reverse: bool = setting(False, "reverse the source, as in Sutskever et al. 2014", affects_data=False)
    decoder_cell: str | None = setting(
        None, "recurrent cell of the decoder; null: that of the encoder", affects_data=False
    )
    copy: bool = setting(
        False, "replace each predicted <unk> by the source word with the largest attention weight", affects_data=False
    )
    max_tokens_per_batch: int | None = setting(
        None,
        "maximum number of tokens of a batch, counted on the longer side; null: no limit",
        ge=1,
        affects_data=False,
    )


@dataclass(frozen=True, kw_only=True)
class TranslationSpec(Spec):
    """Facts about a parallel corpus, as the run folder stores them.

    Attributes:
        vocabularies: Vocabularies of the source and of the target, as `Vocabulary.to_text` returns them; one if
            they are shared.
        sizes: Sizes of the source and of the target vocabulary, padding and end included.
        languages: Names of the source and of the target language.
        tokens: Number of tokens of each split, source and target together.

    Example:
        >>> from seqtasks.task_types import TranslationSpec
        >>> from seqtasks.data.text.vocabulary import Vocabulary
        >>> words = [Vocabulary.train("words", lines) for lines in (["one two"], ["eins zwei"])]
        >>> spec = TranslationSpec(
        ...     vocabularies=[v.to_text() for v in words],
        ...     sizes=[len(v) + 2 for v in words],
        ...     languages=["en", "de"],
        ...     tokens={"train": 4},
        ... )
        >>> TranslationSpec.from_dict(spec.to_dict()) == spec
        True
    """

    vocabularies: Sequence[str]
    sizes: Sequence[int]
    languages: Sequence[str]
    tokens: Mapping[str, int]


class TranslationTask(Seq2SeqTask):
    """Base class of tasks that translate lines of one language into another.

    The model is an encoder and a decoder with attention; the scores are BLEU, chrF and exact matches of beam
    search. Padding is masked in the encoder and the attention, and has weight 0 in the loss.

    Example:
        >>> from seqtasks.task_types import TranslationTask
        >>> class Numbers(TranslationTask):  # in a plugin file, below @register_task("numbers")
        ...     topology, metric, builtin = "many-to-many", "bleu", "spelled"
        >>> Numbers.sources()
        ['files:PATH', 'builtin:spelled']
    """

    files = "any"
    unit = "pairs"
    reads = "texts"
    hub_task = "translation"
    separate_inputs = True
    Options = TranslationOptions
    options: TranslationOptions
    PredictOptions = Seq2SeqPredictOptions
    Spec = TranslationSpec
    spec: TranslationSpec

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        if o.copy and (o.unit == "bpe" or o.attention == "none"):
            raise ConfigError(
                f"options.copy=true with options.unit={o.unit} and options.attention={o.attention}; copying needs "
                "options.unit=words, as byte-pair units cover every text, and attention; set these, or "
                "options.copy=false"
            )
        corpus = parallel_corpus.load(source, (o.source, o.target))
        self._lines = corpus.parts
        train = corpus.parts["train"]
        texts = [train] if o.shared else [train[:1], train[1:]]
        trained = []
        settings: dict[str, Any] = {"kind": o.unit, "size": o.vocab_size}
        for number, sides in enumerate(texts):
            if corpus.large:
                key = [corpus.fingerprint, o.shared, number]
                trained.append(stored_vocabulary(key, lambda: chain(*sides), **settings))  # noqa: B023
            else:
                trained.append(Vocabulary.train(texts=chain(*sides), **settings))
        vocabularies = [trained[0], trained[-1]]
        self._sources: list[Sequence[str]] = []
        facts = json.dumps([corpus.fingerprint, o.reverse, [v.to_text() for v in vocabularies]])
        keys = {part: f"{facts} {part}" if corpus.large else None for part in corpus.parts}
        parts = {part: self._examples(lines, vocabularies, keys[part]) for part, lines in corpus.parts.items()}
        too_long = np.maximum(parts["train"].inputs["source"].lengths, parts["train"].targets.lengths) > o.max_length
        if too_long.all():
            raise DataError(
                f"{source}: all training pairs have more than {o.max_length} tokens; allowed: at most "
                f"options.max_length={o.max_length} on each side; set options.max_length higher"
            )
        if too_long.any():
            log.warning(
                "%d training pairs have more than options.max_length=%d tokens and are left out",
                too_long.sum(),
                o.max_length,
            )
            kept = np.flatnonzero(~too_long)
            if keys["train"] is None:
                parts["train"] = parts["train"].take(kept)
            else:
                parts["train"] = _kept(parts["train"], kept, f"{keys['train']} of at most {o.max_length} tokens")
            self._lines["train"] = (train[0][kept], train[1][kept])
        spec = TranslationSpec(
            vocabularies=[v.to_text() for v in trained],
            sizes=[len(v) + 2 for v in vocabularies],
            languages=corpus.languages,
            tokens={
                part: len(examples.inputs["source"].values) + len(examples.targets.values)
                for part, examples in parts.items()
            },
        )
        return Splits(**parts, source=corpus.source, fingerprint=corpus.fingerprint, spec=spec)

    @property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """Vocabularies of the source and of the target."""
        texts = self.spec.vocabularies
        return Vocabulary(texts[0]), Vocabulary(texts[-1])

    def _examples(
        self, lines: tuple[Sequence[str], Sequence[str]], vocabularies: Sequence[Vocabulary], key: str | None = None
    ) -> Examples:
        source = _Encoded(vocabularies[0], lines[0], self.options.reverse)
        first = sum(map(len, self._sources))
        self._sources.append(lines[0])
        return seq2seq_batches.numbered(source, _Encoded(vocabularies[1], lines[1]), first, key)

    def _source(self, line: int) -> str:
        """A source line by its number, which counts through all splits."""
        for lines in self._sources:
            if line < len(lines):
                return lines[line]
            line -= len(lines)
        raise IndexError(line)

    def build_model(self, encoder: Encoder) -> keras.Model:
        return translation_model(encoder, self.spec.sizes, self.options.shared, self.options, self.name)

    def writer(self, model: keras.Model, **settings: Any) -> Translator:
        return Translator(model, **settings)

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> Pairs:
        return Pairs(examples, batch_size, self.options.max_tokens_per_batch, shuffle, seed)

    def texts(self, rows: Sequence[IntArray]) -> list[str]:
        """Decodes target tokens to lines, without their ends."""
        target = self.vocabularies[1]
        return [target.decode([n - 2 for n in row if n > seq2seq_batches.END]) for row in rows]

    def lines(self, writer: Translator, examples: Examples) -> list[str]:
        return self._decode(writer, examples, [best[0].tokens for best in writer(examples.inputs["source"])])

    def _decode(self, translator: Translator, examples: Examples, rows: Sequence[IntArray]) -> list[str]:
        """Decodes one target for each example to lines.

        With `options.copy` an unknown word is replaced by the source word with the largest attention weight.
        """
        texts = self.texts(rows)
        with_unknown = [i for i, row in enumerate(rows) if self.options.copy and UNKNOWN in row]
        if not with_unknown:
            return texts
        chosen = examples.take(with_unknown)
        attention = translator.attention(chosen.inputs["source"], [rows[i] for i in with_unknown])
        for i, line, weights in zip(with_unknown, chosen.inputs["line"], attention, strict=True):
            text = self._source(int(line))
            words, spans = self.texts([np.array([n]) for n in rows[i]]), self.vocabularies[0].spans(text)
            for position in np.flatnonzero(rows[i] == UNKNOWN) if spans else ():
                begin, end = spans[:: -1 if self.options.reverse else 1][int(weights[position].argmax())]
                words[position] = text[begin:end]
            texts[i] = " ".join(words)
        return texts

    def references(self, examples: Examples) -> list[list[str]]:
        return [[line] for line in self.texts([examples.targets.row(i) for i in range(len(examples))])]

    def inputs_of(self, examples: Examples) -> Sequence[str] | None:
        return [self._source(int(line)) for line in examples.inputs["line"]]

    def plots(self, model: keras.Model, batches: Any) -> Iterator[tuple[str, Any]]:
        yield from super().plots(model, batches)
        if self.options.attention != "none":
            lengths = np.asarray(batches.examples.inputs["source"].lengths)
            example = int(np.argmax(np.where(lengths <= LONGEST, lengths, 0)))
            examples, translator = batches.examples.take([example]), Translator(model)
            (hypotheses,) = translator(examples.inputs["source"])
            yield "attention", self._attention_figure(translator, examples, hypotheses[0].tokens)

    def survey(self, splits: Splits) -> Survey:
        counts = {part: len(sources) for part, (sources, _) in self._lines.items()}
        keys = {part: pair_digests(*lines) for part, lines in self._lines.items()}
        empty = {part: sum(not text.strip() for text in sources) for part, (sources, _) in self._lines.items()}
        return Survey(counts, keys=keys, empty=empty)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        return {"word by word (IBM model 1)": 2e-5 * self.spec.tokens["train"]}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        train = list(self._lines["train"][0]), list(self._lines["train"][1])
        sources = list(self._lines["test"][0])
        references = self.references(splits.test)

        def dictionary() -> Baseline:
            translations, size = word_by_word(train, sources)
            return Baseline(line_scores(translations, references), size, "NLTK")

        return {
            "copy of the source": lambda: Baseline(line_scores(sources, references), 0, "none"),
            "word by word (IBM model 1)": dictionary,
        }

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        if not any(line.strip() for line in inputs):
            raise ConfigError('there is no text; allowed: one or more sentences; write --input "A man rides a bike."')
        self._sources = []
        examples = self._examples((list(inputs), [""] * len(inputs)), self.vocabularies)
        return self.batches(examples, len(inputs))[0][0]

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes the tokens of the source by their text, and by properties of texts."""
        tokens, source = np.asarray(inputs["source"]), self.vocabularies[0]
        labels = [[source.decode([n - 2]) or source.token(n - 2) if n >= 2 else "" for n in row if n] for row in tokens]
        separator = " " if source.kind == "words" else ""
        return Steps(labels, separator, tokens, None, text_properties(labels, separator, tokens.shape[1]))

    def predict(
        self, model: keras.Model, inputs: Sequence[str], options: Seq2SeqPredictOptions
    ) -> list[dict[str, Any]]:
        """Translates sentences; the rows of a sentence are ordered by rank, the best first."""
        lines = [line.strip() for line in inputs]
        if not lines:
            raise ConfigError(
                "there is nothing to translate; allowed: one or more sentences; write them after the run, as in "
                'seqtasks predict RUN "A man rides a bike."'
            )
        self.check_attention(options)
        self._sources = []
        examples = self._examples((lines, [""] * len(lines)), self.vocabularies)
        translator = self.kept_writer(model, **self.search(options.num_beams, options.n_best))
        hypotheses = translator(examples.inputs["source"])
        if options.attention is not None:
            figure = self._attention_figure(translator, examples, hypotheses[0][0].tokens)
            export_figure(figure, Path(options.attention))
        ranked = [
            self._decode(translator, examples, [best.tokens for best in nth]) for nth in zip(*hypotheses, strict=True)
        ]
        return self.rows(self.spec.languages[0], lines, hypotheses, list(zip(*ranked, strict=True)))

    @property
    def answer_column(self) -> str:
        return str(self.spec.languages[1])

    def _attention_figure(self, translator: Translator, examples: Examples, best: IntArray) -> Any:
        (weights,) = translator.attention(examples.inputs["source"][:1], [best])
        names = [
            [v.decode([n - 2]) or v.token(n - 2) for n in row]
            for v, row in zip(self.vocabularies, (examples.inputs["source"].row(0), best), strict=True)
        ]
        return attention_map(weights, names[0], [*names[1], "(end)"], " → ".join(self.spec.languages))


@dataclass(frozen=True)
class _Encoded:
    """Token numbers of texts, which can be iterated several times."""

    vocabulary: Vocabulary
    texts: Sequence[str]
    reverse: bool = False

    def __iter__(self) -> Iterator[IntArray]:
        for row in self.vocabulary.encode_pieces(self.texts):
            yield row[::-1] if self.reverse else row


def _kept(examples: Examples, rows: IntArray, key: str) -> Examples:
    """Some examples whose token numbers are mapped, in files of their own."""
    source, target = (
        collect(lambda: map(ragged.row, rows.tolist()), key=f"{key} {side}")  # noqa: B023
        for ragged, side in ((examples.inputs["source"], "source"), (examples.targets, "target"))
    )
    return Examples({"source": source, "line": examples.inputs["line"][rows]}, target)
