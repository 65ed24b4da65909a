"""What language models share: text, windows, the model, exact scores, generation."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.text import lm_corpus
from seqtasks.data.text.bptt_batches import BPTTBatches, document_starts
from seqtasks.data.text.vocabulary import Vocabulary
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import TokenLoss
from seqtasks.layers.metrics import Nats, Perplexity, language_scores
from seqtasks.task_types.base import Baseline, Task
from seqtasks.task_types.language_modeling import xz_baseline
from seqtasks.task_types.language_modeling.dynamic_evaluation import dynamic_scores, total
from seqtasks.task_types.language_modeling.model import LanguageStep, language_model, read

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LanguageOptions:
    """The text and the model of it."""

    split: Literal["own", "nanogpt"] = setting(
        "own", "the source's; nanogpt: first 90 % for training, last 10 % for validation and test"
    )
    bptt: int = setting(64, "tokens between updates", ge=1, affects_data=False)
    bptt_windows: int = setting(1, "windows that the gradient flows back over", ge=1, affects_data=False)
    carry_state: bool = setting(
        True, "keep the state from window to window; false: each starts afresh", affects_data=False
    )
    documents: Literal["none", "lines", "paragraphs"] = setting(
        "none", "where the state starts afresh: nowhere, after each line, or after empty lines", affects_data=False
    )
    variable_bptt: bool = setting(False, "draw the length of each window around options.bptt", affects_data=False)
    eval_streams: int = setting(
        32, "pieces that a text is cut into when scored, each without a past", ge=1, affects_data=False
    )
    embedding_dim: int | None = setting(
        None, "width of the embedding; null: that of the encoder's output", ge=1, affects_data=False
    )
    tie_embeddings: bool = setting(False, "the output layer has the weights of the embedding", affects_data=False)
    adaptive: tuple[int, ...] | None = setting(
        None, "adaptive softmax: tokens from each of these numbers on are a cluster", affects_data=False
    )
    word_dropout: float = setting(
        0.0, "on words of the embedding, wherever they stand in a batch", ge=0, lt=1, affects_data=False
    )
    output_dropout: float = setting(
        0.0, "on the outputs of the encoder, one mask a window", ge=0, lt=1, affects_data=False
    )
    activation_penalty: float = setting(0.0, "times the mean square of the outputs", ge=0, affects_data=False)
    temporal_penalty: float = setting(0.0, "times the mean square of their change", ge=0, affects_data=False)
    init: float | None = setting(
        None, "draw all weights uniformly from -init to init; null: as the layers do", gt=0, affects_data=False
    )
    loss: Literal["token", "window"] = setting(
        "token", "mean over tokens; window: summed over time, as Zaremba et al. 2014", affects_data=False
    )
    dynamic_rate: float | None = setting(
        None, "score also while learning from the test text, with this learning rate", gt=0, affects_data=False
    )
    dynamic_decay: float = setting(
        0.0, "back to the trained weights at each step of that", ge=0, lt=1, affects_data=False
    )


@dataclass(frozen=True)
class GenerateOptions:
    """How text is generated."""

    prompt: str = setting("\n", "the text to go on from")
    length: int = setting(500, "tokens to generate", ge=1)
    temperature: float = setting(1.0, "below 1: likelier text; 0: always the likeliest token", ge=0)
    top_k: int | None = setting(None, "only so many of the likeliest tokens", ge=1)
    top_p: float | None = setting(None, "only the likeliest tokens that together reach this probability")
    seed: int = setting(0, "of what is drawn", ge=0)


class LanguageTask(Task):
    """The next token of a text; a subclass writes `units`."""

    topology = "synced"
    metric = "nats"
    higher_is_better = False
    causal = True
    stateful = True
    limits_examples = False
    files = "any"
    reads = "prompt"
    tfds = "tiny_shakespeare"
    builtin = "pydoc"
    Options = LanguageOptions
    PredictOptions = GenerateOptions
    CHUNK = 50  # tokens generated before they are shown

    @abstractmethod
    def units(self, source: Source) -> dict[str, Any]:
        """What the tokens are: the settings of `Vocabulary.train`, `kind` among them."""

    def load(self, source: Source, seed: int) -> Splits:
        return lm_corpus.load(source, self.options.split, **self.units(source))

    @property
    def unit(self) -> str:
        return {"characters": "characters", "words": "words"}.get(self.vocabulary.kind, "byte-pair units")

    @property
    def vocabulary(self) -> Vocabulary:
        """That of the training text."""
        return lm_corpus.vocabulary(self.spec)

    def model(self, encoder: Encoder) -> keras.Model:
        return language_model(encoder, self.spec["size"], self.options, self.name)

    def loss(self) -> Any:
        return TokenLoss(self.options.loss, self.options.bptt if self.options.variable_bptt else None)

    def metrics(self) -> list[Any]:
        return [Perplexity() if self.metric == "perplexity" else Nats()]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> BPTTBatches:
        """Lanes for training (`shuffle`), or for scoring."""
        o = self.options
        if (o.bptt_windows > 1) + o.variable_bptt + (o.documents != "none") + (not o.carry_state) > 1:
            raise ConfigError(
                "more than one of options.bptt_windows > 1, variable_bptt=true, documents and carry_state=false is set; choose one of them"
            )
        lanes = batch_size if shuffle else o.eval_streams
        starts = None if o.documents == "none" else document_starts(examples, self.vocabulary, o.documents)
        if shuffle:
            return BPTTBatches(
                examples, lanes, batch_size, o.bptt, o.carry_state, starts, o.bptt_windows, o.variable_bptt, seed
            )
        return BPTTBatches(examples, lanes, batch_size, o.bptt, o.carry_state, starts)

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        scores = language_scores(*total(batches, lambda inputs, _: model.predict_on_batch(inputs)))
        if self.options.dynamic_rate is None:
            return scores
        found = dynamic_scores(model, batches, self.options.dynamic_rate, self.options.dynamic_decay)
        return scores | {f"dynamic_{name}": value for name, value in found.items()}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        words = lm_corpus.vocabulary(splits.spec)
        if words.kind == "characters":
            return {"xz": lambda: xz_baseline.baseline(words, splits)}

        def trigram() -> Baseline:
            from seqtasks.task_types.language_modeling import kneser_ney  # NLTK takes a second to import

            return kneser_ney.baseline(splits)

        return {"Kneser-Ney trigram": trigram}

    def predict(self, model: keras.Model, inputs: Sequence[str], options: GenerateOptions) -> Iterator[str]:
        """Text after the prompt, in pieces as it is generated."""
        if inputs:
            raise ConfigError(
                f"unknown words {' '.join(inputs)!r}; write --prompt TEXT, and see seqtasks show {self.name}"
            )
        words = self.vocabulary
        prompt = words.encode(options.prompt)
        if not len(prompt):
            raise ConfigError(f"the prompt {options.prompt!r} has no token; give --prompt TEXT")
        unknown = (
            {options.prompt[i] for i, number in enumerate(prompt) if number == 0} if words.kind == "characters" else {}
        )
        if unknown:
            log.warning(
                "the model has never seen %s in the prompt; it reads them as unknown", " ".join(sorted(unknown))
            )
        shown = options.prompt if options.prompt.strip() else ""
        yield shown + " " if shown and words.kind == "words" else shown
        logits, states = read(model, prompt[None])
        # The number of unknown characters is none that can be shown.
        step = LanguageStep(model, never=[0] if words.kind == "characters" else [])
        sampler, logits = Sampler(step, options.temperature, options.top_k, options.top_p), step.allowed(logits)
        written: list[int] = []
        told = ""
        while len(written) < options.length:
            found = sampler(logits, states, uniform(self.CHUNK, [options.seed], len(written)))
            logits, states = found.logits, found.states
            written = [*written, *found.tokens[0].tolist()][: options.length]
            # Decoded together: a word is parted from the next, and a byte-pair unit may be a part of a character.
            text = words.decode(written)
            if len(written) < options.length:
                text = text.rstrip("\N{REPLACEMENT CHARACTER}")
            yield text[len(told) :]
            told = text

    def log_probabilities(self, model: keras.Model, text: str) -> list[tuple[str, float]]:
        """Each token of a text but the first, and its log-probability after all before it."""
        tokens = self.vocabulary.encode(text)
        if len(tokens) < 2:
            return []
        nll = model.predict_on_batch([tokens[None, :-1], np.ones(1, bool), tokens[None, 1:]])
        return [(self.vocabulary.token(t), -float(v)) for t, v in zip(tokens[1:], np.asarray(nll)[0], strict=True)]
