"""Series of measurements with targets at each step: a class, several labels, or numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.series import synthetic_switches
from seqtasks.data.series.batches import Inputs, StepBatches
from seqtasks.data.series.columns import Columns
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.step_targets import (
    Stepwise,
    StepwiseData,
    load_stepwise,
    read_stepwise,
    split_stepwise,
    windows,
)
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.base import Baseline, Task
from seqtasks.task_types.common.plots import class_pictures
from seqtasks.task_types.common.series_files import (
    IRREGULAR,
    batch_inputs,
    check_channels,
    check_times,
    missing_shares,
    stored_roles,
)
from seqtasks.task_types.common.step_heads import ClassHead, LabelsHead, NumbersHead, StepHead
from seqtasks.task_types.series.model import features, series_inputs
from seqtasks.task_types.series.plots import predicted_against_true
from seqtasks.task_types.series_labeling import baselines, plots
from seqtasks.task_types.series_labeling.settings import SeriesLabelingOptions, SeriesLabelingSpec

SHOWN = 4  # test series in a plot


class SeriesLabelingTask(Task):
    """A class, several labels, or numbers at each step of series of measurements.

    A subclass names its topology, metric and built-in set. The score of a run is the accuracy of classes, the
    macro-averaged F1 of labels, the RMSE of a number, or the mean R² of several numbers.

    Example:
        >>> from seqtasks import register_task
        >>> from seqtasks.task_types import SeriesLabelingTask
        >>> @register_task("devices")
        ... class Devices(SeriesLabelingTask):
        ...     "Which devices are on."
        ...     topology = "synced"
        ...     metric = "macro_f1"
        ...     builtin = "switches"
        >>> Devices.sources()
        ['files:PATH', 'builtin:switches']
    """

    files = "any"
    reads = "paths"
    unit = "time series"
    step_inputs = ("steps", "measured", "time_gaps")
    Options = SeriesLabelingOptions
    options: SeriesLabelingOptions
    Spec = SeriesLabelingSpec
    spec: SeriesLabelingSpec

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        data = synthetic_switches.switches(str(source)) if source.kind == "builtin" else self._load(source)
        parts, notes = split_stepwise(data, o.split, source.limits)
        train = parts["train"]
        scaling = Scaling.fit(train.series)
        missing = tuple(np.flatnonzero(np.array(scaling.missing) > 0).tolist()) if o.missing == "mask" else ()
        classes = list(data.classes) if data.kind == "classes" else None
        mean, sd = ([], []) if classes else _moments(train, data)
        spec = SeriesLabelingSpec(
            channels=list(train.series.channels),
            scaling=scaling.to_dict(),
            measured=missing,
            irregular=any(part.series.irregular for part in parts.values()),
            roles=None if data.roles is None else data.roles.to_dict(),
            kind=data.kind,
            targets=list(data.targets),
            mean=mean,
            sd=sd,
            classes=classes,
            counts={part: len(series.series) for part, series in parts.items()},
        )
        self._notes = [*data.notes, *notes, *self._unusual(parts, spec, scaling)]
        inputs = batch_inputs(spec)
        examples = {}
        for name, part in parts.items():
            stride = max(1, o.window // 2) if name == "train" else None
            cut = windows(part, o.window, stride)
            if name == "train":
                cut = cut.take(np.flatnonzero([not np.isnan(cut.targets.row(i)).all() for i in range(len(cut.series))]))
            examples[name] = inputs.examples(cut.series, cut.targets)
        text = json.dumps([data.fingerprint, o.split, o.window])
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Splits(**examples, source=str(source), fingerprint=digest, spec=spec)

    def _load(self, source: Source) -> StepwiseData:
        o = self.options
        columns = Columns("auto", o.id, o.time, None, o.group, o.channels, (), o.ignore, labels="none")
        return load_stepwise(source, columns, o.target, None if o.kind == "auto" else o.kind)

    def _unusual(self, parts: Mapping[str, Stepwise], spec: SeriesLabelingSpec, scaling: Scaling) -> list[str]:
        what = f"{len(spec.classes)} classes" if spec.classes else f"{spec.kind}: {', '.join(spec.targets[:6])}"
        lengths = np.concatenate([part.series.values.lengths for part in parts.values()])
        notes = [
            what,
            f"{lengths.min()} to {lengths.max()} steps" if np.ptp(lengths) else f"{lengths.max()} steps each",
        ]
        if lengths.max() > self.options.window:
            notes.append(f"series of more than {self.options.window} steps are cut (options.window)")
        targets = parts["train"].targets
        unknown = np.mean([np.isnan(targets.row(i)).mean() for i in range(len(targets))])
        if unknown:
            notes.append(f"{100 * unknown:.2g} % of the training targets are unknown")
        if missing := missing_shares(spec.channels, scaling):
            notes.append(f"missing values in training: {', '.join(missing[:3])}")
        if spec.irregular:
            notes.append(IRREGULAR)
        return notes

    @property
    def inputs(self) -> Inputs:
        """Object that computes the arrays of batches."""
        return batch_inputs(self.spec)

    @property
    def head(self) -> StepHead:
        """Output head of the model at each step."""
        if self.spec.classes:
            return ClassHead(self.spec.classes)
        if self.spec.kind == "labels":
            return LabelsHead(self.spec.targets)
        return NumbersHead(self.spec.targets, self.spec.mean, self.spec.sd)

    @property
    def primary_metric(self) -> str:
        return self.head.metric

    @property
    def primary_higher_is_better(self) -> bool:
        return self.head.higher_is_better

    @property
    def monitor(self) -> str:
        return "val_accuracy" if self.spec.classes else "val_loss"

    @property
    def answer_column(self) -> str:
        return self.spec.targets[0] if self.spec.kind == "numbers" else "answer"

    def build_model(self, encoder: Encoder) -> keras.Model:
        """A model of the arrays of `inputs`, to the outputs of `head`, (batch, time, names)."""
        tensors = series_inputs(self.inputs)
        x = features(tensors, self.inputs)
        if self.options.noise:
            x = keras.layers.GaussianNoise(self.options.noise)(x)
        x, _ = encoder(x, mask=tensors["mask"])
        x = keras.layers.Dropout(self.options.dropout)(x)
        return keras.Model(list(tensors.values()), self.head.outputs(x), name=self.name)

    def loss(self) -> Any:
        return self.head.loss()

    def metrics(self) -> list[Any]:
        return super().metrics() if self.spec.classes else []

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> StepBatches:
        classes = bool(self.spec.classes)
        return StepBatches(examples, batch_size, None, shuffle, seed, inputs=self.inputs, classes=classes)

    def outputs(self, model: keras.Model, batches: StepBatches) -> list[FloatArray]:
        """Returns the outputs for each series or window, in the order of the examples.

        Each is `(time, names)`.
        """
        made: list[Any] = [None] * len(batches.examples)
        for index in range(len(batches)):
            outputs = np.asarray(model.predict_on_batch(batches[index][0]), np.float64)
            for row, output in zip(batches.rows(index), outputs, strict=True):
                made[int(row)] = output[: int(batches.lengths[row])]
        return made

    def targets(self, examples: Examples) -> list[Any]:
        """Returns the targets of each series.

        They are class numbers `(time,)`, -1 where unknown; or `(time, targets)`, NaN where unknown.
        """
        rows = [examples.targets.row(i) for i in range(len(examples))]
        if not self.spec.classes:
            return [np.asarray(row, np.float64) for row in rows]
        return [np.where(np.isnan(row[:, 0]), -1, np.nan_to_num(row[:, 0])).astype(np.int64) for row in rows]

    def score(self, model: keras.Model, batches: StepBatches) -> dict[str, float]:
        """Scores of all steps with a known target."""
        outputs, targets = self.outputs(model, batches), self.targets(batches.examples)
        known = [baselines.known_steps(row) for row in targets]
        pairs = [(output[mask], row[mask]) for output, row, mask in zip(outputs, targets, known, strict=True)]
        terms = [self.head.terms(*pair) for pair in pairs]
        self.keep_outputs([row for row, _ in terms], terms[0][1])
        return self.head.scores(*(np.concatenate(side) for side in zip(*pairs, strict=True)))

    def _known(self, model: keras.Model, batches: StepBatches) -> tuple[FloatArray, Any]:
        outputs, targets = np.concatenate(self.outputs(model, batches)), np.concatenate(self.targets(batches.examples))
        known = baselines.known_steps(targets)
        return outputs[known], targets[known]

    def survey(self, splits: Splits) -> Survey:
        labels = {}
        if classes := self.spec.classes:
            for part, examples in splits.parts.items():
                rows = self.targets(examples)
                labels[part] = [classes[n] for row in rows for n in row if n >= 0]
        return Survey(self.spec.counts or {}, labels, notes=self._notes)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        return {self._linear: 1.0 + 1e-5 * len(splits.train.inputs["steps"].steps) * len(self.head.names)}

    @property
    def _linear(self) -> str:
        return "ridge regression" if self.spec.kind == "numbers" else "logistic regression"

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        head, scaling = self.head, Scaling.from_dict(self.spec.scaling)

        def known(examples: Examples) -> Any:
            targets = np.concatenate(self.targets(examples))
            return targets[baselines.known_steps(targets)]

        def linear() -> Baseline:
            train, test = ((part, np.concatenate(self.targets(part))) for part in (splits.train, splits.test))
            return baselines.linear(head, scaling, train, test)

        name = {"classes": "most frequent class", "labels": "shares of the labels", "numbers": "the mean"}
        return {
            name[self.spec.kind]: lambda: baselines.constant(head, known(splits.train), known(splits.test)),
            self._linear: linear,
        }

    def plots(self, model: keras.Model, batches: StepBatches) -> Iterator[tuple[str, Any]]:
        outputs, targets = self._known(model, batches)
        head, count = self.head, f"{len(targets):,} test steps"
        if self.spec.classes:
            yield from class_pictures(self.name, outputs, targets, self.classes, "test steps")
        elif self.spec.kind == "labels":
            report = head.report(outputs, targets)
            yield "labels", report
            yield "labels", plots.label_bars(report, f"{self.name}: macro F1 {report['f1'].mean():.3f}, {count}")
        else:
            report = head.report(outputs, targets)
            yield "numbers", report
            for i, name in enumerate(head.names[: plots.MOST]):
                known = ~np.isnan(targets[:, i])
                scores = report.loc[name]
                title = f"{name}: RMSE {scores['rmse']:.4g}, R² {scores['r2']:.3f}, {int(known.sum()):,} test steps"
                figure = predicted_against_true(outputs[known, i], targets[known, i], title)
                yield f"predicted{f'_{i + 1}' * (len(head.names) > 1)}", figure
        yield "examples", self._examples(model, batches)

    def _examples(self, model: keras.Model, batches: StepBatches) -> Any:
        examples = batches.examples.take(SHOWN)
        chosen = self.batches(examples, SHOWN)
        scaling = self.inputs.scaling
        shown = []
        for i, (output, true) in enumerate(zip(self.outputs(model, chosen), self.targets(examples), strict=True)):
            values = scaling.scaled(examples.inputs["steps"].row(i))
            shown.append(plots.Shown(values, true, self.head.answers(output), f"{self.name}: test series {i + 1}"))
        return plots.example_steps(shown, self.spec.channels, self.head.names, self.spec.kind == "numbers")

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]]:
        """Returns a row for each step of the files.

        Its columns are the class and its probabilities, the labels, or the numbers.
        """
        if not inputs:
            raise ConfigError("no file given; name one or more: seqtasks predict RUN new.csv")
        rows: list[dict[str, Any]] = []
        for name in inputs:
            part = self.read(Path(name))
            cut = windows(part, self.options.window)
            examples = self.inputs.examples(cut.series, cut.targets)
            outputs, targets = self.outputs(model, self.batches(examples, 64)), self.targets(examples)
            labelled = not np.isnan(part.targets.steps).all()
            begins = cut.series.values.begins
            owner = np.searchsorted(part.series.values.begins, begins, side="right") - 1
            for piece, (output, true) in enumerate(zip(outputs, targets, strict=True)):
                i = int(owner[piece])
                first = int(begins[piece] - part.series.values.begins[i])
                start: dict[str, Any] = {"file": name} if len(inputs) > 1 else {}
                start |= {"id": part.series.ids[i]} if len(part.series) > 1 else {}
                clock = None if part.series.times is None else part.series.clock(i)
                for step in range(len(output)):
                    place = start | {"step": first + step} | ({} if clock is None else {"time": clock[first + step]})
                    rows.append(self.head.row(place, output[step], true[step] if labelled else None))
        return rows

    def read(self, path: Path) -> Stepwise:
        """The series of a file to predict, which need no targets.

        Raises:
            DataError: The file cannot be read, or has other channels than the training series.
        """
        roles = stored_roles(path, self.spec.roles)
        part = read_stepwise(path, roles, self.spec.targets, self.spec.kind, self.spec.classes or ())
        check_channels(path, part.series, self.spec)
        check_times(path, part.series, self.spec)
        return part


def _moments(train: Stepwise, data: StepwiseData) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each target in training."""
    steps = np.concatenate([train.targets.row(i) for i in range(len(train.targets))]).astype(np.float64)
    for name, column in zip(data.targets, steps.T, strict=True):
        known = column[~np.isnan(column)]
        if not len(known) or (data.kind == "numbers" and np.ptp(known) == 0):
            problem = "has no value" if not len(known) else f"is {known[0]:g}"
            raise DataError(
                f"{train.series.path or 'the data'}, column {name}: the target {problem} in all training steps; "
                "allowed: targets that vary; name other columns with options.target"
            )
    return np.nanmean(steps, axis=0).tolist(), np.maximum(np.nanstd(steps, axis=0), 1e-9).tolist()
