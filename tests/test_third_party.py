"""A task, a cell and a tracker of another package, the one in `tests/plugin_package`."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from seqtasks.core import plugins
from seqtasks.testing import check_cell, check_task

try:
    metadata.distribution("seqtasks-example")
except metadata.PackageNotFoundError:
    pytest.skip(
        "the example plugin is not installed: pip install --no-deps tests/plugin_package", allow_module_level=True
    )


def seqtasks(*words: str, cwd) -> str:
    command = [sys.executable, "-m", "seqtasks", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("what", "name"), [("tasks", "overdrawn"), ("cells", "leaky_rnn"), ("trackers", "lines")])
def test_it_is_listed_with_the_name_of_its_package(what, name, tmp_path):
    (line,) = [line for line in seqtasks("list", what, cwd=tmp_path).splitlines() if line.startswith(name)]
    assert "from package seqtasks-example" in line


def test_the_task_keeps_the_contract(tmp_path):
    row = check_task(plugins.load_task("overdrawn"), tmp_path)
    assert row.source == "builtin:generated"


@pytest.mark.parametrize("options", [{}, {"leak": 0.1}, {"leak": 1.0}])
def test_the_cell_keeps_the_contract(options):
    check_cell("leaky_rnn", options)


@pytest.mark.slow
def test_a_run_takes_the_settings_beside_the_module(tmp_path):
    words = ["run", "overdrawn", "train.epochs=1", "data.limit=100", "--json", "--quiet"]
    row = json.loads(seqtasks(*words, cwd=tmp_path).splitlines()[-1])
    assert (row["task"], row["cell"], row["config"]["encoder"]["units"]) == ("overdrawn", "leaky_rnn", 24)


@pytest.mark.slow
def test_the_tracker_gets_the_epochs(tmp_path):
    words = ["run", "overdrawn", "train.epochs=3", "data.limit=100", "--json", "--quiet", "train.trackers=lines"]
    row = json.loads(seqtasks(*words, cwd=tmp_path).splitlines()[-1])
    lines = (tmp_path / "runs" / row["run"] / "lines.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
