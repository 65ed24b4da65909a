"""Sequence-to-sequence tasks: loss, scores of greedy and beam search, stopping metric."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.splits import Examples
from seqtasks.decoding.seq2seq import Hypothesis, Seq2SeqGenerator, Seq2SeqOptions
from seqtasks.layers.losses import TagLoss
from seqtasks.layers.metrics import TargetPerplexity
from seqtasks.task_types.base import TEXT_SAMPLES, Task
from seqtasks.task_types.seq2seq.export_plan import Seq2SeqPlan
from seqtasks.task_types.seq2seq.scores import line_scores, line_terms, signature, worst_lines


@dataclass(frozen=True)
class Seq2SeqPredictOptions:
    """Options of `predict`: beam search and attention plot."""

    num_beams: int | None = setting(None, "number of beams; null: as in training", ge=1)
    n_best: int = setting(1, "number of outputs for each input", ge=1)
    attention: str | None = setting(
        None,
        "file of a plot of the attention weights of the first input, e.g. map.png",
        output=(".png", ".pdf", ".svg"),
    )


class Seq2SeqTask(Task):
    """Base class of tasks that generate a line of text for each input.

    A subclass implements `writer`, `lines` and `references`. Padding of the targets is excluded from loss and
    scores by sample weights of 0.
    """

    options: Seq2SeqOptions

    @abstractmethod
    def writer(self, model: keras.Model, **settings: Any) -> Seq2SeqGenerator:
        """Creates the generator of a trained model.

        Args:
            model: Trained model, as `build_model` returns it.
            settings: Keyword arguments of `Seq2SeqGenerator`.
        """

    @abstractmethod
    def lines(self, writer: Any, examples: Examples) -> list[str]:
        """Generates the best line for each example.

        Args:
            writer: Generator that `writer` returned.
            examples: Examples of a split.
        """

    @abstractmethod
    def references(self, examples: Examples) -> Sequence[Sequence[str]]:
        """Returns the reference lines of each example, one or more."""

    def loss(self) -> Any:
        return TagLoss()

    def metrics(self) -> list[Any]:
        return [TargetPerplexity()]

    @property
    def scorer_versions(self) -> dict[str, str]:
        return {"sacrebleu": signature()}

    def callbacks(self, validation: Any) -> list[keras.callbacks.Callback]:
        return [GreedyScores(self, validation.examples)]

    def search(self, beams: int | None = None, n_best: int = 1) -> dict[str, Any]:
        """Returns the keyword arguments of `Seq2SeqGenerator` for the beam search that is scored.

        Args:
            beams: Number of beams; None: `options.num_beams`. At least `n_best` are used.
            n_best: Number of hypotheses for each input.
        """
        o = self.options
        settings = {"length_penalty": o.length_penalty, "coverage": o.coverage}
        return {**settings, "beams": max(beams or o.num_beams, n_best), "n_best": n_best}

    def greedy(self, model: keras.Model, examples: Examples) -> list[str]:
        """Generates the line of each example by greedy search."""
        return self.lines(self.kept_writer(model), examples)

    def kept_writer(self, model: keras.Model, **settings: Any) -> Any:
        """Returns the generator of a model; its search is compiled only once for some settings.

        Args:
            model: Trained model.
            settings: Keyword arguments of `writer`.
        """
        return self.keep(model, f"writer {sorted(settings.items())}", lambda: self.writer(model, **settings))

    def check_attention(self, options: Seq2SeqPredictOptions) -> None:
        """Checks that the model has attention if a plot of it is requested.

        Raises:
            ConfigError: A plot is requested, and the decoder has no attention.
        """
        if options.attention is not None and self.options.attention == "none":
            raise ConfigError(
                "the model was trained with options.attention=none and has no attention to draw; allowed: additive, "
                "multiplicative; leave out --attention, or train a model with options.attention=additive"
            )

    def rows(
        self,
        column: str,
        inputs: Sequence[str],
        hypotheses: Sequence[Sequence[Hypothesis]],
        texts: Sequence[Sequence[str]],
    ) -> list[dict[str, Any]]:
        """Returns the rows of `predict`, one for each hypothesis.

        Only the row of the first hypothesis names the input.

        Args:
            column: Name of the column of inputs.
            inputs: Inputs, as the user typed them.
            hypotheses: Hypotheses of each input, the best first.
            texts: Lines of the hypotheses of each input.
        """
        return [
            {column: name if rank == 0 else "", self.answer_column: text, "log-probability": hypothesis.score}
            for name, ranked, lines in zip(inputs, hypotheses, texts, strict=True)
            for rank, (hypothesis, text) in enumerate(zip(ranked, lines, strict=True))
        ]

    def export_plan(self, model: keras.Model) -> Seq2SeqPlan:
        tokens = len(model.inputs[0].shape) == 2  # else images
        return Seq2SeqPlan(self, model, model.inputs[0].name if tokens else None)

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        examples = batches.examples
        references = self.references(examples)
        lines = self.lines(self.writer(model, **self.search()), examples)
        scores = line_scores(lines, references)
        terms = line_terms(lines, references, self.metric)
        if terms is not None:
            self.keep_outputs(*terms, outputs=np.array(lines))
        greedy = line_scores(self.greedy(model, examples), references)[self.metric]
        nll = count = 0.0
        for index in range(len(batches)):
            inputs, _, weights = batches[index]
            nll += float((np.asarray(model.predict_on_batch(inputs))[..., 1] * weights).sum())
            count += float(weights.sum())
        return scores | {f"{self.metric}_greedy": greedy, "perplexity": float(np.exp(min(nll / count, 700.0)))}

    def inputs_of(self, examples: Examples) -> Sequence[str] | None:
        """Returns texts that show the inputs, for the table of the worst errors; None: their numbers only.

        Args:
            examples: Examples of the test split.
        """
        return None

    def text_samples(self, model: keras.Model, batches: Any) -> dict[str, str]:
        """Returns the lines of greedy search for the first examples, each above its references."""
        examples = batches.examples.take(np.arange(min(TEXT_SAMPLES, len(batches.examples))))
        lines, references = self.greedy(model, examples), self.references(examples)
        inputs = self.inputs_of(examples) or [f"example {i}" for i in range(len(lines))]
        blocks = [
            "\n".join([f"input: {text}", f"predicted: {line}", *(f"reference: {one}" for one in true)])
            for text, line, true in zip(inputs, lines, references, strict=True)
        ]
        return {"predictions": "\n\n".join(blocks)}

    def plots(self, model: keras.Model, batches: Any) -> Iterator[tuple[str, Any]]:
        """Yields the worst errors: the lines with the lowest chrF, of those that `score` generated."""
        kept = self.example_outputs
        if kept is not None and kept.outputs is not None and len(kept.outputs) == len(batches.examples):
            lines, references = list(map(str, kept.outputs)), self.references(batches.examples)
            table = worst_lines(lines, references, self.inputs_of(batches.examples))
            if len(table):
                yield "worst_errors", table


class GreedyScores(keras.callbacks.Callback):
    """Callback that adds the greedy validation score to the logs of each epoch.

    Args:
        task: Task that generates and scores the lines.
        validation: Examples of the validation split.
    """

    def __init__(self, task: Seq2SeqTask, validation: Examples):
        super().__init__()
        self.task, self.validation = task, validation
        self._references = task.references(validation)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        scores = line_scores(self.task.greedy(self.model, self.validation), self._references)
        if logs is not None:
            logs[f"val_{self.task.metric}"] = scores[self.task.metric]
