"""Probe task: labels of generated sequences, scored also at lengths beyond those of training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import BoolArray, FloatArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data import cache
from seqtasks.data.bucketing import Ragged
from seqtasks.data.source import Source
from seqtasks.data.spec import Spec
from seqtasks.data.splits import Examples, Splits
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.base import Baseline, Task
from seqtasks.task_types.common.columns import probabilities
from seqtasks.task_types.common.export_plan import ExportPlan
from seqtasks.task_types.common.step_heads import ClassHead
from seqtasks.task_types.common.steps import Steps, class_properties
from seqtasks.task_types.probes.baselines import chance, n_gram
from seqtasks.task_types.probes.batches import ProbeBatches
from seqtasks.task_types.probes.plots import by_length

PADDING = 0  # number of the padding symbol; those of the task's symbols begin with 1
UNSCORED = -1  # target of a step without a label
VALIDATION = 500  # number of validation sequences
MOST_PROBABILITIES = 10  # `predict` has a column for each class up to this number
MOST_LENGTH = 100_000


@dataclass(frozen=True)
class ProbeOptions:
    """Options of every probe: lengths and numbers of sequences, size of the embedding.

    Example:
        >>> from seqtasks.task_types import ProbeOptions
        >>> ProbeOptions(length=32).test_length is None  # tested at the lengths of training
        True
    """

    length: int = setting(64, "maximum number of symbols of a training sequence", ge=2, le=MOST_LENGTH)
    test_length: int | None = setting(
        None, "maximum number of symbols of a test sequence; null: options.length", ge=2, le=MOST_LENGTH
    )
    examples: int = setting(10_000, "number of training sequences", ge=1)
    tests: int = setting(700, "number of test sequences, in equal shares of each test length", ge=1)
    embedding_dim: int = setting(32, "size of the symbol embeddings", ge=1, affects_data=False)


@dataclass(frozen=True)
class StateTrackingOptions(ProbeOptions):
    """Options of probes with a label for every prefix, tested at longer sequences.

    Example:
        >>> from seqtasks.task_types import StateTrackingOptions
        >>> StateTrackingOptions().length, StateTrackingOptions().test_length
        (40, 500)
    """

    length: int = setting(40, "maximum number of symbols of a training sequence", ge=2, le=MOST_LENGTH)
    test_length: int | None = setting(
        500, "maximum number of symbols of a test sequence; null: options.length", ge=2, le=MOST_LENGTH
    )
    labels: Literal["each", "last"] = setting("each", "steps with a label: each that has one, or the last of these")


@dataclass(frozen=True, kw_only=True)
class ProbeSpec(Spec):
    """Facts about the sequences of a probe, as the run folder stores them.

    Attributes:
        classes: Names of the labels.
        counts: Number of sequences of each split.
        symbols: Symbols of the sequences, in the order of their numbers from 1.

    Example:
        >>> from seqtasks.task_types import ProbeSpec
        >>> spec = ProbeSpec(classes=["even", "odd"], counts={"train": 100}, symbols=["0", "1"])
        >>> ProbeSpec.from_dict(spec.to_dict()) == spec
        True
    """

    symbols: Sequence[str]


class ProbeTask(Task):
    """Base class of probes: generated symbols, whose labels follow from those before.

    A subclass sets `symbols` and `labels` and overrides `draw` and `targets`. Padding is masked in the encoder, and
    steps without a label count neither in the loss nor in the scores.

    Attributes:
        any_length: Whether training sequences have all lengths up to `options.length`; False: this length only.
        shortest: Minimum number of symbols of a sequence.
        longest: Maximum number of symbols that a sequence can have with the options of the task; None: no maximum.

    Example:
        >>> import numpy as np
        >>> from seqtasks.task_types import ProbeTask
        >>> class First(ProbeTask):  # in a plugin file, below @register_task("first")
        ...     name, builtin = "first", "generated"
        ...     symbols = labels = ("a", "b")
        ...     def draw(self, rng, count, length):
        ...         return rng.integers(1, 3, size=(count, length))
        ...     def targets(self, x):
        ...         return np.repeat(x[:, :1] - 1, x.shape[1], axis=1)
        >>> First().label("b a a")
        ['b', 'b', 'b']
    """

    topology = "synced"
    metric = "accuracy"
    causal = True
    reads = "texts"
    unit = "sequences"
    Options = ProbeOptions
    options: Any  # an instance of `Options`, which subclasses extend
    Spec = ProbeSpec
    spec: ProbeSpec
    any_length: bool = False
    shortest: int = 1
    step_inputs = ("tokens",)
    longest: int | None = None

    @property
    @abstractmethod
    def symbols(self) -> Sequence[str]:
        """Symbols of the sequences; their numbers are 1, 2, …, as 0 is padding."""

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """Names of the labels; their numbers are 0, 1, …"""

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int, length: int) -> IntArray:
        """Draws sequences.

        Args:
            rng: Random generator.
            count: Number of sequences.
            length: Maximum number of symbols.

        Returns:
            Numbers of the symbols, `(count, time)`, right-padded with 0; `time` is at most `length`.
        """

    @abstractmethod
    def targets(self, x: IntArray) -> IntArray:
        """Computes the labels of sequences.

        Args:
            x: Numbers of the symbols, `(count, time)`, right-padded with 0.

        Returns:
            Numbers of the labels, `(count, time)`, -1 at steps without a label; padding is ignored.
        """

    @property
    def classes(self) -> list[str]:
        """Names of the labels."""
        return list(self.labels)

    def scored_targets(self, x: IntArray) -> IntArray:
        """Labels of the scored steps of sequences, -1 elsewhere, `(count, time)`.

        Args:
            x: Numbers of the symbols, `(count, time)`, right-padded with 0.
        """
        y = np.where(x == PADDING, UNSCORED, self.targets(x))
        if getattr(self.options, "labels", "each") == "last":
            scored = y != UNSCORED
            later = scored[:, ::-1].cumsum(axis=1)[:, ::-1] > 1  # a scored step follows
            y = np.where(later, UNSCORED, y)
        return y

    @property
    def test_lengths(self) -> list[int]:
        """Lengths of the test sequences.

        Up to that of training, then powers of two up to `options.test_length`.
        """
        o = self.options
        first = [o.length // 4, o.length // 2, o.length] if self.any_length else [o.length]
        most = o.length if o.test_length is None else o.test_length
        powers = [2**n for n in range(1, most.bit_length() + 1) if o.length < 2**n < most]
        lengths = [*first, *powers, *([most] if most > o.length else [])]
        return sorted({length for length in lengths if length >= self.shortest})

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        self._check_lengths()
        known = range(self.shortest, o.length + 1) if self.any_length else [o.length]
        parts: dict[str, Examples] = {}
        data: dict[str, np.ndarray] = {}
        counts = {"train": o.examples, "validation": VALIDATION, "test": o.tests}
        for number, (part, count) in enumerate(counts.items()):
            rng = np.random.default_rng([number, o.length, o.test_length or 0])
            parts[part] = self._examples(rng, count, self.test_lengths if part == "test" else list(known))
            data |= {f"{part} x": parts[part].inputs["tokens"].values, f"{part} y": parts[part].targets.values}
        self.spec = ProbeSpec(classes=self.labels, counts=counts, symbols=self.symbols)
        return Splits(**parts, source=str(source), fingerprint=cache.fingerprint(data), spec=self.spec)

    def _check_lengths(self) -> None:
        """Raises an error for lengths that no sequence can have."""
        o = self.options
        for name, length, least, what in (
            ("length", o.length, self.shortest, "the shortest sequence with these options"),
            ("test_length", o.test_length or o.length, o.length, "options.length"),
        ):
            if length < least:
                raise ConfigError(
                    f"options.{name} is {length}; allowed: at least {least}, {what}; set options.{name}={least}"
                )
            if self.longest is not None and length > self.longest:
                raise ConfigError(
                    f"options.{name} is {length}; allowed: at most {self.longest}, the longest sequence with these "
                    f"options; set options.{name}={self.longest}"
                )

    def _examples(self, rng: np.random.Generator, count: int, lengths: Sequence[int]) -> Examples:
        """Draws sequences in equal shares of several lengths, in random order."""
        shares = np.bincount(np.arange(count) % len(lengths), minlength=len(lengths))
        rows: list[IntArray] = []
        targets: list[IntArray] = []
        for length, share in zip(lengths, shares.tolist(), strict=True):
            if share:
                x = self.draw(rng, share, length)
                y = self.scored_targets(x)
                ends = (x != PADDING).sum(axis=1)
                rows += [row[:end] for row, end in zip(x, ends, strict=True)]
                targets += [row[:end] for row, end in zip(y, ends, strict=True)]
        order = rng.permutation(count)
        return Examples({"tokens": Ragged.of([rows[i] for i in order])}, Ragged.of([targets[i] for i in order]))

    def build_model(self, encoder: Encoder) -> keras.Model:
        """Builds the model.

        Returns:
            A model of `tokens`, `(batch, time)`, 0 where padded, whose output is the logits, `(batch, time, classes)`.
        """
        tokens = keras.Input((None,), name="tokens", dtype="int32")
        x = keras.layers.Embedding(len(self.symbols) + 1, self.options.embedding_dim, name="embedding")(tokens)
        x, _ = encoder(x, mask=ops.not_equal(tokens, PADDING))
        return keras.Model(tokens, ClassHead(self.classes).outputs(x), name=self.name)

    def export_plan(self, model: keras.Model) -> ExportPlan:
        return ExportPlan(self, model, self.step_inputs, tokens="tokens")

    def loss(self) -> Any:
        return ClassHead(self.classes).loss()

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> ProbeBatches:
        return ProbeBatches(examples, batch_size, shuffle=shuffle, seed=seed)

    def answers(self, model: keras.Model, batches: ProbeBatches) -> tuple[list[FloatArray], list[IntArray]]:
        """Runs the model on a split.

        Returns:
            Logits, `(time, classes)`, and targets, `(time,)`, of each sequence, in the order of the examples.
        """
        logits: dict[int, FloatArray] = {}
        for index in range(len(batches)):
            rows = batches.rows(index)
            outputs = np.asarray(model.predict_on_batch(batches[index][0]), np.float64)
            logits |= {int(row): made[: batches.lengths[row]] for row, made in zip(rows, outputs, strict=True)}
        count = len(batches.examples)
        return [logits[row] for row in range(count)], [batches.examples.targets.row(row) for row in range(count)]

    def score(self, model: keras.Model, batches: ProbeBatches) -> dict[str, float]:
        """Scores the labels.

        Returns:
            `accuracy`, of the labels after more symbols than training sequences have, if there are such labels;
            `accuracy_trained`, of the others; `accuracy_to_N`, of labels at lengths up to N, above the next shorter
            one; and `nll`, the mean negative log-likelihood of all labels.
        """
        logits, targets = self.answers(model, batches)
        scores, terms = self.scores_of([made.argmax(axis=-1) for made in logits], targets)
        self.keep_outputs(terms)
        steps = np.concatenate(targets)
        scored = steps != UNSCORED
        log_p = log_softmax(np.concatenate(logits)[scored])
        return {**scores, "nll": float(-log_p[np.arange(len(log_p)), steps[scored]].mean())}

    def scores_of(
        self, predicted: Sequence[IntArray], targets: Sequence[IntArray]
    ) -> tuple[dict[str, float], list[list[float]]]:
        """Computes accuracies, and the terms of the primary one for each sequence.

        Args:
            predicted: Predicted labels of each sequence, `(time,)`.
            targets: Targets of each sequence, `(time,)`.
        """
        right, length = scored_steps(predicted, targets)
        known = length <= self.options.length
        beyond = not known.all()
        scores = {"accuracy": float(right[~known].mean() if beyond else right.mean())}
        if beyond and known.any():
            scores["accuracy_trained"] = float(right[known].mean())
        for low, high in self.intervals():
            chosen = (length > low) & (length <= high)
            if chosen.any():
                scores[f"accuracy_to_{high}"] = float(right[chosen].mean())
        terms = []
        for labels, true in zip(predicted, targets, strict=True):
            counted = true != UNSCORED
            if beyond:
                counted[: self.options.length] = False
            terms.append([float((labels == true)[counted].sum()), float(counted.sum())])
        return scores, terms

    def intervals(self) -> list[tuple[int, int]]:
        """Intervals of the number of symbols up to a label: above the first, up to the second."""
        ends = self.test_lengths
        return list(zip([0, *ends], ends, strict=False))

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]]:
        if not inputs:
            raise ConfigError(
                f"no sequence given; allowed: symbols {self._allowed()}; give one, as in seqtasks predict RUN "
                f"{' '.join(self.symbols[:2])!r}"
            )
        rows = []
        for text in inputs:
            x = self.numbers(text)
            logits = np.asarray(model.predict_on_batch(x[None]), np.float64)[0]
            predicted, true = logits.argmax(axis=-1), self.scored_targets(x[None])[0]
            scored = np.flatnonzero(true != UNSCORED)
            last = int(scored[-1]) if len(scored) else len(x) - 1
            row = {"sequence": " ".join(self.symbols[n - 1] for n in x), "answer": self.classes[predicted[last]]}
            row["labels"] = " ".join(self.classes[predicted[t]] for t in scored)
            row["true"] = " ".join(self.classes[true[t]] for t in scored)
            if len(self.classes) <= MOST_PROBABILITIES:
                row |= probabilities(self.classes, np.exp(log_softmax(logits[last])))
            rows.append(row)
        return rows

    def numbers(self, text: str) -> IntArray:
        """Numbers of the symbols of a text, `(time,)`.

        Symbols are separated by blanks or, if each is a character, by nothing.

        Raises:
            ConfigError: The text has another symbol, or none.
        """
        index = {symbol: number for number, symbol in enumerate(self.symbols, 1)}
        words = text.split()
        if any(word not in index for word in words) and all(len(symbol) == 1 for symbol in self.symbols):
            words = [sign for word in words for sign in word]
        if wrong := [word for word in words if word not in index]:
            raise ConfigError(f"unknown symbol {wrong[0]!r}; allowed: {self._allowed()}; separate them by blanks")
        if not words:
            raise ConfigError(f"the sequence is empty; allowed: symbols {self._allowed()}; give some")
        return np.array([index[word] for word in words], np.int32)

    def label(self, text: str) -> list[str]:
        """The true labels of a sequence of symbols, one for each scored step."""
        return [self.classes[n] for n in self.scored_targets(self.numbers(text)[None])[0] if n != UNSCORED]

    def _allowed(self) -> str:
        shown = list(self.symbols[:12])
        return " ".join(shown) + (f" … ({len(self.symbols)} in all)" if len(self.symbols) > len(shown) else "")

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        def scored(predicted: list[IntArray], params: int) -> Baseline:
            test = splits.test.targets
            scores, _ = self.scores_of(predicted, [test.row(row) for row in range(len(test))])
            return Baseline(scores, params, "NumPy")

        return {"chance": lambda: scored(*chance(splits)), "3-gram": lambda: scored(*n_gram(splits, 3))}

    def plots(self, model: keras.Model, batches: ProbeBatches) -> Iterator[tuple[str, Any]]:
        import pandas as pd

        logits, targets = self.answers(model, batches)
        right, length = scored_steps([made.argmax(axis=-1) for made in logits], targets)
        labels = np.concatenate([row[row != UNSCORED] for row in targets])
        guess = float(np.bincount(labels).max() / len(labels))
        rows = []
        for low, high in self.intervals():
            chosen = (length > low) & (length <= high)
            if chosen.any():
                rows.append({"above": low, "to": high, "accuracy": float(right[chosen].mean()), "n": int(chosen.sum())})
        table = pd.DataFrame(rows)
        yield "accuracy_by_length", by_length(table, self.options.length, guess)
        yield "accuracy_by_length", table.set_index("to")

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        return Ragged.of([self.numbers(text) for text in inputs]).padded()

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        x = np.asarray(inputs)
        texts = [[self.symbols[n - 1] for n in row if n != PADDING] for row in x]
        y = self.scored_targets(x)
        properties = class_properties(y, self.classes, x.shape[1])
        known = {name: np.where(y == UNSCORED, np.nan, values) for name, values in properties.items()}
        return Steps(labels=texts, separator=" ", tokens=x, properties=known)


def scored_steps(predicted: Sequence[IntArray], targets: Sequence[IntArray]) -> tuple[BoolArray, IntArray]:
    """Whether each scored label is right, and the number of symbols up to it, both `(scored steps,)`.

    Args:
        predicted: Predicted labels of each sequence, `(time,)`.
        targets: Targets of each sequence, `(time,)`, -1 where a step has no label.
    """
    true = np.concatenate(list(targets))
    scored = true != UNSCORED
    lengths = np.concatenate([np.arange(1, len(row) + 1) for row in targets])
    return (np.concatenate(list(predicted)) == true)[scored], lengths[scored]
