"""Series with targets at each step, from tables: classes, labels and numbers, trained, scored and predicted."""

import numpy as np
import pandas as pd
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.reporter import Reporter
from seqtasks.data.source import Source
from seqtasks.experiments import run_folder
from seqtasks.training import train
from seqtasks.training.baselines import run_baselines
from seqtasks.training.saved_model import open_trained

from ..helpers import predict

pytestmark = pytest.mark.pictures

QUIET = Reporter(quiet=True)
SMALL = ["encoder.units=8", "train.batch_size=8", "train.learning_rate=0.02", "options.noise=0", "options.dropout=0"]
TRAINED = {
    "classes": ["options.target=[state]", "train.epochs=12"],
    "labels": ["options.target=[pump,valve]", "train.epochs=12"],
    "numbers": ["options.target=[sum,level]", "options.ignore=[state,pump,valve]", "train.epochs=25"],
}
METRIC = {"classes": ("accuracy", True), "labels": ("macro_f1", True), "numbers": ("r2", True)}
PLOTS = {
    "classes": {"confusion.png", "classes.csv"},
    "labels": {"labels.png", "labels.csv"},
    "numbers": {"numbers.csv", "predicted_1.png", "predicted_2.png"},
}


def table(seed, count):
    """The state is that of the last command; `sum` is of the last two values of x, in thousands; some are unknown."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in range(count):
        length = int(rng.integers(10, 25))
        command = rng.choice([0, 1, -1], (length, 2), p=[0.7, 0.15, 0.15])
        state = np.zeros((length, 2), int)
        for t in range(length):
            state[t] = np.where(command[t] == 0, state[t - 1] if t else 0, command[t] > 0)
        x = rng.normal(size=length)
        total = x + np.concatenate([[0], x[:-1]])
        for t in range(length):
            unknown = rng.random() < 0.1
            values = [f"s{name}", t, *command[t], "" if rng.random() < 0.1 else round(x[t], 3)]
            known = ["", ""] if unknown else [["off", "on"][state[t, 0]], state[t, 0]]
            rows.append([*values, *known, state[t, 1], 1000 * total[t] + 5000, -total[t]])
    return pd.DataFrame(rows, columns=["id", "t", "a", "b", "x", "state", "pump", "valve", "sum", "level"])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind on one table."""
    folder = tmp_path_factory.mktemp("labels")
    table(0, 60).to_csv(folder / "t.csv", index=False)
    cls = plugins.load_task("step_labels")
    made = {}
    for kind, words in TRAINED.items():
        words = [f"data.source=files:{folder / 't.csv'}", "options.channels=[a,b,x]", *words, *SMALL]
        config = resolve("step_labels", cls.Options, words)
        made[kind] = train.run(config, cls, folder / "runs", QUIET)[0], config
    return folder, made


@pytest.mark.parametrize("kind", TRAINED)
def test_each_kind_of_target_is_learnt_and_beats_its_baselines(runs, kind):
    folder, made = runs
    row, config = made[kind]
    assert (row.metric, row.higher_is_better) == METRIC[kind] and row.value > 0.7
    assert PLOTS[kind] | {"examples.png", "learning_curves.png"} == {
        path.name for path in (folder / "runs" / row.run / "plots").iterdir()
    }
    rows = run_baselines(config, plugins.load_task("step_labels"), folder / "runs", QUIET)
    best = max(one.value for one in rows)
    assert len(rows) == 2 and (row.value > best or kind == "numbers")  # a sum of two steps is linear
    assert all(set(one.scores) == set(row.scores) for one in rows)


@pytest.mark.parametrize("kind", TRAINED)
def test_padding_and_the_batch_change_nothing(runs, kind):
    folder, made = runs
    task, _, model = open_trained(run_folder.open_run(folder / "runs" / made[kind][0].run))
    splits = task.load(Source("files", "t", folder / "t.csv"), 0)
    batches = task.batches(splits.test, 4)
    inputs, targets, weights = batches[0]
    longer = {name: np.pad(array, [(0, 0), (0, 6)] + [(0, 0)] * (array.ndim - 2), constant_values=array.dtype.type(1))
              for name, array in inputs.items()}  # fmt: skip
    longer["mask"] = np.pad(inputs["mask"], [(0, 0), (0, 6)])
    time = inputs["mask"].shape[1]
    outputs, padded = model.predict_on_batch(inputs), model.predict_on_batch(longer)[:, :time]
    valid = inputs["mask"]
    np.testing.assert_allclose(padded[valid], outputs[valid], rtol=1e-4, atol=1e-4)
    assert (weights == 0)[~valid].all() and set(np.unique(weights)) <= {0.0, 1.0}
    loss = task.loss()
    wide = [np.concatenate([a, np.repeat(a[:, -1:], 3, axis=1)], axis=1) for a in (targets, np.asarray(outputs))]
    wide_weights = np.pad(weights, [(0, 0), (0, 3)])
    assert float(loss(*wide, wide_weights)) == pytest.approx(float(loss(targets, outputs, weights)), rel=1e-5)
    scores = task.score(model, batches)
    assert task.score(model, task.batches(splits.test, 3)) == pytest.approx(scores, rel=1e-4)


@pytest.mark.parametrize("kind", TRAINED)
def test_steps_of_a_new_file_are_predicted(runs, tmp_path, kind):
    folder, made = runs
    opened = run_folder.open_run(folder / "runs" / made[kind][0].run)
    frame = table(1, 4)
    frame.to_csv(tmp_path / "known.csv", index=False)
    frame[["id", "t", "a", "b", "x"]].to_csv(tmp_path / "new.csv", index=False)
    rows, known = (predict(opened, [str(tmp_path / name)]) for name in ("new.csv", "known.csv"))
    assert len(rows) == len(frame) and [row["id"] for row in rows] == frame["id"].tolist()
    assert [row["time"] for row in rows] == frame["t"].tolist() and not any("true" in name for name in rows[0])
    if kind == "classes":
        assert [row["answer"] for row in known] == [row["answer"] for row in rows]
        assert [row["true"] for row in known] == frame["state"].tolist()
        pairs = [(row["answer"], row["true"]) for row in known if row["true"]]
        assert np.mean([a == b for a, b in pairs]) > 0.8
    elif kind == "labels":
        assert [row["true valve"] for row in known] == frame["valve"].tolist()
        right = [(row["P(valve)"] > 0.5) == row["true valve"] == ("valve" in row["answer"]) for row in known]
        assert np.mean(right) > 0.5
    else:
        predicted = np.array([row["sum"] for row in known])
        assert np.corrcoef(predicted, frame["sum"])[0, 1] > 0.85 and 3000 < predicted.mean() < 7000


def test_labels_that_are_written_are_those_of_the_command_line(runs, cli, tmp_path):
    folder, made = runs
    table(2, 3).to_csv(tmp_path / "new.csv", index=False)
    run = str(folder / "runs" / made["labels"][0].run)
    code, out, err = cli("predict", run, str(tmp_path / "new.csv"), "--format", "csv")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "id,step,time,answer,P(pump),P(valve),true pump,true valve"
    assert len(lines) == 1 + len(table(2, 3))


def test_long_series_are_cut_and_facts_are_printed(cli, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"t": range(900), "a": rng.normal(size=900), "label_pump": 0, "label_fan": rng.integers(0, 2, 900)}
    )
    frame.loc[100:500, "label_pump"] = 1
    frame.loc[850:, "label_pump"] = 1
    frame.to_csv(tmp_path / "one.csv", index=False)
    code, out, err = cli("show", "step_labels", f"data.source=files:{tmp_path / 'one.csv'}", "options.window=50")
    text = " ".join(out.split())
    assert code == 0, err
    assert "labels: label_pump, label_fan" in text and "the last 20 % of the steps of each series are held out" in text
    assert "series of more than 50 steps are cut (options.window)" in text
    cls = plugins.load_task("step_labels")
    task = cls(cls.Options(window=50))
    splits = task.load(Source("files", "one", tmp_path / "one.csv"), 0)
    assert splits.train.inputs["steps"].lengths.tolist() == [50] * 28  # windows overlap by a half
    assert splits.test.inputs["steps"].lengths.sum() == 90


def test_what_cannot_be_predicted_or_learnt_is_one_line(runs, tmp_path):
    folder, made = runs
    opened = run_folder.open_run(folder / "runs" / made["labels"][0].run)
    with pytest.raises(ConfigError, match=r"no file given; name one or more: seqtasks predict RUN new\.csv"):
        predict(opened, [])
    with pytest.raises(DataError, match=r"no\.csv is not there; give a file of series"):
        predict(opened, [str(tmp_path / "no.csv")])
    table(1, 4).drop(columns="b").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(DataError, match=r"less\.csv lacks column 'b', which the training data has; it has: id, t, a"):
        predict(opened, [str(tmp_path / "less.csv")])
    table(1, 20).assign(sum=3.0).to_csv(tmp_path / "flat.csv", index=False)
    cls = plugins.load_task("step_labels")
    task = cls(cls.Options(target=("sum",), kind="numbers", channels=("a", "x")))
    with pytest.raises(
        DataError, match=r"column sum: the target is 3 in all training steps; allowed: targets that vary"
    ):
        task.load(Source("files", "flat", tmp_path / "flat.csv"), 0)
