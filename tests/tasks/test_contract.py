"""Every bundled task passes `check_task`; a new task is tested without further code."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqtasks.core import plugins
from seqtasks.core.config_files import bundled
from seqtasks.testing import check_task

pytestmark = pytest.mark.pictures  # looked at in the run folders

TASKS = [entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")]
# tests/cells trains and saves every cell. These four are special: outputs of another width than a state (scrn, lstmp),
# no state named `h` and an engine of its own (lru), fixed weights (echo_state).
CELLS = ["scrn", "lru", *(pytest.param(name, marks=pytest.mark.slow) for name in ("lstmp", "echo_state"))]
# Small sizes for tasks whose defaults take long: scenes, beams, and examples that are searched or drawn.
SHORT = {
    "captioning": ["options.scenes=60", "data.limit_test=30", "options.num_beams=1"],
    "translation": ["data.limit=60", "data.limit_test=30", "options.num_beams=2"],
    "spoken_strings": ["options.strings=60", "options.tests=30"],
    "frames": ["data.limit=60", "data.limit_test=30"],
    "glimpses": ["data.limit=60", "data.limit_test=30", "options.glimpses=3"],
    "tagging": ["data.limit_test=60"],
}


def built_in(name: str) -> None:
    """Skips a task that reads files only; the test of the task writes some."""
    if plugins.load_task(name).builtin is None:
        pytest.skip(f"{name} has no built-in set; tests/tasks/test_{name}.py gives it files")


@pytest.mark.a_third
@pytest.mark.parametrize("name", TASKS)
def test_task(name: str, tmp_path: Path) -> None:
    built_in(name)
    check_task(name, tmp_path, SHORT.get(name, []))


@pytest.mark.a_third
@pytest.mark.parametrize("name", TASKS)
def test_it_is_shown_with_its_data(name: str, cli) -> None:
    built_in(name)
    code, out, err = cli("show", name, "data.source=builtin", *SHORT.get(name, []))
    assert code == 0, err
    assert "data.source" in out
    assert all(f"  {part}: " in out.split("loaded data")[1] for part in ("train", "validation", "test"))


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_odd_cells_in_a_task(cell: str, tmp_path: Path) -> None:
    check_task(plugins.load_task("mnist_rows"), tmp_path, ["data.limit=40", "options.augment=false"], cell=cell)


@pytest.mark.parametrize("name", TASKS)
def test_its_configuration_says_how_to_run_it(name: str) -> None:
    for file in bundled():
        if file == name or file.startswith(f"{name}_"):
            of_editor, command = bundled()[file].read_text(encoding="utf-8").splitlines()[:2]
            assert of_editor.startswith("# yaml-language-server: ") and command.startswith(f"# seqtasks run {name}")
