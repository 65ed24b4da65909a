"""Anomaly detection: a score for each step of series, by a model that is trained on normal series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.series import marked, synthetic_anomalies
from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.columns import Columns
from seqtasks.data.series.marked import ANOMALY, UNJUDGED, Cuts, Marked, MarkedData
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits, sample
from seqtasks.data.survey import Survey
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.anomaly_detection import baselines, plots
from seqtasks.task_types.anomaly_detection.batches import WindowBatches, training_windows
from seqtasks.task_types.anomaly_detection.export_plan import PredictionPlan
from seqtasks.task_types.anomaly_detection.model import CALIBRATION, prediction_model, rebuilding_model
from seqtasks.task_types.anomaly_detection.scoring import (
    ErrorSource,
    PredictionErrors,
    RebuildingErrors,
    detection_scores,
    is_marked,
    normal_scale,
    step_scores,
    threshold_of,
)
from seqtasks.task_types.anomaly_detection.settings import AnomalyOptions, AnomalySpec
from seqtasks.task_types.anomaly_detection.terms import detection_terms
from seqtasks.task_types.base import Baseline, Task, evenly_spaced
from seqtasks.task_types.common.series_files import (
    IRREGULAR,
    batch_inputs,
    check_channels,
    check_times,
    missing_shares,
    stored_roles,
)
from seqtasks.task_types.common.steps import Steps, course_properties

CONTEXT = 200  # known steps that are read before a part, so that its first steps can be judged
SHOWN = 3  # test series in plots
MOST_WINDOWS = 256  # windows of a file that `look` reads
ZOOMED = 400  # steps of the plot around the highest score


class AnomalyTask(Task):
    """An anomaly score for each step of series, by a model of normal series.

    A subclass names its topology, metric and built-in set. The metric is a score of `detection_scores`. Where no test
    step is marked, it is the number of false alarms for each 1,000 steps, of which lower is better.

    Example:
        >>> from seqtasks import register_task
        >>> from seqtasks.task_types import AnomalyTask
        >>> @register_task("pumps")
        ... class Pumps(AnomalyTask):
        ...     "Faults of pumps."
        ...     topology = "synced"
        ...     metric = "roc_auc"
        ...     builtin = "reversed_waves"
        >>> Pumps.sources()
        ['files:PATH', 'aeon:NAME', 'builtin:reversed_waves']
    """

    causal = True
    files = "any"
    # A set of the UCR anomaly archive, one of freezing of gait, and an electrocardiogram.
    packages = {"aeon": ("NAME/*_UCR_Anomaly_*_TEST.csv", "NAME/S*R*E*.csv", "UnitTest/NAME_TEST.csv")}
    reads = "paths"
    unit = "steps"
    Options = AnomalyOptions
    options: AnomalyOptions
    Spec = AnomalySpec
    spec: AnomalySpec

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        if source.kind == "builtin":
            data = synthetic_anomalies.reversed_waves(str(source), o.warm_up)
        else:
            columns = Columns("auto", o.id, o.time, channels=o.channels, ignore=o.ignore, labels="none")
            data = marked.load_marked(source, columns, o.label, Cuts(o.train_end, context=CONTEXT, warm_up=o.warm_up))
        parts = {"train": data.train, "validation": data.validation, "test": data.test}
        limit = source.limits["test"]
        parts["test"] = data.test.take(sample(len(data.test.marks), limit))
        train = data.train.series
        scaling = Scaling.fit(train)
        missing = tuple(np.flatnonzero(np.array(scaling.missing) > 0).tolist()) if o.missing == "mask" else ()
        spec = AnomalySpec(
            channels=list(train.channels),
            scaling=scaling.to_dict(),
            measured=missing,
            irregular=any(part.series.irregular for part in parts.values()),
            roles=None if data.roles is None else data.roles.to_dict(),
            label=data.label,
            marked=is_marked(parts["test"].marks),
            counts={name: int((part.marks.steps != UNJUDGED).sum()) for name, part in parts.items()},
        )
        self._notes = self._unusual(data, parts["test"], spec)
        inputs = batch_inputs(spec)
        examples = {name: inputs.examples(part.series, part.marks) for name, part in parts.items()}
        cuts = training_windows(examples["train"], o.window + self.horizon)
        if not len(cuts):
            raise DataError(
                f"{source} has no window of {o.window + self.horizon} training steps without a marked one; allowed: "
                "one or more; set a smaller options.window, or another options.train_end"
            )
        examples["train"] = cuts.take(sample(len(cuts), source.limits["train"]))
        return Splits(**examples, source=str(source), fingerprint=data.fingerprint, spec=spec)

    def _unusual(self, data: MarkedData, test: Marked, spec: AnomalySpec) -> list[str]:
        steps = test.marks.steps
        count, judged = int((steps == ANOMALY).sum()), spec.counts["test"] if spec.counts else 0
        share = f"{count:,} of {judged:,} judged test steps are marked as anomalies"
        if not spec.marked:
            share = "no test step is marked as an anomaly, so the score is false alarms per 1,000 steps"
        missing = missing_shares(spec.channels, Scaling.from_dict(spec.scaling))
        notes = [share, *data.notes]
        if missing:
            notes.append(f"missing values in training: {', '.join(missing[:3])}")
        if spec.irregular:
            notes.append(IRREGULAR)
        return notes

    @property
    def inputs(self) -> Inputs:
        """Object that computes the arrays of batches."""
        return batch_inputs(self.spec)

    @property
    def horizon(self) -> int:
        """Number of predicted next steps; 0: windows are rebuilt."""
        return self.options.horizon if self.options.method == "predict" else 0

    @property
    def primary_metric(self) -> str:
        return self.metric if self.spec.marked else "false_alarms"

    @property
    def primary_higher_is_better(self) -> bool:
        return bool(self.spec.marked)

    @property
    def monitor(self) -> str:
        return "val_loss"

    def build_model(self, encoder: Encoder) -> keras.Model:
        """A model that gives scaled values, see `prediction_model` and `rebuilding_model`."""
        o = self.options
        if self.horizon:
            return prediction_model(encoder, self.inputs, self.horizon, o, self.name)
        return rebuilding_model(encoder, self.inputs, o.window, o, self.name)

    def loss(self) -> Any:
        def squared_error(targets: Any, predicted: Any) -> Any:
            known = ops.logical_not(ops.isnan(targets))
            return ops.mean(ops.square(ops.where(known, targets, predicted) - predicted), axis=-1)

        return squared_error

    def metrics(self) -> list[Any]:
        return []

    def callbacks(self, validation: WindowBatches) -> list[keras.callbacks.Callback]:
        return [Calibrate(self, validation.series)]

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> WindowBatches:
        return WindowBatches(
            examples, batch_size, shuffle, seed, inputs=self.inputs, size=self.options.window, horizon=self.horizon
        )

    def errors(self, model: keras.Model) -> ErrorSource:
        """What computes the errors of a model for series."""
        if self.horizon:
            return PredictionErrors(model, self.inputs, self.horizon)
        return RebuildingErrors(model, self.inputs, self.options.window)

    def step_scores(self, model: keras.Model, examples: Examples) -> tuple[list[FloatArray], float]:
        """The score of each step of each series (time,), and the threshold of the model."""
        calibration = model.get_layer(CALIBRATION)
        scale = np.asarray(ops.convert_to_numpy(calibration.scale), np.float64)
        scores = step_scores(self.errors(model), examples, scale, self.options.smooth)
        return scores, float(ops.convert_to_numpy(calibration.threshold))

    def score(self, model: keras.Model, batches: WindowBatches) -> dict[str, float]:
        scores, threshold = self.step_scores(model, batches.series)
        terms = detection_terms(scores, batches.series.targets, threshold, self.primary_metric)
        if terms is not None:
            self.keep_outputs(*terms)
        return detection_scores(scores, batches.series.targets, threshold)

    def sample(self, examples: Examples, sequences: int, steps: int | None = None) -> Any:
        """Returns evenly spaced windows of the series, with `marks`, which the model ignores."""
        batches = self.batches(examples, 1)
        windows = batches.examples.take(evenly_spaced(len(batches.examples), sequences))
        inputs, targets = batches.arrays(windows)
        marks = windows.targets.padded(self.options.window, UNJUDGED)[:, : inputs["mask"].shape[1]]
        return {**inputs, "marks": marks}, targets

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        """Reads windows of the series of files, with their marks if they have some."""
        if not inputs:
            raise ConfigError("no file given; name one or more: seqtasks look RUN --input new.csv")
        if len(inputs) > 1:
            raise ConfigError(
                f"{len(inputs)} files are given; allowed: one, which may have several series; name one: --input "
                f"{inputs[0]}"
            )
        series, marks = self.read(Path(inputs[0]))
        unmarked = Segments(np.full(len(series.values.steps), UNJUDGED), series.values.begins, series.values.lengths)
        return self.sample(self.inputs.examples(series, marks or unmarked), MOST_WINDOWS)[0]

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes steps by the scaled channels, their course, and the marks of anomalies."""
        signal = np.asarray(Scaling.from_dict(self.spec.scaling).scaled(np.asarray(inputs["steps"])), np.float64)
        properties = course_properties(signal, self.spec.channels)
        marks = np.asarray(inputs["marks"])
        if (marks != UNJUDGED).any():
            properties["marked as an anomaly"] = np.where(marks == UNJUDGED, np.nan, marks == ANOMALY)
        return Steps(signal=signal, properties=properties)

    def export_plan(self, model: keras.Model) -> PredictionPlan:
        return PredictionPlan(self, model, ("steps", "measured", "time_gaps") if self.horizon else ())

    def survey(self, splits: Splits) -> Survey:
        return Survey(self.spec.counts or {}, notes=self._notes)

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        scaling, o = Scaling.from_dict(self.spec.scaling), self.options

        def baseline(errors: ErrorSource) -> Baseline:
            channels = len(self.spec.channels)
            scale = normal_scale(errors, splits.validation, channels)
            validation = step_scores(errors, splits.validation, scale, o.smooth)
            threshold = threshold_of(validation, splits.validation.targets, o.quantile)
            scores = step_scores(errors, splits.test, scale, o.smooth)
            return Baseline(detection_scores(scores, splits.test.targets, threshold), 3 * channels + 1, "NumPy")

        return {
            "z-score": lambda: baseline(baselines.ZScore(scaling)),
            "moving average": lambda: baseline(baselines.MovingAverage(scaling)),
        }

    def plots(self, model: keras.Model, batches: WindowBatches) -> Iterator[tuple[str, Any]]:
        """Each test series with its scores, and the steps around the highest score."""
        examples = batches.series
        scores, threshold = self.step_scores(model, examples)
        marks: Segments = examples.targets
        for i, row in enumerate(scores[:SHOWN]):
            values, marked_steps = examples.inputs["steps"].row(i), marks.row(i)
            title = f"{self.name}: test series {i + 1}, {len(row):,} steps"
            suffix = f"_{i + 1}" if len(scores) > 1 else ""
            parts = {"scores": slice(0, len(row))}
            if len(row) > ZOOMED:
                peak = int(np.argmax(np.where(marked_steps != UNJUDGED, row, -np.inf)))
                begin = min(max(0, peak - ZOOMED // 2), len(row) - ZOOMED)
                parts["peak"] = slice(begin, begin + ZOOMED)
            for name, part in parts.items():
                yield (
                    f"{name}{suffix}",
                    plots.score_figure(
                        values[part], row[part], marked_steps[part], threshold, self.spec.channels, title, part.start
                    ),
                )

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]]:
        """A row for each step of some files: its score, and whether it is an anomaly.

        The first `options.warm_up` steps of a series have no score, as the model knows too little of the series.
        """
        if not inputs:
            raise ConfigError("no file given; name one or more: seqtasks predict RUN new.csv")
        rows: list[dict[str, Any]] = []
        for name in inputs:
            series, marks = self.read(Path(name))
            examples = self.inputs.examples(series, marks or series.values)
            scores, threshold = self.step_scores(model, examples)
            for i, row in enumerate(scores):
                start: dict[str, Any] = {"file": name} if len(inputs) > 1 else {}
                start |= {"id": series.ids[i]} if len(series) > 1 else {}
                times = None if series.times is None else series.clock(i)
                true = None if marks is None else marks.row(i)
                for step, score in enumerate(row):
                    judged = step >= self.options.warm_up
                    rows.append(
                        {
                            **start,
                            **({"step": step} if times is None else {"step": step, "time": times[step]}),
                            "score": float(f"{score:.6g}") if judged else None,
                            "flag": int(judged and score > threshold),
                            **({} if true is None else {"true": int(true[step])}),
                        }
                    )
        return rows

    @property
    def answer_column(self) -> str:
        return "flag"

    def read(self, path: Path) -> tuple[SeriesSet, Segments | None]:
        """The series of a file to score, and their marks if it has some.

        Raises:
            DataError: The file cannot be read, or has other channels than the training series.
        """
        roles = stored_roles(path, self.spec.roles)
        series, marks = marked.read_marked(path, roles, self.spec.label)
        check_channels(path, series, self.spec)
        check_times(path, series, self.spec)
        return series, marks


class Calibrate(keras.callbacks.Callback):
    """Computes the size of normal errors and the threshold from validation series after each epoch.

    They are weights of the model, so that those of the best epoch are restored with it.

    Args:
        task: The task.
        validation: Validation series and their marks.
    """

    def __init__(self, task: AnomalyTask, validation: Examples):
        super().__init__()
        self.task, self.validation = task, validation
        self.errors: ErrorSource | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        o, layer = self.task.options, self.model.get_layer(CALIBRATION)
        if self.errors is None:
            self.errors = self.task.errors(self.model)
        scale = normal_scale(self.errors, self.validation, layer.outputs)
        scores = step_scores(self.errors, self.validation, scale, o.smooth)
        layer.set(scale, threshold_of(scores, self.validation.targets, o.quantile))
