"""Language modeling task: text, windows, model, scores, baselines, generation."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.bucketing import Ragged
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.text import lm_corpus
from seqtasks.data.text.bptt_batches import BPTTBatches, document_starts
from seqtasks.data.text.vocabulary import END, Vocabulary
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import TokenLoss
from seqtasks.layers.metrics import Nats, Perplexity, language_scores
from seqtasks.task_types.base import Baseline, Task
from seqtasks.task_types.common.steps import Steps, text_properties
from seqtasks.task_types.language_modeling import xz_baseline
from seqtasks.task_types.language_modeling.dynamic_evaluation import BlockSums, dynamic_scores, total
from seqtasks.task_types.language_modeling.export_plan import LanguagePlan
from seqtasks.task_types.language_modeling.model import LanguageStep, language_model, read

log = logging.getLogger(__name__)
SAMPLE, TEMPERATURES = 300, (0.5, 1.0)  # tokens and temperatures of the texts in the run folder
STREAMS, MOST_TOKENS = 16, 1 << 15  # maximum number of streams and tokens of a sample
LEAST_STEPS = 256  # minimum number of tokens of a stream of a sample, where the text has so many
LanguageSpec = lm_corpus.LanguageSpec


@dataclass(frozen=True)
class LanguageOptions:
    """Options of language models: splits, windows, model, dynamic evaluation.

    The attributes are the settings `options.*`, with a help text each in `seqtasks show TASK`. A task adds options in a
    subclass.

    Example:
        >>> from dataclasses import dataclass
        >>> from seqtasks import setting
        >>> from seqtasks.task_types import LanguageOptions
        >>> @dataclass(frozen=True)
        ... class Options(LanguageOptions):
        ...     lowercase: bool = setting(False, "convert the text to lower case")
        >>> Options(lowercase=True).bptt
        64
    """

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
        "learning rate of dynamic evaluation, which adds scores of a model that adapts to the test text; null: none",
        gt=0,
        affects_data=False,
    )
    dynamic_decay: float = setting(
        0.0, "decay toward the trained weights in dynamic evaluation", ge=0, lt=1, affects_data=False
    )


@dataclass(frozen=True)
class GenerateOptions:
    """Options of `seqtasks predict` for language models."""

    prompt: str = setting("\n", "text to continue")
    length: int = setting(500, "number of tokens to generate", ge=1)
    temperature: float = setting(
        1.0, "sampling temperature; below 1: likelier text; 0: always the likeliest token", ge=0
    )
    top_k: int | None = setting(None, "number of likeliest tokens to sample from", ge=1)
    top_p: float | None = setting(None, "total probability of the likeliest tokens to sample from")
    seed: int = setting(0, "random seed of sampling", ge=0)


class LanguageTask(Task):
    """Base class of language models: predicts the next token of a text.

    A subclass overrides `units`. The model is an embedding, the encoder and a softmax over the vocabulary. The text is
    cut into parallel streams, which are read in windows (truncated backpropagation through time).

    Masks and state: the encoder carries its states from window to window. There are no masks; the padding of the last
    window has weight 0 in loss and scores.

    Attributes:
        CHUNK: Number of tokens that `predict` generates at a time.

    Example:
        >>> from seqtasks.layers import Encoder
        >>> from seqtasks.task_types import LanguageSpec, LanguageTask
        >>> class Letters(LanguageTask):
        ...     topology, metric, builtin, name = "synced", "nats", "pydoc", "letters"
        ...     def units(self, source):
        ...         return {"kind": "characters"}
        >>> task = Letters(spec=LanguageSpec(vocabulary="", size=30, tokens={}))
        >>> task.build_model(Encoder(units=8, stateful=True, name="encoder")).output_shape  # (batch, time)
        (None, None)
    """

    higher_is_better = False
    hub_task = "text-generation"
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
    CHUNK = 50

    @abstractmethod
    def units(self, source: Source) -> dict[str, Any]:
        """Returns the tokens as arguments of `Vocabulary.train`: `kind` and others.

        Args:
            source: The chosen source.
        """

    def load(self, source: Source, seed: int) -> Splits:
        return lm_corpus.load(source, self.options.split, **self.units(source))

    @property
    def unit(self) -> str:
        return {"characters": "characters", "words": "words"}.get(self.vocabulary.kind, "byte-pair units")

    @property
    def vocabulary(self) -> Vocabulary:
        """Vocabulary of the training text."""
        return self.spec.to_vocabulary()

    def build_model(self, encoder: Encoder) -> keras.Model:
        return language_model(encoder, self.spec.size, self.options, self.name)

    def loss(self) -> Any:
        return TokenLoss(self.options.loss, self.options.bptt if self.options.variable_bptt else None)

    def metrics(self) -> list[Any]:
        return [Perplexity() if self.metric == "perplexity" else Nats()]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> BPTTBatches:
        """Returns windows of parallel streams of the text.

        Args:
            examples: Text of a split.
            batch_size: Maximum number of streams in a batch.
            shuffle: True for training: as many streams as `batch_size`, windows by `options.bptt_windows` and
                `options.variable_bptt`. False for scoring: `options.eval_streams` streams, windows of `options.bptt`.
            seed: Random seed of the window lengths.

        Raises:
            ConfigError: Options that exclude each other.
        """
        o = self.options
        if (o.bptt_windows > 1) + o.variable_bptt + (o.documents != "none") + (not o.carry_state) > 1:
            raise ConfigError(
                "more than one of options.bptt_windows > 1, variable_bptt=true, documents and carry_state=false is "
                "set; allowed: one of them; remove the others"
            )
        streams = batch_size if shuffle else o.eval_streams
        starts = None if o.documents == "none" else document_starts(examples, self.vocabulary, o.documents)
        if shuffle:
            return BPTTBatches(
                examples, streams, batch_size, o.bptt, o.carry_state, starts, o.bptt_windows, o.variable_bptt, seed
            )
        return BPTTBatches(examples, streams, batch_size, o.bptt, o.carry_state, starts)

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        blocks = BlockSums(batches)
        scores = language_scores(*total(batches, lambda inputs, _: model.predict_on_batch(inputs), blocks))
        if self.metric in scores:
            scale = math.log(2) if self.metric == "bits" else 1.0
            formula = "exp_mean" if self.metric == "perplexity" else "mean"
            self.keep_outputs(blocks.terms / (scale, 1.0), formula)
        if self.options.dynamic_rate is None:
            return scores
        dynamic = dynamic_scores(model, batches, self.options.dynamic_rate, self.options.dynamic_decay)
        return scores | {f"dynamic_{name}": value for name, value in dynamic.items()}

    def sample(self, examples: Examples, sequences: int, steps: int | None = None) -> Sequence[Any]:
        """Returns contiguous streams of the text, each from the initial state.

        Args:
            examples: Text of a split.
            sequences: Maximum number of streams; at most 16 are used, and fewer of a short text.
            steps: Number of tokens of a stream; None: so many that the text, up to 32,768 tokens of it, is used.
        """
        streams = max(1, min(sequences, STREAMS, len(examples) // (steps or LEAST_STEPS)))
        count = min(len(examples), MOST_TOKENS if steps is None else streams * steps)
        return BPTTBatches(examples.take(count), streams, streams, count)[0]

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        """Encodes texts as streams from the initial state; the last target of each is unknown."""
        rows = [self.vocabulary.encode(text) for text in inputs]
        if not rows or not all(map(len, rows)):
            raise ConfigError("the text has no token; allowed: one or more tokens; write --input TEXT")
        tokens = Ragged.of(rows).padded()
        targets = np.concatenate([tokens[:, 1:], np.zeros_like(tokens[:, :1])], axis=1)
        return {"tokens": tokens, "reset": np.ones(len(rows), bool), "targets": targets}

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes tokens by their text and by properties such as the position in the line."""
        tokens, words = np.asarray(inputs["tokens"]), self.vocabulary
        texts = ["\n" if words.token(n) == END else words.decode([n]) for n in range(len(words))]
        texts = [text or words.token(n) for n, text in enumerate(texts)]
        labels = [[texts[n] for n in row] for row in tokens]
        separator = " " if words.kind == "words" else ""
        return Steps(labels, separator, tokens, None, text_properties(labels, separator, tokens.shape[1]))

    def export_plan(self, model: keras.Model) -> LanguagePlan:
        return LanguagePlan(self, model)

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        words = self.vocabulary
        if words.kind == "characters":
            return {"xz": lambda: xz_baseline.baseline(words, splits)}

        def trigram() -> Baseline:
            from seqtasks.task_types.language_modeling import kneser_ney  # NLTK takes a second to import

            return kneser_ney.baseline(splits, self.spec.size)

        return {"Kneser-Ney trigram": trigram}

    def plots(self, model: keras.Model, batches: Any) -> Iterator[tuple[str, Any]]:
        """Yields a table of generated texts at two temperatures, with the default prompt."""
        import pandas as pd

        texts = {str(temperature): self._generated(model, temperature) for temperature in TEMPERATURES}
        yield "samples", pd.DataFrame({"text": texts}).rename_axis("temperature")

    def text_samples(self, model: keras.Model, batches: Any) -> dict[str, str]:
        """Returns generated texts at two temperatures, with the default prompt."""
        return {f"temperature {one}": self._generated(model, one) for one in TEMPERATURES}

    def _generated(self, model: keras.Model, temperature: float) -> str:
        return "".join(self.predict(model, [], GenerateOptions(length=SAMPLE, temperature=temperature)))

    def predict(self, model: keras.Model, inputs: Sequence[str], options: GenerateOptions) -> Iterator[str]:
        """Generates a continuation of the prompt.

        Args:
            model: Trained model.
            inputs: Empty, as the prompt is an option.
            options: Prompt and sampling options.

        Yields:
            The prompt, then pieces of text of `CHUNK` tokens.

        Raises:
            ConfigError: There are inputs, or the prompt has no token.
        """
        if inputs:
            raise ConfigError(
                f"got the arguments {' '.join(inputs)!r}; allowed: options only; write --prompt TEXT, or see seqtasks "
                f"show {self.name}"
            )
        visible, logits, states = self.read_prompt(model, options.prompt)
        yield visible
        step = LanguageStep(model, self.never_generated)
        sampler, logits = Sampler(step, options.temperature, options.top_k, options.top_p), step.allowed(logits)
        generated: list[int] = []
        yielded = ""
        while len(generated) < options.length:
            sampled = sampler(logits, states, uniform(self.CHUNK, [options.seed], len(generated)))
            logits, states = sampled.logits, sampled.states
            generated = [*generated, *sampled.tokens[0].tolist()][: options.length]
            text = self.text_of(generated, complete=len(generated) == options.length)
            yield text[len(yielded) :]
            yielded = text

    def text_of(self, tokens: Sequence[int], complete: bool) -> str:
        """Decodes all tokens that were generated after a prompt.

        They are decoded together, because there are spaces between words, and a byte-pair unit can be a part of a
        character.

        Args:
            tokens: Token numbers.
            complete: Whether no token follows. Otherwise an incomplete character at the end is left out.
        """
        text = self.vocabulary.decode(tokens)
        return text if complete else text.rstrip("\N{REPLACEMENT CHARACTER}")

    @property
    def never_generated(self) -> list[int]:
        """Tokens that are never generated: `<unk>` of a character vocabulary.

        It has no character to print.
        """
        return [0] if self.vocabulary.kind == "characters" else []

    def encode_prompt(self, text: str) -> tuple[str, IntArray]:
        """Encodes a prompt.

        Args:
            text: The prompt.

        Returns:
            The text to print before the continuation, and the token numbers, `(time,)`.

        Raises:
            ConfigError: The prompt has no token.
        """
        words = self.vocabulary
        prompt = words.encode(text)
        if not len(prompt):
            raise ConfigError(f"the prompt {text!r} has no token; allowed: one or more tokens; write --prompt TEXT")
        unknown = {text[i] for i, number in enumerate(prompt) if number == 0} if words.kind == "characters" else {}
        if unknown:
            log.warning(
                "the prompt has characters that are not in the vocabulary: %s; the model reads them as <unk>",
                " ".join(sorted(unknown)),
            )
        visible = text if text.strip() else ""
        return (visible + " " if visible and words.kind == "words" else visible), prompt

    def read_prompt(self, model: keras.Model, text: str) -> tuple[str, Any, Any]:
        """Reads a prompt from the initial state.

        Args:
            model: Trained model.
            text: The prompt.

        Returns:
            The text to print before the continuation, the logits of the first token, `(1, size)`, and the states.

        Raises:
            ConfigError: The prompt has no token.
        """
        visible, prompt = self.encode_prompt(text)
        return visible, *read(model, prompt[None])

    def log_probabilities(self, model: keras.Model, text: str) -> list[tuple[str, float]]:
        """Computes the log-probability of each token of a text but the first, given all before it.

        Args:
            model: Trained model.
            text: The text.

        Returns:
            Pairs of token and log-probability in nats; empty for a text of fewer than two tokens.
        """
        tokens = self.vocabulary.encode(text)
        if len(tokens) < 2:
            return []
        nll = model.predict_on_batch([tokens[None, :-1], np.ones(1, bool), tokens[None, 1:]])
        return [(self.vocabulary.token(t), -float(v)) for t, v in zip(tokens[1:], np.asarray(nll)[0], strict=True)]
