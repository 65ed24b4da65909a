"""`seqtasks schema`: what it prints is JSON, what it writes is what it prints, and wrong words are one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from seqtasks.cli import scaffold
from seqtasks.core import plugins


def test_a_schema_is_printed_or_written(cli, tmp_path: Path) -> None:
    code, out, err = cli("schema", "adding")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert made["properties"]["task"] == {**made["properties"]["task"], "const": "adding"}
    assert made["$defs"]["options"]["properties"]["length"]["minimum"] == 2
    code, printed, err = cli("schema", "adding", "--out", "adding.json")
    assert (code, printed) == (0, "")
    line = "# yaml-language-server: $schema=adding.json"
    assert err == f"wrote adding.json; first line of YAML files beside it: {line}\n"
    assert (tmp_path / "adding.json").read_text(encoding="utf-8") == out


def test_a_schema_of_a_task_file(cli, tmp_path: Path) -> None:
    scaffold.write_task("echo_schema", tmp_path)
    try:
        code, out, err = cli("schema", "./echo_schema.py")
    finally:
        plugins.tasks.forget("seqtasks_file_echo_schema")
    assert code == 0, err
    oracle = Draft202012Validator(json.loads(out))
    values = yaml.safe_load((tmp_path / "echo_schema.yaml").read_text(encoding="utf-8"))
    assert oracle.is_valid(values) and oracle.is_valid({"options": {"length": 2}})
    assert not oracle.is_valid({"options": {"length": 1}}) and not oracle.is_valid({"options": {"lengths": 2}})


def test_settings_of_every_task_need_no_keras() -> None:
    code = (
        "import sys; sys.argv = ['seqtasks', 'schema']\n"
        "from seqtasks.cli.main import main\n"
        "main()\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["title"] == "seqtasks: settings of every task"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["addin"], "unknown task 'addin'; did you mean adding? see `seqtasks list tasks`"),
        (["./none.py"], "there is no task file none.py; give the path of a .py file"),
        (["adding", "--out", "none/adding.json"], "--out none/adding.json: there is no folder none; create it"),
        (["adding", "--out", "."], "--out . is a folder; name a file in it"),
    ],
)
def test_wrong_words_are_one_line(cli, words: list[str], message: str) -> None:
    code, out, err = cli("schema", *words)
    assert (code, out) == (2, "") and err.startswith(f"seqtasks: {message}") and err.count("\n") == 1
