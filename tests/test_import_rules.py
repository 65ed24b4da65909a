"""The rule of imports: which folder of the package may import which; read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seqtasks
from seqtasks.core import plugins

ROOT = Path(__file__).resolve().parents[1] / "seqtasks"  # the source, also where a wheel is tested
TASKS = sorted(path for path in (ROOT.parent / "tasks").glob("*.py") if path.stem != "__init__")
SOURCES = sorted(path for path in ROOT.rglob("*.py") if "templates" not in path.parts)
# From the top down; a folder imports those after it.
ROOMS = ["cli", "bench", "testing", "views", "deploy", "training", "task_types", "decoding", "layers", "engines"]
ROOMS += ["cells", "data", "experiments", "core"]
# What is said of two folders in particular.
FORBIDDEN = {("testing", "bench"), ("data", "experiments"), ("cells", "data"), ("cells", "experiments")}
FORBIDDEN |= {("engines", "data"), ("engines", "experiments"), ("layers", "data"), ("layers", "experiments")}
LIGHT = ("core", "experiments", "cli")
HEAVY = ("keras", "tensorflow", "pandas", "sklearn", "matplotlib", "jax", "torch")
BACKENDS = ("tensorflow", "jax", "torch")
NAME_A_BACKEND = ("engines/", "deploy/", "testing/", "bench/", "core/keras_import.py", "data/keras_adapter.py")


def name(path):
    return str(path.relative_to(ROOT.parent))


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


def modules(tree):
    """Full names of the seqtasks modules or packages that a file imports."""
    for module, what in imports(tree):
        if (module or "").split(".")[0] == "seqtasks":
            inner = ROOT.joinpath(*module.split(".")[1:], what or "")
            yield f"{module}.{what}" if what and (inner.is_dir() or inner.with_suffix(".py").is_file()) else module


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


def room(module):
    return [*module.split("."), ""][1]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent != ROOT], ids=name)
def test_imports_point_down(path):
    here = path.relative_to(ROOT).parts[0]
    for module in modules(parse(path)):
        there = room(module)
        assert there in ROOMS, f"{module}: import it from its folder"
        assert ROOMS.index(here) <= ROOMS.index(there) and (here, there) not in FORBIDDEN, module


def test_there_is_no_circle():
    graph = {}
    for path in SOURCES:
        here = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[here] = set(modules(parse(path))) - {here}
    while free := {module for module, others in graph.items() if not others & graph.keys()}:
        graph = {module: others - free for module, others in graph.items() if module not in free}
    assert not graph


@pytest.mark.parametrize("path", [p for p in SOURCES if p.relative_to(ROOT).parts[0] in LIGHT], ids=name)
def test_the_command_line_is_light(path):
    assert not [m for m, _ in imports(parse(path), inside=False) if (m or "").split(".")[0] in HEAVY]


def test_the_command_line_answers_without_keras():
    light = [p for p in SOURCES if p.relative_to(ROOT).parts[0] in LIGHT and p.stem != "__init__"]
    names = [".".join(p.relative_to(ROOT.parent).with_suffix("").parts) for p in light]
    code = f"import sys, {', '.join(names)}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_few_files_name_a_backend(path):
    inner = path.relative_to(ROOT).as_posix()
    if not inner.startswith(NAME_A_BACKEND):
        assert not [m for m, _ in imports(parse(path)) if (m or "").split(".")[0] in BACKENDS]


@pytest.mark.parametrize("path", TASKS, ids=name)
def test_tasks_use_public_names_and_name_no_cell(path):
    check_plugin(parse(path))


def check_plugin(tree):
    """A task plugin imports public names and names no cell."""
    for module, what in imports(tree):
        if (module or "").split(".")[0] == "seqtasks":
            public = seqtasks
            for part in module.split(".")[1:]:
                assert part in public.__all__, module
                public = getattr(public, part)
            assert what in public.__all__, f"{module}.{what}"
    assert not set(texts(tree)) & set(plugins.cells.names())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & {"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"}, "tasks are given their encoder"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_the_library_names_no_task(path):
    tree = parse(path)
    assert not set(texts(tree)) & {task.stem for task in TASKS}
    assert not [m for m, _ in imports(tree) if (m or "").startswith("seqtasks.tasks.")]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.relative_to(ROOT).parts[0] == "task_types"], ids=name)
def test_task_types_name_no_data_set(path):
    names = set()
    for facts in (plugins.declared(task.stem) for task in TASKS):
        tfds = facts["tfds"] or ()
        names |= {facts["builtin"], *([tfds] if isinstance(tfds, str) else tfds)}
    assert not set(texts(parse(path))) & names


def test_the_rules_can_fail():
    tree = ast.parse("if TYPE_CHECKING:\n    import keras\ntry:\n    import torch\nexcept E:\n    import jax\n")
    assert {m for m, _ in imports(tree, inside=False)} == {"torch", "jax"}
    assert {m for m, _ in imports(ast.parse("def f():\n    import tensorflow as tf"))} == {"tensorflow"}
    assert list(texts(ast.parse('"""doc"""\nx = "lstm"'))) == ["lstm"]
    assert list(modules(ast.parse("from seqtasks.core import errors"))) == ["seqtasks.core.errors"]
