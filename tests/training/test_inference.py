"""Words of `seqtasks predict`, and runs that cannot be used."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

from seqtasks.cli import predict_command
from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, RunError
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.core.settings import setting
from seqtasks.experiments import results, run_folder
from seqtasks.experiments.results import from_json
from seqtasks.training import inference, resolution, saved_model, train

from ..helpers import predict

QUIET = Reporter(quiet=True)
SHORT = ["data.source=builtin", "data.limit=40", "train.epochs=1", "encoder.units=4", "options.augment=false"]


@pytest.mark.parametrize(
    ("words", "inputs", "options"),
    [
        (["a", "b"], ["a", "b"], {}),
        (["a", "--invert", "yes", "b"], ["a", "b"], {"invert": "yes"}),
        (["--top-k=5", "a=b"], ["a=b"], {"top_k": "5"}),
        (["--n", "-1"], [], {"n": "-1"}),
    ],
)
def test_words_are_inputs_or_options(words: list[str], inputs: list[str], options: dict[str, str]) -> None:
    assert predict_command.split_options(words) == (inputs, options)


def test_an_option_needs_a_value() -> None:
    with pytest.raises(ConfigError, match="--invert has no value; write --invert VALUE, or -- --invert if it is"):
        predict_command.split_options(["a", "--invert"])
    with pytest.raises(
        ConfigError,
        match="'--great film' is not an option; allowed: --name VALUE; write a text",
    ):
        predict_command.split_options(["--great film"])


def test_missing_and_unfinished_runs(tmp_path: Path) -> None:
    task = load_task("mnist_rows")
    config = resolve("mnist_rows", task.Options, SHORT)
    row, _ = train.run(config, task, tmp_path, QUIET)
    folder = run_folder.open_run(tmp_path / row.run)
    assert inference.resume(folder, QUIET) == (row, True)

    moved = folder.path.rename(tmp_path / "renamed")
    with pytest.raises(RunError, match="data or settings differ from those of"):
        inference.resume(run_folder.open_run(moved), QUIET)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["renamed"]

    renamed = run_folder.open_run(moved)
    (moved / "model.keras").write_bytes(b"PK damaged")
    with pytest.raises(RunError, match=r"cannot load .*model.keras"):
        inference.evaluate(renamed, QUIET)
    (moved / "model.keras").unlink()
    with pytest.raises(RunError, match=r"has no model.keras"):
        predict(renamed, ["x.png"])
    (moved / "result.json").unlink()
    with pytest.raises(RunError, match="is not finished"):
        inference.evaluate(renamed, QUIET)


@dataclasses.dataclass(frozen=True)
class ChangedOptions:
    """Options of a task that was edited after the run: `pixels` is gone, and `patch` has a limit."""

    patch: int = setting(1, "size", ge=2)


def test_settings_of_a_task_that_changed_since_the_run(tmp_path: Path, monkeypatch) -> None:
    task = load_task("mnist_rows")
    config = resolve("mnist_rows", task.Options, SHORT)
    folder = run_folder.create(tmp_path / "runs" / "mnist_rows-lstm-01234567", config, {"task": "mnist_rows"}, None)
    assert saved_model.task_of(folder)[1] == config
    options = sorted(folder.config_values()["options"])
    monkeypatch.setattr(task, "Options", ChangedOptions)
    with pytest.raises(RunError) as caught:
        saved_model.task_of(folder)
    message = str(caught.value)
    assert message.startswith(f"the settings of task mnist_rows have changed since {folder.path} was trained: options.")
    assert any(f"options.{name} no longer exists; restore" in message for name in options)
    assert message.endswith("train again: seqtasks run mnist_rows") and "the same settings" not in message

    file = folder.path / "config.yaml"
    file.write_text(file.read_text().replace("epochs:", "epoks:"))
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"config.yaml cannot be used: unknown setting train.epoks; repeat seqtasks run"):
        saved_model.task_of(run_folder.open_run(folder.path))


def test_evaluate_refuses_other_data(tmp_path: Path) -> None:
    task = load_task("mnist_rows")
    config = resolve("mnist_rows", task.Options, SHORT)
    row, _ = train.run(config, task, tmp_path, QUIET)
    path = tmp_path / row.run / "result.json"
    path.write_text(path.read_text(encoding="utf-8").replace(row.fingerprint, "0" * 16), encoding="utf-8")
    with pytest.raises(RunError, match="restore that data"):
        inference.evaluate(run_folder.open_run(tmp_path / row.run), QUIET)


def test_an_ensemble_is_the_mean_of_probabilities(tmp_path: Path) -> None:
    task = load_task("mnist_rows")
    small = [*SHORT, "data.limit=300", "train.epochs=2", "encoder.units=8"]
    configs = [resolve("mnist_rows", task.Options, [*small, f"seed={seed}"]) for seed in range(3)]
    rows = [train.run(config, task, tmp_path, QUIET)[0] for config in configs]
    opened = [run_folder.open_run(tmp_path / row.run) for row in rows]
    *alone, whole = inference.ensemble(opened, QUIET)
    for line, row in zip(alone, rows, strict=True):
        assert line["run"] == row.run and line["accuracy"] == pytest.approx(row.value)
    # By hand, from the saved models.
    splits, p = resolution.load(task(), configs[0], QUIET), 0.0
    for folder in opened:
        p = p + keras.ops.convert_to_numpy(
            keras.ops.softmax(saved_model.open_trained(folder)[2](splits.test.inputs["image"]))
        )
    right = p.argmax(-1) == splits.test.targets
    nll = -np.log(p[np.arange(len(p)), splits.test.targets] / 3)
    assert whole["run"] == "ensemble of 3"
    assert (whole["accuracy"], whole["nll"]) == pytest.approx((right.mean(), nll.mean()), rel=1e-5)

    less = resolve("mnist_rows", task.Options, [*small, "data.limit=200"])
    row, _ = train.run(less, task, tmp_path, QUIET)
    with pytest.raises(RunError, match="of different tasks or data"):
        inference.ensemble([opened[0], run_folder.open_run(tmp_path / row.run)], QUIET)


def test_no_ensemble_of_what_has_no_classes(tmp_path: Path) -> None:
    task = load_task("adding")
    row, _ = train.run(
        resolve("adding", task.Options, ["data.limit=40", "train.epochs=1", "encoder.units=4"]), task, tmp_path, QUIET
    )
    opened = run_folder.open_run(tmp_path / row.run)
    with pytest.raises(ConfigError, match="predicts no class probabilities"):
        inference.ensemble([opened, opened], QUIET)


TASK = """
from seqtasks import register_task
from seqtasks.tasks.mnist_rows import MnistRows


@register_task("of_the_folder")
class Mine(MnistRows):
    "Rows of digits."
"""
TINY = ("data.source=builtin", "data.limit=40", "train.epochs=1", "encoder.units=4")


def test_code_of_a_run_folder_runs_only_on_trust(tmp_path: Path, cli, monkeypatch) -> None:
    file = tmp_path / "of_the_folder.py"
    file.write_text(TASK, encoding="utf-8")
    task = load_task(str(file))
    row, _ = train.run(resolve("of_the_folder", task.Options, TINY), task, tmp_path / "runs", QUIET)
    folder = run_folder.open_run(tmp_path / "runs" / row.run)
    (folder.path / "of_the_folder.py").write_text(TASK + "print('ran')\n", encoding="utf-8")
    for command in ("evaluate", "resume", "predict", "score", "look"):
        words = [command, str(folder.path)] + ["x"] * (command in ("predict", "score"))
        code, out, err = cli(*words)
        assert code == 2 and not out and f"would run the Python code of {folder.path / 'of_the_folder.py'};" in err
        assert "add --trust" in err
    code, out, _ = cli("evaluate", str(folder.path), "--trust", "--quiet")
    assert code == 0 and out.startswith("ran\n") and "accuracy" in out
    facts = folder.path / "run.json"
    facts.write_text(facts.read_text(encoding="utf-8").replace('"of_the_folder.py"', f'"{file}"'), encoding="utf-8")
    with pytest.raises(RunError, match="allowed: a file in this folder"):
        inference.evaluate(run_folder.open_run(folder.path), QUIET, trust=True)


@pytest.mark.slow
def test_every_advice_works_when_it_is_followed(tmp_path: Path, cli, monkeypatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text.txt").write_text("the cat sat on the mat.\n" * 100, encoding="utf-8")
    words = ["run", "char_lm", "data.source=files:data", "options.bptt=10", "train.epochs=1", "encoder.units=4"]
    monkeypatch.chdir(tmp_path)
    assert cli(*words)[0] == 0
    (path,) = (p.parent for p in (tmp_path / "runs").glob("*/model.keras"))  # beside baselines
    folders = sorted((tmp_path / "runs").iterdir())

    def advice() -> list[str]:
        code, _, err = cli("predict", str(path), "--length", "3")
        assert code == 2 and err.count("seqtasks: ") == 1
        return shlex.split(err.rpartition(": seqtasks ")[2])

    before = results.read(path)
    for name in ("model.keras", "run.json", "result.json"):
        for cut in (False, True):
            file = path / name
            file.write_bytes(file.read_bytes()[:20]) if cut else file.unlink()
            if (name, cut) == ("result.json", True):
                code, _, err = cli("evaluate", str(path))  # its model can be used as it is
                assert code == 2 and "run it again" in err
                assert cli(*words)[0] == 0
            else:
                assert cli(*advice())[0] == 0
            assert cli("predict", str(path), "--length", "3")[0] == 0
            assert results.read(path).scores == before.scores
    for cut in (False, True):
        file = path / "config.yaml"
        file.write_bytes(file.read_bytes()[:200]) if cut else file.unlink()
        code, _, err = cli("predict", str(path), "--length", "3")
        assert code == 2 and "repeat seqtasks run with the same settings" in err
        assert cli(*words)[0] == 0 and cli("predict", str(path), "--length", "3")[0] == 0
    assert sorted((tmp_path / "runs").iterdir()) == folders

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for command in ("evaluate", "resume"):
        assert cli(command, str(path))[0] == 0


CELL = """
from keras import ops

from seqtasks.cells import Cell, register_cell


@register_cell("leaky_of_a_file", paper="none")
class Leaky(Cell):
    def build(self, input_shape):
        self.W = self.add_kernel(input_shape[-1], self.units)
        self.U = self.add_recurrent(self.units, self.units)

    def project(self, x):
        return x @ self.W

    def step(self, p, states):
        h = SHARE * states[0] + ops.tanh(p + self.dot(states[0], self.U))
        return h, [h]
"""


@pytest.mark.slow
def test_a_cell_of_a_file_stays_with_its_run(tmp_path: Path, cli) -> None:
    file = tmp_path / "my_cell.py"
    file.write_text(CELL.replace("SHARE", "0.5"), encoding="utf-8")
    small = ["data.limit=40", "options.length=6", "train.epochs=1", "encoder.units=4", "--json", "-q"]
    run = ["run", "adding", "encoder.cell=./my_cell.py", *small]
    code, out, err = cli(*run)
    assert code == 0, err
    row = from_json(out)
    folder = tmp_path / "runs" / row.run
    assert row.cell == row.config["encoder"]["cell"] == "leaky_of_a_file"
    assert (folder / "leaky_of_a_file.cell.py").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    assert from_json(cli(*run)[1]) == row, "the same file is the same run"

    file.write_text(CELL.replace("SHARE", "0.25"), encoding="utf-8")
    other = from_json(cli(*run)[1])
    assert other.run != row.run and other.versions["cell_file"] != row.versions["cell_file"]
    file.unlink()
    assert "there is no cell file my_cell.py" in cli(*run)[2]
    opened = run_folder.open_run(folder)
    for command in ("evaluate", "resume"):
        code, out, err = cli(command, str(folder))
        assert code == 2 and f"would run the Python code of {folder / 'leaky_of_a_file.cell.py'};" in err
    assert inference.resume(opened, QUIET, trust=True) == (row, True)
    assert inference.evaluate(opened, QUIET, trust=True)[0]["now"] == pytest.approx(row.value)

    plugins.cells.forget("seqtasks_file_cell_leaky_of_a_file.cell")  # as in a new process
    (folder / "result.json").unlink()
    again, skipped = inference.resume(opened, QUIET, trust=True)
    assert not skipped and again.value == pytest.approx(row.value)

    for name in ("run.json", "model.keras"):
        (folder / name).unlink()
        err = cli("evaluate", str(folder), "--trust")[2]
        assert cli(*shlex.split(err.rpartition(": seqtasks ")[2]))[0] == 0, err
        assert cli("evaluate", str(folder), "--trust")[0] == 0
