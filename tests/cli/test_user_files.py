"""Errors in files of the user: one line with the place in the file, exit code 1, and the traceback with --debug."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from seqtasks.cli import scaffold, user_files
from seqtasks.core import plugins
from seqtasks.core.registry import FILE_MODULE

RUN = ("--quiet", "--runs", "runs")
SMALL = ("data.source=builtin", "data.limit=60", "train.epochs=1", "encoder.units=4")
ADVICE = "(--debug shows the whole traceback)"


@pytest.fixture(autouse=True)
def no_other_files():
    """No file that another test loaded counts as one of this command line."""
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(FILE_MODULE)}
    yield
    for name in [name for name in sys.modules if name.startswith(FILE_MODULE)]:
        del sys.modules[name]
        plugins.tasks.forget(name)
        plugins.cells.forget(name)
    sys.modules.update(others)


def spoilt(path: Path, old: str, new: str) -> int:
    """Replaces a piece of a file; returns the number of its line."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    return scaffold.write_cell("bad_cell", tmp_path)[0]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return scaffold.write_task("bad_task", tmp_path, None)[0]


@pytest.mark.parametrize("command", ["run", "baseline"])
def test_a_task_that_cannot_load(cli, task: Path, command: str) -> None:
    line = spoilt(task, "return Splits(train, validation", "return Splits(train, valdation")
    code, out, err = cli(command, "./bad_task.py", *RUN, "--json")
    message = (
        f"bad_task.py, line {line}, in load: NameError: name 'valdation' is not defined; correct the file {ADVICE}"
    )
    assert (code, err) == (1, f"seqtasks: {message}\n")
    assert json.loads(out) == {"error": message}


def test_a_typo_in_the_step_of_a_cell(cli, cell: Path) -> None:
    line = spoilt(cell, "self.dot(h, self.U)", "self.dot(h, self.V)")
    words = ("run", "mnist_rows", "encoder.cell=./bad_cell.py", *SMALL, *RUN)
    code, out, err = cli(*words)
    assert (code, out) == (1, "")
    assert err == (
        f"seqtasks: bad_cell.py, line {line}, in step: AttributeError: 'BadCell' object has no attribute 'V'; "
        f"correct the file {ADVICE}\n"
    )
    with pytest.raises(AttributeError, match="Arguments received by"):
        cli(*words, "--debug")


def test_a_typo_in_the_model_of_a_task(cli, task: Path) -> None:
    line = spoilt(task, "self.options.symbols, 16)", "self.options.symbol, 16)")
    code, _, err = cli("run", "./bad_task.py", *RUN)
    assert code == 1 and len(err.splitlines()) == 1
    assert f"bad_task.py, line {line}, in build_model: AttributeError: 'Options' object has no attribute" in err


def test_a_typo_in_a_cell_that_is_shown(cli, cell: Path) -> None:
    line = spoilt(cell, 'year=2016, params="', 'year=2016, params=1 / 0 * "')
    code, _, err = cli("show", "cell", "./bad_cell.py")
    assert code == 2 and len(err.splitlines()) == 1 and f"bad_cell.py:{line}); correct the file" in err


def test_what_a_method_returns_is_wrong(cli, task: Path, cell: Path) -> None:
    spoilt(task, "return Splits(", "Splits(")
    code, _, err = cli("run", "./bad_task.py", *RUN)
    assert code == 1 and len(err.splitlines()) == 1
    assert "error while using bad_task.py, in seqtasks/training/resolution.py:" in err
    assert "AttributeError: 'NoneType' object has no attribute 'spec'; check what its methods take and return" in err

    del sys.modules[f"{FILE_MODULE}bad_task"]
    spoilt(cell, "return h, [h]", "return h[:, :3], [h]")
    code, _, err = cli("run", "mnist_rows", "encoder.cell=./bad_cell.py", *SMALL, *RUN)
    assert code == 1 and len(err.splitlines()) == 1
    assert "error while using bad_cell.py, in seqtasks/engines/" in err and "Could not automatically" not in err


def test_other_errors_keep_their_traceback(cli, monkeypatch) -> None:
    def fail(*words: object, **options: object) -> None:
        raise ValueError("a fault of seqtasks")

    monkeypatch.setattr("seqtasks.cli.commands.run", fail)
    with pytest.raises(ValueError, match="a fault of seqtasks"):
        cli("run", "mnist_rows")


def test_an_error_that_a_file_raises_on_purpose_is_not_mistaken_for_its_cause(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def f():\n    try:\n        {}['x']\n    except KeyError:\n        raise ValueError(\"no 'x'\")\n")
    assert user_files.describe(ValueError("no file is loaded")) is None
    with pytest.raises(plugins.UnknownNameError):  # it defines no cell, and stays loaded
        plugins._pick_cell(*plugins._execute(path, "cell", plugins.cells, f"{FILE_MODULE}cell_"), [])
    with pytest.raises(ValueError, match="no 'x'") as caught:
        sys.modules[f"{FILE_MODULE}cell_mine"].f()
    assert user_files.describe(caught.value) == f"{path}, line 5, in f: ValueError: no 'x'; correct the file {ADVICE}"
