"""Language modeling: text, windows, model, exact scores, generation."""

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
LanguageSpec = lm_corpus.LanguageSpec


@dataclass(frozen=True)
class LanguageOptions:
    """The text and the model of it."""

    split: Literal["own", "nanogpt"] = setting(
        "own",
        "splits: own: those of the source; nanogpt: first 90 % for training, last 10 % for validation and test",
    )
    bptt: int = setting(
        64, "number of tokens between updates (truncated backpropagation through time)", ge=1, affects_data=False
    )
    bptt_windows: int = setting(1, "number of windows that gradients flow back over", ge=1, affects_data=False)
    carry_state: bool = setting(
        True, "carry the state from window to window; false: each starts with the initial state", affects_data=False
    )
    documents: Literal["none", "lines", "paragraphs"] = setting(
        "none", "boundaries where the state is reset: none, after each line, or after empty lines", affects_data=False
    )
    variable_bptt: bool = setting(
        False, "draw the length of each window at random around options.bptt (AWD-LSTM)", affects_data=False
    )
    eval_streams: int = setting(
        32,
        "number of parallel streams that a text is cut into for scoring, each with the initial state",
        ge=1,
        affects_data=False,
    )
    embedding_dim: int | None = setting(
        None, "embedding size; null: size of the encoder output", ge=1, affects_data=False
    )
    tie_embeddings: bool = setting(False, "share the weights of the embedding and the output layer", affects_data=False)
    adaptive: tuple[int, ...] | None = setting(
        None, "adaptive softmax: first token of each cluster of rarer tokens", affects_data=False
    )
    word_dropout: float = setting(0.0, "dropout rate on whole words of the embedding", ge=0, lt=1, affects_data=False)
    output_dropout: float = setting(
        0.0, "dropout rate on the encoder outputs, one mask for each window", ge=0, lt=1, affects_data=False
    )
    activation_penalty: float = setting(
        0.0,
        "weight of the mean square of the outputs in the loss (activation regularisation)",
        ge=0,
        affects_data=False,
    )
    temporal_penalty: float = setting(
        0.0,
        "weight of the mean square change of the outputs in the loss (temporal activation regularisation)",
        ge=0,
        affects_data=False,
    )
    init: float | None = setting(
        None,
        "limit of the uniform distribution of all initial weights; null: initializers of the layers",
        gt=0,
        affects_data=False,
    )
    loss: Literal["token", "window"] = setting(
        "token",
        "loss of a window: token: mean over tokens; window: sum over time, as in Zaremba et al. 2014",
        affects_data=False,
    )
    dynamic_rate: float | None = setting(
        None,
        "learning rate of dynamic evaluation, a second score of a model that learns from the text; null: none",
        gt=0,
        affects_data=False,
    )
    dynamic_decay: float = setting(
        0.0, "decay toward the trained weights in dynamic evaluation", ge=0, lt=1, affects_data=False
    )


@dataclass(frozen=True)
class GenerateOptions:
    """How text is generated."""

    prompt: str = setting("\n", "text to continue")
    length: int = setting(500, "number of tokens to generate", ge=1)
    temperature: float = setting(
        1.0, "sampling temperature; below 1: likelier text; 0: always the likeliest token", ge=0
    )
    top_k: int | None = setting(None, "number of likeliest tokens to sample from", ge=1)
    top_p: float | None = setting(None, "total probability of the likeliest tokens to sample from")
    seed: int = setting(0, "random seed of sampling", ge=0)


class LanguageTask(Task):
    """The next token of a text; a subclass writes `units`."""

    higher_is_better = False
    causal = True
    stateful = True
    limits_examples = False
    files = "any"
    reads = "prompt"
    Options = LanguageOptions
    options: LanguageOptions
    PredictOptions = GenerateOptions
    Spec = LanguageSpec
    spec: LanguageSpec
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
        return self.spec.to_vocabulary()

    def build_model(self, encoder: Encoder) -> keras.Model:
        return language_model(encoder, self.spec.size, self.options, self.name)

    def loss(self) -> Any:
        return TokenLoss(self.options.loss, self.options.bptt if self.options.variable_bptt else None)

    def metrics(self) -> list[Any]:
        return [Perplexity() if self.metric == "perplexity" else Nats()]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> BPTTBatches:
        """Lanes for training (`shuffle`), or for scoring."""
        o = self.options
        if (o.bptt_windows > 1) + o.variable_bptt + (o.documents != "none") + (not o.carry_state) > 1:
            raise ConfigError(
                "more than one of options.bptt_windows > 1, variable_bptt=true, documents and carry_state=false is "
                "set; choose one of them"
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
        dynamic = dynamic_scores(model, batches, self.options.dynamic_rate, self.options.dynamic_decay)
        return scores | {f"dynamic_{name}": value for name, value in dynamic.items()}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        words = self.vocabulary
        if words.kind == "characters":
            return {"xz": lambda: xz_baseline.baseline(words, splits)}

        def trigram() -> Baseline:
            from seqtasks.task_types.language_modeling import kneser_ney  # NLTK takes a second to import

            return kneser_ney.baseline(splits, self.spec.size)

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
        yielded = ""
        while len(written) < options.length:
            sampled = sampler(logits, states, uniform(self.CHUNK, [options.seed], len(written)))
            logits, states = sampled.logits, sampled.states
            written = [*written, *sampled.tokens[0].tolist()][: options.length]
            # Decoded together: a word is parted from the next, and a byte-pair unit may be a part of a character.
            text = words.decode(written)
            if len(written) < options.length:
                text = text.rstrip("\N{REPLACEMENT CHARACTER}")
            yield text[len(yielded) :]
            yielded = text

    def log_probabilities(self, model: keras.Model, text: str) -> list[tuple[str, float]]:
        """Each token of a text but the first, and its log-probability after all before it."""
        tokens = self.vocabulary.encode(text)
        if len(tokens) < 2:
            return []
        nll = model.predict_on_batch([tokens[None, :-1], np.ones(1, bool), tokens[None, 1:]])
        return [(self.vocabulary.token(t), -float(v)) for t, v in zip(tokens[1:], np.asarray(nll)[0], strict=True)]
