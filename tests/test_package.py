"""What a user gets by `pip install`: metadata, files, the command."""

import shlex
from importlib import metadata, resources
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import seqtasks
from seqtasks.cli import scaffold
from seqtasks.core.config_files import MODELINE

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = [Requirement(text) for text in metadata.requires("seqtasks") or []]


def files(folder: str, suffix: str) -> set[str]:
    return {path.name for path in (ROOT / folder).iterdir() if path.name.endswith(suffix)}


def test_the_version_is_stated_once():
    assert metadata.version("seqtasks") == seqtasks.__version__
    assert f"\n## {seqtasks.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("package", "inside", "folder", "suffix"),
    [
        ("seqtasks.configs", "", "configs", ".yaml"),
        ("seqtasks.configs", "schemas", "configs/schemas", ".json"),
        ("seqtasks.tasks", "", "tasks", ".py"),
        ("seqtasks.cli", "templates", "seqtasks/cli/templates", ""),
        ("seqtasks", "", "seqtasks", "py.typed"),
        *(("seqtasks", f"task_types/{name}", f"seqtasks/task_types/{name}", ".txt") for name in scaffold.task_types()),
    ],
)
def test_every_file_is_in_the_package(package, inside, folder, suffix):
    assert files(folder, suffix)
    for name in files(folder, suffix):
        assert resources.files(package).joinpath(inside, name).is_file(), f"{name}: install seqtasks again"


def test_a_configuration_begins_with_its_schema_and_the_command_that_runs_it():
    for name in files("configs", ".yaml"):
        schema, first, *_ = (ROOT / "configs" / name).read_text(encoding="utf-8").splitlines()
        if name == "suites.yaml":  # no settings of a task
            continue
        if name == "base.yaml":
            assert schema == f"{MODELINE}schemas/base.json"
            continue
        sign, program, command, task, *words = shlex.split(first, comments=False)
        assert schema == f"{MODELINE}schemas/{task}.json", f"{name}: the first line names the schema"
        assert (ROOT / "configs" / schema.removeprefix(MODELINE)).is_file(), "run python docs/make_tables.py"
        assert (sign, program, command) == ("#", "seqtasks", "run"), f"{name}: the second line is the command to run it"
        assert (ROOT / "tasks" / f"{task}.py").is_file(), name
        config = words[words.index("--config") + 1] if "--config" in words else task
        assert Path(config).stem == Path(name).stem, name


def test_the_command_is_installed():
    (script,) = metadata.entry_points(group="console_scripts", name="seqtasks")
    assert callable(script.load())


def test_every_requirement_has_a_lower_bound_and_no_other():
    assert len(REQUIREMENTS) > 10
    for requirement in REQUIREMENTS:
        assert [specifier.operator for specifier in requirement.specifier] == [">="], str(requirement)


def test_python_and_licence():
    about = metadata.metadata("seqtasks")
    assert about["Requires-Python"] == ">=3.11"
    assert about["License-Expression"] == "Apache-2.0" or about["License"] == "Apache-2.0"
