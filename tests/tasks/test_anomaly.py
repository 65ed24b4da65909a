"""Anomaly detection: both methods, tables with and without marks, predictions, the threshold in the saved model."""

import signal

import numpy as np
import pandas as pd
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, DataError, Interrupted
from seqtasks.core.reporter import Reporter
from seqtasks.data import package_data
from seqtasks.data.source import Source
from seqtasks.experiments import run_folder
from seqtasks.task_types.anomaly_detection.task import Calibrate
from seqtasks.training import inference, train
from seqtasks.training.baselines import run_baselines
from seqtasks.training.saved_model import open_trained

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = [
    "encoder.units=16",
    "train.batch_size=16",
    "train.learning_rate=0.01",
    "options.window=20",
    "options.horizon=3",
]


def table(steps=600, stretches=((450, 470), (550, 560)), column=True):
    """A sine of ten steps; in the marked stretches it stands still at a normal value."""
    rng = np.random.default_rng(0)
    x = np.sin(2 * np.pi * np.arange(steps) / 10) + rng.normal(0, 0.05, steps)
    marks = np.zeros(steps, int)
    for begin, end in stretches:
        x[begin:end], marks[begin:end] = 0.5 + rng.normal(0, 0.05, end - begin), 1
    frame = pd.DataFrame({"time": 5 * np.arange(steps), "x": 1000 + 20 * x, "fault": marks})
    return frame if column else frame.drop(columns="fault")


def trained(folder, *words):
    cls = plugins.load_task("anomaly")
    config = resolve("anomaly", cls.Options, [f"data.source=files:{folder / 'pump.csv'}", *SMALL, *words])
    row, _ = train.run(config, cls, folder / "runs", QUIET)
    return row, config


@pytest.fixture(scope="module")
def pump(tmp_path_factory):
    """A run on a table of one series with marks."""
    folder = tmp_path_factory.mktemp("pump")
    table().to_csv(folder / "pump.csv", index=False)
    row, config = trained(folder, "options.label=fault", "train.epochs=15", "options.smooth=3")
    return folder, row, config


def test_a_flat_stretch_is_detected(pump):
    folder, row, config = pump
    assert (row.metric, row.higher_is_better) == ("roc_auc", True)
    assert row.value > 0.9 and row.scores["event_recall"] == 1 and row.scores["peak_distance"] <= 5
    rows = run_baselines(config, plugins.load_task("anomaly"), folder / "runs", QUIET)
    values = {one.cell: one.value for one in rows}
    assert set(values) == {"z-score", "moving average"} and values["z-score"] < 0.7 < row.value
    assert {path.name for path in (folder / "runs" / row.run / "plots").iterdir()} == {
        "learning_curves.png", "scores.png", "peak.png",
    }  # fmt: skip


def test_scale_and_threshold_are_stored_with_the_model(pump):
    folder, row, _ = pump
    task, _, model = open_trained(run_folder.open_run(folder / "runs" / row.run))
    layer = model.get_layer("calibration")
    scale = np.asarray(layer.scale)
    assert scale.shape == (3,) and (scale > 0).all() and (scale < 1).all() and np.isfinite(float(layer.threshold))
    assert task.spec.label == "fault" and task.spec.marked and task.spec.channels == ("x",)


def test_each_step_of_a_new_file_has_a_score_and_a_flag(pump, tmp_path):
    folder, row, _ = pump
    opened = run_folder.open_run(folder / "runs" / row.run)
    table(300, [(200, 220)], column=False).to_csv(tmp_path / "new.csv", index=False)
    rows = predict(opened, [str(tmp_path / "new.csv")])
    assert len(rows) == 300 and list(rows[0]) == ["step", "time", "score", "flag"]
    assert rows[19]["score"] is None and not rows[19]["flag"]  # the warm-up is not judged
    flags = np.array([one["flag"] for one in rows])
    assert flags[200:220].any() and flags[20:200].mean() < 0.05 and rows[200]["time"] == 1000
    table(300, [(200, 220)]).to_csv(tmp_path / "known.csv", index=False)
    rows = predict(opened, [str(tmp_path / name) for name in ("new.csv", "known.csv")])
    assert len(rows) == 600 and rows[300]["file"].endswith("known.csv") and sum(r.get("true", 0) for r in rows) == 20
    assert [r["score"] for r in rows[:300]] == [r["score"] for r in rows[300:]]


def test_what_cannot_be_scored_is_one_line(pump, tmp_path):
    folder, row, _ = pump
    opened = run_folder.open_run(folder / "runs" / row.run)
    with pytest.raises(ConfigError, match="no file given; name one or more"):
        predict(opened, [])
    with pytest.raises(DataError, match="is not there; give a file of series"):
        predict(opened, [str(tmp_path / "nothing.csv")])
    (tmp_path / "other.csv").write_text("time,z\n1,2\n2,3\n")
    with pytest.raises(DataError, match="lacks column 'x'"):
        predict(opened, [str(tmp_path / "other.csv")])


def test_windows_can_be_rebuilt_and_without_marks_false_alarms_count(tmp_path):
    frame = table(300, stretches=[], column=False)
    frame["y"] = frame["x"].where(frame.index % 7 > 0)  # with missing values
    frame.to_csv(tmp_path / "pump.csv", index=False)
    row, _ = trained(tmp_path, "options.method=rebuild", "train.epochs=2", "options.code=4", "options.quantile=0.9")
    assert (row.metric, row.higher_is_better) == ("false_alarms", False) and set(row.scores) == {
        "false_alarms", "alarms",
    }  # fmt: skip
    assert row.value == row.scores["false_alarms"] > 0
    opened = run_folder.open_run(tmp_path / "runs" / row.run)
    again = {line["score"]: line["now"] for line in inference.evaluate(opened, QUIET)}
    assert again == pytest.approx(row.scores)
    assert len(predict(opened, [str(tmp_path / "pump.csv")])) == 300


def test_an_interrupted_run_ends_with_the_same_scores(tmp_path, monkeypatch):
    table().to_csv(tmp_path / "pump.csv", index=False)
    words = ["options.label=fault", "encoder.units=4", "train.epochs=3", "options.smooth=2"]
    cls, source = plugins.load_task("anomaly"), f"data.source=files:{tmp_path / 'pump.csv'}"
    config = resolve("anomaly", cls.Options, [source, *SMALL, *words])
    whole, _ = train.run(config, cls, tmp_path / "whole", QUIET)
    calibrate = Calibrate.on_epoch_end

    def stop(self, epoch, logs=None):
        calibrate(self, epoch, logs)
        if epoch == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Calibrate, "on_epoch_end", stop)
        with pytest.raises(Interrupted):
            train.run(config, cls, tmp_path / "broken", QUIET)
    again, finished = train.run(config, cls, tmp_path / "broken", QUIET)
    assert not finished and again.epochs == 3
    assert again.scores == pytest.approx(whole.scores, rel=1e-6)


def test_a_training_part_without_a_whole_window_is_one_line(tmp_path):
    frame = table(60, stretches=[(5, 6), (15, 16)])
    frame.to_csv(tmp_path / "pump.csv", index=False)
    with pytest.raises(
        DataError, match="has no window of 23 training steps without a marked one; allowed: one or more"
    ):
        trained(tmp_path, "options.label=fault", "train.epochs=1")


def test_an_encoder_in_both_directions_is_refused(tmp_path):
    table(100, stretches=[]).to_csv(tmp_path / "pump.csv", index=False)
    with pytest.raises(ConfigError, match="predicts each step from the steps before it"):
        trained(tmp_path, "encoder.bidirectional=true")


@pytest.mark.parametrize("name", ["KDD-TSAD_135", "ecg-diff-count-3", "Daphnet_S06R02E0"])
def test_sets_of_aeon_are_read_without_importing_it(name):
    if package_data.data_folder("aeon") is None:
        pytest.skip("aeon is not installed")

    cls = plugins.load_task("anomaly")
    folder = package_data.folder_of("aeon", name, cls.packages["aeon"])
    splits = cls().load(Source("aeon", name, folder), 0)
    steps, marks = splits.test.inputs["steps"].lengths, splits.test.targets.steps
    assert {
        "KDD-TSAD_135": (1, 6501, 12), "ecg-diff-count-3": (1, 10_000, 300), "Daphnet_S06R02E0": (9, 3720, 0),
    }[name] == (splits.test.inputs["steps"].shape[2], steps[0], (marks == 1).sum())  # fmt: skip
