"""`seqtasks new`: what it writes works as it is, in any folder and in a checkout."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqtasks
from seqtasks.cli import scaffold
from seqtasks.core import config as configuration
from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError, RunError
from seqtasks.core.plugins import load_task
from seqtasks.core.registry import FILE_MODULE
from seqtasks.task_types.base import TOPOLOGIES
from seqtasks.testing import check_cell, check_task

from ..test_import_rules import check_plugin, parse

TYPES = scaffold.task_types()
QUICK = ("image_classification", "text_classification")  # whose contract takes less than ten seconds
STUB = Path(seqtasks.__file__).parent / "task_types" / "__init__.pyi"


@pytest.fixture(autouse=True)
def forget_files() -> Iterator[None]:
    """What a test registers from a file is forgotten after it."""
    yield
    for registry in (plugins.tasks, plugins.cells):
        for entry in list(registry.entries()):
            if entry.module.startswith(FILE_MODULE):
                registry.forget(entry.module)


def test_every_task_type_with_a_class_to_subclass_has_an_example() -> None:
    imports = [node for node in ast.parse(STUB.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    classes = {str(node.module).split(".")[0]: [alias.name for alias in node.names] for node in imports}
    public = {folder for folder, names in classes.items() if any(name.endswith("Task") for name in names)} - {"base"}
    assert sorted(public) == TYPES, "write example.py.txt and example.yaml.txt into the folder of the task type"
    assert len(TYPES) > 9


@pytest.mark.parametrize("task_type", TYPES)
def test_an_example_states_its_facts_and_its_configuration_is_read(tmp_path: Path, task_type: str) -> None:
    task, config, test = scaffold.write_task("echo_example", tmp_path, task_type)
    assert "@" not in config.read_text(encoding="utf-8") + test.read_text(encoding="utf-8")
    text = task.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 120
    check_plugin(parse(task))
    cls = load_task(str(task))
    assert (cls.name, cls.__name__) == ("echo_example", "EchoExample")
    assert cls.topology in TOPOLOGIES and {"topology", "metric", "builtin"} <= vars(cls).keys()
    # Nothing is downloaded when it is run as it is.
    assert cls.tfds is None and plugins.declared(str(task))["builtin"] == cls.builtin
    assert task_type == "probes" or ("data.source=files:" in text and cls.files)  # probes are generated
    # The type that was asked for, not another one.
    assert any(base.__module__.startswith(f"seqtasks.task_types.{task_type}.") for base in cls.__mro__)
    resolved = configuration.resolve(cls.name, cls.Options, ["data.source=builtin"], task_file=config)
    assert resolved.train.min_updates
    assert config.read_text(encoding="utf-8").startswith("# seqtasks run ./echo_example.py\n")


@pytest.mark.parametrize(
    "task_type", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TYPES]
)
def test_an_example_keeps_the_contract(tmp_path: Path, task_type: str) -> None:
    task, *_ = scaffold.write_task(f"echo_{task_type}", tmp_path, task_type)
    assert check_task(str(task), tmp_path / "runs").task == f"echo_{task_type}"


def test_a_cell_keeps_the_contract_and_its_equations(tmp_path: Path) -> None:
    cell, test = scaffold.write_cell("echo_cell", tmp_path)
    assert [path.name for path in (cell, test)] == ["echo_cell.py", "test_echo_cell.py"]
    names: dict = {"__file__": str(test)}
    exec(compile(test.read_text(encoding="utf-8"), str(test), "exec"), names)
    names["test_contract"]()
    entry = next(entry for entry in plugins.cells.entries() if entry.name == "echo_cell")
    assert entry.value is not None and entry.value.__name__ == "EchoCell"

    def wrong(x, states, weights, gate_bias=1.0):  # type: ignore[no-untyped-def]
        output, new = names["equations"](x, states, weights)
        return output + 0.1, new

    with pytest.raises(AssertionError, match="equations of the paper"):
        check_cell(str(cell), oracle=wrong)


def test_a_cell_trains_a_task(cli) -> None:
    code, out, err = cli("new", "--cell", "echo_cell")
    assert code == 0 and out.splitlines() == ["echo_cell.py", "test_echo_cell.py"]
    commands = "seqtasks show cell ./echo_cell.py && seqtasks run mnist_rows encoder.cell=./echo_cell.py"
    assert err == f"next: {commands} && pytest test_echo_cell.py\n"
    code, out, err = cli("show", "cell", "./echo_cell.py")
    assert code == 0 and "gate_bias" in out, err
    words = ["encoder.cell=./echo_cell.py", "data.source=builtin", "data.limit=40", "train.epochs=1", "--json"]
    code, out, err = cli("run", "mnist_rows", *words)
    assert code == 0 and "echo_cell" in out, err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["t", "--type", "taging"], "unknown task type 'taging'; did you mean tagging? see `seqtasks new --help`"),
        (["t", "--type", "xyz"], f"unknown task type 'xyz'; the nearest of {len(TYPES)}: "),
        (["--cell", "t", "--type", "tagging"], "got both --cell and --type tagging; allowed: one of them; leave out"),
        (
            ["--cell", "My-Cell"],
            "'My-Cell' cannot name a cell; allowed: lower-case letters, digits and _, beginning",
        ),
        (["--cell", "mgu"], "the cell mgu exists already; allowed: a new name; choose another one"),
        (["keras"], "'keras' is the name of a Python module, which the file would hide; choose another name"),
        (["t", "--type", "tagging", "--folder", "a_file"], "cannot write a_file/t.py: "),
    ],
)
def test_what_cannot_be_written_is_one_line(cli, words: list[str], message: str) -> None:
    Path("a_file").touch()
    code, out, err = cli("new", *words)
    assert code == 2 and not out
    assert err.startswith(f"seqtasks: {message}") and err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["a_file"]


def table_of_windows(path: Path, count: int = 40) -> None:
    """Long, with semicolons, decimal commas, a missing value, a column of text, and names of the user's own."""
    lines = ["Fenster;Zeit;Kraft (N);y;Notiz;Zustand"]
    for window in range(count):
        for step in range(6):
            force = "" if step == 3 else str(window % 2 + 0.1 * step).replace(".", ",")
            lines.append(f"{window};{step};{force};{window * step % 5};gut;{'an' if window % 2 else 'aus'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_task_from_a_table_of_series_works_as_it_is(cli, tmp_path: Path) -> None:
    table_of_windows(Path("my data.csv"))
    code, out, err = cli("new", "echo_walks", "--type", "series", "--from", "my data.csv", "options.id=Fenster")
    assert code == 0 and out.splitlines() == ["echo_walks.py", "echo_walks.yaml", "test_echo_walks.py"], err
    assert [line for line in err.splitlines() if line.startswith(("my data.csv: 40", "  "))] == [
        "my data.csv: 40 series of 6 steps",
        "  id: Fenster",
        "  time: none",
        "  target: Zustand (2 classes: aus, an)",
        "  channels: Zeit, Kraft (N), y (5.6 % missing)",
        "  not read, as they have no numbers: Notiz",
    ]
    task, config, test = (Path(name) for name in out.splitlines())
    check_plugin(parse(task))
    text = task.read_text(encoding="utf-8")
    assert "@" not in text.replace("@register_task", "") and max(map(len, text.splitlines())) <= 120
    resolved = configuration.resolve("echo_walks", load_task(str(task)).Options, task_file=config)
    assert resolved.data.source == "files:my data.csv" and resolved.options.channels == ("Zeit", "Kraft (N)", "y")
    assert (resolved.options.noise, resolved.options.time) == (0.1, "-")  # beside those of the type
    names: dict = {"__file__": str(test)}
    exec(compile(test.read_text(encoding="utf-8"), str(test), "exec"), names)
    names["test_contract"](tmp_path)


def test_a_forecast_from_a_table_has_a_horizon_that_fits(cli) -> None:
    rows = [f"20{y:02d}-{m:02d}-01,{shop},{y + m},0" for shop in "AB" for y in range(3) for m in range(1, 13)]
    Path("sales.csv").write_text("month,shop,sold,holiday\n" + "\n".join(rows), encoding="utf-8")
    words = ["--type", "forecast", "--from", "sales.csv", "options.known=holiday"]
    code, _, err = cli("new", "echo_sales", *words)
    assert code == 0 and "  id: shop\n  time: month\n  channels: sold\n" in err
    assert "  horizon: 7 steps\n  dates: monthly, season 12\n" in err
    config = configuration.resolve(
        "echo_sales", load_task("./echo_sales.py").Options, task_file=Path("echo_sales.yaml")
    )
    options = config.options
    assert (options.id, options.time, options.channels) == ("shop", "month", ("sold",))
    assert (options.known, options.horizon) == (("holiday",), 7)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "t.csv"], "got --from with no --type; allowed: --type forecasting or series; choose one of them"),
        (["--from", "t.csv", "--type", "tagging"], "got --from with --type tagging; allowed: --type forecasting or"),
        (["--from", "t.csv", "--cell"], "got both --cell and --from t.csv; allowed: one of them; leave out --cell or"),
        (["options.id=a"], "got 'options.id=a' without --from; allowed: one name; give the data file: --from data.csv"),
        (["--from", "none.csv", "--type", "series"], "none.csv is not there; allowed: a file of series; give one"),
        (["--from", ".", "--type", "series"], ". is a folder; allowed: a file of series; give one"),
        (["--from", "bad.csv", "--type", "series"], "bad.csv, row 2, column x: 'high' is not a number; allowed: "),
        (["--from", "t.csv", "--type", "series"], "t.csv has no column that is clearly the target; it has: id, x"),
        (["--from", "t.csv", "--type", "series", "options.targt=x"], "options.targt=x is no role of a column; did you"),
        (["--from", "t.csv", "--type", "series", "options.id=idd"], "t.csv has no column 'idd'; did you mean id?; "),
        (["--from", "t.csv", "--type", "forecast"], "t.csv has series of up to 2 steps; allowed: five or more; give"),
        (["--from", "t.csv", "--type", "forecast", "options.known=z"], "t.csv has no column 'z'; allowed: x; choose"),
    ],
)
def test_a_data_file_that_cannot_be_used_is_one_line(cli, words: list[str], message: str) -> None:
    Path("t.csv").write_text("id,x\na,1\na,2\nb,3\nb,4\n", encoding="utf-8")
    Path("bad.csv").write_text("id,x,label\na,1,u\na,high,u\nb,3,v\n", encoding="utf-8")
    code, out, err = cli("new", "t", *words)
    assert code == 2 and not out
    assert err.startswith(f"seqtasks: {message}") and err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["bad.csv", "t.csv"]


def test_help_names_every_task_type(cli) -> None:
    code, out, _ = cli("new", "--help")
    assert code == 0 and all(task_type in out for task_type in TYPES)
    assert "--type tagging" in out and "--cell my_cell" in out


def test_the_task_keeps_the_contract_and_can_be_learnt(tmp_path: Path) -> None:
    task, config, test = scaffold.write_task("echo_learnt", tmp_path)
    assert [path.name for path in (task, config, test)] == ["echo_learnt.py", "echo_learnt.yaml", "test_echo_learnt.py"]
    learnt = ["data.limit=4000", "train.epochs=8", "encoder.units=32"]
    row = check_task(load_task(str(task)), tmp_path / "runs", learnt)
    assert row.task == "echo_learnt"
    assert row.value > 0.9  # chance is one eighth
    copy = tmp_path / "runs" / row.run / "echo_learnt.py"
    assert copy.read_text(encoding="utf-8") == task.read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_test_passes_as_it_is(tmp_path: Path) -> None:
    scaffold.write_task("echo_task", tmp_path)
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_echo_task.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_test_passes_for_a_task_that_reads_files_only(tmp_path: Path) -> None:
    task, _, test = scaffold.write_task("echo_files", tmp_path)
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
def test_next_command_is_suggested(cli, folder: Path) -> None:
    code, out, err = cli("new", "echo_task", "--folder", folder)
    assert code == 0 and out.splitlines() == [
        str(folder / f) for f in ("echo_task.py", "echo_task.yaml", "test_echo_task.py")
    ]
    assert err == f"next: seqtasks run ./{folder / 'echo_task.py'} && pytest {folder / 'test_echo_task.py'}\n"


def test_a_checkout_gets_the_files_in_their_places(tmp_path: Path) -> None:
    for folder in ("seqtasks", "tasks", "configs", "tests"):
        (tmp_path / folder).mkdir()
    written = scaffold.write_task("echo_task", tmp_path)
    paths = [path.relative_to(tmp_path).as_posix() for path in written]
    schema = f"seqtasks schema echo_task --out {tmp_path / 'configs/schemas/echo_task.json'}"
    steps = f"next: seqtasks run echo_task && {schema} && pytest {written[2]}"
    assert scaffold.next_steps(written[0], written[2]) == steps
    assert paths == ["tasks/echo_task.py", "configs/echo_task.yaml", "tests/tasks/test_echo_task.py"]
    assert 'TASK = "echo_task"\n' in (tmp_path / paths[2]).read_text(encoding="utf-8")
    lines = (tmp_path / paths[1]).read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["# yaml-language-server: $schema=schemas/echo_task.json", "# seqtasks run echo_task"]


@pytest.mark.parametrize("name", ["", "1st", "My", "with-dash", "class", "a/b", "_hidden", "mnist_rows", "random"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        scaffold.write_task(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"cannot write .*echo_cell.py: .*; give another folder: --folder DIR"):
        scaffold.write_cell("echo_cell", tmp_path / "file" / "inside")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "echo_task.yaml").write_text("mine", encoding="utf-8")
    for task_type in (None, "tagging"):
        with pytest.raises(ConfigError, match=r"echo_task.yaml exists already; choose another name or remove the file"):
            scaffold.write_task("echo_task", tmp_path, task_type)
    assert [path.name for path in tmp_path.iterdir()] == ["echo_task.yaml"]
    (tmp_path / "test_echo_cell.py").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"test_echo_cell.py exists"):
        scaffold.write_cell("echo_cell", tmp_path)
    assert not (tmp_path / "echo_cell.py").exists()
