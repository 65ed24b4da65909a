"""What the text of a task's file shows is what its class says; what it does not show is left out."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from seqtasks.core import plugins
from seqtasks.core.declared import facts_of_task

TASKS = [entry.name for entry in plugins.tasks.entries() if entry.module.startswith("seqtasks.tasks.")]
BASE = (
    "from seqtasks.task_types import ImageTask, register_task\n\n"
    "@register_task('mine')\nclass Mine(ImageTask):\n    'Mine.'\n    tfds = 'mnist'\n    builtin = 'digits'\n"
)


@pytest.mark.parametrize("name", TASKS)
def test_bundled_tasks_are_read_whole(name: str) -> None:
    facts, cls = plugins.declared(name), plugins.load_task(name)
    assert set(facts.pop("options")) == {field.name for field in dataclasses.fields(cls.Options)}
    assert facts == {"tfds": cls.tfds, "files": cls.files, "builtin": cls.builtin, "packages": cls.packages}


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (BASE, {"tfds": "mnist", "files": True, "builtin": "digits", "options": []}),
        (BASE + "    builtin = None\n", {"tfds": "mnist", "files": True, "builtin": None, "options": []}),
        (BASE + "    tfds = tuple(NAMES)\n", {"files": True, "builtin": "digits", "options": []}),
        (BASE + "    if X:\n        files = False\n", {"tfds": "mnist", "builtin": "digits", "options": []}),
        (
            BASE + "    def load(self, *_):\n        files = 1\n\n    class Options:\n        size: int = 3\n",
            {"tfds": "mnist", "files": True, "builtin": "digits", "options": ["size"]},
        ),
        (BASE.replace("(ImageTask)", "(Elsewhere)"), {"tfds": "mnist", "builtin": "digits"}),
        (BASE.replace("(ImageTask)", "(ImageTask, Mixin)"), {"tfds": "mnist", "builtin": "digits"}),
        (BASE + BASE.replace("Mine", "Other").replace("mine", "other"), {}),
        ("import seqtasks\n\n@seqtasks.register_task('a')\nclass A(seqtasks.Task):\n    files = True\n",
         {"tfds": None, "files": True, "builtin": None, "options": []}),
        ("def f(:\n", {}),
        ("x = 1\n", {}),
    ],
)  # fmt: skip
def test_help_of_a_task_file(tmp_path: Path, text: str, facts: dict) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text, encoding="utf-8")
    packages = {"packages": {}} if "options" in facts else {}  # of the base class, where that can be found
    assert facts_of_task(file) == facts | packages
    assert "seqtasks_file_mine" not in sys.modules


def test_a_file_that_is_not_there_and_a_task_of_another_package(tmp_path: Path) -> None:
    assert facts_of_task(tmp_path / "mine.py") == {}
    assert plugins.declared("no_such_task") == {}
