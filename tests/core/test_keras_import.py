"""A Keras backend that does not exist, is not installed or is broken: one line, from every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = "import sys; {before}\nsys.argv = ['seqtasks', *sys.argv[1:]]\nfrom seqtasks.cli.main import main; main()"


def run(before: str = "", *words: str, **environment: str) -> tuple[int, str, str]:
    code = [sys.executable, "-c", CODE.format(before=before), *words]
    done = subprocess.run(code, capture_output=True, text=True, env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("before", "environment", "says"),
    [
        ("", {"KERAS_BACKEND": "nonsense"}, "'nonsense' (KERAS_BACKEND) does not exist; allowed here: "),
        (
            "sys.modules['jax'] = None",
            {"KERAS_BACKEND": "jax"},
            "'jax' (KERAS_BACKEND) is not installed; allowed here: ",
        ),
        ("", {"KERAS_BACKEND": "torch"}, "'torch' (KERAS_BACKEND) cannot be imported (ImportError: a broken one)"),
        ("", {"KERAS_BACKEND": ""}, "'nonsense' (HOME/keras.json) does not exist; allowed here: "),
    ],
)
def test_no_backend_is_one_line(tmp_path: Path, before: str, environment: dict[str, str], says: str) -> None:
    (tmp_path / "keras.json").write_text('{"backend": "nonsense"}', encoding="utf-8")
    (tmp_path / "torch.py").write_text("raise ImportError('a broken one')", encoding="utf-8")
    if environment["KERAS_BACKEND"] == "torch":
        before = f"sys.path.insert(0, {str(tmp_path)!r})"
    code, out, err = run(before, "show", "adding", KERAS_HOME=str(tmp_path), **environment)
    assert code == 2 and not out
    assert err.startswith("seqtasks: the Keras backend " + says.replace("HOME", str(tmp_path)))
    assert err.count("\n") == 1


def test_doctor_names_it_as_a_problem() -> None:
    code, out, err = run("", "doctor", KERAS_BACKEND="nonsense")
    assert code == 1 and "problem: the Keras backend 'nonsense'" in out and not err
