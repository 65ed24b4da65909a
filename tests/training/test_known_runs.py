"""A command that is given again answers from its run folder, without Keras and without reading the data."""

import json
import subprocess
import sys

import pytest

from seqtasks.data.source import Source
from seqtasks.training import known_runs

SMALL = ["data.limit=60", "train.epochs=1", "encoder.units=4"]


@pytest.fixture
def finished(cli, tmp_path):
    """A run of two kinds of text from a file, and the words that made it."""
    file = tmp_path / "texts.csv"
    file.write_text("text,label\n" + "".join(f"word{i % 7} it is,{'ab'[i % 2]}\n" for i in range(60)))
    words = ["run", "sentiment", f"data.source=files:{file}", "options.adversarial=0", *SMALL[1:]]
    code, out, err = cli(*words)
    assert code == 0, err
    return words, file, out


def test_the_same_command_imports_no_keras(finished, tmp_path):
    words, _, out = finished
    code = f"import sys; sys.argv = ['seqtasks', *{words!r}]\ntry:\n    from seqtasks.cli.main import main; main()\n"
    code += "finally:\n    print([m for m in ('keras', 'tensorflow', 'pandas', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    *lines, modules = done.stdout.splitlines()
    assert lines == out.splitlines() and modules == "[]"
    assert "was finished before; this is its result (--force trains it again)" in done.stderr


def test_changed_data_or_words_are_looked_up_the_slow_way(finished, cli, monkeypatch, tmp_path):
    words, file, _ = finished
    runs = tmp_path / "runs"
    request = known_runs.request_of("sentiment", words[2:], None, None)
    assert known_runs.recall(runs, request, None).task == "sentiment"
    assert known_runs.recall(runs, known_runs.request_of("sentiment", words[2:-1], None, None), None) is None
    file.write_text(file.read_text() + "one more,a\n")
    assert known_runs.recall(runs, request, None) is None


def test_a_damaged_note_or_row_is_passed_over(finished, tmp_path):
    words, _, _ = finished
    request = known_runs.request_of("sentiment", words[2:], None, None)
    (note,) = (tmp_path / "runs").glob("*/request.json")
    row = (note.parent / "result.json").read_text()
    (note.parent / "result.json").write_text("{")
    assert known_runs.recall(tmp_path / "runs", request, None) is None
    (note.parent / "result.json").write_text(row)
    assert known_runs.recall(tmp_path / "runs", request, None) is not None
    for name in ("run.json", "config.yaml"):
        whole = (note.parent / name).read_text()
        (note.parent / name).write_text(whole[:30])
        assert known_runs.recall(tmp_path / "runs", request, None) is None
        (note.parent / name).write_text(whole)
    note.write_text("[")
    assert known_runs.recall(tmp_path / "runs", request, None) is None


def test_the_built_in_set_of_auto_gives_way_to_prepared_data(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "some-run"
    folder.mkdir()
    known_runs.remember(folder, "0", Source("builtin", "digits"), "auto", "mnist")
    values = json.loads((folder / "request.json").read_text())
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr("seqtasks.training.known_runs.network", lambda: False)
    assert known_runs.same_data(values, None)
    prepared = tmp_path / "tfds" / "mnist" / "3.0.1"
    prepared.mkdir(parents=True)
    (prepared / "dataset_info.json").write_text("{}")
    assert not known_runs.same_data(values, None)


def test_a_request_without_its_folder_is_of_other_data():
    values = {"kind": "files", "name": "x", "folder": "", "asked": "files:x", "default": None, "state": None}
    assert not known_runs.same_data(values, None)
