"""Index of a folder of runs: values equal those of the folders, and nothing stale is ever returned."""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from seqtasks.experiments import folder_index, results
from seqtasks.experiments.folder_index import Packing, read_all
from seqtasks.experiments.results import Row

from .test_results import make, store

INDEX = ".index-value.json"
PACKING = Packing("1", lambda value: value["kind"], folder_index.shared, lambda data: [data[0][n] for n in data[1]])
TIMES = itertools.count(1)
OLD = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def index_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also writes the index of a few runs, and of files that were just written."""
    monkeypatch.setattr(folder_index, "LEAST", 1)
    monkeypatch.setattr(folder_index, "RECENT", -(10**18))


def put(runs: Path, name: str, number: int, kind: str = "a") -> Path:
    path = runs / name / "value.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, json.dumps({"kind": kind, "number": number}))


def write(path: Path, text: str) -> Path:
    """Writes a file with a time of its own, as files that are written one after the other may have the same."""
    path.write_text(text)
    os.utime(path, ns=(OLD, OLD + next(TIMES)))
    return path


def read(folder: Path) -> Any:
    try:
        return json.loads((folder / "value.json").read_text())
    except ValueError:
        return None


def never(folder: Path) -> Any:
    pytest.fail(f"{folder} is read again")


def numbers(runs: Path, reader: Any = read, kind: str | None = None) -> dict[str, int]:
    values = read_all(runs, "value.json", reader, PACKING, lambda section: kind in (None, section))
    return {name: value["number"] for name, value in values.items()}


def test_what_is_unchanged_is_not_read_again(tmp_path: Path) -> None:
    for name, number, kind in (("z", 1, "a"), ("x", 2, "b"), ("y", 1, "a")):
        put(tmp_path, name, number, kind)
    (tmp_path / "no run").mkdir()
    assert numbers(tmp_path) == {"x": 2, "y": 1, "z": 1} and list(numbers(tmp_path, never)) == ["x", "y", "z"]
    assert numbers(tmp_path, never, "a") == {"y": 1, "z": 1} and numbers(tmp_path, never, "c") == {}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no time of the last change of status")
def test_a_file_of_equal_size_and_time_but_other_content_is_read_again(tmp_path: Path) -> None:
    path = put(tmp_path, "x", 1)
    os.utime(path, ns=(OLD, OLD))
    assert numbers(tmp_path) == {"x": 1}
    path.write_text(path.read_text().replace("1", "2"))
    os.utime(path, ns=(OLD, OLD))
    assert numbers(tmp_path) == {"x": 2}
    other = put(tmp_path, "new", 3).replace(path)
    os.utime(other, ns=(OLD, OLD))
    assert numbers(tmp_path)["x"] == 3


def test_what_changed_just_before_is_not_believed_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_index, "RECENT", 2_000_000_000)
    put(tmp_path, "x", 1)
    assert numbers(tmp_path) == {"x": 1}
    assert numbers(tmp_path, lambda folder: {"kind": "a", "number": 7}) == {"x": 7}


@pytest.mark.parametrize("seed", range(5))
def test_any_history_of_changes(tmp_path: Path, seed: int) -> None:
    """Runs are added, removed, changed, renamed and swapped; the files themselves are the oracle."""
    rng = random.Random(seed)
    runs = tmp_path / "runs"
    runs.mkdir()
    for step in range(40):
        names = sorted(path.name for path in runs.iterdir() if path.is_dir())
        action = rng.choice(["put", "put", "put", "remove", "rename", "swap", "damage", "copy"])
        if action == "put" or not names:
            put(runs, f"r{rng.randrange(12)}", rng.randrange(100), rng.choice("ab"))
        elif action == "remove":
            (runs / rng.choice(names) / "value.json").unlink(missing_ok=True)
        elif action == "rename":
            (runs / rng.choice(names)).rename(runs / f"s{step}")
        elif action == "swap" and len(names) > 1:
            a, b = (runs / name for name in rng.sample(names, 2))
            a.rename(runs / "aside"), b.rename(a), (runs / "aside").rename(b)
        elif action == "damage":
            write(runs / rng.choice(names) / "value.json", "{")
        elif action == "copy" and (runs / INDEX).exists():
            (runs / INDEX).write_bytes((runs / INDEX).read_bytes())
        if rng.random() < 0.5:
            expected = {path.name: read(path) for path in sorted(runs.iterdir()) if (path / "value.json").is_file()}
            assert numbers(runs) == {name: value["number"] for name, value in expected.items() if value}
            kind = rng.choice("ab")
            chosen = {n: v["number"] for n, v in expected.items() if v and v["kind"] == kind}
            assert numbers(runs, kind=kind) == chosen


@pytest.mark.parametrize("damage", [lambda t: t[:-5], lambda t: "", lambda t: t.replace('"number": 1', '"number": 3')])
def test_a_damaged_index_is_not_believed(tmp_path: Path, damage: Any) -> None:
    put(tmp_path, "x", 1)
    numbers(tmp_path)
    index = tmp_path / INDEX
    index.write_text(damage(index.read_text()), newline="")
    assert numbers(tmp_path) == {"x": 1} and numbers(tmp_path, never) == {"x": 1}


def test_an_index_of_another_version_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "x", 1)
    numbers(tmp_path)
    monkeypatch.setattr(folder_index, "__version__", "99")
    assert numbers(tmp_path, lambda folder: {"kind": "a", "number": 5}) == {"x": 5}


def test_without_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert numbers(tmp_path / "absent") == {}
    monkeypatch.setattr(folder_index, "LEAST", 2)
    put(tmp_path, "x", 1)
    assert numbers(tmp_path) == {"x": 1} and not (tmp_path / INDEX).exists()
    monkeypatch.setattr(folder_index, "LEAST", 1)
    (tmp_path / INDEX).mkdir()  # it cannot be written
    assert numbers(tmp_path) == numbers(tmp_path) == {"x": 1}


def test_rows_come_back_equal(tmp_path: Path) -> None:
    rows: list[Row] = [
        make(seed=seed, cell=cell, value=seed / 3, notes=["a note"] * seed, examples_per_second=[None, 5.5][seed % 2])
        for seed in range(3)
        for cell in ("gru", "lstm")
    ]
    rows += [make(kind="baseline", run="b", cell="linear", scores={"accuracy": 0.5}), make(task="adding", run="other")]
    rows.append(make(run="odd", config={"encoder.units": 3}))
    del rows[-1].config["seed"]
    for row in rows:
        store(row, tmp_path)
    first = results.rows(tmp_path)
    assert (tmp_path / ".index-result.json").is_file()
    second = results.rows(tmp_path)
    assert sorted(map(str, first)) == sorted(map(str, rows)) and second == first
    assert list(map(results.to_json, second)) == list(map(results.to_json, first))
    assert results.rows(tmp_path, "adding") == [row for row in first if row.task == "adding"]
