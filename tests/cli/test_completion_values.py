"""Values that the Tab key completes: tasks, cells, settings, sources, runs and files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from seqtasks.bench.shapes import SHAPES
from seqtasks.cli import completion, scaffold
from seqtasks.core import config_files, plugins
from seqtasks.core.config import resolve
from seqtasks.core.settings import flatten

TASKS = [entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")]


def words(*typed: str) -> list[str]:
    return [value for value, _ in completion.candidates(typed)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQTASKS_RUNS", raising=False)
    return tmp_path


def make_run(folder: Path, task: str = "mnist_rows", finished: bool = True) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"task": task}), encoding="utf-8")
    if finished:
        (folder / "result.json").touch()


def test_tasks_and_their_files(folder: Path) -> None:
    for name in ("my_task.py", "my_task.yaml", "sub/other.py", ".hidden.py", "myth/a.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    for command in ("run", "compare", "baseline", "schema"):
        assert sorted(words(command, "")) == plugins.tasks.names()
        assert words(command, "my") == ["my_task.py"]
    assert words("run", "./") == ["./my_task.py", "./myth/", "./sub/"] and words("run", "./.h") == ["./.hidden.py"]
    assert words("run", "sub/") == ["sub/other.py"] and words("run", f"{folder}/my_") == [f"{folder}/my_task.py"]
    assert {"cell", "captioning", "char_lm"} <= set(words("show", "c"))
    assert words("run", "no/such/") == []


def test_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    (folder / "home" / "data").mkdir(parents=True)
    assert words("run", "sentiment", "data.source=files:~/d") == ["data.source=files:~/data/"]


def test_cells(folder: Path) -> None:
    (folder / "my_cell.py").touch()
    names = [text.removeprefix("encoder.cell=") for text in words("run", "adding", "encoder.cell=")]
    assert sorted(names) == plugins.cells.names()
    assert words("run", "adding", "encoder.cell=my") == ["encoder.cell=my_cell.py"]
    assert words("run", "adding", "encoder.cell=./my") == ["encoder.cell=./my_cell.py"]
    assert words("run", "adding", "encoder.match=lst")[0] == "encoder.match=lstm:"
    assert "mgu" in words("show", "cell", "") and words("show", "cell", "mgu1") == ["mgu1"]
    assert words("show", "adding", "encoder.c") == ["encoder.cell="]


def test_several_values_in_a_grid() -> None:
    assert "encoder.cell=all" in words("compare", "adding", "encoder.cell=")
    assert words("compare", "adding", "encoder.cell=gru,lst")[0] == "encoder.cell=gru,lstm"
    assert words("compare", "adding", "encoder.cell=mgu1,mgu1") == [], "no value twice"
    assert words("tune", "adding", "encoder.cell=gru,lst")[0] == "encoder.cell=gru,lstm"
    assert words("tune", "adding", "--per", "encoder.ce") == ["encoder.cell"]
    assert words("compare", "adding", "--on", "ray:") == ["ray:auto"]
    assert words("compare", "adding", "train.schedule=cosine,ste") == ["train.schedule=cosine,step"]
    assert words("run", "adding", "encoder.cell=gru,lst") == []


@pytest.mark.parametrize("task", TASKS)
def test_every_setting_has_a_key(task: str) -> None:
    assert words("run", task, "") == ["seed=", "data.", "encoder.", "train.", *(["options."] * bool(options(task)))]
    config = resolve(task, plugins.load_task(task).Options)
    keys = {key for key, _, _ in flatten(config)} - {"task"}
    completed = {*words("run", task, "seed")}
    for group in ("data.", "encoder.", "train.", "options."):
        completed |= set(words("run", task, group))
    assert completed == {f"{key}=" for key in keys} - {"encoder.options="} | {"encoder.options."}


def options(task: str) -> list[str]:
    return list(plugins.declared(task)["options"])


def test_keys_are_completed_group_by_group() -> None:
    assert words("run", "adding", "en") == ["encoder."] and words("run", "adding", "encoder.un") == ["encoder.units="]
    assert words("run", "translation", "options.beams") == [], "a former name"
    assert words("run", "adding", "sources") == [] and words("run", "adding", "tas") == []


def test_values_of_settings(folder: Path) -> None:
    (folder / "glove.txt").touch()
    for setting, values in {
        "train.optimizer=": ["adam", "adamw", "sgd", "rmsprop"],
        "train.optimizer=adamw": ["adamw"],
        "encoder.bidirectional=": ["true", "false"],
        "train.clip_norm=": ["null"],
        "train.batch_size=": [],
        "options.vectors=": ["null"],
        "options.vectors=gl": ["glove.txt"],
        "no.such=": [],
    }.items():
        key = setting.partition("=")[0]
        assert words("run", "sentiment", setting) == [f"{key}={value}" for value in values]


def test_data_sources(folder: Path) -> None:
    (folder / "reviews.csv").touch()
    (folder / "images").mkdir()
    sources = words("run", "sentiment", "data.source=")
    assert sources == [f"data.source={one}" for one in ("auto", "tfds:imdb_reviews", "builtin", "files:")]
    assert words("run", "sentiment", "data.source=files:") == [
        "data.source=files:images/",
        "data.source=files:reviews.csv",
    ]
    assert words("run", "mnist_rows", "data.source=files:") == ["data.source=files:images/"], "it reads folders only"
    assert "data.source=files:" not in words("run", "adding", "data.source=")
    assert words("run", "mnist_rows", "data.tfds_dir=im") == ["data.tfds_dir=images/"]


def test_a_task_of_a_file_has_its_options(folder: Path) -> None:
    scaffold.write_task("echo_words", folder)
    assert words("run", "./echo_words.py", "options.") == ["options.length=", "options.symbols="]
    assert words("run", "./echo_words.py", "data.source=f") == []
    assert words("run", "./echo_words.py", "train.optimizer=sg") == ["train.optimizer=sgd"]
    assert words("run", "no_such", "options.") == [] and words("run", "no_such", "see") == ["seed="]


def test_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words("resume", "") == []
    make_run(folder / "runs" / "a-run")
    make_run(folder / "runs" / "b-run", finished=False)
    make_run(folder / "elsewhere" / "c-run")
    (folder / "runs" / "logs").mkdir()
    for command in ("resume", "evaluate", "predict", "score"):
        assert words(command, "") == ["a-run", "b-run"]
        assert words(command, "r") == ["runs/"] and words(command, "runs/") == [
            "runs/a-run",
            "runs/b-run",
            "runs/logs/",
        ]
        assert words(command, "--runs", "elsewhere", "") == ["c-run"] == words(command, "--runs=elsewhere", "")
    assert dict(completion.candidates(["resume", "b"])) == {"b-run": "not finished"}
    assert words("evaluate", "a-run", "") == ["a-run", "b-run"]
    assert words("run", "adding", "--runs", "el") == ["elsewhere/"]
    monkeypatch.setenv("SEQTASKS_RUNS", "elsewhere")
    assert words("resume", "") == ["c-run"]


def test_inputs_and_options_of_predict(folder: Path) -> None:
    make_run(folder / "runs" / "a-run")
    (folder / "three.png").touch()
    for run in ("a-run", "runs/a-run"):
        assert words("predict", run, "") == ["runs/", "three.png"]
        assert words("predict", run, "--inv") == ["--invert"] and "--out" in words("predict", run, "--")
        assert words("predict", run, "--invert", "") == ["auto", "yes", "no"]
        assert words("predict", run, "--invert=y") == ["--invert=yes"]
    assert words("predict", "--inv") == [] and words("predict", "no-run", "--inv") == []
    assert words("predict", "a-run", "--", "--inv") == []
    make_run(folder / "runs" / "b-run", task="of_another_package")
    assert words("predict", "b-run", "--inv") == []
    shutil.rmtree(folder / "runs")
    make_run(folder / "runs" / "c-run", task="translation")
    assert words("predict", "c-run", "--n") == ["--num-beams", "--n-best"]


def test_configurations_keys_and_types(folder: Path) -> None:
    (folder / "mine.yaml").touch()
    assert words("run", "adding", "--config", "") == list(config_files.bundled())
    assert words("run", "adding", "--config", "mi") == ["mine.yaml"]
    assert words("table", "adding", "encoder.un") == ["encoder.units="] and "adding" in words("table", "")
    assert words("table", "--by", "encoder.c") == ["encoder.cell"] and words("table", "--by", "enc") == ["encoder."]
    assert words("table", "--by", "seed,encoder.un") == ["seed,encoder.units"]
    assert words("new", "a", "--type", "") == scaffold.task_types() and words("new", "a") == []


def test_shapes_and_contenders() -> None:
    assert words("bench", "")[: len(SHAPES)] == list(SHAPES) and "units=" in words("bench", "mnist", "")
    assert "mnist" not in words("bench", "mnist", "")
    assert words("bench", "cell=") == ["cell=lstm", "cell=gru", "cell=simple_rnn"]
    assert words("bench", "--contenders", "native,ker") == ["native,keras"]
