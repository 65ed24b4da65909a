"""Searches with an executor that computes the score of a trial from its settings, without training."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqtasks.core.errors import Interrupted, RunError, TableError
from seqtasks.experiments import results, search_report, table
from seqtasks.experiments.executor import Ended, Executor, Point
from seqtasks.experiments.search import Budget, Search, epochs_of, folder_name, import_optuna
from seqtasks.experiments.search_space import parse_space
from tests.experiments.test_results import make

pytest.importorskip("optuna", reason="needs the extra tune")

FACTS = {"monitor": "val_mse", "monitor_mode": "min", "source": "builtin:x", "fingerprint": "ab", "train": 10}
SPACE = ["options.x=-4..4.0", "options.y=1..64:log", "seed=7"]


def loss(settings: dict[str, str]) -> float:
    """A bowl with its smallest value, 0, at x = 1 and y = 8."""
    return (float(settings["options.x"]) - 1) ** 2 + (float(settings["options.y"]) / 8 - 1) ** 2


class Computed(Executor):
    """Ends each point at the next look; `fails` and `curve` may change what it answers."""

    def __init__(self, slots: int = 1, fails: Callable[[int], bool] = lambda _: False, stop_at: int = -1) -> None:
        self._slots, self.fails, self.stop_at = slots, fails, stop_at
        self.points: list[Point] = []
        self.running: list[Point] = []
        self.stopped: list[Point] = []
        self.wait = False  # whether points end only after they were stopped

    @property
    def slots(self) -> int:
        return self._slots

    def start(self, point: Point) -> None:
        if len(self.points) == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)
            self.wait = True
        self.points.append(point)
        self.running.append(point)

    def poll(self, seconds: float = 0.1) -> list[Ended]:
        ended = self.stopped if self.wait else self.running[:1]
        self.running = [point for point in self.running if point not in ended]
        return [self.end(point) for point in ended]

    def end(self, point: Point) -> Ended:
        if point in self.stopped:
            self.stopped.remove(point)
            return Ended(point, Interrupted.exit_code, '{"error": "stopped"}')
        if self.fails(len(self.points)):
            return Ended(point, 2, '{"error": "the loss became nan"}')
        assert point.words[0] == "run" and "--trial" in point.options
        settings = dict(word.split("=") for word in point.words[2:])
        row = dataclasses.replace(make(), kind="trial", metric="val_mse", value=loss(settings), epochs=3)
        return Ended(point, 0, results.to_json(row))

    def stop(self, number: int, point: Point | None = None) -> None:
        self.stopped += [one for one in self.running if point in (None, one)]
        if point is None:
            self.running = []
            self.wait = True

    def history(self, point: Point) -> str:
        return ""


def search(folder: Path, words: list[str] = SPACE, per: str | None = None, **options: Any) -> Search:
    space = parse_space(words)
    spaces = {"search": space} if per is None else space.split(per)
    return Search(folder, "t", spaces, FACTS, announce=lambda _: None, **options)


def trials(one: Search) -> list[tuple[str, Any, dict[str, Any]]]:
    return [(t.state.name, t.value, t.params) for study in one.studies for t in study.study.get_trials()]


def test_the_search_goes_to_the_bottom_of_a_bowl_and_repeats_itself(tmp_path: Path) -> None:
    one, other = search(tmp_path / "a"), search(tmp_path / "b")
    assert not one.run(Computed(), Budget(25, None)) and not other.run(Computed(), Budget(6, None))
    assert len(trials(one)) == 25 and trials(one)[:6] == trials(other)
    best = one.studies[0].best()
    losses = [value for _, value, _ in trials(one)]
    assert statistics.median(losses[15:]) < statistics.median(losses[:10]) / 2  # the first ten are drawn at random
    assert best is not None and best.value == min(losses)
    assert best.value == pytest.approx(loss(dict(text.split("=") for text in best.user_attrs["settings"])))


def test_the_defaults_are_the_first_trial(tmp_path: Path) -> None:
    one = search(tmp_path)
    one.enqueue({"options.x": 1.0, "options.y": 999, "train.epochs": 5})
    one.run(Computed(), Budget(2, None))
    assert trials(one)[0][2]["options.x"] == 1.0 and 1 <= trials(one)[0][2]["options.y"] <= 64
    first = trials(one)
    assert len(first) == 2
    again = search(tmp_path)
    again.enqueue({"options.x": 2.0})
    again.run(Computed(), Budget(3, None))
    assert trials(again)[:2] == first and trials(again)[2][2]["options.x"] != 2.0


def test_a_stopped_search_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    whole, parts = search(tmp_path / "whole"), search(tmp_path / "parts")
    whole.run(Computed(), Budget(13, None))
    stop_at = 11  # after the trials that are drawn at random
    executor = Computed(stop_at=stop_at)
    assert parts.run(executor, Budget(13, None))
    assert [state for state, _, _ in trials(parts)] == ["COMPLETE"] * stop_at + ["RUNNING"]
    later = search(tmp_path / "parts")
    rest = Computed()
    assert not later.run(rest, Budget(13, None))
    assert rest.points[0] == executor.points[-1]  # in its folder, where its checkpoint is
    assert trials(later) == trials(whole)


def test_failed_trials_count_and_are_not_the_best(tmp_path: Path) -> None:
    lines: list[str] = []
    one = Search(tmp_path, "t", {"search": parse_space(SPACE)}, FACTS, announce=lines.append)
    one.run(Computed(fails=lambda count: count % 2 == 0), Budget(6, None))
    assert [state for state, _, _ in trials(one)] == ["COMPLETE", "FAIL"] * 3
    assert sum("the loss became nan" in line for line in lines) == 3
    nothing = search(tmp_path / "other")
    nothing.run(Computed(fails=lambda _: True), Budget(3, None))
    assert nothing.studies[0].best() is None
    assert search_report.write_best(tmp_path, "t", nothing.studies, {}) == {}


def test_a_row_that_read_the_test_split_is_not_accepted(tmp_path: Path) -> None:
    class Scored(Computed):
        def end(self, point: Point) -> Ended:
            return Ended(point, 0, results.to_json(make()))

    one = search(tmp_path)
    one.run(Scored(), Budget(2, None))
    assert [state for state, _, _ in trials(one)] == ["FAIL", "FAIL"]


def test_a_trial_that_is_worse_than_the_median_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Curves(Computed):
        """Trial number 6 is worse than the others from its second epoch on."""

        def history(self, point: Point) -> str:
            last = 9.0 if point is self.points[-1] and len(self.points) == 7 else 0.5
            return f"epoch,val_mse\n1,0.9\n2,{last}\n"

        def poll(self, seconds: float = 0.1) -> list[Ended]:
            self.looks = getattr(self, "looks", 0) + 1
            if len(self.points) == 7 and self.points[-1] in self.running and not self.stopped:
                return []
            if self.stopped:
                self.running = [point for point in self.running if point not in self.stopped]
                return [self.end(self.stopped[0])]
            return super().poll(seconds) if self.looks % 2 == 0 else []

    monkeypatch.setattr("seqtasks.experiments.search.LOOK", 0.0)
    one = search(tmp_path)
    lines: list[str] = []
    one.announce = lines.append
    one.run(Curves(), Budget(8, None))
    assert [state for state, _, _ in trials(one)] == ["COMPLETE"] * 6 + ["PRUNED", "COMPLETE"]
    assert sum("pruned after epoch 2" in line for line in lines) == 1


def test_each_value_of_per_gets_the_same_budget(tmp_path: Path) -> None:
    words = [*SPACE, "encoder.cell=gru,lstm,mgu"]
    one = search(tmp_path, words, per="encoder.cell")
    executor = Computed(slots=2)
    one.run(executor, Budget(4, None))
    cells = [word for point in executor.points for word in point.words if word.startswith("encoder.cell")]
    assert sorted(cells) == sorted(f"encoder.cell={cell}" for cell in ("gru", "lstm", "mgu") for _ in range(4))
    paths = search_report.write_best(tmp_path, "t", one.studies, {"train": {"epochs": 3}})
    assert [path.name for path in paths.values()] == ["best-gru.yaml", "best-lstm.yaml", "best-mgu.yaml"]
    values = yaml.safe_load(paths["mgu"].read_text())
    assert values["encoder"] == {"cell": "mgu"} and values["train"] == {"epochs": 3} and "seed" not in values
    best = one.studies[2].best()
    assert best is not None and values["options"]["y"] == best.params["options.y"]


def test_the_time_that_was_spent_counts_when_the_search_is_continued(tmp_path: Path) -> None:
    one = search(tmp_path)
    assert not one.run(Computed(), Budget(None, 0.0))
    assert trials(one) == []
    one.studies[0].study.set_user_attr("spent", 59.0)
    one.run(Computed(), Budget(None, 59.5 / 60))
    done = len(trials(one))
    assert done > 0
    again = search(tmp_path)
    again.run(Computed(), Budget(None, 59.0 / 60))
    assert len(trials(again)) == done


def test_other_data_is_refused(tmp_path: Path) -> None:
    search(tmp_path)
    with pytest.raises(RunError, match=r"trials on builtin:x \(ab\), and the data is now builtin:x \(cd\); restore"):
        Search(tmp_path, "t", {"search": parse_space(SPACE)}, FACTS | {"fingerprint": "cd"})


def test_the_files_of_a_search(tmp_path: Path) -> None:
    one = search(tmp_path)
    one.run(Computed(fails=lambda count: count == 2), Budget(8, None))
    with search_report.write_trials(tmp_path, one.studies).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and rows[1]["state"] == "fail" and rows[1]["value"] == ""
    assert all(float(row["value"]) == loss(row) for row in rows if row["state"] == "complete")
    optuna = import_optuna()
    with search_report.write_importances(tmp_path, one.studies, optuna).open() as file:
        shares = {row["setting"]: float(row["importance"]) for row in csv.DictReader(file)}
    assert set(shares) == {"options.x", "options.y"} and sum(shares.values()) == pytest.approx(1, abs=1e-3)
    picture = search_report.draw(tmp_path, one.studies, "val_mse", optuna)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    path = search_report.write_best(tmp_path, "t", one.studies, {})["search"]
    assert path.read_text().startswith(f"# seqtasks run t --config {path}\n# trial ")


def test_tables_refuse_trials() -> None:
    row = dataclasses.replace(make(), kind="trial")
    with pytest.raises(TableError, match="trials of a search, which were not scored on the test split; allowed"):
        table.build([make(), row])


def test_the_name_of_a_search_is_that_of_its_words() -> None:
    name = folder_name("./my_task.py", ["a=1..2", "b=3"], None)
    assert name.startswith("tune-my_task-") and name == folder_name("./my_task.py", ["b=3", "a=1..2"], None)
    assert name != folder_name("./my_task.py", ["a=1..3", "b=3"], None)


def test_epochs_without_a_score_are_left_out() -> None:
    assert epochs_of("", "val_mse") == []
    assert epochs_of("epoch,val_mse\n1,0.5\n2,inf\n3,\n4.0,0.25\n", "val_mse") == [(1, 0.5), (4, 0.25)]
    assert epochs_of("epoch,loss\n1,0.5\n", "val_mse") == []
