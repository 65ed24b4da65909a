"""Sequence-to-sequence tasks: loss, scores of greedy and beam search, stopping metric."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
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
from seqtasks.task_types.base import Task
from seqtasks.task_types.seq2seq.scores import line_scores, signature


@dataclass(frozen=True)
class Seq2SeqPredictOptions:
    """How the answer is searched for."""

    num_beams: int | None = setting(None, "number of beams; null: as in training", ge=1)
    n_best: int = setting(1, "number of outputs for each input", ge=1)
    attention: str | None = setting(
        None,
        "file of a plot of the attention weights of the first input, e.g. map.png",
        output=(".png", ".pdf", ".svg"),
    )


class Seq2SeqTask(Task):
    """Lines of text about something; a subclass writes `writer`, `lines` and `references`."""

    options: Seq2SeqOptions
    _greedy: tuple[keras.Model, Seq2SeqGenerator] | None = None

    @abstractmethod
    def writer(self, model: keras.Model, **settings: Any) -> Seq2SeqGenerator:
        """The user of a trained model.

        Args:
            model: as `model` gave it.
            settings: of `Seq2SeqGenerator`.
        """

    @abstractmethod
    def lines(self, writer: Any, examples: Examples) -> list[str]:
        """The best line for each example."""

    @abstractmethod
    def references(self, examples: Examples) -> Sequence[Sequence[str]]:
        """The lines that are right for each example."""

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
        """The settings of `Seq2SeqGenerator` for beam search as it is scored.

        Args:
            beams: others than those of the options.
            n_best: answers for each row.
        """
        o = self.options
        settings = {"length_penalty": o.length_penalty, "coverage": o.coverage}
        return {**settings, "beams": max(beams or o.num_beams, n_best), "n_best": n_best}

    def greedy(self, model: keras.Model, examples: Examples) -> list[str]:
        """The line for each example by greedy search; what was compiled for a model is used again."""
        if self._greedy is None or self._greedy[0] is not model:
            self._greedy = model, self.writer(model)
        return self.lines(self._greedy[1], examples)

    def check_attention(self, options: Seq2SeqPredictOptions) -> None:
        """Refuses a plot of attention weights that the model does not have.

        Raises:
            ConfigError: a plot is asked for, and the decoder has no attention.
        """
        if options.attention is not None and self.options.attention == "none":
            raise ConfigError("this model has no attention to draw; train one with options.attention=additive")

    def rows(
        self,
        column: str,
        inputs: Sequence[str],
        hypotheses: Sequence[Sequence[Hypothesis]],
        texts: Sequence[Sequence[str]],
    ) -> list[dict[str, Any]]:
        """Prediction rows: one for each hypothesis; the first of an input names it.

        Args:
            column: name of the column of inputs.
            inputs: what was read.
            hypotheses: those of each input, the best first.
            texts: their lines.
        """
        return [
            {column: name if place == 0 else "", self.answer_column: text, "log-probability": hypothesis.score}
            for name, ranked, lines in zip(inputs, hypotheses, texts, strict=True)
            for place, (hypothesis, text) in enumerate(zip(ranked, lines, strict=True))
        ]

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        examples = batches.examples
        wanted = self.references(examples)
        scores = line_scores(self.lines(self.writer(model, **self.search()), examples), wanted)
        greedy = line_scores(self.greedy(model, examples), wanted)[self.metric]
        nll = count = 0.0
        for index in range(len(batches)):
            inputs, _, weights = batches[index]
            nll += float((np.asarray(model.predict_on_batch(inputs))[..., 1] * weights).sum())
            count += float(weights.sum())
        return scores | {f"{self.metric}_greedy": greedy, "perplexity": float(np.exp(min(nll / count, 700.0)))}


class GreedyScores(keras.callbacks.Callback):
    """Adds the task's metric on the validation split, by greedy search, to what an epoch tells.

    Args:
        task: which scores.
        validation: examples.
    """

    def __init__(self, task: Seq2SeqTask, validation: Examples):
        super().__init__()
        self.task, self.validation = task, validation
        self._wanted = task.references(validation)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        scores = line_scores(self.task.greedy(self.model, self.validation), self._wanted)
        if logs is not None:
            logs[f"val_{self.task.metric}"] = scores[self.task.metric]
