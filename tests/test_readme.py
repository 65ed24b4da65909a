"""README.md and CONTRIBUTING.md say what is true: their code runs, their commands parse, no file is missing."""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

from seqtasks.cli.main import app
from seqtasks.core import config, plugins
from seqtasks.testing import check_cell

from .test_import_rules import ROOMS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMES = {"my_task", "parity"}  # made by the reader


def blocks(text: str, language: str) -> list[str]:
    every = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [block for kind, block in every if kind == language]


def commands(text: str) -> list[str]:
    """The `seqtasks …` lines of indented blocks, of code in the text, and the parts of `a && b`."""
    lines = re.findall(r"^ {4}(\S.*)$", text, re.M)
    lines += [line for line in re.findall(r"`(seqtasks \w+ [^`\n]+)`", text) if "…" not in line and "TASK" not in line]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return list(dict.fromkeys(part for part in parts if part.startswith("seqtasks ")))


def test_the_python_code_runs():
    names: dict = {}
    assert len(blocks(README, "python")) > 1
    for block in blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), names)


@pytest.mark.parametrize("line", commands(README + CONTRIBUTING))
def test_commands_parse(line):
    name, *words = shlex.split(line)[1:]
    command = typer.main.get_command(app)
    found = command.get_command(None, name)
    assert found is not None, f"there is no command {name}"
    values = found.make_context(name, words).params  # refuses unknown options and values
    task, overrides = values.get("task"), values.get("overrides") or values.get("words") or []
    if task == "cell":
        (cell,) = overrides
        assert cell in plugins.cells or cell == "mi_rnn" or plugins.cell_file(cell)
        return
    if task in NAMES or task is None or task.endswith(".py"):
        return
    assert (ROOT / "tasks" / f"{task}.py").is_file()
    for override in overrides:
        key, _, value = override.partition("=")
        for one in value.split(","):
            file = values.get("config")
            config.resolve(task, None, [f"{key}={one}"], None if file == "mnist_rows_small" else file)


def test_the_tests_are_not_vacuous():
    assert len(commands(README)) > 10 and len(commands(CONTRIBUTING)) > 4


def test_the_tree_names_the_folders_in_the_order_of_their_imports():
    (tree,) = (block for block in blocks(README, "") if "seqtasks/" in block)
    inner = re.findall(r"^  (\w+)/ ", tree, re.M)
    assert inner == ROOMS
    assert {f"{room}/" for room in ("tasks", "configs", "tests")} <= set(re.findall(r"^\S+", tree, re.M))


def mi_rnn(x, states, w):
    """Wu et al. 2016, eq. 3, with the gains of eq. 4."""
    wx, uh = w["kernel"].T @ x, w["recurrent_kernel"].T @ states[0]
    h = np.tanh(w["alpha"] * wx * uh + w["beta"] * uh + w["gamma"] * wx + w["bias"])
    return h, [h]


def test_the_cell_of_the_recipe_keeps_the_contract(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins.cells, "_entries", {entry.name: entry for entry in plugins.cells.entries()})
    (code,) = blocks(CONTRIBUTING, "python")
    assert len(code.splitlines()) < 40
    assert f"a cell in {len(code.splitlines())} lines" in README
    file = tmp_path / "recipe_cell.py"
    file.write_text(code.replace('"mi_rnn"', '"mi_rnn_of_the_recipe"'), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("recipe_cell", file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    check_cell("mi_rnn_of_the_recipe", oracle=mi_rnn)


def test_the_configuration_of_the_recipe_is_read(tmp_path):
    (text,) = blocks(CONTRIBUTING, "yaml")
    file = tmp_path / "mnist_rows_small.yaml"
    file.write_text(text, encoding="utf-8")
    assert text.startswith(f"# seqtasks run mnist_rows --config {file.stem}\n")
    assert config.resolve("mnist_rows", None, [], file).encoder.units == 32
