"""What classifiers of texts share: words, buckets, pooling, the words that mattered, a linear baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from seqtasks import saliency
from seqtasks.data import labelled_texts
from seqtasks.data.buckets import Buckets
from seqtasks.data.ragged import Ragged
from seqtasks.data.sources import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.encoder import Encoder
from seqtasks.errors import ConfigError
from seqtasks.layers.pooling import Pooling
from seqtasks.layers.regularization import WordDropout
from seqtasks.metrics import classification_scores, log_softmax
from seqtasks.plots import confusion
from seqtasks.settings import setting
from seqtasks.tagged_text import lines_of
from seqtasks.task import Baseline, Task


@dataclass(frozen=True)
class TextOptions:
    """The columns of a table, the words and the model of them."""

    text_column: str = setting("text", "of CSV and TSV files")
    label_column: str = setting("label", "of CSV and TSV files")
    size: int = setting(20_000, "the most words", least=2, model_only=True)
    min_frequency: int = setting(2, "rarer words are unknown", least=1, model_only=True)
    embedding: int = setting(100, "width of the vectors of words", least=1, model_only=True)
    word_dropout: float = setting(0.0, "on words, wherever they stand in a batch", least=0, below=1, model_only=True)
    embedding_dropout: float = setting(0.0, "on vectors of words, one mask a text", least=0, below=1, model_only=True)
    recurrence: bool = setting(True, "false: pool the vectors of words themselves", model_only=True)
    pooling: Literal["last", "mean", "max", "attention"] = setting("max", "of the outputs over time", model_only=True)
    dropout: float = setting(0.0, "on what was pooled", least=0, below=1, model_only=True)
    tokens: int | None = setting(None, "the most tokens in a batch; null: any number", least=1, model_only=True)


@dataclass(frozen=True)
class TextPredictOptions:
    """What is shown beside the answers."""

    heat: str | None = setting(None, "also write the texts with the words that mattered: FILE.html or FILE.png")


class TextTask(Task):
    """A label for a text."""

    topology = "many-to-one"
    metric = "accuracy"
    tfds = "imdb_reviews"
    files = "any"
    builtin = "opinions"
    Options = TextOptions
    PredictOptions = TextPredictOptions

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        found = labelled_texts.load(source, o.text_column, o.label_column)
        self._texts = {part: texts for part, (texts, _) in found.parts.items()}
        words = Vocabulary.train(
            "words",
            (_line(t) for t in found.parts["train"][0]),
            o.size,
            o.min_frequency,
            lowercase=True,
            punctuation=True,
        )
        numbers = {name: number for number, name in enumerate(found.classes)}
        parts = {
            part: Examples({"tokens": encoded(words, texts)}, np.array([numbers[label] for label in labels]))
            for part, (texts, labels) in found.parts.items()
        }
        spec = {
            "vocabulary": words.to_text(),
            "size": len(words),
            "classes": found.classes,
            "tokens": {part: len(examples.inputs["tokens"].values) for part, examples in parts.items()},
        }
        return Splits(**parts, source=found.source, fingerprint=found.fingerprint, spec=spec)

    @property
    def classes(self) -> list[str]:
        """Names of the labels."""
        return list(self.spec["classes"])

    def model(self, encoder: Encoder) -> keras.Model:
        """Tokens (batch, time), 0 at padding, to logits (batch, classes)."""
        o, size = self.options, self.spec["size"] + 1
        tokens = keras.Input((None,), name="tokens", dtype="int32")
        mask = ops.not_equal(tokens, 0)
        x = keras.layers.Embedding(size, o.embedding, name="embedding")(tokens)
        if o.word_dropout:
            x = WordDropout(o.word_dropout, size)(x, tokens)
        if o.embedding_dropout:
            x = keras.layers.Dropout(o.embedding_dropout, noise_shape=(None, 1, None))(x)
        if o.recurrence:
            x, _ = encoder(x, mask=mask)
        x = keras.layers.Dropout(o.dropout)(Pooling(o.pooling, name="pooling")(x, mask=mask))
        logits = keras.layers.Dense(len(self.classes), dtype="float32", name="logits")(x)
        return keras.Model(tokens, logits, name=self.name)

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> Buckets:
        return Buckets(examples, batch_size, self.options.tokens, shuffle, seed)

    def logits(self, model: keras.Model, batches: Buckets) -> np.ndarray:
        found = np.zeros((len(batches.examples), len(self.classes)))
        for index in range(len(batches)):
            found[batches.rows(index)] = model.predict_on_batch(batches[index][0]["tokens"])
        return found

    def score(self, model: keras.Model, batches: Buckets) -> dict[str, float]:
        return self._scores(self.logits(model, batches), batches.examples.targets)

    def _scores(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        from sklearn.metrics import f1_score

        macro = f1_score(targets, logits.argmax(-1), labels=range(len(self.classes)), average="macro", zero_division=0)
        return classification_scores(logits, targets) | {"macro_f1": float(macro)}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        def linear() -> Baseline:
            from sklearn.feature_extraction.text import TfidfVectorizer
            from sklearn.linear_model import LogisticRegression
            from sklearn.pipeline import make_pipeline

            fitted = make_pipeline(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(C=10, max_iter=300)
            ).fit(self._texts["train"][: len(splits.train)], splits.train.targets)
            p = fitted.predict_log_proba(self._texts["test"][: len(splits.test)])
            logits = np.full((len(p), len(self.classes)), -50.0)
            logits[:, fitted.classes_] = p
            weights = fitted[-1]
            return Baseline(self._scores(logits, splits.test.targets), weights.coef_.size + weights.intercept_.size)

        return {"TF-IDF + logistic regression": linear}

    def plots(self, model: keras.Model, batches: Buckets) -> Iterator[tuple[str, Any]]:
        predicted, targets = self.logits(model, batches).argmax(-1), batches.examples.targets
        title = f"{self.name}: {100 * np.mean(predicted == targets):.2f} % of {len(targets):,} test texts"
        yield "confusion", confusion(targets, predicted, self.classes, title)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: TextPredictOptions) -> list[dict[str, Any]]:
        """Probabilities, and the words that spoke most for and against the answer; a file is read line by line."""
        texts = [line.strip() for text in inputs for line in lines_of(text)]
        if not any(texts):
            raise ConfigError('nothing to judge; write a text: seqtasks predict RUN "what a lovely film"')
        words = Vocabulary(self.spec["vocabulary"])
        products, rows, shown = saliency.gradient_times_input(model), [], []
        for text in texts:
            tokens = encoded(words, [text]).padded()
            p = np.exp(log_softmax(model.predict_on_batch(tokens)))[0]
            best = int(p.argmax())
            weights = products(tokens, np.array([best]))[0]
            units = [words.token(number - 1) for number in tokens[0] if number]
            order = np.argsort(-np.abs(weights[: len(units)]))[:5]
            because = " ".join(f"{'+' if weights[i] > 0 else '-'}{units[i]}" for i in order)
            row: dict[str, Any] = {"text": text if len(text) <= 60 else f"{text[:59]}…", "answer": self.classes[best]}
            row |= {f"P({name})": round(float(v), 4) for name, v in zip(self.classes, p, strict=True)}
            rows.append(row | {"because": because})
            shown.append(saliency.coloured(units, weights[: len(units)].tolist()))
        if options.heat is not None:
            saliency.write(Path(options.heat), shown)
        return rows


def _line(text: str) -> str:
    return " ".join(text.split())


def encoded(words: Vocabulary, texts: Sequence[str]) -> Ragged:
    """The numbers of texts, one higher than in the vocabulary, as 0 is padding."""
    return Ragged.of([numbers.astype(np.int32) + 1 for numbers in words.encode_pieces(_line(t) for t in texts)])
