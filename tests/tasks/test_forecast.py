"""Forecasts: splits in time, strategies, heads, covariates, missing values, baselines, predictions beyond a file."""

import keras
import numpy as np
import pandas as pd
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.reporter import Reporter
from seqtasks.data import package_data
from seqtasks.data.source import Source
from seqtasks.experiments import example_outputs, run_folder
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types import ForecastTask
from seqtasks.task_types.forecasting import baselines
from seqtasks.training import baselines as training_baselines
from seqtasks.training import resolution, train
from seqtasks.training.baselines import run_baselines

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["encoder.units=8", "train.batch_size=16", "train.learning_rate=0.01"]


def wave(steps=96, season=8, seed=0, noise=0.1):
    """Days with a season of 8 steps on a level of 50."""
    rng = np.random.default_rng(seed)
    x = 50 + 5 * np.sin(2 * np.pi * np.arange(steps) / season) + rng.normal(0, noise, steps)
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=steps, freq="D").strftime("%Y-%m-%d"), "x": x})


def trained(path, runs, *words):
    cls = plugins.load_task("forecast")
    config = resolve("forecast", cls.Options, [f"data.source=files:{path}", *SMALL, *words])
    row, _ = train.run(config, cls, runs, QUIET)
    return row, run_folder.open_run(runs / row.run), config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecast")
    wave().to_csv(folder / "wave.csv", index=False)
    words = ["options.season=8", "options.horizon=4", "train.epochs=12"]
    return folder, *trained(folder / "wave.csv", folder / "runs", *words)


def load(frame, tmp_path, **options):
    frame.to_csv(tmp_path / "a.csv", index=False)
    cls = plugins.load_task("forecast")
    task = cls(cls.Options(**options))
    splits = task.load(Source("files", str(tmp_path / "a.csv"), tmp_path / "a.csv"), 0)
    task.spec = splits.spec
    return task, splits


def test_a_season_is_learnt_with_intervals(run):
    folder, row, _, _ = run
    assert (row.metric, row.higher_is_better) == ("mase", False)
    assert set(row.scores) == {"mase", "rmse", "mae", "smape", "crps", "coverage_80"}
    kept = example_outputs.read(folder / "runs" / row.run)
    assert kept is not None and kept.score == pytest.approx(row.value, rel=1e-4)
    assert row.scores["mae"] < 0.2 and 0.5 < row.scores["coverage_80"] <= 1  # the noise has 0.1
    assert {path.name for path in (folder / "runs" / row.run / "plots").iterdir()} == {
        "learning_curves.png", "forecasts.png", "error_by_step.png", "worst_errors.csv",
    }  # fmt: skip


def test_forecasts_go_on_after_the_file(run, tmp_path):
    folder, _, opened, _ = run
    rows = predict(opened, [str(folder / "wave.csv"), "--horizon", "10", "--plot", str(tmp_path / "fan.png")])
    assert [row["time"] for row in rows] == [*pd.date_range("2024-04-06", periods=10).strftime("%Y-%m-%d")]
    true = wave(106, noise=0)["x"][96:].to_numpy()
    np.testing.assert_allclose([row["point"] for row in rows], true, atol=0.6)
    assert all(row["low"] < row["point"] < row["high"] for row in rows)
    widths = [row["high"] - row["low"] for row in rows]
    assert min(widths[4:8]) > max(widths[:4]) * 0.9 and widths[8] > widths[0]  # errors add up beyond the horizon
    assert (tmp_path / "fan.png").stat().st_size > 5000
    first = predict(opened, [str(folder / "wave.csv")])
    assert first == rows[:4]


def test_what_cannot_be_predicted_is_one_line(run, tmp_path):
    _, _, opened, _ = run
    with pytest.raises(ConfigError, match=r"no file given; name one or more: seqtasks predict RUN new\.csv"):
        predict(opened, [])
    with pytest.raises(DataError, match=r"no\.csv is not there; give a file of series"):
        predict(opened, [str(tmp_path / "no.csv")])
    wave().rename(columns={"x": "y"}).to_csv(tmp_path / "y.csv", index=False)
    with pytest.raises(DataError, match=r"y\.csv lacks column 'x'"):
        predict(opened, [str(tmp_path / "y.csv")])
    with pytest.raises(ConfigError, match=r"--plot fan\.txt ends in .\.txt.; allowed: \.png, \.pdf, \.svg"):
        predict(opened, [str(tmp_path / "y.csv"), "--plot", "fan.txt"])


def test_baselines_are_rows(run):
    folder, row, _, config = run
    rows = {one.cell: one for one in run_baselines(config, plugins.load_task("forecast"), folder / "runs", QUIET)}
    names = {"last value", "seasonal naive"} | (set() if baselines.statsmodels_reason() else {"ETS", "AR"})
    assert set(rows) == names and all(set(one.scores) == set(row.scores) for one in rows.values())
    assert rows["seasonal naive"].value < 1.5 < rows["last value"].value and row.value < rows["last value"].value


def test_a_slow_baseline_is_left_out_of_a_run_and_named(run, tmp_path, monkeypatch, capsys):
    _, _, _, config = run
    monkeypatch.setattr(training_baselines, "SECONDS", 0.0)
    monkeypatch.setattr(ForecastTask, "baseline_seconds", lambda *_: dict.fromkeys(["ETS", "AR", "last value"], 7.0))
    resolved = resolution.resolve(config, plugins.load_task("forecast"), QUIET)
    rows = training_baselines.quick_baselines(resolved, tmp_path, Reporter())
    assert {row.cell for row in rows} >= {"seasonal naive"} and "last value" not in {row.cell for row in rows}
    err = capsys.readouterr().err
    assert "the baseline last value takes about 7 s and is left out; `seqtasks baseline forecast`" in err


def test_no_target_of_training_lies_in_validation_or_test(tmp_path):
    frame = wave(100)
    frame["x"] = np.arange(100.0)  # a value says when it was
    task, splits = load(frame, tmp_path, horizon=6, season=1)
    batches = task.batches(splits.train, 16)
    for index in range(len(batches)):
        _, targets, weights = batches[index]
        assert targets[..., 0][weights > 0].max() < 60
    for part, low, high in (("validation", 60, 80), ("test", 80, 100)):
        rows = splits.parts[part]
        assert rows.targets.min() == low and rows.targets.max() == high - 1
        assert all(window.max() < target.min() for window, target in
                   zip(map(rows.inputs["steps"].row, range(len(rows))), rows.targets, strict=True))  # fmt: skip


def test_scaling_is_that_of_training(tmp_path):
    frame = wave(100)
    frame.loc[60:, "x"] = 1e6
    assert load(frame, tmp_path, horizon=6)[0].spec.mean[0] < 100


@pytest.mark.a_third
@pytest.mark.parametrize(
    ("strategy", "head"),
    [
        ("step", "quantile"),
        ("direct", "gaussian"),
        ("direct", "point"),
        pytest.param("rollout", "point", marks=pytest.mark.slow),
        ("rollout", "gaussian"),
    ],
)
def test_strategies_and_heads(tmp_path, strategy, head):
    frame = wave(72)
    frame.loc[[5, 6, 40], "x"] = np.nan
    frame.to_csv(tmp_path / "a.csv", index=False)
    words = [f"options.strategy={strategy}", f"options.head={head}", "options.horizon=3", "options.season=8"]
    row, opened, _ = trained(tmp_path / "a.csv", tmp_path / "runs", *words, "train.epochs=3")
    assert row.scores["mae"] < 2 and 0.3 < row.scores["coverage_80"] <= 1
    rows = predict(opened, [str(tmp_path / "a.csv"), "--horizon", "7"])
    assert len(rows) == 7 and all(r["low"] <= r["point"] <= r["high"] for r in rows)


@pytest.mark.slow
def test_a_known_covariate_of_tomorrow_is_used(tmp_path):
    rng = np.random.default_rng(0)
    sale = rng.integers(0, 2, 208)
    frame = pd.DataFrame({"t": range(208), "x": 10.0 * sale + rng.normal(0, 0.1, 208), "sale": sale})
    frame.iloc[:200].to_csv(tmp_path / "a.csv", index=False)
    words = ["options.known=[sale]", "options.horizon=4", "options.base=level", "train.epochs=25"]
    row, opened, _ = trained(tmp_path / "a.csv", tmp_path / "runs", *words)
    assert row.scores["mae"] < 2  # without the covariate it is 5
    frame.loc[200:, "x"] = np.nan
    frame.to_csv(tmp_path / "b.csv", index=False)
    rows = predict(opened, [str(tmp_path / "b.csv"), "--horizon", "8"])
    points = np.array([r["point"] for r in rows])
    assert [r["time"] for r in rows] == list(range(200, 208))
    assert ((points > 5) == (sale[200:] == 1)).mean() >= 0.75
    with pytest.raises(DataError, match=r"a\.csv has no rows after the last value, with sale only; needed: 4"):
        predict(opened, [str(tmp_path / "a.csv")])
    with pytest.raises(ConfigError, match=r"options\.known names 'no'; allowed: x, sale; set options\.known"):
        load(frame, tmp_path, known=("no",))


def test_several_series_and_channels_of_unequal_length(tmp_path):
    parts = []
    for i in range(12):
        part = wave(40 + i, seed=i).assign(id=f"s{i}", y=lambda f: 2 * f["x"], size=float(i))
        parts.append(part)
    short = wave(10).assign(id="short", y=1.0, size=0.0)
    pd.concat([*parts, short]).to_csv(tmp_path / "a.csv", index=False)
    words = ["options.id=id", "options.statics=[size]", "options.horizon=5", "options.season=8", "train.epochs=2"]
    row, opened, _ = trained(tmp_path / "a.csv", tmp_path / "runs", *words)
    assert row.config["options"]["horizon"] == 5 and np.isfinite(row.value)
    rows = predict(opened, [str(tmp_path / "a.csv")])
    assert len(rows) == 13 * 5 * 2 and {r["channel"] for r in rows} == {"x", "y"} and rows[0]["id"] == "s0"


def test_facts_about_the_data_are_printed_before_training(tmp_path, cli):
    frame = wave(100)
    frame["x"] = np.exp(frame["x"] / 10 + np.arange(100) / 25)
    frame.loc[3, "x"] = np.nan
    frame.to_csv(tmp_path / "a.csv", index=False)
    code, out, err = cli("show", "forecast", f"data.source=files:{tmp_path / 'a.csv'}")
    assert code == 0, err
    text = " ".join(out.split())
    for part in ("season 7 (daily)", "100 steps", "logarithms, as the spread grows", "missing values in x"):
        assert part in text


def test_what_cannot_be_learnt_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"options\.horizon is 50, but the longest series has 96 steps; allowed: up"):
        load(wave(), tmp_path, horizon=50)
    with pytest.raises(DataError, match=r"column x: it is always 1 in the training part; allowed: values that vary"):
        load(wave().assign(x=1.0), tmp_path)
    with pytest.raises(ConfigError, match=r"options\.transform=log, but .* has values of 0 or below"):
        load(wave().assign(x=range(-4, 92)), tmp_path, transform="log")


def test_seasons_come_from_dates_and_logarithms_from_growth(tmp_path):
    assert load(wave(), tmp_path)[0].spec.season == 7 and not any(load(wave(), tmp_path)[0].spec.log_floors)
    months = wave().assign(date=pd.date_range("2010-01-01", periods=96, freq="MS").strftime("%Y-%m-%d"))
    task, _ = load(months, tmp_path)
    assert task.spec.season == 12 and task.spec.features == 2 and task.spec.window == 36
    grown = months.assign(x=lambda f: (f["x"] - 40) * np.exp(np.arange(96) / 30))
    assert load(grown, tmp_path)[0].spec.log_floors[0] > 0


def test_logarithms_of_one_channel_beside_values_below_zero(tmp_path):
    """A temperature beside sales that grow, and sales that fall to 0 after the training part."""
    months = pd.date_range("2010-01-01", periods=96, freq="MS").strftime("%Y-%m-%d")
    grown = wave().assign(date=months, x=lambda f: (f["x"] - 40) * np.exp(np.arange(96) / 30), y=np.sin(np.arange(96)))
    grown.loc[[70, 90], "x"] = 0.0
    task, splits = load(grown, tmp_path)
    floors = task.spec.log_floors
    assert floors[0] > 0 == floors[1]
    assert any("logarithms of x, as the spread grows" in note for note in task._notes)
    model = task.build_model(Encoder(cell="gru", units=4))
    inputs, targets, _ = task.batches(splits.train, 4)[0]
    assert np.isfinite(targets).all() and np.isfinite(keras.ops.convert_to_numpy(model(inputs))).all()
    validation = task.batches(splits.validation, 4)
    scores = task.score(model, validation)
    assert all(np.isfinite(value) for value in scores.values())
    # The untrained model about repeats the last season, of either channel, in original units.
    point = task.forecasts(task.outputs(model, validation, 12)).point
    ends, series = splits.validation.inputs["ends"], task._series[0]
    expected = np.stack([series[end - 12 : end] for end in ends])
    expected[..., 0] = np.maximum(expected[..., 0], floors[0])
    np.testing.assert_allclose(point, expected, rtol=0.05, atol=0.1)


def test_files_of_packages(tmp_path):
    if package_data.data_folder("aeon") is None:
        pytest.skip("needs the data files of aeon: pip install 'seqtasks[series-aeon]'")
    cls = plugins.load_task("forecast")
    words = ["data.source=aeon:m1_yearly_dataset", "options.horizon=6", "train.epochs=2", *SMALL]
    row, _ = train.run(resolve("forecast", cls.Options, words), cls, tmp_path, QUIET)
    assert row.source == "aeon:m1_yearly_dataset" and row.value < 5.5
