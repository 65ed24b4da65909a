"""Forecasts of series of numbers, point and interval."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.series import load as files
from seqtasks.data.series import synthetic_seasonal
from seqtasks.data.series.columns import Columns
from seqtasks.data.series.forecast_batches import ForecastBatches, Panel
from seqtasks.data.series.frequency import Frequency, calendar, following, frequency_of
from seqtasks.data.series.logarithms import chosen_floors, from_logarithms, to_logarithms
from seqtasks.data.series.sets import SeriesData, SeriesSet
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.survey import Survey
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.forecasting import LEVELS
from seqtasks.task_types.base import Baseline, Task, evenly_spaced
from seqtasks.task_types.common.series_files import stored_roles
from seqtasks.task_types.common.steps import Steps, course_properties
from seqtasks.task_types.forecasting import baselines, plots
from seqtasks.task_types.forecasting.cuts import cut, origins, training_windows
from seqtasks.task_types.forecasting.intervals import calibrated, interval_ratio
from seqtasks.task_types.forecasting.model import CALIBRATION, LOSSES, Facts, forecast_model
from seqtasks.task_types.forecasting.panel import check_values, expected_spread, panel_of
from seqtasks.task_types.forecasting.rolling import forecast_outputs
from seqtasks.task_types.forecasting.scores import INTERVAL, Forecasts, forecast_scores, forecast_terms, naive_error
from seqtasks.task_types.forecasting.settings import ForecastOptions, ForecastPredictOptions, ForecastSpec

SHOWN = 6  # series in a plot


class ForecastTask(Task):
    """Forecasts of the next values of series, with intervals.

    Each series is cut in time: training, then validation, then test, where forecasts begin at rolling origins. A
    subclass names the topology, the sources and the built-in set.

    Example:
        >>> from seqtasks.task_types import ForecastTask
        >>> ForecastTask.metric, ForecastTask.higher_is_better, ForecastTask.causal
        ('mase', False, True)
    """

    metric = "mase"
    higher_is_better = False
    hub_task = "time-series-forecasting"
    causal = True
    files = "any"
    packages = {"aeon": ["NAME.csv", "NAME.tsf"], "statsmodels": ["NAME.csv"]}
    reads = "paths"
    Options = ForecastOptions
    PredictOptions = ForecastPredictOptions
    Spec = ForecastSpec
    options: ForecastOptions
    spec: ForecastSpec
    _data: Panel
    _series: list[FloatArray]

    @property
    def unit(self) -> str:
        return "windows"

    def read_builtin(self, source: Source) -> SeriesData:
        """The built-in set."""
        return synthetic_seasonal.seasonal(str(source))

    def load(self, source: Source, seed: int) -> Splits:
        """Reads series, cuts them in time, and fits the scaling to the training parts.

        Raises:
            DataError: Bad data; see the readers.
            ConfigError: The horizon is longer than the history.
        """
        o = self.options
        known = list(o.known)
        data = self.read_builtin(source) if source.kind == "builtin" else files.load(source, self._columns())
        if len(data.parts) > 1:
            raise DataError(
                f"{source} has the splits {', '.join(data.parts)}; allowed: whole series, which are cut in time; give "
                "one file"
            )
        series = data.parts["train"]
        if unknown := [name for name in known if name not in series.channels]:
            raise ConfigError(
                f"options.known names {unknown[0]!r}; allowed: {', '.join(series.channels)}; set options.known"
            )
        channels = [name for name in series.channels if name not in known]
        cuts = cut(series.values.lengths, o.horizon, o.test_steps)
        series = series.take(cuts.series)
        frequency = self._frequency(series)
        season = o.season or frequency.season
        window = o.window or max(3 * season, 2 * o.horizon, 24)
        target = [list(series.channels).index(name) for name in channels]
        values: list[FloatArray] = [series.values.row(i)[:, target].astype(np.float64) for i in range(len(series))]
        past = [row[:n] for row, n in zip(values, cuts.train.tolist(), strict=True)]
        check_values(series, channels, past)
        if o.transform == "log" and min(float(np.nanmin(row)) for row in values) <= 0:
            raise ConfigError(
                f"options.transform=log, but {source} has values of 0 or below; allowed: positive values; set "
                "options.transform=none"
            )
        floors = chosen_floors(past, season, o.transform)
        moved = [to_logarithms(row, floors) for row in past]
        every, scaled = np.concatenate(past), np.concatenate(moved)
        covariates = [series.values.row(i)[:n, [list(series.channels).index(k) for k in known]]
                      for i, n in enumerate(cuts.train.tolist())]  # fmt: skip
        statics = series.statics if series.statics is not None else np.zeros((len(series), 0), np.float32)
        parts = [every, np.concatenate(covariates).astype(np.float64), statics.astype(np.float64)]
        mean = np.concatenate([np.nanmean(part, axis=0) for part in parts])
        sd = np.concatenate([np.nanstd(part, axis=0) for part in parts])
        scaled_sd = np.maximum(np.nanstd(scaled, axis=0), 1e-9)
        spec = ForecastSpec(
            channels=channels,
            known=known,
            statics=list(series.static_names),
            frequency=dataclasses.asdict(frequency),
            season=season,
            horizon=o.horizon,
            window=window,
            lags=min(60, max(4, season + 1)) if o.lags is None else o.lags,
            log_floors=floors,
            mean=mean.tolist(),
            sd=np.maximum(sd, 1e-9).tolist(),
            scaled_mean=np.nanmean(scaled, axis=0).tolist(),
            scaled_sd=scaled_sd.tolist(),
            spread=expected_spread(moved, scaled_sd, season),
            measured=np.flatnonzero(np.isnan(every).any(axis=0)).tolist(),
            features=calendar(np.zeros(1), frequency)[0].shape[1] if o.calendar and series.dated else 0,
            roles=None if data.roles is None else data.roles.to_dict(),
            counts={},
        )
        panel = panel_of(series, spec, o.horizon)
        self._series, self._data = values, panel
        self._ids = list(series.ids) or [str(i + 1) for i in range(len(series))]
        weights = np.array([1 / naive_error(row, season) for row in moved])
        made = {
            "train": training_windows(cuts.train, window),
            "validation": origins(cuts.train, cuts.validation, o.horizon, window, o.origins),
            "test": origins(cuts.validation, cuts.length, o.horizon, window, o.origins),
        }
        past_of = {"train": cuts.train, "validation": cuts.train, "test": cuts.validation}
        examples = {}
        for part, (which, begins, ends) in made.items():
            inputs = panel.windows(which, begins, ends, cuts.train[which] if part == "train" else cuts.length[which])
            lengths = ends - begins
            warm = np.minimum(max(season, 2), lengths // 2)
            inputs["first"] = warm if part == "train" else lengths - 1
            inputs["weights"] = np.ones((len(which), 1)) if o.head == "gaussian" else weights[which]
            scale = np.array([naive_error(row[:n], season)
                              for row, n in zip(values, past_of[part].tolist(), strict=True)])  # fmt: skip
            inputs["scale"] = scale[which]
            targets = np.zeros(len(which))
            if part != "train":
                targets = np.stack([values[i][e : e + o.horizon] for i, e in zip(which, ends, strict=True)])
            examples[part] = Examples(inputs, targets)
        spec = dataclasses.replace(spec, counts={part: len(rows) for part, rows in examples.items()})
        self._notes = [*data.notes, *self._facts(spec, cuts.length, len(series), len(data.parts["train"]))]
        text = json.dumps([data.fingerprint, o.horizon, season, o.test_steps, o.origins, window, o.calendar, floors])
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Splits(**examples, source=str(source), fingerprint=digest, spec=spec)

    def _columns(self) -> Columns:
        o = self.options
        channels = (*o.channels, *o.known) if o.channels else ()
        return Columns(o.layout, o.id, o.time, channels=channels, statics=o.statics, ignore=o.ignore, labels="none")

    def _frequency(self, series: SeriesSet) -> Frequency:
        lengths = series.values.lengths
        if series.times is None:
            return Frequency("", 1, 0, 1.0)
        return frequency_of(series.times.row(int(lengths.argmax())), series.dated)

    def _facts(self, spec: ForecastSpec, lengths: Any, kept: int, total: int) -> list[str]:
        """What was computed from the data, for people."""
        chosen = self.options.season is not None
        reason = "options.season" if chosen else spec.frequency["name"] or "no dates"
        notes = [f"season {spec.season} ({reason})" if spec.season > 1 else f"no season ({reason})"]
        span = f"{lengths.min()} to {lengths.max()}" if np.ptp(lengths) else f"{lengths.max()}"
        notes.append(f"{kept} series of {span} steps" if kept > 1 else f"{span} steps")
        if kept < total:
            notes.append(f"{total - kept} series too short for the horizon {spec.horizon} are left out")
        if logged := [name for name, floor in zip(spec.channels, spec.log_floors, strict=True) if floor]:
            of = "" if len(logged) == len(spec.channels) else f" of {', '.join(logged[:3])}"
            reason = "options.transform" if self.options.transform == "log" else "as the spread grows with the level"
            notes.append(f"logarithms{of}, {reason}")
        if spec.measured:
            names = [spec.channels[i] for i in spec.measured]
            notes.append(f"missing values in {', '.join(names[:3])}")
        return notes

    def build_model(self, encoder: Encoder) -> keras.Model:
        """A model of windows in original units, see `forecast_model`."""
        o, spec = self.options, self.spec
        base = o.base if o.base != "auto" else "seasonal" if spec.season > 1 else "last"
        if base == "seasonal" and spec.season == 1:
            raise ConfigError(
                "options.base=seasonal, but the series have no season; allowed: auto, last, level; set options.season"
            )
        facts = Facts(
            channels=len(spec.channels),
            measured=len(spec.measured),
            known=len(spec.known) + spec.features,
            statics=len(spec.statics),
            horizon=spec.horizon,
            season=spec.season,
            log_floors=spec.log_floors,
            mean=list(spec.scaled_mean),
            sd=list(spec.scaled_sd),
            spread=spec.spread,
        )
        decided = dataclasses.replace(o, base=base, lags=spec.lags)
        return forecast_model(encoder, facts, decided, self.name)

    def loss(self) -> Any:
        return LOSSES[self.options.head]

    def metrics(self) -> list[Any]:
        return []

    def callbacks(self, validation: Any) -> list[keras.callbacks.Callback]:
        return [ValidationForecasts(self, validation)]

    @property
    def ahead(self) -> int:
        """Steps ahead of one call of the model."""
        return 1 if self.options.strategy == "step" else self.spec.horizon

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> ForecastBatches:
        rolled = self.options.strategy == "rollout"
        return ForecastBatches(
            examples, batch_size, None, shuffle, seed,
            panel=self._data, ahead=self.ahead, log_floors=self.spec.log_floors, last=rolled,
        )  # fmt: skip

    def sample(self, examples: Examples, sequences: int, steps: int | None = None) -> Any:
        """Returns evenly spaced windows, with `positions`, which the model does not read."""
        rows = examples.take(evenly_spaced(len(examples), sequences))
        batches = self.batches(rows, len(rows))
        inputs, *others = batches[0]
        return (self._with_positions(inputs, rows.take(batches.rows(0)).inputs), *others)

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        """Reads the last window of each series of a file."""
        if len(inputs) != 1:
            raise ConfigError(
                f"{len(inputs)} files are given; allowed: one, which may have several series; name one: seqtasks look "
                f"RUN --input {inputs[0] if inputs else 'new.csv'}"
            )
        _, panel = self._ahead(self.read(Path(inputs[0])), self.ahead, inputs[0])
        lengths = panel.values.lengths
        begins = np.maximum(0, lengths - self.spec.window)
        rows = panel.windows(np.arange(len(lengths)), begins, lengths, lengths)
        return self._with_positions(panel.arrays(rows, self.ahead), rows)

    @staticmethod
    def _with_positions(inputs: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, Any]:
        begins = np.asarray(rows["ends"]) - rows["steps"].lengths
        return {**inputs, "positions": begins[:, None] + np.arange(inputs["mask"].shape[1])}

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes steps by their values, scaled in each window, and their course in the season."""
        values = to_logarithms(np.asarray(inputs["steps"], np.float64), self.spec.log_floors)
        mask = np.asarray(inputs["mask"])[..., None]
        inside = np.where(mask, values, np.nan)
        mean, sd = np.nanmean(inside, axis=1, keepdims=True), np.nanstd(inside, axis=1, keepdims=True)
        signal = np.where(mask, (values - mean) / np.maximum(sd, 1e-9), 0.0)
        positions = np.asarray(inputs["positions"])
        return Steps(
            signal=signal, properties=course_properties(signal, self.spec.channels, self.spec.season, positions)
        )

    def outputs(self, model: keras.Model, batches: ForecastBatches, horizon: int) -> FloatArray:
        """Forecasts of examples in the units of the model, see `forecast_outputs`."""
        return forecast_outputs(model, batches, horizon, self.options.head, self.spec.log_floors)

    def forecasts(self, outputs: FloatArray) -> Forecasts:
        """Quantiles in original units of `outputs`."""
        if self.options.head == "gaussian":
            made = Forecasts.gaussian(outputs[..., 0], outputs[..., 1])
        else:
            made = Forecasts(outputs, LEVELS[self.options.head])
        quantiles = from_logarithms(np.moveaxis(made.quantiles, -1, -2), self.spec.log_floors)
        return Forecasts(np.moveaxis(quantiles, -1, -2), made.levels)

    def score(self, model: keras.Model, batches: Any) -> dict[str, float]:
        made = self.forecasts(self.outputs(model, batches, self.spec.horizon))
        targets, scale = batches.examples.targets, batches.examples.inputs["scale"]
        self.keep_outputs(*forecast_terms(made, targets, scale), outputs=made.point)
        return forecast_scores(made, targets, scale)

    def survey(self, splits: Splits) -> Survey:
        return dataclasses.replace(super().survey(splits), labels={}, notes=self._notes)

    def baseline_seconds(self, splits: Splits) -> dict[str, float]:
        series = len(np.unique(splits.test.inputs["series_index"])) * len(self.spec.channels)
        steps = float(np.mean([len(row) for row in self._series]))
        return {"ETS": series * (0.3 + 0.01 * steps), "AR": 0.1 * series}

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        which, ends = splits.test.inputs["series_index"], splits.test.inputs["ends"]
        horizon, season = self.spec.horizon, self.spec.season

        def scored(method: Any, by: str, params: int) -> Callable[[], Baseline]:
            def run() -> Baseline:
                made = baselines.rolled(method, self._series, which, ends)
                return Baseline(forecast_scores(made, splits.test.targets, splits.test.inputs["scale"]), params, by)

            return run

        made = {"last value": scored(baselines.seasonal_naive(horizon, 1), "NumPy", 0)}
        if season > 1:
            made["seasonal naive"] = scored(baselines.seasonal_naive(horizon, season), "NumPy", 0)
        if baselines.statsmodels_reason():
            return made
        made["ETS"] = scored(baselines.ets(horizon, season), "statsmodels", 0)
        made["AR"] = scored(baselines.ar(horizon, season), "statsmodels", 0)
        return made

    def plots(self, model: keras.Model, batches: Any) -> Iterator[tuple[str, Any]]:
        made = self.forecasts(self.outputs(model, batches, self.spec.horizon))
        inputs, targets = batches.examples.inputs, batches.examples.targets
        which = inputs["series_index"]
        last = {int(number): i for i, number in enumerate(which)}  # the last origin of each series
        panels = [(i, c) for i in last.values() for c in range(len(self.spec.channels))][:SHOWN]
        shown = 3 * max(self.spec.season, self.spec.horizon)
        ids = [self._ids[int(which[i])] if len(last) > 1 else self.name for i, _ in panels]
        yield (
            "forecasts",
            plots.fans(
                [self._series[int(which[i])][: int(inputs["ends"][i])][-shown:, c] for i, c in panels],
                [_channel(made, i, c) for i, c in panels],
                ids,
                [self.spec.channels[c] for _, c in panels],
                [targets[i, :, c] for i, c in panels],
            ),
        )
        yield "error_by_step", plots.error_by_step(made, targets, inputs["scale"])
        names = [f"{self._ids[int(n)]}, from step {end}" for n, end in zip(which, inputs["ends"], strict=True)]
        yield "worst_errors", plots.worst_windows(*forecast_terms(made, targets, inputs["scale"])[:1], names)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]]:
        """A row for each step ahead of each series of some files: point, and interval of 80 %."""
        if not inputs:
            raise ConfigError("no file given; name one or more: seqtasks predict RUN new.csv --horizon 12")
        horizon = options.horizon or self.spec.horizon
        rows: list[dict[str, Any]] = []
        shown: list[tuple[FloatArray, Forecasts, str, str]] = []
        for name in inputs:
            series = self.read(Path(name))
            series, panel = self._ahead(series, horizon, name)
            lengths = panel.values.lengths
            which = np.arange(len(series))
            made = panel.windows(which, np.maximum(0, lengths - self.spec.window), lengths, lengths)
            batches = ForecastBatches(Examples(made, which), 64, None, panel=panel, ahead=self.ahead)
            forecasts = self.forecasts(self.outputs(model, batches, horizon))
            ids = list(series.ids) or [str(i + 1) for i in which]
            for i in which.tolist():
                stamps = self._stamps(series, i, int(lengths[i]), horizon)
                for h in range(horizon):
                    for c, channel in enumerate(self.spec.channels):
                        row = {"file": name} if len(inputs) > 1 else {}
                        row |= {"id": ids[i]} if len(series) > 1 else {}
                        row |= {stamps[0]: stamps[1][h]}
                        row |= {"channel": channel} if len(self.spec.channels) > 1 else {}
                        numbers = {"point": forecasts.point, "low": forecasts.at(INTERVAL[0])}
                        numbers["high"] = forecasts.at(INTERVAL[1])
                        rows.append(row | {key: float(f"{v[i, h, c]:.6g}") for key, v in numbers.items()})
                past = panel.values.row(i)[-3 * max(self.spec.season, horizon) :]
                title = ids[i] if len(series) > 1 else Path(name).stem
                for c, channel in enumerate(self.spec.channels[: SHOWN - len(shown)]):
                    shown.append((past[:, c], _channel(forecasts, i, c), title, channel))
        if options.plot:
            histories, fans, titles, names = map(list, zip(*shown, strict=True))
            _save(plots.fans(histories, fans, titles, names), options.plot)
        return rows

    def read(self, path: Path) -> SeriesSet:
        """The series of a file to go on with.

        Raises:
            DataError: The file cannot be read, or has other columns than the training series.
        """
        roles = stored_roles(path, self.spec.roles)
        series = files.read_file(path, roles or Columns(labels="none"))
        names = {*self.spec.channels, *self.spec.known}
        if set(series.channels) != names or len(series.static_names) != len(self.spec.statics):
            raise DataError(
                f"{path} has the columns {', '.join([*series.channels, *series.static_names])}; allowed: "
                f"{', '.join([*self.spec.channels, *self.spec.known, *self.spec.statics])}, as in training; give such "
                "a file"
            )
        return series

    def _ahead(self, series: SeriesSet, horizon: int, name: str) -> tuple[SeriesSet, Panel]:
        """The series without rows that only have known covariates, and their panel, which has those rows."""
        index = [list(series.channels).index(channel) for channel in self.spec.channels]
        lengths = []
        for i in range(len(series)):
            present = np.flatnonzero(~np.isnan(series.values.row(i)[:, index]).all(axis=1))
            lengths.append(int(present[-1]) + 1 if len(present) else 0)
        after = int((series.values.lengths - lengths).min())
        if self.spec.known and after < horizon:
            rows, shorter = (f"{after} rows", f", or set --horizon {after}") if after else ("no rows", "")
            raise DataError(
                f"{name} has {rows} after the last value, with {', '.join(self.spec.known)} only; needed: {horizon}, "
                f"one for each step ahead; add them{shorter}"
            )
        if min(lengths) < 2:
            raise DataError(f"{name} has a series of {min(lengths)} values; allowed: 2 or more; remove it")
        # A block of the model may reach beyond the horizon that is asked for.
        return series, panel_of(series, self.spec, horizon + self.spec.horizon, np.array(lengths))

    def _stamps(self, series: SeriesSet, number: int, length: int, horizon: int) -> tuple[str, list[Any]]:
        """Name and values of the column that says which step a row of a forecast is."""
        if series.times is None:
            return "step", list(range(1, horizon + 1))
        times = series.times.row(number)
        frequency = self._frequency(series.take(np.array([number])))
        stamps = following(float(times[length - 1]), horizon, frequency)
        if not series.dated:
            return "time", [float(f"{stamp:.10g}") for stamp in stamps]
        text = np.asarray(np.round(stamps), "int64").astype("datetime64[s]").astype(str)
        whole = all(stamp.endswith("T00:00:00") for stamp in text)
        return "time", [stamp[:10] if whole else stamp for stamp in text]


class ValidationForecasts(keras.callbacks.Callback):
    """Scores the forecasts of the validation split after an epoch, and calibrates the intervals on them.

    Args:
        task: Makes the forecasts.
        validation: Batches of the validation split.
    """

    def __init__(self, task: ForecastTask, validation: ForecastBatches):
        super().__init__()
        self.task, self.validation = task, validation

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        task, examples = self.task, self.validation.examples
        outputs = task.outputs(self.model, self.validation, task.spec.horizon)
        layer = self.model.get_layer(CALIBRATION)
        factors = keras.ops.convert_to_numpy(layer.factors)
        targets = to_logarithms(examples.targets, task.spec.log_floors)
        ratio = interval_ratio(outputs, targets, task.options.head)
        by_step = task.options.head == "point" or task.options.strategy != "direct"
        layer.factors.assign(calibrated(factors, ratio, by_step))
        if logs is not None:
            scores = forecast_scores(task.forecasts(outputs), examples.targets, examples.inputs["scale"])
            logs["val_mase"] = scores["mase"]
            logs["val_crps"] = scores["crps"]


def _channel(forecasts: Forecasts, row: int, channel: int) -> Forecasts:
    return Forecasts(forecasts.quantiles[row, :, channel], forecasts.levels)


def _save(figure: Any, name: str) -> None:
    from seqtasks.core.files import check_output, write_output

    path = check_output(name, "--plot")
    write_output(path, lambda target: figure.savefig(target, format=path.suffix[1:].lower(), dpi=150))
