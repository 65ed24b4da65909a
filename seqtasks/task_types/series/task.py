"""Series of measurements: a class or a number for each series."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.series import load as files
from seqtasks.data.series import splits as series_splits
from seqtasks.data.series import synthetic
from seqtasks.data.series.batches import Inputs, SeriesBatches
from seqtasks.data.series.columns import Columns
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.sets import SeriesData, SeriesSet
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.experiments.example_outputs import ExampleOutputs
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.base import Baseline, Task, bucketed_logits
from seqtasks.task_types.common.columns import class_row
from seqtasks.task_types.common.last_epoch import FEW, LastEpoch
from seqtasks.task_types.common.linear_baseline import logistic_regression
from seqtasks.task_types.common.plots import class_pictures
from seqtasks.task_types.common.scores import class_scores, number_scores
from seqtasks.task_types.common.series_files import (
    IRREGULAR,
    batch_inputs,
    check_times,
    missing_shares,
    stored_roles,
)
from seqtasks.task_types.common.steps import Steps, class_properties, signal_properties
from seqtasks.task_types.common.worst_errors import worst_of_numbers
from seqtasks.task_types.series import baselines, plots
from seqtasks.task_types.series.model import Target, series_model
from seqtasks.task_types.series.saliency import gradient_times_input
from seqtasks.task_types.series.settings import SeriesOptions, SeriesSpec

LONG = 50  # time steps of the longest training series, at most, if the user joins none
COMPARED = 50_000_000  # values up to which series are compared between splits
SHOWN = 9  # series in a plot


class SeriesTask(Task):
    """A class or a number for each series of measurements.

    A subclass names its topology, metric and built-in set. Where the targets are numbers, the score of a run is
    `rmse`, of which lower is better.

    Example:
        >>> from seqtasks import register_task
        >>> from seqtasks.task_types import SeriesTask
        >>> @register_task("walks")
        ... class Walks(SeriesTask):
        ...     "Who walks."
        ...     topology = "many-to-one"
        ...     builtin = "events"
        >>> Walks.sources()
        ['files:PATH', 'aeon:NAME', 'builtin:events']
    """

    files = "any"
    packages = {"aeon": ("NAME_TRAIN.ts",)}
    reads = "paths"
    unit = "time series"
    Options = SeriesOptions
    options: SeriesOptions
    Spec = SeriesSpec
    spec: SeriesSpec

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        data = synthetic.events(str(source)) if source.kind == "builtin" else files.load(source, self.columns)
        train = data.parts["train"]
        kind = data.kind or series_splits.kind_of(train.targets or ())
        kind = kind if o.kind == "auto" else o.kind
        parts, notes = series_splits.split(data, kind, o.split, source.limits)
        irregular = any(part.irregular for part in parts.values())
        scaling = Scaling.fit(parts["train"])
        longest = int(parts["train"].values.lengths.max())
        join = o.join or -(-longest // LONG)
        self._series, self._notes = parts, [*data.notes, *notes, *_notes(parts, scaling)]
        classes = sorted(set(train.targets or ()), key=series_splits.natural_order) if kind == "classes" else None
        if classes is not None and len(classes) < 2:
            raise DataError(
                f"{source} has only the label {classes[0]}; allowed: two or more for classes, or numbers; name another "
                "column with options.target"
            )
        if o.join is None and join > 1:
            self._notes.append(f"options.join={join}, for at most {LONG} time steps")
        if classes is not None and len(parts["validation"]) < FEW:
            self._notes.append(self._few(parts))
        targets = {part: self._targets(series, classes) for part, series in parts.items()}
        mean, sd = (0.0, 1.0) if classes else (float(targets["train"].mean()), float(targets["train"].std()))
        if not sd:
            raise DataError(
                f"{source}: the target is {mean:g} in all training series; allowed: numbers that vary; name another "
                "column with options.target"
            )
        measured = tuple(np.flatnonzero(np.array(scaling.missing) > 0).tolist()) if o.missing == "mask" else ()
        weights = None
        if classes and o.class_weights == "balanced":
            counts = np.bincount(targets["train"], minlength=len(classes))
            weights = (len(targets["train"]) / (len(classes) * np.maximum(counts, 1))).tolist()
        spec = SeriesSpec(
            channels=list(parts["train"].channels),
            statics=list(parts["train"].static_names),
            scaling=scaling.to_dict(),
            measured=measured,
            irregular=irregular,
            join=join,
            roles=None if data.roles is None else data.roles.to_dict(),
            mean=mean,
            sd=sd,
            weights=weights,
            classes=classes,
            counts={part: len(series) for part, series in parts.items()},
        )
        inputs = batch_inputs(spec)
        examples = {part: inputs.examples(series, targets[part]) for part, series in parts.items()}
        return Splits(**examples, source=str(source), fingerprint=self._fingerprint(data, kind), spec=spec)

    def _few(self, parts: Mapping[str, SeriesSet]) -> str:
        """What is done where there are few validation series."""
        note = "with so few validation series the weights of the last epoch are kept"
        if not self._refits(parts):
            return note
        count = len(parts["train"]) + len(parts["validation"])
        return f"{note}, and a second model is trained on all {count} training and validation series (options.refit)"

    @property
    def columns(self) -> Columns:
        """What the options say about the columns of a table."""
        o = self.options
        return Columns(o.layout, o.id, o.time, o.target, o.group, o.channels, o.statics, o.ignore)

    def _targets(self, series: SeriesSet, classes: Sequence[str] | None) -> Any:
        if classes is None:
            return series_splits.as_numbers(series)
        number = {name: i for i, name in enumerate(classes)}
        return np.array([number[label] for label in series.targets or ()], np.int64)

    def _fingerprint(self, data: SeriesData, kind: str) -> str:
        text = json.dumps([data.fingerprint, kind, self.options.split])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def inputs(self) -> Inputs:
        """Object that computes the arrays of batches."""
        return batch_inputs(self.spec)

    @property
    def primary_metric(self) -> str:
        return self.metric if self.spec.classes else "rmse"

    @property
    def primary_higher_is_better(self) -> bool:
        return bool(self.spec.classes)

    @property
    def monitor(self) -> str:
        return LastEpoch.MONITOR if self.keeps_last else f"val_{self.primary_metric}"

    @property
    def keeps_last(self) -> bool:
        """Whether the weights of the last epoch are kept.

        They are where there are few validation series, and these have classes.
        """
        return bool(self.spec.classes) and self.spec.counts["validation"] < FEW

    def refit_examples(self, splits: Splits) -> Examples | None:
        """Training and validation series, where validation chooses nothing; see `options.refit`."""
        if not (self.keeps_last and self._refits(self._series)):
            return None
        return splits.train.joined(splits.validation)

    def _refits(self, parts: Mapping[str, SeriesSet]) -> bool:
        train, validation = (parts[name].values.steps for name in ("train", "validation"))
        copied = isinstance(train, np.memmap) and train is not validation  # joined, they would be read into memory
        return self.options.refit and not copied

    def callbacks(self, validation: SeriesBatches) -> list[keras.callbacks.Callback]:
        return [LastEpoch()] if self.keeps_last else []

    def build_model(self, encoder: Encoder) -> keras.Model:
        """A model of the arrays of `inputs`, to logits (batch, classes) or numbers (batch, 1)."""
        target = Target(len(self.classes), self.spec.mean, self.spec.sd)
        return series_model(encoder, self.inputs, target, self.spec.join, self.options, self.name)

    def loss(self) -> Any:
        if self.spec.classes:
            return super().loss()
        variance = self.spec.sd**2

        def scaled_squared_error(targets: Any, predicted: Any) -> Any:
            return keras.losses.mean_squared_error(targets, predicted) / variance

        return scaled_squared_error

    def metrics(self) -> list[Any]:
        return super().metrics() if self.spec.classes else [keras.metrics.RootMeanSquaredError(name="rmse")]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> SeriesBatches:
        weights = None if self.spec.weights is None else np.array(self.spec.weights)
        return SeriesBatches(examples, batch_size, None, shuffle, seed, inputs=self.inputs, weights=weights)

    def predict_logits(self, model: keras.Model, batches: SeriesBatches) -> FloatArray:
        return bucketed_logits(model, batches, max(1, len(self.classes)))

    def scores_from_logits(self, logits: FloatArray, targets: IntArray) -> dict[str, float]:
        if self.spec.classes:
            return class_scores(logits, targets)
        return number_scores(logits[:, 0], np.asarray(targets, np.float64))

    def outputs_from_logits(self, logits: FloatArray, targets: IntArray) -> ExampleOutputs | None:
        if self.spec.classes:
            return super().outputs_from_logits(logits, targets)
        return ExampleOutputs.of((logits[:, 0] - targets) ** 2, "root_mean", logits[:, 0])

    def survey(self, splits: Splits) -> Survey:
        values = sum(int(part.values.lengths.sum()) * len(part.channels) for part in self._series.values())
        keys = {part: _keys(series) for part, series in self._series.items()} if values <= COMPARED else {}
        return dataclasses.replace(super().survey(splits), keys=keys, notes=self._notes)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        classes, series = max(1, len(self.classes)), sum(len(part) for part in self._series.values())
        summaries = 1e-4 * series * len(self.spec.channels)
        steps = sum(int(part.values.lengths.sum()) for part in self._series.values())
        return {
            "logistic regression": summaries,
            "ridge regression": summaries,
            "gradient boosting": summaries + 1.0 + 1e-3 * classes * len(splits.train),
            "MiniRocket": 15.0 + 1e-4 * steps,
            "1-NN DTW": 15.0 + 3e-9 * self._dtw_cells(),
        }

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        classes, targets, count = len(self.classes), splits.train.targets, len(splits.test)
        train, test = self._series["train"], self._series["test"]

        def score(logits: FloatArray) -> dict[str, float]:
            return self.scores_from_logits(logits, splits.test.targets)

        @functools.cache
        def summaries() -> tuple[FloatArray, FloatArray]:
            return baselines.summary(train), baselines.summary(test)

        def boosting() -> Baseline:
            x, unseen = summaries()
            return baselines.boosting((x, targets), unseen, classes, score)

        def linear() -> Baseline:
            from sklearn.preprocessing import StandardScaler

            x, unseen = summaries()
            if not classes:
                return baselines.ridge((x, targets), unseen, score)
            return logistic_regression((x, targets), unseen, classes, score, before=[StandardScaler()], max_iter=2000)

        def rocket() -> Baseline:
            mean = list(Scaling.from_dict(self.spec.scaling).mean)
            return baselines.minirocket((train.values, targets), test.values, classes, mean, score)

        def neighbour() -> Baseline:
            scaling = Scaling.from_dict(self.spec.scaling)
            return baselines.nearest_neighbour((train.values, targets), test.values, classes, scaling, score)

        if classes:
            made: dict[str, Callable[[], Baseline]] = {
                "majority class": lambda: baselines.constant_class(targets, count, classes, score),
                "logistic regression": linear,
            }
        else:
            made = {"the mean": lambda: baselines.constant_number(targets, count, score), "ridge regression": linear}
        made["gradient boosting"] = boosting
        return made if baselines.aeon_reason() else {**made, "MiniRocket": rocket, "1-NN DTW": neighbour}

    def _dtw_cells(self) -> float:
        """Number of products of two channels' values for the distances of all test series to all training series."""
        train, test = (float(self._series[part].values.lengths.sum()) for part in ("train", "test"))
        return train * test * len(self.spec.channels)

    def plots(self, model: keras.Model, batches: SeriesBatches) -> Iterator[tuple[str, Any]]:
        logits, targets = self.predict_logits(model, batches), batches.examples.targets
        if self.spec.classes:
            ids = [f"series {name}" for name in self._series["test"].ids]
            yield from class_pictures(self.name, logits, targets, self.classes, "test series", ids or None)
        else:
            scores = number_scores(logits[:, 0], targets)
            title = f"{self.name}: RMSE {scores['rmse']:.4g}, R² {scores['r2']:.3f}, {len(targets):,} test series"
            yield "predicted", plots.predicted_against_true(logits[:, 0], targets, title)
            yield "worst_errors", worst_of_numbers(logits[:, 0], targets, self._series["test"].ids)
        yield "examples", self._examples(model, batches, logits, _spread(targets, bool(self.spec.classes)))

    def _examples(self, model: keras.Model, batches: SeriesBatches, logits: FloatArray, rows: IntArray) -> Any:
        chosen = batches.examples.take(rows)
        arrays = batches.inputs.arrays(chosen.inputs)
        answers, scaling = logits[rows].argmax(axis=-1), batches.inputs.scaling
        weights = gradient_times_input(model)(arrays, answers)
        lengths = chosen.inputs["steps"].lengths
        if self.spec.classes:
            right: list[bool | None] = [bool(a == b) for a, b in zip(answers, chosen.targets, strict=True)]
            titles = [
                f"{self.classes[a]}, true: {self.classes[b]}" for a, b in zip(answers, chosen.targets, strict=True)
            ]
        else:
            right = [None] * len(rows)
            titles = [f"{p:.4g}, true: {t:.4g}" for p, t in zip(logits[rows, 0], chosen.targets, strict=True)]
        series = [scaling.scaled(values[:n]) for values, n in zip(arrays["steps"], lengths, strict=True)]
        shades = [weight[:n] for weight, n in zip(weights, lengths, strict=True)]
        return plots.example_series(series, titles, right, shades, self.spec.channels)

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        if not inputs:
            raise ConfigError("no file given; allowed: files of series; write --input new.csv")
        series = self.read(Path(inputs[0]))
        examples = self.inputs.examples(series, np.zeros(len(series)))
        return SeriesBatches(examples, len(series), None, inputs=self.inputs)[0][0]

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes steps by the scaled values of the channels, and by the class of the series."""
        signal = self.inputs.scaling.scaled(np.asarray(inputs["steps"]))
        properties, titles = signal_properties(signal, self.spec.channels), []
        if targets is not None and self.spec.classes:
            properties |= class_properties(targets, self.classes, signal.shape[1])
            titles = [self.classes[n] for n in targets]
        return Steps(signal=np.asarray(signal, np.float64), properties=properties, titles=titles)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]]:
        """A row for each series of some files: its id, the answer, probabilities of classes."""
        if not inputs:
            raise ConfigError("no file given; name one or more: seqtasks predict RUN new.csv")
        rows: list[dict[str, Any]] = []
        for name in inputs:
            series = self.read(Path(name))
            made = self.inputs
            examples = made.examples(series, np.zeros(len(series)))
            logits = self.predict_logits(model, SeriesBatches(examples, 64, None, inputs=made))
            for i, row in enumerate(logits):
                example = ({"file": name} if len(inputs) > 1 else {}) | {"id": series.ids[i]}
                true = {} if series.targets is None else {"true": series.targets[i]}
                if self.spec.classes:
                    rows.append(class_row(example, self.classes, np.exp(log_softmax(row)), true))
                else:
                    rows.append({**example, "answer": float(f"{row[0]:.6g}"), **true})
        return rows

    def read(self, path: Path) -> SeriesSet:
        """The series of a file to predict, which need no targets.

        Raises:
            DataError: The file cannot be read, or has other channels than the training series.
        """
        roles = stored_roles(path, self.spec.roles)
        series = files.read_file(path, roles or Columns(labels="optional"))
        counts = [len(series.channels), len(series.static_names)]
        wanted = [len(self.spec.channels), len(self.spec.statics)]
        if counts != wanted:
            raise DataError(
                f"{path} has {counts[0]} channels and {counts[1]} static covariates; allowed: {wanted[0]} and "
                f"{wanted[1]}, as in training: {', '.join([*self.spec.channels, *self.spec.statics])}; give such a file"
            )
        check_times(path, series, self.spec)
        return series


def _notes(parts: Mapping[str, SeriesSet], scaling: Scaling) -> list[str]:
    """What is unusual: missing values, irregular times, very different lengths."""
    train, notes = parts["train"], []
    if missing := missing_shares(train.channels, scaling):
        more = f" and {len(missing) - 3} more channels" * (len(missing) > 3)
        notes.append(f"missing values in training: {', '.join(missing[:3])}{more}")
    if any(part.irregular for part in parts.values()):
        notes.append(IRREGULAR)
    lengths = train.values.lengths
    notes.append(f"{lengths.min()} to {lengths.max()} steps" if np.ptp(lengths) else f"{lengths.max()} steps each")
    return notes


def _keys(series: SeriesSet) -> list[bytes]:
    """What makes a series equal to another."""
    return [hashlib.sha256(np.ascontiguousarray(series.values.row(i)).data).digest() for i in range(len(series))]


def _spread(targets: Any, classes: bool) -> IntArray:
    """Series to show: of each class in turn, or spread over the numbers."""
    if not classes:
        order = np.argsort(targets, kind="stable")
        return order[np.unique(np.linspace(0, len(order) - 1, min(SHOWN, len(order))).astype(int))]
    rank = np.zeros(len(targets), np.int64)  # the how-manieth of its class
    for label in np.unique(targets):
        rank[targets == label] = np.arange(int((targets == label).sum()))
    return np.lexsort((targets, rank))[:SHOWN]
