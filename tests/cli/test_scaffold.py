"""`seqtasks new`: what it writes works as it is, in any folder and in a checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seqtasks.cli import scaffold
from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError
from seqtasks.core.plugins import load_task
from seqtasks.testing import check_task


def test_the_task_keeps_the_contract_and_can_be_learnt(tmp_path: Path) -> None:
    task, config, test = scaffold.write("echo_learnt", tmp_path)
    assert [path.name for path in (task, config, test)] == ["echo_learnt.py", "echo_learnt.yaml", "test_echo_learnt.py"]
    learnt = ["data.limit=4000", "train.epochs=8", "encoder.units=32"]
    row = check_task(load_task(str(task)), tmp_path / "runs", learnt)
    assert row.task == "echo_learnt"
    assert row.value > 0.9  # chance is one eighth
    copy = tmp_path / "runs" / row.run / "echo_learnt.py"
    assert copy.read_text(encoding="utf-8") == task.read_text(encoding="utf-8")


def test_its_test_passes_as_it_is(tmp_path: Path) -> None:
    scaffold.write("echo_task", tmp_path)
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_echo_task.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_test_passes_for_a_task_that_reads_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _, test = scaffold.write("echo_files", tmp_path)
    monkeypatch.setattr(plugins.tasks, "_entries", {entry.name: entry for entry in plugins.tasks.entries()})
    text = task.read_text(encoding="utf-8")
    drawn = "rng.integers(self.options.symbols, size=(6000, self.options.length))"
    for old, new in (
        ('builtin = "generated"', "files = True"),
        (drawn, 'np.loadtxt(source.folder / "train.txt", dtype=int)'),
        ("[4000, 5000]", "[20, 30]"),
    ):
        assert old in text
        text = text.replace(old, new)
    task.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"echo_files has no built-in set; allowed: files:DIR; give check_task a sou"):
        check_task(str(task), tmp_path / "runs")

    # The lines that the docstring of the test shows take the place of its return.
    lines = test.read_text(encoding="utf-8").split("\n")
    shown = [line.removeprefix("    ") for line in lines if line.startswith(" " * 8)]
    assert len(shown) == 3
    body = "\n".join(lines).replace('    return "data.source=builtin"', "\n".join(shown))
    test.write_text(body, encoding="utf-8")
    names: dict = {"__file__": str(test)}
    exec(compile(test.read_text(encoding="utf-8"), str(test), "exec"), names)
    names["test_contract"](tmp_path)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["train.txt"]


@pytest.mark.parametrize("folder", [Path(), Path("there")])
def test_what_comes_next_is_said(cli, folder: Path) -> None:
    code, out, err = cli("new", "echo_task", "--folder", folder)
    assert code == 0 and out.splitlines() == [
        str(folder / f) for f in ("echo_task.py", "echo_task.yaml", "test_echo_task.py")
    ]
    assert err == f"next: seqtasks run ./{folder / 'echo_task.py'} && pytest {folder / 'test_echo_task.py'}\n"


def test_a_checkout_gets_the_files_in_their_places(tmp_path: Path) -> None:
    for folder in ("seqtasks", "tasks", "configs", "tests"):
        (tmp_path / folder).mkdir()
    written = scaffold.write("echo_task", tmp_path)
    paths = [path.relative_to(tmp_path).as_posix() for path in written]
    assert scaffold.next_steps(written[0], written[2]) == f"next: seqtasks run echo_task && pytest {written[2]}"
    assert paths == ["tasks/echo_task.py", "configs/echo_task.yaml", "tests/tasks/test_echo_task.py"]
    assert 'check_task("echo_task", ' in (tmp_path / paths[2]).read_text(encoding="utf-8")
    assert (tmp_path / paths[1]).read_text(encoding="utf-8").startswith("# seqtasks run echo_task\n")


@pytest.mark.parametrize("name", ["", "1st", "My", "with-dash", "class", "a/b", "mnist_rows"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        scaffold.write(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "echo_task.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"echo_task.yaml exists"):
        scaffold.write("echo_task", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["echo_task.yaml"]
