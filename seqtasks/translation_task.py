"""What translators share: pairs of lines, vocabularies, the model, beam search, BLEU, baselines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.data import pairs, parallel
from seqtasks.data.pairs import Pairs
from seqtasks.data.ragged import Ragged
from seqtasks.data.sources import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.encoder import Encoder
from seqtasks.errors import ConfigError, DataError
from seqtasks.losses import TagLoss
from seqtasks.metrics import TargetPerplexity
from seqtasks.plots import attention_map
from seqtasks.settings import setting
from seqtasks.tagged_text import lines_of
from seqtasks.task import Baseline, Task
from seqtasks.translation_model import Translation, Translator, attention_weights, translation_model
from seqtasks.translation_scores import signature, translation_scores, word_by_word

log = logging.getLogger(__name__)
TED = ("az", "az_tr", "be", "be_ru", "gl", "gl_pt", "pt", "ru", "tr")


@dataclass(frozen=True)
class TranslationOptions:
    """The languages, their tokens and the model of them."""

    source: str = setting("en", "language to translate from: the suffix of its files")
    target: str = setting("de", "language to translate to")
    unit: Literal["bpe", "words"] = setting("bpe", "what is read and written; bpe: byte-pair units", model_only=True)
    size: int = setting(4000, "the most units of a language", least=300, model_only=True)
    shared: bool = setting(False, "both languages have the same units and vectors", model_only=True)
    longest: int = setting(100, "longer training pairs are left out, in units", least=1, model_only=True)
    reverse: bool = setting(False, "read the source from its end, as Sutskever et al. 2014", model_only=True)
    embedding: int = setting(256, "width of the vectors of units", least=1, model_only=True)
    tied: bool = setting(True, "the output layer has the vectors of the target", model_only=True)
    attention: Literal["additive", "multiplicative", "none"] = setting(
        "additive", "how the decoder reads the source", model_only=True
    )
    feeding: bool = setting(False, "input feeding: the decoder reads its last output, step by step", model_only=True)
    decoder_cell: str | None = setting(None, "null: that of the encoder", model_only=True)
    dropout: float = setting(0.3, "on vectors of units and on outputs", least=0, below=1, model_only=True)
    smoothing: float = setting(0.1, "of labels", least=0, below=1, model_only=True)
    beams: int = setting(5, "of the search that is scored", least=1, model_only=True)
    length_penalty: float = setting(1.0, "0 prefers short translations", least=0, model_only=True)
    coverage: float = setting(0.0, "penalty for source units that nothing attends to", least=0, model_only=True)
    tokens: int | None = setting(None, "the most units in a batch, of the longer side", least=1, model_only=True)


@dataclass(frozen=True)
class TranslatePredictOptions:
    """How sentences are translated."""

    file: str | None = setting(None, "translate the lines of this file")
    out: str | None = setting(None, "write the translations to this file, line by line")
    beams: int | None = setting(None, "of the search; null: as when it was scored", least=1)
    n_best: int = setting(1, "translations of each sentence", least=1)
    attention: str | None = setting(None, "draw what each word attends to: FILE.png, of the first sentence")


class TranslationTask(Task):
    """Lines of one language into lines of another."""

    topology = "many-to-many"
    metric = "bleu"
    files = "any"
    tfds = tuple(f"ted_hrlr_translate/{name}_to_en" for name in ("pt", *(n for n in TED if n != "pt")))
    builtin = "spelled"
    Options = TranslationOptions
    PredictOptions = TranslatePredictOptions

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        found = parallel.load(source, (o.source, o.target))
        self._lines = found.parts
        train = found.parts["train"]
        settings = {"kind": o.unit, "size": o.size}
        if o.shared:
            both = Vocabulary.train(texts=[*train[0], *train[1]], **settings)
            vocabularies = [both, both]
        else:
            vocabularies = [Vocabulary.train(texts=lines, **settings) for lines in train]
        spec = {
            "vocabularies": [v.to_text() for v in vocabularies[: 1 if o.shared else 2]],
            "sizes": [len(v) + 2 for v in vocabularies],
            "languages": list(found.languages),
        }
        self.spec = spec
        parts = {part: self._examples(lines) for part, lines in found.parts.items()}
        long = np.maximum(parts["train"].inputs["source"].lengths, parts["train"].targets.lengths) > o.longest
        if long.all():
            raise DataError(
                f"{source}: all training pairs have more than options.longest={o.longest} units; set it higher"
            )
        if long.any():
            log.warning(
                "%d training pairs have more than options.longest=%d units and are left out", long.sum(), o.longest
            )
            kept = np.flatnonzero(~long)
            parts["train"] = parts["train"].take(kept)
            self._lines["train"] = ([train[0][i] for i in kept], [train[1][i] for i in kept])
        spec["tokens"] = {
            part: [len(examples.inputs["source"].values), len(examples.targets.values)]
            for part, examples in parts.items()
        }
        return Splits(**parts, source=found.source, fingerprint=found.fingerprint, spec=spec)

    @property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """Of the source and of the target."""
        texts = self.spec["vocabularies"]
        return Vocabulary(texts[0]), Vocabulary(texts[-1])

    def _examples(self, lines: parallel.Lines) -> Examples:
        encoded = [[v.encode(text) for text in side] for v, side in zip(self.vocabularies, lines, strict=True)]
        if self.options.reverse:
            encoded[0] = [row[::-1] for row in encoded[0]]
        return pairs.numbered(*encoded)

    def model(self, encoder: Encoder) -> keras.Model:
        return translation_model(encoder, self.spec["sizes"], self.options.shared, self.options, self.name)

    def loss(self) -> Any:
        return TagLoss()

    def metrics(self) -> list[Any]:
        return [TargetPerplexity()]

    @property
    def tools(self) -> dict[str, str]:
        return {"sacrebleu": signature()}

    def callbacks(self, validation: Pairs) -> list[keras.callbacks.Callback]:
        return [GreedyBLEU(self, validation.examples)]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> Pairs:
        return Pairs(examples, batch_size, self.options.tokens, shuffle, seed)

    def texts(self, rows: Sequence[np.ndarray]) -> list[str]:
        """The lines of targets, their ends left out."""
        target = self.vocabularies[1]
        return [target.decode(np.maximum(row[row > pairs.END] - 2, 0)) for row in rows]

    def translate(self, translator: Translator, sources: Ragged) -> list[str]:
        """The best line for each source."""
        return self.texts([best[0].tokens for best in translator(sources)])

    def _wanted(self, examples: Examples) -> list[str]:
        return self.texts([examples.targets.row(i) for i in range(len(examples))])

    def score(self, model: keras.Model, batches: Pairs) -> dict[str, float]:
        o, examples = self.options, batches.examples
        wanted, sources = self._wanted(examples), examples.inputs["source"]
        beam = Translator(model, o.beams, 1, o.length_penalty, o.coverage)
        scores = translation_scores(self.translate(beam, sources), wanted)
        greedy = translation_scores(self.translate(Translator(model), sources), wanted)
        nll = count = 0.0
        for index in range(len(batches)):
            inputs, _, weights = batches[index]
            nll += float((np.asarray(model.predict_on_batch(inputs))[..., 1] * weights).sum())
            count += float(weights.sum())
        return scores | {"bleu_greedy": greedy["bleu"], "perplexity": float(np.exp(min(nll / count, 700.0)))}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        (train, test), n = (self._lines["train"], self._lines["test"]), len(splits.train)
        sources, wanted = test[0][: len(splits.test)], self._wanted(splits.test)

        def dictionary() -> Baseline:
            found, size = word_by_word((train[0][:n], train[1][:n]), sources)
            return Baseline(translation_scores(found, wanted), size, "NLTK")

        return {
            "copy of the source": lambda: Baseline(translation_scores(sources, wanted), 0, "none"),
            "word by word (IBM model 1)": dictionary,
        }

    def predict(
        self, model: keras.Model, inputs: Sequence[str], options: TranslatePredictOptions
    ) -> list[dict[str, Any]] | Iterator[str]:
        """Translations of sentences, or of the lines of files."""
        given = [*inputs, *([options.file] if options.file else [])]
        if options.file is not None and not Path(options.file).is_file():
            raise ConfigError(f"there is no file {options.file}; give --file FILE, or the sentences themselves")
        lines = [line.strip() for text in given for line in lines_of(text)]
        if not lines:
            raise ConfigError('nothing to translate; write a sentence: seqtasks predict RUN "A man rides a bike."')
        o = self.options
        examples = self._examples((lines, [""] * len(lines)))
        beams = max(options.beams or o.beams, options.n_best)
        translator = Translator(model, beams, options.n_best, o.length_penalty, o.coverage)
        found = translator(examples.inputs["source"])
        if options.attention is not None:
            self._draw(model, examples.inputs["source"].row(0), found[0][0], Path(options.attention))
        if options.out is not None:
            texts = self.texts([best[0].tokens for best in found])
            Path(options.out).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
            return iter([f"{len(texts):,} lines → {options.out}"])
        return [
            {self.spec["languages"][0]: line if place == 0 else "", self.spec["languages"][1]: text}
            | {"log-probability": one.score}
            for line, best in zip(lines, found, strict=True)
            for place, (one, text) in enumerate(zip(best, self.texts([one.tokens for one in best]), strict=True))
        ]

    def _draw(self, model: keras.Model, source: np.ndarray, best: Translation, path: Path) -> None:
        if self.options.attention == "none":
            raise ConfigError("this model has no attention to draw; train one with options.attention=additive")
        weights = attention_weights(model, source, best.tokens)
        names = [
            [v.decode([n - 2]) or v.token(n - 2) for n in row]
            for v, row in zip(self.vocabularies, (source, best.tokens), strict=True)
        ]
        attention_map(weights, names[0], [*names[1], "(end)"]).savefig(path, dpi=120)


class GreedyBLEU(keras.callbacks.Callback):
    """Adds `val_bleu`, that of greedy translations, to what an epoch tells.

    Args:
        task: which scores.
        validation: examples.
    """

    def __init__(self, task: TranslationTask, validation: Examples):
        super().__init__()
        self.task, self.validation = task, validation
        self._wanted = task._wanted(validation)

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self._translator = Translator(model)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        found = self.task.translate(self._translator, self.validation.inputs["source"])
        if logs is not None:
            logs["val_bleu"] = translation_scores(found, self._wanted)["bleu"]
