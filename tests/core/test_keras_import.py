"""A Keras backend that does not exist, is not installed or is broken: one line, from every command."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqtasks.core import keras_import

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
    code, out, err = run(before, "show", "adding", "--load", KERAS_HOME=str(tmp_path), **environment)
    assert code == 2 and not out
    assert err.startswith("seqtasks: the Keras backend " + says.replace("HOME", str(tmp_path)))
    assert err.count("\n") == 1


def test_doctor_names_it_as_a_problem() -> None:
    code, out, err = run("", "doctor", KERAS_BACKEND="nonsense")
    assert code == 1 and "problem: the Keras backend 'nonsense'" in out and not err


@pytest.mark.parametrize("stream", ["sys.stderr", "io.StringIO()"], ids=["script", "notebook"])
def test_keras_is_imported_silently_after_seqtasks(tmp_path: Path, stream: str) -> None:
    (tmp_path / "keras.py").write_text("import os; os.write(2, b'noise of C++')", encoding="utf-8")
    code = f"import io, os, sys; sys.path.insert(0, {str(tmp_path)!r}); sys.stderr = {stream}\n"
    code += "from seqtasks.core.keras_import import _AfterKeras\n"
    code += "(hook,) = [finder for finder in sys.meta_path if isinstance(finder, _AfterKeras)]\n"
    code += "hook.call = lambda: None\n"  # the layers do not work with this module
    code += "import keras; os.write(2, b'afterwards')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"afterwards")


def test_the_noise_of_an_import_that_fails_is_printed(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text(
        "import os; os.write(2, b'the cause'); raise ImportError('no')", encoding="utf-8"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import seqtasks; import keras"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("the cause") and "ImportError: no" in done.stderr


def test_warnings_of_retracing_are_left_out_also_where_keras_was_imported_before() -> None:
    keras_import.import_keras()
    logger = logging.getLogger("tensorflow")
    record = logger.makeRecord("tensorflow", logging.WARNING, "f", 1, "triggered tf.function retracing", (), None)
    other = logger.makeRecord("tensorflow", logging.WARNING, "f", 1, "something else", (), None)
    assert not logger.filter(record) and logger.filter(other)
    count = len(logger.filters)
    keras_import.import_keras()
    assert len(logger.filters) == count
