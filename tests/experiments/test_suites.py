"""Suites: the bundled ones name tasks and settings that exist; unknown names."""

from __future__ import annotations

import pytest

from seqtasks.core import config_files, plugins
from seqtasks.core.errors import UnknownNameError
from seqtasks.experiments.suites import Column, suite_of, suites
from seqtasks.training import requests


@pytest.mark.parametrize("name", sorted(suites()))
def test_columns_are_tasks_with_settings(name: str) -> None:
    suite = suites()[name]
    assert suite.summary and name not in plugins.tasks, "compare could not tell a task from a suite"
    assert len({column.name for column in suite.columns}) == len(suite.columns) > 1
    for column in suite.columns:
        checked = requests.check(column.task, column.overrides(["seed=1"]), None)
        assert checked.declared is not None and checked.declared.builtin, "a suite runs without a network"
        assert column.ceiling == 1 and checked.declared.metric == "accuracy"


def test_settings_of_the_user_replace_those_of_a_column() -> None:
    column = Column("S3", "permutations", ("options.size=3", "options.length=20"), None)
    assert column.overrides(["options.size=5", "seed=0,1"]) == ["options.length=20", "options.size=5", "seed=0,1"]


def test_names() -> None:
    assert suite_of("probes") == suites()["probes"]
    assert suite_of("adding") is suite_of("./my_task.py") is suite_of("my/task") is None
    with pytest.raises(UnknownNameError, match=r"unknown task or suite 'prob'; the nearest: probes, \w+, \w+; suites:"):
        suite_of("prob")
    assert config_files.SUITES not in config_files.bundled(), "it is no configuration of a run"
