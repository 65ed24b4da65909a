"""Which module may import which, read from the source; and the sizes of files."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seqtasks
from seqtasks import plugins

ROOT = Path(__file__).resolve().parents[1] / "seqtasks"  # the source, also where a wheel is tested
TASKS = sorted(path for path in (ROOT.parent / "tasks").glob("*.py") if path.stem != "__init__")
SOURCES = sorted(path for path in ROOT.rglob("*.py") if "templates" not in path.parts)
QUICK = [
    "config_files",
    "known_runs",
    "verdict",
    *("cli", "commands", "compare", "config", "errors", "files", "formats", "grid", "listing"),
    *("plugins", "quiet", "registry", "results", "runs", "settings", "table"),
]
PURE = [p for p in SOURCES if p.parent.name in ("cells", "layers") or p.stem in ("recurrent", "encoder", "decoder")]
SLOW = ("keras", "tensorflow", "pandas", "sklearn", "matplotlib", "jax", "torch")


def name(path):
    return str(path.relative_to(ROOT.parent)) if path.is_relative_to(ROOT.parent) else path.name


def imports(tree, inside=True):
    """`(module, name)` of every import; those in functions and `TYPE_CHECKING` too only if `inside`."""
    for node in tree.body if hasattr(tree, "body") else []:
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif inside or not (
            isinstance(node, ast.FunctionDef)
            or (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
        ):
            yield from imports(node, inside)
            for part in ("orelse", "handlers", "finalbody"):
                for child in getattr(node, part, []):
                    yield from imports(ast.Module([child], []), inside)


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def texts(tree):
    """String constants that are not docstrings."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def top(module):
    return (module or "").split(".")[0]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent == ROOT and p.stem in QUICK], ids=name)
def test_quick_modules_import_nothing_slow(path):
    assert not [m for m, _ in imports(parse(path), inside=False) if top(m) in SLOW]


def test_the_command_line_answers_without_keras():
    modules = [f"seqtasks.{path.stem}" for path in SOURCES if path.parent == ROOT and path.stem in QUICK]
    code = f"import sys, {', '.join(modules)}; print([m for m in {SLOW} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", PURE, ids=name)
def test_layers_and_cells_know_no_backend(path):
    assert not [m for m, _ in imports(parse(path)) if top(m) in ("tensorflow", "jax", "torch")]


@pytest.mark.parametrize("path", TASKS, ids=name)
def test_tasks_use_public_names_and_name_no_cell(path):
    tree = parse(path)
    for module, what in imports(tree):
        if top(module) != "seqtasks":
            continue
        public = module == "seqtasks" and what in seqtasks.__all__
        assert public or module == "seqtasks.losses" or module.startswith("seqtasks.layers."), f"{module}.{what}"
    assert not set(texts(tree)) & set(plugins.cells.names())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & {"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"}, "tasks are given their encoder"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_the_library_names_no_task(path):
    tree = parse(path)
    bundled = {task.stem for task in TASKS}
    assert not set(texts(tree)) & bundled
    assert not [m for m, _ in imports(tree) if (m or "").startswith("seqtasks.tasks.")]


def test_files_are_short():
    long = {name(path): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 300}
    long |= {name(path): n for path in TASKS if (n := len(path.read_text().splitlines())) > 100}
    assert not long


def test_the_rules_can_fail():
    tree = ast.parse("if TYPE_CHECKING:\n    import keras\ntry:\n    import torch\nexcept E:\n    import jax\n")
    assert {m for m, _ in imports(tree, inside=False)} == {"torch", "jax"}
    assert {m for m, _ in imports(ast.parse("def f():\n    import tensorflow as tf"))} == {"tensorflow"}
    assert list(texts(ast.parse('"""doc"""\nx = "lstm"'))) == ["lstm"]
