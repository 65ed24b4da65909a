"""What language models share: text, windows, the model, exact scores, generation."""

from __future__ import annotations

import logging
import lzma
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from seqtasks.data import language
from seqtasks.data.lanes import Lanes
from seqtasks.data.sources import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.encoder import Encoder
from seqtasks.errors import ConfigError
from seqtasks.generate import Sampler, uniform
from seqtasks.layers.tied import TiedLogits
from seqtasks.losses import TokenCrossentropy
from seqtasks.metrics import Perplexity, language_scores
from seqtasks.settings import setting
from seqtasks.task import Baseline, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LanguageOptions:
    """The text and the model of it."""

    split: Literal["own", "nanogpt"] = setting(
        "own", "the source's; nanogpt: first 90 % for training, last 10 % for validation and test"
    )
    window: int = setting(64, "tokens between updates; no gradient goes further back", least=1)
    carry: bool = setting(True, "keep the state from window to window; false: each starts afresh")
    vary: bool = setting(False, "draw the length of each window around options.window")
    eval_lanes: int = setting(32, "pieces that a text is cut into when scored, each without a past", least=1)
    embedding: int | None = setting(None, "width of the embedding; null: that of the encoder's output", least=1)
    tied: bool = setting(False, "the output layer has the weights of the embedding")
    output_dropout: float = setting(0.0, "on the outputs of the encoder, one mask a window", least=0, below=1)
    init: float | None = setting(None, "draw all weights uniformly from -init to init; null: as the layers do", above=0)
    loss: Literal["token", "window"] = setting(
        "token", "mean over tokens; window: summed over time, as Zaremba et al. 2014"
    )


@dataclass(frozen=True)
class GenerateOptions:
    """How text is generated."""

    prompt: str = setting("\n", "the text to go on from")
    length: int = setting(500, "tokens to generate", least=1)
    temperature: float = setting(1.0, "below 1: likelier text; 0: always the likeliest token", least=0)
    top_k: int | None = setting(None, "only so many of the likeliest tokens", least=1)
    top_p: float | None = setting(None, "only the likeliest tokens that together reach this probability")
    seed: int = setting(0, "of what is drawn", least=0)


class LanguageTask(Task):
    """The next token of a text; a subclass writes `units`."""

    topology = "synced"
    metric = "nats"
    higher_is_better = False
    causal = True
    stateful = True
    files = "any"
    tfds = "tiny_shakespeare"
    builtin = "pydoc"
    Options = LanguageOptions
    PredictOptions = GenerateOptions
    CHUNK = 50  # tokens generated before they are shown

    @abstractmethod
    def units(self, source: Source) -> dict[str, Any]:
        """What the tokens are: the settings of `Vocabulary.train`, `kind` among them."""

    def load(self, source: Source, seed: int) -> Splits:
        return language.load(source, self.options.split, **self.units(source))

    @property
    def vocabulary(self) -> Vocabulary:
        """That of the training text."""
        return language.vocabulary(self.spec)

    def model(self, encoder: Encoder) -> keras.Model:
        o, size = self.options, self.spec["size"]
        tokens = keras.Input((None,), name="tokens", dtype="int32")
        reset = keras.Input((), name="reset", dtype="bool")
        embedding = keras.layers.Embedding(size, o.embedding or encoder.output_size, name="embedding")
        x, _ = encoder(embedding(tokens), reset=reset)
        if o.output_dropout:
            x = keras.layers.Dropout(o.output_dropout, noise_shape=(None, 1, None))(x)
        if o.tied and embedding.output_dim != encoder.output_size:
            raise ConfigError(
                f"options.tied=true with an embedding of {embedding.output_dim} and an encoder output of "
                f"{encoder.output_size}; tied they must agree: set options.embedding={encoder.output_size}"
            )
        head = TiedLogits(embedding, name="logits") if o.tied else keras.layers.Dense(size, name="logits")
        logits = keras.layers.Activation("linear", dtype="float32")(head(x))
        model = keras.Model([tokens, reset], logits, name=self.name)
        if o.init is not None:
            for weight in model.trainable_weights:
                weight.assign(keras.random.uniform(weight.shape, -o.init, o.init))
        return model

    def loss(self) -> Any:
        return TokenCrossentropy(self.options.loss)

    def metrics(self) -> list[Any]:
        if self.metric == "perplexity":
            return [Perplexity()]
        return [keras.metrics.SparseCategoricalCrossentropy(name="nats", from_logits=True)]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> Lanes:
        """Lanes for training (`shuffle`), or for scoring."""
        o = self.options
        lanes = batch_size if shuffle else o.eval_lanes
        return Lanes(examples, lanes, batch_size, o.window, o.carry, o.vary and shuffle, seed)

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        measure, nll, count = scorer(model), 0.0, 0
        for index in range(len(batches)):
            inputs, targets, weights = batches[index]
            found = np.asarray(measure.predict_on_batch([inputs["tokens"], inputs["reset"], targets]), np.float64)
            nll += float((found * weights).sum())
            count += int(weights.sum())
        return language_scores(nll, count)

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        words = language.vocabulary(splits.spec)
        return {"xz": lambda: _compressed(words, splits)} if words.kind == "characters" else {}

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
        step, never = step_of(model), 0.0
        if words.kind == "characters":  # the number of unknown characters is none that can be shown
            never = 1e9 * ops.one_hot(0, len(words))

        def known(tokens: Any, states: Any) -> tuple[Any, Any]:
            logits, states = step(tokens, states)
            return logits - never, states

        sampler, logits = Sampler(known, options.temperature, options.top_k, options.top_p), logits - never
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
        nll = scorer(model).predict_on_batch([tokens[None, :-1], np.ones(1, bool), tokens[None, 1:]])
        return [(self.vocabulary.token(t), -float(v)) for t, v in zip(tokens[1:], np.asarray(nll)[0], strict=True)]


def scorer(model: keras.Model) -> keras.Model:
    """The model with targets (batch, time) as third input; gives their negative log-likelihood."""
    targets = keras.Input((None,), name="targets", dtype="int32")
    nll = ops.sparse_categorical_crossentropy(targets, model.output, from_logits=True)
    return keras.Model([*model.inputs, targets], nll)


def read(model: keras.Model, tokens: np.ndarray) -> tuple[Any, Any]:
    """The logits after some tokens (batch, time), and the states."""
    encoder = model.get_layer("encoder")
    x = model.get_layer("embedding")(ops.convert_to_tensor(tokens))
    out, states = encoder(x, initial_state=encoder.initial_state(len(tokens)), return_sequences=False)
    return _logits(model, out), states


def step_of(model: keras.Model) -> Any:
    """The model as `seqtasks.generate` wants it."""
    embedding, encoder = model.get_layer("embedding"), model.get_layer("encoder")

    def step(tokens: Any, states: Any) -> tuple[Any, Any]:
        out, states = encoder(embedding(tokens[:, None]), initial_state=states, return_sequences=False)
        return _logits(model, out), states

    return step


def _logits(model: keras.Model, out: Any) -> Any:
    return ops.cast(model.get_layer("logits")(out), "float32")


def _compressed(vocabulary: Vocabulary, splits: Splits, most: int = 1 << 25) -> Baseline:
    """What `xz` makes of it: the bytes that the test text adds to the compressed training text.

    Args:
        vocabulary: of characters.
        splits: of the text.
        most: characters of the training text, the last ones, that are compressed.
    """

    def size(text: str) -> int:
        return len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))

    before = vocabulary.decode(splits.train.inputs["tokens"][-most:])
    text = vocabulary.decode(splits.test.targets)
    bits = 8 * (size(before + text) - size(before))
    return Baseline(language_scores(bits * math.log(2), len(splits.test)), 0)
