"""Declarations of a task, made from its text: as in its class, and unknown where the text does not show it."""

from __future__ import annotations

import dataclasses
import os
import sys
import typing
from pathlib import Path

import pytest

from seqtasks.core import plugins
from seqtasks.core.declared_task import DeclaredTask, task_of_class, task_of_file
from seqtasks.core.settings import table_rows

TASKS = sorted(path.stem for path in Path(plugins.__file__).parents[1].glob("tasks/[!_]*.py"))
BASE = """from dataclasses import dataclass
from typing import Literal
import numpy as np
from seqtasks import setting, register_task
from seqtasks.task_types import ImageTask
SIDES = (28, 56)
Side = Literal["left", "right"]

@dataclass(frozen=True)
class Options:
    side: int = setting(SIDES[0], "side", ge=2)
    first: Side = "left"

@register_task("mine")
class Mine(ImageTask):
    topology = "many-to-one"
    builtin = "digits"
    Options = Options
"""


@pytest.mark.parametrize("name", TASKS)
def test_bundled_tasks_are_known_whole(name: str) -> None:
    declared, cls = plugins.declared_task(name), plugins.load_task(name)
    assert declared is not None
    expected = task_of_class(cls)
    for field in dataclasses.fields(DeclaredTask):
        if not field.name.endswith("Options"):
            assert getattr(declared, field.name) == getattr(expected, field.name), field.name
    for made, real in ((declared.Options, cls.Options), (declared.PredictOptions, cls.PredictOptions)):
        assert list(table_rows(made())) == list(table_rows(real()))
        assert typing.get_type_hints(made) == typing.get_type_hints(real)
        for one, other in zip(dataclasses.fields(made), dataclasses.fields(real), strict=True):
            assert one.metadata == other.metadata


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_the_user_is_known_and_not_imported(tmp_path: Path) -> None:
    declared = task_of_file(write(tmp_path, BASE))
    assert declared is not None
    assert (declared.name, declared.files, declared.reads) == ("mine", True, "paths")
    assert [row[:3] for row in table_rows(declared.Options())] == [
        ("side", "28", "integer, ≥ 2"),
        ("first", "left", "one of 'left', 'right'"),
    ]
    assert [field.name for field in dataclasses.fields(declared.PredictOptions)] == ["invert"]
    assert not {"seqtasks_file_mine", "seqtasks_text_mine"} & set(sys.modules)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('side: int = setting(SIDES[0], "side", ge=2)', "side: int = int(np.ceil(27.5))"),  # needs a package
        ("class Options:", "class Options(Elsewhere):"),
        ("    builtin", "    if SIDES:\n        builtin"),
        ("(ImageTask)", "(ImageTask, Mixin)"),
        ('@register_task("mine")', "@register_task(NAME)"),
        ("SIDES = (28, 56)", "SIDES = 1 / 0"),
        ("class Mine", "class Mine:\n    pass\n\nclass Other(:"),
        ("topology", "topologies"),
        ("@dataclass(frozen=True)\n", ""),
    ],
)
def test_what_the_text_does_not_show_is_unknown(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    assert task_of_file(write(tmp_path, BASE.replace(old, new))) is None


def test_two_tasks_none_or_no_file(tmp_path: Path) -> None:
    twice = BASE + BASE[BASE.index("@register") :].replace("mine", "other").replace("Mine", "Other")
    assert task_of_file(write(tmp_path, twice)) is None
    assert task_of_file(write(tmp_path, "x = 1\n")) is None
    assert task_of_file(tmp_path / "nowhere.py") is None
    assert plugins.declared_task("no_such_task") is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    for side in (28, 56):
        path = write(tmp_path, BASE.replace("SIDES = (28, 56)", f"SIDES = ({side},)"))
        os.utime(path, ns=(side, side))
        declared = task_of_file(path)
        assert declared is not None and declared.Options().side == side
