"""`seqtasks tune` from its words to its files, with an executor that computes scores without training."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqtasks.cli import tune_command
from seqtasks.core.errors import ConfigError, Interrupted, RunError, SeqtasksError
from seqtasks.experiments.compare import Grid
from seqtasks.experiments.executor import Ended, Point
from tests.experiments.test_results import make
from tests.experiments.test_search import FACTS, Computed

pytest.importorskip("optuna", reason="needs the extra tune")


class Trained(Computed):
    """The loss of a trial depends on its units and its cell."""

    def end(self, point: Point) -> Ended:
        if point in self.stopped:
            return super().end(point)
        settings = dict(word.split("=") for word in point.words[2:])
        x = float(settings["encoder.units"]) / 8 + (settings["encoder.cell"] == "lstm")
        scored = dataclasses.replace(point, words=("run", "t", f"options.x={x}", "options.y=8"))
        return dataclasses.replace(super().end(scored), point=point)


@pytest.fixture
def finals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """Settings and configuration file of the grids that are trained after the search."""
    trained: list[tuple[list[str], str]] = []

    def run_grid(task: str, overrides: Sequence[str], config: str, *_: Any, **__: Any) -> Grid:
        trained.append((list(overrides), config))
        return Grid([make(seed=seed) for seed in (1, 2)])

    monkeypatch.setattr(tune_command, "data_facts", lambda words: FACTS)
    monkeypatch.setattr(tune_command.api, "run_grid", run_grid)
    return trained


def go(runs: Path, *words: str, make: Any = Trained, **options: Any) -> None:
    values: dict[str, Any] = {"config": None, "trials": 4, "minutes": None, "per": None, "seeds": 2, "prune": True}
    request = tune_command.Request("adding", words, runs=runs, format="text", **{**values, **options})
    tune_command.main(request, make)


SPACE = ("encoder.units=8..64:log", "encoder.cell=gru,lstm", "train.epochs=2", "seed=5")


def test_the_best_settings_are_written_and_trained_with_new_seeds(
    finals: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go(tmp_path, *SPACE)
    (folder,) = tmp_path.iterdir()
    names = {"best.yaml", "trials.csv", "importances.csv", "search.png", "study.db", "trials"}
    assert {path.name for path in folder.iterdir()} == names
    assert finals == [(["seed=6,7"], str(folder / "best.yaml"))]
    values = yaml.safe_load((folder / "best.yaml").read_text())
    assert values["train"] == {"epochs": 2} and set(values["encoder"]) == {"units", "cell"} and "seed" not in values
    captured = capsys.readouterr()
    assert "accuracy" in captured.out and "best of 4 trials: val_mse" in captured.err
    executor = Trained()
    go(tmp_path, *SPACE, make=lambda: executor, trials=6, seeds=0)
    assert len(executor.points) == 2 and len(finals) == 1
    assert "best of 6 trials" in capsys.readouterr().err


def test_a_configuration_file_is_part_of_the_search_and_of_the_best_settings(finals: list[Any], tmp_path: Path) -> None:
    config, runs = tmp_path / "mine.yaml", tmp_path / "runs"
    config.write_text("train: {batch_size: 7}\nsizes: {20: {train: {clip_norm: 0.5}}}\n")
    executor = Trained()
    go(runs, *SPACE, make=lambda: executor, config=str(config), per="encoder.cell", trials=1)
    assert {point.options for point in executor.points} == {("--trial", "--json", "--config", str(config))}
    (folder,) = runs.iterdir()
    assert [Path(path).name for _, path in finals] == ["best-gru.yaml", "best-lstm.yaml"]
    train = yaml.safe_load((folder / "best-lstm.yaml").read_text())["train"]
    assert train == {"batch_size": 7, "clip_norm": 0.5, "epochs": 2}
    config.write_text("train: {batch_size: 8}\n")
    go(runs, *SPACE, config=str(config), per="encoder.cell", trials=1)
    assert len(list(runs.iterdir())) == 2


def test_a_stopped_search_writes_its_files_and_says_how_to_go_on(finals: list[Any], tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="stopped; run the same command again, which continues the search in"):
        go(tmp_path, *SPACE, make=lambda: Trained(stop_at=2))
    (folder,) = tmp_path.iterdir()
    assert len((folder / "trials.csv").read_text().splitlines()) == 4 and not finals


def test_a_search_without_a_successful_trial(finals: list[Any], tmp_path: Path) -> None:
    class Failing(Trained):
        def end(self, point: Point) -> Ended:
            return Ended(point, 2, '{"error": "the loss became nan"}')

    with pytest.raises(RunError, match="no trial was successful; their messages are above; correct the cause"):
        go(tmp_path, *SPACE, make=Failing)
    assert not finals


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (["encoder.units=0..8"], {}, "encoder.units is 0; allowed: ≥ 1"),
        (["encoder.unit=1..8"], {}, "unknown setting encoder.unit; did you mean encoder.units?"),
        (["encoder.cell=gru,lsmt"], {}, "unknown cell 'lsmt'; did you mean lstm?"),
        (["encoder.cell=gru,lstm"], {"per": "encoder.cell"}, "no other setting varies; allowed: --per beside other"),
        (["encoder.units=1..8"], {"per": "encoder.cell"}, "--per is 'encoder.cell'; allowed: a setting with several"),
        (["encoder.units=1..8"], {"config": "nowhere.yaml"}, "there is no configuration file nowhere.yaml"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_made(
    words: list[str], options: dict[str, Any], message: str, finals: list[Any], tmp_path: Path
) -> None:
    with pytest.raises(SeqtasksError) as caught:
        go(tmp_path, *words, **options)
    assert message in str(caught.value) and not list(tmp_path.iterdir())


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"needs optuna, not installed; run pip install 'seqtasks\[tune\]'"):
        go(tmp_path, *SPACE)


def test_the_executor_is_checked_first() -> None:
    command = [sys.executable, "-P", "-m", "seqtasks", "tune", "adding", "encoder.units=1..8", "--on", "spark"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("seqtasks: --on is 'spark'; allowed: local, ray")
