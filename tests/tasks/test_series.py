"""Series of measurements: classes, numbers, columns that are guessed, missing values, irregular times, predictions."""

import dataclasses
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
from seqtasks.experiments import example_outputs, run_folder
from seqtasks.training import inference, train
from seqtasks.training.baselines import run_baselines
from seqtasks.training.saved_model import open_trained
from seqtasks.training.signals import StopRequest

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["encoder.units=8", "train.batch_size=16", "train.learning_rate=0.01"]


def table(seed, count, target=True):
    """Irregular times, missing values and an age; the number is 1000 plus the last value of x times 10 plus the age."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in range(count):
        length, age = int(rng.integers(5, 9)), int(rng.integers(20, 60))
        x, times = rng.normal(size=length), np.cumsum(rng.uniform(0.5, 3, length))
        number = 1000 + 10 * x[-1] + age
        for t in range(length):
            y = "" if rng.random() < 0.2 else f"{rng.normal():.2f}"
            rows.append([f"p{name}", times[t], x[t], y, age, number, f"ward {name // 4}"])
    frame = pd.DataFrame(rows, columns=["patient", "time", "x", "y", "age", "level", "ward"])
    return frame if target else frame.drop(columns="level")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A run on a table whose target is a number."""
    folder = tmp_path_factory.mktemp("numbers")
    table(0, 120).to_csv(folder / "levels.csv", index=False)
    cls = plugins.load_task("series")
    words = [f"data.source=files:{folder / 'levels.csv'}", "options.id=patient", "options.target=level"]
    words += ["options.statics=[age]", "options.group=ward", "train.epochs=20", "options.dropout=0", *SMALL]
    config = resolve("series", cls.Options, words)
    row, _ = train.run(config, cls, folder / "runs", QUIET)
    return folder, row, config


def test_a_number_is_predicted_in_its_units(numbers):
    folder, row, _ = numbers
    assert (row.metric, row.higher_is_better) == ("rmse", False) and set(row.scores) == {"rmse", "mae", "r2"}
    assert row.value < 12 < 15  # the mean has 15
    kept = example_outputs.read(folder / "runs" / row.run)
    assert (
        kept is not None and kept.score == pytest.approx(row.value, rel=1e-4) and len(kept.outputs) == row.test_examples
    )
    assert {path.name for path in (folder / "runs" / row.run / "plots").iterdir()} == {
        "learning_curves.png", "predicted.png", "examples.png", "worst_errors.csv",
    }  # fmt: skip
    assert row.validation["rmse"] < 15  # in units of the target, too
    history = pd.read_csv(folder / "runs" / row.run / "history.csv")
    assert history["val_rmse"].min() == pytest.approx(row.validation["rmse"], rel=1e-4)  # lower is better


def test_what_the_data_needs_is_an_input_and_is_stored(numbers):
    folder, row, _ = numbers
    task, _, model = open_trained(run_folder.open_run(folder / "runs" / row.run))
    assert [tensor.name for tensor in model.inputs] == ["steps", "mask", "measured", "time_gaps", "statics"]
    assert task.spec.channels == ("x", "y") and task.spec.measured == (1,) and task.spec.irregular
    assert 1000 < task.spec.mean < 1080 and 5 < task.spec.sd < 25


def test_predictions_of_a_new_file_need_no_target(numbers, tmp_path):
    folder, row, _ = numbers
    opened = run_folder.open_run(folder / "runs" / row.run)
    table(1, 20, target=False).to_csv(tmp_path / "new.csv", index=False)
    rows = predict(opened, [str(tmp_path / "new.csv")])
    assert [r["id"] for r in rows] == [f"p{i}" for i in range(20)] and set(rows[0]) == {"id", "answer"}
    true = table(1, 20).groupby("patient", sort=False)["level"].first().to_numpy()
    assert np.sqrt(np.mean((np.array([r["answer"] for r in rows]) - true) ** 2)) < 15
    table(1, 20).to_csv(tmp_path / "known.csv", index=False)
    rows = predict(opened, [str(tmp_path / name) for name in ("new.csv", "known.csv")])
    assert len(rows) == 40 and rows[20]["file"].endswith("known.csv") and float(rows[20]["true"]) == true[0]
    assert [r["answer"] for r in rows[:20]] == [r["answer"] for r in rows[20:]]


def test_what_cannot_be_predicted_is_one_line(numbers, tmp_path):
    folder, row, _ = numbers
    opened = run_folder.open_run(folder / "runs" / row.run)
    with pytest.raises(ConfigError, match=r"no file given; name one or more: seqtasks predict RUN new\.csv"):
        predict(opened, [])
    with pytest.raises(DataError, match=r"no\.csv is not there; give a file of series"):
        predict(opened, [str(tmp_path / "no.csv")])
    table(1, 4).drop(columns="y").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(DataError, match=r"less\.csv lacks column 'y', which the training data has; it has: patient"):
        predict(opened, [str(tmp_path / "less.csv")])
    np.savez(tmp_path / "a.npz", x=np.ones((2, 3, 1)))
    with pytest.raises(
        DataError, match=r"a\.npz has 1 channels and 0 static covariates; allowed: 2 and 1, as in train"
    ):
        predict(opened, [str(tmp_path / "a.npz")])


def test_baselines_of_numbers_are_rows(numbers):
    folder, row, config = numbers
    rows = run_baselines(config, plugins.load_task("series"), folder / "runs", QUIET)
    by_name = {one.cell: one for one in rows}
    assert {"the mean", "ridge regression", "gradient boosting"} <= set(by_name)
    assert by_name["ridge regression"].value < 1 < by_name["the mean"].value  # it is a sum of two of its features
    assert not by_name["the mean"].higher_is_better and set(by_name["the mean"].scores) == set(row.scores)


def test_an_ensemble_of_numbers_is_refused(numbers):
    folder, row, _ = numbers
    opened = run_folder.open_run(folder / "runs" / row.run)
    with pytest.raises(ConfigError, match=r"which predicts no class probabilities to average; allowed: one run"):
        inference.ensemble([opened, opened], QUIET)


def test_inferred_columns_and_unusual_data_are_printed_before_training(tmp_path, cli):
    rows = [f"{i},{t},{(i % 2) * t + i / 100},{'' if i < 3 and t == 1 else 1},{'ud'[i % 2]}"
            for i in range(40) for t in range(4)]  # fmt: skip
    (tmp_path / "walks.csv").write_text("\n".join(["id,t,x,y,label", *rows, "0x,0,1,2,u", "1x,0,1,2,u"]))
    code, out, err = cli("show", "series", f"data.source=files:{tmp_path / 'walks.csv'}")
    assert code == 0, err
    text = " ".join(out.split())
    assert "options.layout=long; options.id=id; options.time=t; options.target=label; channels: x, y" in text
    assert "missing values in training: y" in text and "1 to 4 steps" in text
    assert "2 labels, the most frequent is 'u' (5" in text


def load(path, **options):
    cls = plugins.load_task("series")
    task = cls(cls.Options(**options))
    splits = task.load(Source("files", str(path), path), 0)
    task.spec = splits.spec
    return task, splits


def test_a_second_model_is_trained_where_validation_chooses_nothing(tmp_path):
    rng = np.random.default_rng(0)
    path, parts = tmp_path / "a.npz", {"train": 20, "validation": 6, "test": 4}
    x = {f"x_{part}": rng.normal(size=(count, 4, 2)).astype(np.float32) for part, count in parts.items()}
    y = {f"y_{part}": np.arange(count) % 2 for part, count in parts.items()}
    np.savez(path, **x, **y)
    task, splits = load(path)
    both = task.refit_examples(splits)
    np.testing.assert_array_equal(
        both.inputs["steps"].padded(), np.concatenate([x["x_train"], x["x_validation"]]), strict=True
    )
    np.testing.assert_array_equal(both.targets, np.concatenate([y["y_train"], y["y_validation"]]))
    assert "a second model is trained on all 26 training and validation series (options.refit)" in task._notes[-1]
    for changed in (load(path, refit=False), load(path, kind="number")):
        assert changed[0].refit_examples(changed[1]) is None and "second model" not in "".join(changed[0]._notes)
    task.spec = dataclasses.replace(task.spec, counts={"train": 400, "validation": 100, "test": 100})
    assert task.refit_examples(splits) is None  # validation chooses the epoch
    np.savez(path, x=x["x_train"], y=y["y_train"], times=np.sort(rng.uniform(size=(20, 4))).cumsum(axis=1))
    task, splits = load(path)  # series that were held out share the arrays of the others
    both = task.refit_examples(splits)
    assert all(both.inputs[name].steps is splits.train.inputs[name].steps for name in ("steps", "times"))
    held = np.concatenate([part.inputs["steps"].padded() for part in (splits.train, splits.validation)])
    np.testing.assert_array_equal(both.inputs["steps"].padded(), held)


def test_classes_numbers_and_weights(tmp_path):
    path = tmp_path / "a.npz"
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.normal(size=(60, 4)), y=[0] * 45 + [1] * 15)
    task, splits = load(path, class_weights="balanced")
    assert task.primary_metric == "accuracy" and task.primary_higher_is_better
    assert task.monitor == "val_epoch" and [type(callback).__name__ for callback in task.callbacks(None)] == [
        "LastEpoch"
    ]
    task.spec = dataclasses.replace(task.spec, counts={"train": 400, "validation": 100, "test": 100})
    assert task.monitor == "val_accuracy" and not task.callbacks(None)
    task.spec = splits.spec
    counts = np.bincount(splits.train.targets)
    np.testing.assert_allclose(task.spec.weights * counts, len(splits.train) / 2)
    assert len(task.batches(splits.train, 8, shuffle=True)[0]) == 3 and len(task.batches(splits.test, 8)[0]) == 2
    task, splits = load(path, kind="number")
    assert task.primary_metric == "rmse" and not task.primary_higher_is_better and task.spec.classes is None
    assert task.monitor == "val_rmse" and not task.callbacks(None)  # numbers tell more than right and wrong do
    assert load(path)[1].fingerprint != splits.fingerprint
    np.savez(path, x=rng.normal(size=(60, 4)), y=["10", "9", "b"] * 20)
    assert load(path)[0].classes == ["9", "10", "b"]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (["u"] * 20, {}, r"has only the label u; allowed: two or more for classes, or numbers; name another column"),
        ([1.0] * 20, {"kind": "number"}, r"the target is 1 in all training series; allowed: numbers that vary"),
        (
            ["u", "1"] * 10,
            {"kind": "number"},
            r"a\.npz, row 0: the target 'u' is not a number; allowed: numbers, as other",
        ),
    ],
)
def test_targets_that_cannot_be_learnt(tmp_path, y, options, message):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(20, 4)), y=y)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a.npz", **options)


def test_missing_values_are_filled_only_without_a_mask(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4))
    x[::2, 1] = np.nan
    np.savez(tmp_path / "a.npz", x=x, y=[0, 1] * 30)
    assert load(tmp_path / "a.npz")[0].spec.measured == (0,)
    assert load(tmp_path / "a.npz", missing="forward")[0].spec.measured == ()


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, monkeypatch):
    x = np.random.default_rng(0).normal(size=(60, 6, 2))
    np.savez(tmp_path / "a.npz", x=x, y=(x[:, 2, 0] > 0).astype(int), lengths=np.arange(60) % 3 + 4)
    cls = plugins.load_task("series")
    words = [f"data.source=files:{tmp_path / 'a.npz'}", "train.epochs=3", "options.noise=0.2", *SMALL]
    config = resolve("series", cls.Options, [*words, "train.batch_size=8", "train.checkpoint_seconds=1e-9"])
    whole, _ = train.run(config, cls, tmp_path / "whole", QUIET)
    calls = iter(range(100))

    def received(self):
        if next(calls) == 8:
            signal.raise_signal(signal.SIGINT)  # Ctrl-C
        return vars(self).get("pressed", False)

    with monkeypatch.context() as patch:
        asked = property(received, lambda self, value: vars(self).update(pressed=value))
        patch.setattr(StopRequest, "received", asked, raising=False)
        with pytest.raises(Interrupted, match="stopped in epoch 2 after step 3 and saved"):
            train.run(config, cls, tmp_path / "broken", QUIET)
    again, _ = train.run(config, cls, tmp_path / "broken", QUIET)
    assert again.scores == whole.scores and again.epochs == whole.epochs == 3
    assert again.validation["epoch"] == 3  # few validation series: the last weights are kept


def test_a_set_of_the_archive_is_learnt(tmp_path):
    if package_data.data_folder("aeon") is None:
        pytest.skip("needs the data files of aeon: pip install 'seqtasks[series-aeon]'")
    cls = plugins.load_task("series")
    config = resolve(
        "series", cls.Options, ["data.source=aeon:JapaneseVowels", "train.epochs=6", *SMALL, "encoder.units=16"]
    )
    row, _ = train.run(config, cls, tmp_path, QUIET)
    assert row.value > 0.8 and row.source == "aeon:JapaneseVowels"  # always answering one speaker has 11 %
    again = {line["score"]: line["now"] for line in inference.evaluate(run_folder.open_run(tmp_path / row.run), QUIET)}
    assert again == pytest.approx(row.scores)
