"""README.md and CONTRIBUTING.md say what is true: their code runs, their commands parse, no file is missing."""

import ast
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

from seqtasks.cli import scaffold
from seqtasks.cli.main import app
from seqtasks.core import config, plugins
from seqtasks.core.registry import FILE_MODULE
from seqtasks.task_types import Task
from seqtasks.testing import check_task

from .test_import_rules import ROOMS, check_plugin

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMES = {"my_task"}  # made by the reader


def blocks(text: str, language: str) -> list[str]:
    every = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [block for kind, block in every if kind == language]


def commands(text: str) -> list[str]:
    """The `seqtasks …` lines of indented blocks, in lists too, of code in the text, and the parts of `a && b`."""
    lines = re.findall(r"^ {4,}(\S.*)$", text, re.M)
    lines += [line for line in re.findall(r"`(seqtasks \w+ [^`\n]+)`", text) if "…" not in line and "TASK" not in line]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return list(dict.fromkeys(part for part in parts if part.startswith("seqtasks ") and "--help" not in part))


PAGES = [
    "README.md",
    "docs/faq.md",
    *(f"docs/guides/{name}.md" for name in ("masks_and_state", "decoding", "keras_models", "coming_from")),
]
RUNS = ["docs/start.md", "docs/guides/runs_and_tables.md"]  # these train


@pytest.mark.parametrize("page", [*PAGES, *(pytest.param(page, marks=pytest.mark.slow) for page in RUNS)])
def test_the_python_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = blocks((ROOT / page).read_text(encoding="utf-8"), "python")
    assert code
    names: dict = {}
    for block in code:
        exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize("line", commands(README + CONTRIBUTING))
def test_commands_parse(line):
    name, *words = shlex.split(line)[1:]
    command = typer.main.get_command(app)
    actual = command.get_command(None, name)
    assert actual is not None, f"there is no command {name}"
    values = actual.make_context(name, words).params  # refuses unknown options and values
    task, overrides = values.get("task"), values.get("overrides") or values.get("words") or []
    if task == "cell":
        (cell,) = overrides
        assert cell in plugins.cells or cell == "delta_rnn" or plugins.cell_file(cell)
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


@pytest.fixture(autouse=True)
def forget_files():
    """What a test registers from a file is forgotten after it."""
    yield
    for registry in (plugins.tasks, plugins.cells):
        for entry in list(registry.entries()):
            if entry.module.startswith(FILE_MODULE):
                registry.forget(entry.module)


def test_every_command_of_the_recipes_is_checked():
    assert {"seqtasks new reviews --type text_classification", "seqtasks new --cell delta_rnn"} <= set(
        commands(CONTRIBUTING)
    )


def test_what_new_prints_is_what_the_recipes_say(cli):
    for line in ("seqtasks new reviews --type text_classification", "seqtasks new --cell delta_rnn"):
        assert line in CONTRIBUTING
        code, out, err = cli(*shlex.split(line)[1:])
        assert code == 0
        if "reviews" in line:
            printed = "".join(f"       {text}\n" for text in (out + err).splitlines())
            assert f"\n\n{printed}\n" in CONTRIBUTING
        else:
            assert (
                "It prints {}, {} and the next commands.".format(*(f"`{file}`" for file in out.split())) in CONTRIBUTING
            )


def test_the_cell_of_the_recipe_keeps_the_contract(tmp_path):
    (code,) = (block for block in blocks(CONTRIBUTING, "python") if "@register_cell" in block)
    assert len(code.splitlines()) < 40
    assert f"a cell in {len(code.splitlines())} lines" in README
    cell, test = scaffold.write_cell("delta_rnn", tmp_path)
    cell.write_text(code, encoding="utf-8")
    # In the test that `new` wrote, the equations of the recipe take the place of those of the example.
    (equations,) = (block for block in blocks(CONTRIBUTING, "python") if block.startswith("def equations("))
    text = test.read_text(encoding="utf-8")
    begin, end, options = (text.index(f"def {name}") for name in ("equations", "test_contract()", "test_contract_with"))
    names: dict = {"__file__": str(test)}
    exec(compile(text[:begin] + equations + "\n\n" + text[end:options], str(test), "exec"), names)
    names["test_contract"]()


def test_the_task_of_the_recipe_reads_files_and_keeps_the_contract(tmp_path):
    (code,) = (block for block in blocks(CONTRIBUTING, "python") if "@register_task" in block)
    file, folder = tmp_path / "next_value.py", tmp_path / "series"
    file.write_text(code, encoding="utf-8")
    check_plugin(ast.parse(code))
    folder.mkdir()
    rng = np.random.default_rng(0)
    tables = {part: 500 + 10 * rng.normal(size=(rows, 9)) for part, rows in (("train", 100), ("test", 20))}
    for part, table in tables.items():
        np.savetxt(folder / f"{part}.csv", table, delimiter=",")
    row = check_task(str(file), tmp_path / "runs", f"data.source=files:{folder}")
    assert (row.task, row.metric) == ("next_value", "mae")
    # The score is in the units of the data: noise of standard deviation 10 has a mean absolute error of 8.
    assert 4 < row.value < 16
    fitted = np.delete(tables["train"], np.s_[9::10], axis=0)  # the other rows are for validation
    spec = json.loads((tmp_path / "runs" / row.run / "run.json").read_text(encoding="utf-8"))["spec"]
    assert spec["mean"] == pytest.approx(fitted.mean()) and spec["sd"] == pytest.approx(fitted.std())


def test_the_methods_that_the_recipe_names_exist():
    for line in re.findall(r"^ {3}\| (`.*`) \|", CONTRIBUTING, re.M):
        for method in re.findall(r"`(\w+)", line):
            assert callable(getattr(Task, method)), method
    assert (ROOT / "tasks" / "adding.py").is_file()


def test_the_configuration_of_the_recipe_is_read(tmp_path):
    (text,) = blocks(CONTRIBUTING, "yaml")
    file = tmp_path / "mnist_rows_small.yaml"
    file.write_text(text, encoding="utf-8")
    assert text.startswith(f"# seqtasks run mnist_rows --config {file.stem}\n")
    assert config.resolve("mnist_rows", None, [], file).encoder.units == 32
