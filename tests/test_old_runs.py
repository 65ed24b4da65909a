"""Runs made by seqtasks 0.1.0, before modules and settings were renamed, still work; see old_runs/make.py."""

import csv
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from seqtasks.experiments import example_outputs

from .old_runs.make import PREDICT

FOLDER = Path(__file__).parent / "old_runs"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
HALF = sorted(name for name, facts in EXPECTED.items() if "losses" in facts)
RUNS = sorted(EXPECTED.keys() - set(HALF))


@pytest.fixture
def old(tmp_path, monkeypatch):
    """An empty folder with the runs, which is the working folder."""
    with tarfile.open(FOLDER / "runs.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def close(found, expected):
    """Equal; numbers to 1e-5 of their size, or to the four digits that a table shows."""
    if isinstance(expected, float):
        return found == pytest.approx(expected, rel=1e-5, abs=1.01e-4)
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    return found == expected


def test_every_task_of_version_0_1_has_one():
    from seqtasks.core import plugins
    from seqtasks.task_types import ProbeTask

    bundled = {entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")}
    probes = {name for name in bundled if issubclass(plugins.load_task(name), ProbeTask)}
    later = {"anomaly", "forecast", "series", "step_labels", *probes}
    assert {EXPECTED[name]["task"] for name in RUNS} == bundled - later


def test_former_names_of_layers_are_known_whatever_is_imported_first():
    code = "import seqtasks.training.saved_model, keras; print(keras.saving.get_registered_object('seqtasks>Gaze'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Gaze" in done.stdout


def test_they_are_listed_and_tabled(old, cli):
    code, out, _ = cli("list", "runs", "--runs", old / "runs")
    assert code == 0 and all(name in out for name in RUNS)
    for name in RUNS:
        row = EXPECTED[name]["row"]
        code, out, err = cli("table", row["task"], "--runs", old / "runs", "--format", "json")
        assert code == 0, err
        (line,) = json.loads(out)
        assert line["mean"] == pytest.approx(row["value"], rel=1e-12)


@pytest.mark.a_third
@pytest.mark.parametrize("name", RUNS)
def test_it_is_scored_and_predicted_from(old, cli, name, monkeypatch):
    code, out, err = cli("evaluate", old / "runs" / name, "--format", "json")
    assert code == 0, err
    for found, expected in zip(records(out), EXPECTED[name]["evaluate"], strict=True):
        assert found["score"] == expected["score"]
        assert found["now"] == pytest.approx(expected["now"], rel=1e-5, abs=1e-6), found["score"]
    kept = example_outputs.read(old / "runs" / name)  # evaluation stores what old runs lack
    assert kept is not None and kept.score == pytest.approx(EXPECTED[name]["row"]["value"], rel=1e-4)
    task = EXPECTED[name]["task"]
    if task in PREDICT:
        monkeypatch.chdir(old)
        code, out, err = cli("predict", old / "runs" / name, *PREDICT[task], "--format", "json")
        assert code == 0, err
        for found, expected in zip(records(out), records(EXPECTED[name]["predict"]), strict=True):
            assert close(found, expected)


@pytest.mark.parametrize("name", HALF)
def test_one_that_was_interrupted_goes_on(old, cli, name):
    code, _, err = cli("resume", old / "half" / name, "--runs", old / "half")
    assert code == 0, err
    with (old / "half" / name / "history.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(losses, EXPECTED[name]["losses"], rtol=0.01)
    np.testing.assert_array_equal(losses[:2], EXPECTED[name]["losses"][:2])  # those of the old code
