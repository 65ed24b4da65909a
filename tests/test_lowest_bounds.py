"""The lower bounds that `.ci/run` installs together: read from pyproject.toml with markers and upper bounds."""

import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci" / "lowest.py"
lowest = runpy.run_path(str(SCRIPT))["lowest"]


def test_bounds_markers_and_extras():
    project = {
        "dependencies": [
            "Some_Name >= 1.2, < 3",
            "other~=2.1.4",
            "never>=1; python_version < '3'",
            "always>=1,!=1.5; python_version >= '3'",
        ],
        "optional-dependencies": {"test": ["other>=2.2", "exact==4.0.1"], "more": ["left_out>=9"]},
    }
    assert lowest(project, []) == ["some-name==1.2", "other==2.1.4", "always==1"]
    assert lowest(project, ["test"]) == ["some-name==1.2", "other==2.2", "always==1", "exact==4.0.1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name", "'name' has no lower bound"),
        ("name<2", "'name<2' has no lower bound"),
        ("name>=2,<2", "excludes its lower bound"),
        ("name>=1,!=1", "excludes its lower bound"),
        ("name => 1", "cannot read the requirement"),
    ],
)
def test_packages_without_a_lower_bound(text, message):
    with pytest.raises(SystemExit, match=message):
        lowest({"dependencies": [text]}, [])


def test_an_unknown_extra():
    with pytest.raises(SystemExit, match="unknown extra 'tests'; allowed: test; name one of them"):
        lowest({"optional-dependencies": {"test": []}}, ["tests"])


def test_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    command = [sys.executable, str(SCRIPT), str(ROOT / "pyproject.toml"), "test"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == len(set(lines)) == len(project["dependencies"]) + len(project["optional-dependencies"]["test"])
    assert all("==" in line for line in lines) and any(line.startswith("keras==") for line in lines)
