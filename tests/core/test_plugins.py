"""Where plugins come from: bundled files, entry points, single files; and what broken ones say."""

import json
import subprocess
import sys

import keras
import pytest

import seqtasks.cells.registration
import seqtasks.layers.registration  # every cell enters the true registry before another takes its place
import seqtasks.task_types.base
from seqtasks.cells.gru import GRU
from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError, DuplicateNameError, PluginError, SeqtasksError, UnknownNameError
from seqtasks.core.registry import Registry

TASK = """
from seqtasks import Task, register_task


@register_task("{name}")
class Mine(Task):
    "A task of the tests."
    topology = "synced"

    def load(self, source, seed): ...

    def build_model(self, encoder): ...
"""
CELL = """
from seqtasks.cells import Cell, register_cell


@register_cell("{name}", paper="none")
class Own(Cell):
    pass
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Registries that discover anew, and no plugin modules left over."""
    before = set(sys.modules)
    monkeypatch.setattr(plugins, "tasks", Registry("task", plugins._discover_tasks))
    monkeypatch.setattr(plugins, "cells", Registry("cell", plugins._discover_cells))
    monkeypatch.setattr(seqtasks.task_types.base, "tasks", plugins.tasks)
    monkeypatch.setattr(seqtasks.cells.registration, "cells", plugins.cells)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("seqtasks_file_", "seqtasks.tasks.", "someone")):
            del sys.modules[name]


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def install(folder, monkeypatch, package, entries, **modules):
    """A package with entry points, as pip leaves it."""
    for name, text in modules.items():
        write(folder / f"{name}.py", text)
    info = folder / f"{package}-1.0.dist-info"
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    write(info / "entry_points.txt", entries)
    monkeypatch.syspath_prepend(str(folder))


def test_listing_imports_neither_keras_nor_plugins():
    code = (
        "import json, sys, seqtasks.core.plugins as p\n"
        "ours = [e.about for e in p.tasks.entries() if e.module.startswith('seqtasks.tasks.')]\n"
        "names = [p.tasks.names(), p.cells.names(), ours]\n"
        "print(json.dumps([names, sorted(m for m in sys.modules if m.startswith(('keras', 'tensorflow',"
        " 'seqtasks.tasks.', 'seqtasks.cells.')))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (tasks, cells, about), imported = json.loads(done.stdout)
    assert imported == []
    assert tasks and {"simple_rnn", "lstm", "gru"} <= set(cells)
    assert all(entry["summary"] and entry["topology"] for entry in about)


def test_listing_agrees_with_the_classes():
    for name, about in [(e.name, e.about) for e in plugins.tasks.entries() if e.module == f"seqtasks.tasks.{e.name}"]:
        cls = plugins._importer(name, f"seqtasks.tasks.{name}")()
        classes = [v for v in vars(cls).values() if getattr(v, "name", None) == name]
        assert len(classes) == 1, f"tasks/{name}.py must define the task {name}"
        assert about["topology"] == classes[0].topology
        assert about.get("metric", classes[0].metric) == classes[0].metric


def test_every_bundled_cell_says_its_source():
    for entry in [e for e in plugins.cells.entries() if e.module.startswith("seqtasks.cells.")]:
        assert entry.about["summary"] and entry.about["paper"].startswith("http"), entry.name


def test_entry_points_are_listed_and_loaded(tmp_path, monkeypatch):
    points = "[seqtasks.tasks]\nforeign = someone_task:Mine\n[seqtasks.cells]\nforeign_cell = someone_cell\n"
    texts = {"someone_task": TASK.format(name="foreign"), "someone_cell": CELL.format(name="foreign_cell")}
    install(tmp_path, monkeypatch, "someone", points, **texts)
    assert "foreign" in plugins.tasks.names() and "foreign_cell" in plugins.cells.names()
    assert "someone_task" not in sys.modules
    assert [e.about["summary"] for e in plugins.tasks.entries() if e.name == "foreign"] == ["from package someone"]
    assert plugins.load_task("foreign").name == "foreign"
    assert plugins.cells.get("foreign_cell").cell_name == "foreign_cell"


def test_a_broken_package_stops_only_itself(tmp_path, monkeypatch):
    offers = (f"{word} = someone_{word}:Mine\n" for word in ("broken", "absent", "sound"))
    points = "[seqtasks.tasks]\n" + "".join(offers)
    texts = {"someone_broken": "import os\nos.nonsense()\n", "someone_sound": TASK.format(name="sound")}
    install(tmp_path, monkeypatch, "someone", points, **texts)
    assert {"broken", "absent"} <= set(plugins.tasks.names())
    assert plugins.load_task("sound").name == "sound"
    with pytest.raises(PluginError) as caught:
        plugins.load_task("broken")
    messages = str(caught.value)
    assert "task broken of package someone" in messages and "AttributeError" in messages and "nonsense" in messages
    assert f"{tmp_path / 'someone_broken.py'}:2" in messages
    assert isinstance(caught.value.__cause__, AttributeError)
    with pytest.raises(PluginError, match="No module named 'someone_absent'"):
        plugins.load_task("absent")


def test_two_packages_of_one_name_clash_only_when_asked(tmp_path, monkeypatch):
    for who in ("someone_a", "someone_b"):
        points = f"[seqtasks.tasks]\ntwice = {who}_mod:Mine\nonly_{who} = {who}_mod:Mine\n"
        text = TASK.format(name=f"only_{who}")
        install(tmp_path / who, monkeypatch, who, points, **{f"{who}_mod": text})
    assert plugins.load_task("only_someone_a").name == "only_someone_a"
    with pytest.raises(DuplicateNameError, match=r"task twice is offered by both someone_._mod and someone_._mod"):
        plugins.load_task("twice")


def test_a_package_cannot_silently_replace_a_bundled_cell(tmp_path, monkeypatch):
    points = "[seqtasks.cells]\ngru = someone_gru:Own\n"
    install(tmp_path, monkeypatch, "someone", points, someone_gru=CELL.format(name="gru"))
    assert {"gru", "lstm"} <= set(plugins.cells.names())
    with pytest.raises(DuplicateNameError, match=r"gru is offered by both seqtasks.cells.gru and someone_gru"):
        plugins.cells.get("gru")


def test_a_task_file_is_loaded_by_path(tmp_path):
    path = write(tmp_path / "mine.py", TASK.format(name="of_a_file"))
    cls = plugins.load_task(str(path))
    assert cls.name == "of_a_file" and cls.file == path
    assert plugins.load_task("of_a_file") is cls


@pytest.mark.parametrize("loaded", [False, True])
def test_the_file_of_a_bundled_task_or_cell_is_that_one(tmp_path, monkeypatch, loaded):
    monkeypatch.delitem(sys.modules, "seqtasks.tasks.adding", raising=False)
    bundled = next(entry.about["file"] for entry in plugins.tasks.entries() if entry.name == "adding")
    cls = plugins.load_task("adding") if loaded else None
    (tmp_path / "adding.py").symlink_to(bundled)
    for file in (bundled, str(tmp_path / "adding.py")):
        assert plugins.task_name(file) == "adding" and not plugins.check_task(file)
        assert plugins.load_task(file) is (cls or plugins.load_task("adding"))
        assert plugins.declared(file) == plugins.declared("adding") != {}
    monkeypatch.setattr(plugins.cells, "get", lambda name: f"the bundled {name}")
    assert plugins.load_cell(f"{plugins.CELLS / 'mgu.py'}:mgu") == "the bundled mgu"

    other = write(tmp_path / "other" / "adding.py", TASK.format(name="adding"))
    assert plugins.task_name(str(other)) == str(other) and plugins.check_task(str(other))
    with pytest.raises(DuplicateNameError, match="task adding is defined by both"):
        plugins.load_task(str(other))


def test_a_task_file_is_read_again_after_editing(tmp_path):
    path = write(tmp_path / "mine.py", TASK.format(name="of_a_file"))
    first = plugins.load_task_file(path)
    write(path, TASK.format(name="of_a_file") + "    version = 2\n")
    second = plugins.load_task_file(path)
    assert (first.version, second.version) == (1, 2)
    write(path, TASK.format(name="renamed"))
    assert plugins.load_task_file(path).name == "renamed"


def test_two_files_of_one_name_are_two_tasks(tmp_path):
    a = write(tmp_path / "a" / "mine.py", TASK.format(name="alpha"))
    z = write(tmp_path / "z" / "mine.py", TASK.format(name="zeta"))
    assert plugins.load_task_file(a).name == "alpha"
    assert plugins.load_task_file(z).name == "zeta"


def test_a_file_with_two_tasks_is_refused(tmp_path):
    path = write(tmp_path / "mine.py", TASK.format(name="alpha") + TASK.format(name="beta").replace("Mine", "Other"))
    with pytest.raises(ConfigError, match=r"mine.py defines 2 tasks.*alpha.*beta"):
        plugins.load_task_file(path)


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("x = 1\ny = (\n", 2, "SyntaxError"),
        ("import no_such_module\n", 1, "No module named 'no_such_module'"),
        ("def f():\n    return 1 / 0\n\n\nf()\n", 2, "ZeroDivisionError"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
    ],
)
def test_a_broken_file_names_its_line_and_cause(tmp_path, text, line, cause):
    path = write(tmp_path / "mine.py", text)
    with pytest.raises(PluginError) as caught:
        plugins.load_task_file(path)
    assert f"{path}:{line}" in str(caught.value) and cause in str(caught.value)


def test_a_file_that_is_missing_or_empty(tmp_path):
    with pytest.raises(UnknownNameError, match="there is no task file"):
        plugins.load_task(str(tmp_path / "absent.py"))
    with pytest.raises(UnknownNameError, match="defines no task"):
        plugins.load_task_file(write(tmp_path / "mine.py", "x = 1\n"))


def test_a_topology_that_does_not_exist_is_refused(tmp_path):
    path = write(tmp_path / "mine.py", TASK.format(name="odd").replace("synced", "sideways"))
    with pytest.raises(ConfigError, match="topology is 'sideways'; allowed: one-to-one"):
        plugins.load_task_file(path)


def test_a_name_that_no_file_can_have():
    for name in ("./" + "x" * 300 + ".py", "a\0b.py"):
        with pytest.raises(ConfigError, match="cannot be used as a path"):
            plugins.load_task(name)


def test_a_cell_is_given_by_its_file(tmp_path):
    path = write(tmp_path / "mine.py", CELL.format(name="of_a_file"))
    cls = plugins.load_cell(str(path))
    assert cls.cell_name == "of_a_file" and plugins.cells.get("of_a_file") is cls
    assert plugins.code_of_cell("of_a_file") == path.read_text()
    assert plugins.code_of_cell("gru") is None


def test_one_of_several_cells_is_named(tmp_path):
    path = write(tmp_path / "mine.py", CELL.format(name="alpha") + CELL.format(name="beta").replace("Own", "Other"))
    assert plugins.load_cell(f"{path}:beta").cell_name == "beta"
    with pytest.raises(ConfigError, match=r"mine.py defines 2 cells: alpha, beta; name one: encoder.cell=.*:alpha$"):
        plugins.load_cell(str(path))
    with pytest.raises(UnknownNameError, match=r"mine.py defines no cell 'gamma'; allowed: alpha, beta"):
        plugins.load_cell(f"{path}:gamma")


def test_a_copy_of_a_cell_file_takes_its_place(tmp_path):
    first = plugins.load_cell_file(write(tmp_path / "mine.py", CELL.format(name="of_a_file")))
    copy = plugins.load_cell_file(write(tmp_path / "of_a_file.cell.py", CELL.format(name="of_a_file")), "of_a_file")
    assert copy is not first and plugins.cells.get("of_a_file") is copy


def test_a_task_and_a_cell_of_files_of_one_name(tmp_path):
    task = write(tmp_path / "a" / "mine.py", TASK.format(name="of_a_file"))
    cell = write(tmp_path / "b" / "mine.py", CELL.format(name="of_a_file"))
    cls = plugins.load_task_file(task)
    plugins.load_cell_file(cell)
    assert plugins.load_task("of_a_file") is cls


def test_a_cell_file_is_read_without_running_it(tmp_path):
    text = (
        "import seqtasks\n\n\n@seqtasks.register_cell('quiet', paper='none')\nclass A(seqtasks.Cell): ...\n\n\n1 / 0\n"
    )
    path = write(tmp_path / "mine.py", text)
    assert plugins.cell_in_file(path, None) == "quiet"
    with pytest.raises(PluginError, match=r"ZeroDivisionError.*mine.py:8"):
        plugins.load_cell_file(path)


def test_a_name_that_is_computed_is_known_once_the_file_has_run(tmp_path):
    path = write(tmp_path / "mine.py", CELL.format(name="{}").replace('"{}"', '"of_" + "a_file"'))
    assert plugins.cell_in_file(path, None) is None
    assert plugins.load_cell_file(path).cell_name == "of_a_file"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no cell file"),
        ("def f(:\n", r"SyntaxError.*mine.py:1"),
        ("x = 1\n", "mine.py defines no cell; decorate its class with @register_cell"),
        (CELL.format(name="gru"), r"cell gru is defined by both seqtasks.cells.gru and .*mine"),
    ],
)
def test_invalid_cell_files(tmp_path, text, says):
    path = tmp_path / "mine.py"
    if text is not None:
        write(path, text)
    with pytest.raises(SeqtasksError, match=says):
        plugins.load_cell(str(path))
    assert keras.saving.get_registered_object("seqtasks.cells>gru") is GRU, "a refused class stands for no saved cell"
