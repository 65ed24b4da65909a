"""Result rows: written whole, read back equal, and never taken on trust."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqtasks.core.config import Config
from seqtasks.core.errors import RunError
from seqtasks.experiments import results
from seqtasks.experiments.results import Row


def make(**changes: Any) -> Row:
    """A row; `config` takes dotted keys that differ from the defaults."""
    config = Config(task="mnist_rows").to_dict()
    config["options"] = {"pixels": False}
    for key, value in changes.pop("config", {}).items():
        group, name = key.split(".")
        config[group][name] = value
    cell = changes.setdefault("cell", "gru")
    seed = changes.setdefault("seed", 0)
    if changes.get("kind") != "baseline":
        config["encoder"]["cell"] = cell
    config["seed"] = seed
    values: dict[str, Any] = {
        "task": "mnist_rows",
        "version": 1,
        "topology": "many-to-one",
        "kind": "model",
        "source": "tfds:mnist",
        "fingerprint": "0123abcd",
        "metric": "accuracy",
        "higher_is_better": True,
        "value": 0.98,
        "scores": {"accuracy": 0.98, "loss": 0.07},
        "validation": {"accuracy": 0.985},
        "engine": "keras",
        "encoder_params": 60672,
        "params": 61962,
        "epochs": 10,
        "seconds": 91.0,
        "seconds_per_epoch": 9.1,
        "examples_per_second": None,
        "config": config,
        "versions": {"keras": "3.15.1", "backend": "tensorflow", "tensorflow": "2.21.0", "seqtasks": "0.1.0"},
        "commit": None,
        "machine": "box",
        "threads": 2,
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:31+00:00",
        "run": f"mnist_rows-{cell}-{seed}",
    }
    return Row(**(values | changes))


def store(row: Row, runs: Path) -> Path:
    folder = runs / row.run
    folder.mkdir(parents=True)
    return results.write(row, folder)


def test_a_row_comes_back_equal(tmp_path: Path) -> None:
    row = make(machine="büro", examples_per_second=6000.0)
    path = store(row, tmp_path)
    assert path == tmp_path / row.run / "result.json"
    assert results.read(path.parent) == row
    assert json.loads(path.read_text())["format"] == results.FORMAT
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]


def test_json_is_one_line_and_says_what_was_skipped() -> None:
    row = make()
    assert "\n" not in results.to_json(row)
    assert "skipped" not in json.loads(results.to_json(row))
    text = results.to_json(row, skipped=True)
    assert json.loads(text)["skipped"] is True
    assert results.from_json(text) == row


@pytest.mark.parametrize(
    "bad", [{"value": float("nan")}, {"scores": {"loss": float("inf")}}, {"versions": {"numpy": object()}}]
)
def test_non_finite_and_non_scalar_values_are_refused(bad: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"the result's {next(iter(bad))} is"):
        results.write(make(**bad), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results.write(make(), tmp_path)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match="No space left"):
        results.write(make(value=0.5), tmp_path)
    assert results.read(tmp_path) == make()


def damage(path: Path, **changes: Any) -> None:
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v != "GONE"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "GONE", "seed": "GONE"}, "lacks metric, seed"),
        ({"format": 3}, "format is 3; this version of seqtasks reads formats 1 and 2"),
        ({"format": "GONE"}, "has no format number"),
        ({"value": "high"}, "value is 'high'; allowed: number"),
        ({"value": float("nan")}, "value is nan"),
        ({"kind": "guess"}, "kind is 'guess'"),
    ],
)
def test_a_damaged_result_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = store(make(), tmp_path)
    damage(path, **changes)
    with pytest.raises(RunError, match=message) as caught:
        results.read(path.parent)
    assert str(path) in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_invalid_rows_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(RunError, match=r"result\.json") as caught:
        results.read(tmp_path)
    assert caught.value.__cause__ is not None


def test_a_missing_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        results.read(tmp_path)


def test_rows_are_sorted_and_damaged_ones_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = [make(cell="gru", seed=10), make(cell="gru", seed=9), make(cell="lstm"), make(task="tagging", run="t")]
    for row in reversed(kept):
        store(row, tmp_path)
    (tmp_path / "half-done").mkdir()
    (tmp_path / "notes.txt").write_text("")
    bad = store(make(run="bad"), tmp_path)
    bad.write_text("{")
    with caplog.at_level(logging.WARNING):
        actual = results.rows(tmp_path)
    assert actual == [kept[1], kept[0], kept[2], kept[3]]
    assert [record.message.count(str(bad)) for record in caplog.records] == [1]
    assert results.rows(tmp_path, "tagging") == [replace(kept[3])]


def test_no_folder_no_rows(tmp_path: Path) -> None:
    assert results.rows(tmp_path / "none") == []


def test_nothing_slow_is_imported() -> None:
    code = (
        "import sys, seqtasks.experiments.results, seqtasks.experiments.table, seqtasks.experiments.compare; "
        "print({'keras', 'tensorflow', 'pandas', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_damaged_result_is_none_that_is_finished(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert results.finished(tmp_path) is None and not caplog.messages
    for text in ("", "{", "[]", '{"format": 2, "task": "x"}'):
        (tmp_path / "result.json").write_text(text, encoding="utf-8")
        assert results.finished(tmp_path) is None and caplog.messages[-1].endswith("; training again")
    (tmp_path / "result.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(RunError, match="reads formats 1 and 2; run it again with --force"):
        results.finished(tmp_path)
