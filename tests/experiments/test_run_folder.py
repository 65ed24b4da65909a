"""The run folder: opening, finding, locking, and folders that are damaged or of another version."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path

import pytest

from seqtasks.core.config import Config, DataConfig, EncoderConfig
from seqtasks.core.errors import RunError
from seqtasks.experiments import run_folder
from seqtasks.experiments.run_list import list_runs

CONFIG = Config(task="demo")


def make(folder: Path) -> run_folder.Run:
    return run_folder.create(run_folder.path_of(folder, CONFIG, "0123abcd"), CONFIG, {"task": "demo", "spec": {}}, None)


def test_create_is_open_the_second_time(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert run.path.name == "demo-lstm-0123abcd"
    assert make(tmp_path).facts == run.facts
    assert run.config_values() == CONFIG.to_dict()
    assert (run.finished, run.status()) == (False, "not started")


def test_a_task_file_is_kept_with_the_run(tmp_path: Path) -> None:
    plugin = tmp_path / "demo.py"
    plugin.write_text("# as it was", encoding="utf-8")
    run = run_folder.create(tmp_path / "runs" / "x", CONFIG, {}, plugin)
    plugin.write_text("# changed", encoding="utf-8")
    kept = run_folder.open_run(run.path).plugin
    assert kept is not None
    assert kept.read_text(encoding="utf-8") == "# as it was"


def test_find_by_path_and_name_and_suggests(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert run_folder.find(str(run.path), tmp_path / "elsewhere").path == run.path
    assert run_folder.find(run.path.name, tmp_path).path == run.path
    with pytest.raises(RunError, match="did you mean demo-lstm-0123abcd"):
        run_folder.find("demo-lstm-0123abce", tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match="is not a run folder"):
        run_folder.find("other", tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot read"),
        ("[]", "cannot read"),
        ("{}", "cannot read"),
        ('{"format": 7, "seqtasks": "3"}', "seqtasks 3"),
    ],
)
def test_damaged_and_foreign_folders(tmp_path: Path, text: str, says: str) -> None:
    run = make(tmp_path)
    (run.path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=says):
        run_folder.open_run(run.path)
    assert list_runs(tmp_path) == []


@pytest.mark.parametrize("text", ["a: [", "- 1", "\x00"])
def test_a_damaged_configuration_is_named(tmp_path: Path, text: str) -> None:
    run = make(tmp_path)
    (run.path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"config.yaml"):
        run.config_values()


def test_status_and_clear(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.set_status("training")
    assert run.status() == "interrupted"  # its process was killed
    with run.lock():
        assert run.status() == "training"
    assert run.status() == "interrupted"
    (run.path / ".lock").unlink()
    for name in ("result.json", "checkpoint.npz", "best.npz", "history.csv", "model.keras"):
        (run.path / name).write_text("", encoding="utf-8")
    (run.path / "plots").mkdir()
    assert run.status() == "finished"
    run.clear()
    assert {p.name for p in run.path.iterdir()} == {"run.json", "config.yaml"}


def test_partial_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    run = make(tmp_path)
    for name in (".checkpoint-ab_12.npz", ".model-ab_12.keras", "checkpoint.npz"):
        (run.path / name).write_text("", encoding="utf-8")
    run.tidy()
    assert sorted(p.name for p in run.path.iterdir()) == ["checkpoint.npz", "config.yaml", "run.json"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch, caplog, number: int) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    run = make(tmp_path)
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", flock)
    with run.lock():
        run.set_status("training")
        assert run.status() == "training"  # nobody can know
    assert f"the file system of {run.path} has no locks; do not start the same run twice" in caplog.text


def test_one_process_at_a_time(tmp_path: Path) -> None:
    run = make(tmp_path)
    with run.lock(), pytest.raises(RunError, match="another process is training"), run.lock():
        pass
    with run.lock():  # it was let go
        pass


def test_the_first_file_says_the_format(tmp_path: Path) -> None:
    facts = json.loads((make(tmp_path).path / "run.json").read_text(encoding="utf-8"))
    assert facts["format"] == run_folder.FORMAT
    assert facts["seqtasks"]


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "sub/evil.py", "..", 5, "link.py"])
def test_no_task_file_outside_the_folder_is_used(tmp_path: Path, name: object) -> None:
    run = make(tmp_path)
    (tmp_path / "evil.py").write_text("", encoding="utf-8")
    (run.path / "link.py").symlink_to(tmp_path / "evil.py")
    with pytest.raises(RunError, match="allowed: a file in this folder; train again"):
        _ = run_folder.Run(run.path, {"plugin": name}).plugin


@pytest.mark.parametrize("name", ["/tmp/evil.py", "./evil", "evil.py", "a\\b", None, 3])
def test_a_task_is_a_name(tmp_path: Path, name: object) -> None:
    with pytest.raises(RunError, match="allowed: a name"):
        _ = run_folder.Run(tmp_path, {"task": name}).task


@pytest.mark.parametrize("file", ["config.yaml", "run.json"])
@pytest.mark.parametrize("size", [None, 0, 15, 60])
def test_a_lost_or_cut_file_is_written_again(tmp_path: Path, file: str, size: int | None) -> None:
    run = make(tmp_path)
    path = run.path / file
    whole = path.read_bytes()
    if size is None:
        path.unlink()
    else:
        path.write_bytes(whole[:size])
    with pytest.raises(RunError, match="seqtasks run") as error:
        run_folder.open_run(run.path).config_values()
    assert "train again" not in str(error.value)
    assert make(tmp_path).path == run.path
    assert path.read_bytes() == whole


def test_the_command_that_runs_it_again(tmp_path: Path) -> None:
    run = make(tmp_path / "my runs")
    where = run.path / "config.yaml"
    assert run.command() == f"seqtasks run demo --config '{where}' --runs '{tmp_path / 'my runs'}'"
    assert run.command("resume") == f"seqtasks resume '{run.path}'"
    (run.path / "demo.py").write_text("", encoding="utf-8")
    assert run_folder.Run(run.path, {"plugin": "demo.py"}).command("resume") == f"seqtasks resume '{run.path}' --trust"


def test_a_cell_of_a_file_is_code_and_named_by_the_command(tmp_path: Path) -> None:
    config = Config(task="demo", encoder=EncoderConfig(cell="mine"))
    path = tmp_path / "run"
    run = run_folder.create(path, config, {"task": "demo"}, None, "cell")
    copy = path / "mine.cell.py"
    assert run.command("resume") == f"seqtasks resume {path} --trust"
    assert run.command() == f"seqtasks run demo encoder.cell={copy} --config {path / 'config.yaml'} --runs {tmp_path}"
    for damage in (copy.unlink, lambda: copy.write_text("ce", encoding="utf-8")):
        damage()
        assert run_folder.create(path, config, {"task": "demo"}, None, "cell").copies == [copy]
        assert copy.read_text(encoding="utf-8") == "cell"
    (path / "run.json").unlink()
    with pytest.raises(RunError, match=f"writes it again: seqtasks run demo encoder.cell={copy} --config"):
        run_folder.open_run(path)


def test_relative_data_is_read_from_any_folder(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, data=DataConfig(source="files:data"))
    (tmp_path / "data").mkdir()
    run = run_folder.Run(tmp_path, {"source": f"files:{tmp_path / 'data'}"})
    assert run.same_data(config).data.source == f"files:{tmp_path / 'data'}"
    assert run.same_data(CONFIG) == CONFIG
    (tmp_path / "data").rmdir()
    assert run.same_data(config) == config


def test_copies_of_code_are_kept_and_only_those_are_used(tmp_path):
    (tmp_path / "mine.py").write_text("task", encoding="utf-8")
    config = Config(task="mine", encoder=EncoderConfig(cell="mine"))
    run = run_folder.create(tmp_path / "run", config, {"task": "mine"}, tmp_path / "mine.py", "cell")
    assert [path.read_text(encoding="utf-8") for path in run.copies] == ["task", "cell"]
    assert all(path.parent == run.path for path in run.copies)
    assert (
        run_folder.open_run(run.path).facts["cell_file"]
        == run_folder.code_hash("cell")
        != run_folder.code_hash("cell\n")
    )
    assert run_folder.create(tmp_path / "other", config, {"task": "mine"}, None).copies == []
    (run.path / "link.py").symlink_to(tmp_path / "mine.py")
    for name in ("link.py", "../cell.py", str(tmp_path / "mine.py"), "model.keras", 3):
        with pytest.raises(RunError, match=r"names the cell's file .*; allowed: a file in this folder"):
            run_folder.Run(run.path, {"cell_plugin": name}).copies  # noqa: B018
