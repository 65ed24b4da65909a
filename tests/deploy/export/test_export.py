"""Exports of runs: the proof without seqtasks, use.py, and what is written or refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import seqtasks
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.deploy.export import export as exporting
from seqtasks.deploy.export import formats, proof
from seqtasks.deploy.export.export import ExportOptions, export
from seqtasks.deploy.export.use_file import use_file
from seqtasks.experiments import run_folder
from seqtasks.task_types.common.export_plan import Case, ExportPlan, Graph, Port

QUIET = Reporter(quiet=True)
WITHOUT = """
import runpy, sys
sys.modules["seqtasks"], sys.argv = None, sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the adding problem with a carried state."""
    words = ["encoder.cell=lstm", "encoder.units=4", "options.length=6", "options.examples=40", "train.epochs=1"]
    result = seqtasks.run("adding", *words, runs=tmp_path_factory.mktemp("runs"), quiet=True)
    return run_folder.open_run(result.path)


def use(folder):
    """Runs use.py in a process in which seqtasks cannot be imported; returns its output."""
    done = subprocess.run([sys.executable, "-c", WITHOUT, str(folder / "use.py")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["onnx", "litert", pytest.param("openvino", marks=pytest.mark.slow)])
def test_a_step_model_proves_itself(run, tmp_path, form, monkeypatch):
    for module in formats.FORMATS[form].modules:
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)  # the process of the proof has another folder
    made = export(run, Path("out"), ExportOptions(format=form, licence="CC0"), QUIET)
    assert made.proof.examples == 100 and made.proof.steps == 600
    assert made.proof.largest_difference < 1e-5 and made.proof.equal_answers == 1
    assert made.proof.scores == pytest.approx(made.proof.keras_scores, rel=1e-4)
    assert not [name for name in made.operations if "Flex" in name or name in ("Loop", "WHILE")]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [state["input"] for state in manifest["graphs"]["step"]["states"]] == ["state_0_h", "state_0_c"]
    assert manifest["data"]["licence"] == "CC0" and manifest["proof"]["examples"] == 100
    # The last step of use.py is the answer of the model in Keras.
    example = np.load(tmp_path / "out" / "example.npz")["steps"]
    expected = float(seqtasks.load_run(run.path).model.predict(example, verbose=0)[0, 0])
    last = use(tmp_path / "out").splitlines()[-1]
    assert last.startswith("5 [") and float(last[3:-1]) == pytest.approx(expected, abs=1e-5)


def test_beyond_the_tolerance_nothing_is_written(run, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    cases_of = ExportPlan.cases

    def shifted(plan, examples, length=None):
        cases = cases_of(plan, examples, length)
        return replace(cases, rows=[replace(case, expected=case.expected + 0.01) for case in cases.rows])

    monkeypatch.setattr(ExportPlan, "cases", shifted)
    with pytest.raises(proof.ProofError, match=r"the largest difference is 0\.01 of .*; allowed: 0\.0001; ") as caught:
        export(run, tmp_path / "out", ExportOptions(), QUIET)
    assert caught.value.exit_code == 1 and not list(tmp_path.iterdir())


def test_what_is_refused(run, tmp_path):
    with pytest.raises(ConfigError, match=r"--any-length with task adding, .*; allowed: the default shape"):
        export(run, tmp_path / "out", ExportOptions(format="saved_model", shape="any"), QUIET)
    with pytest.raises(ConfigError, match=r"--length 5 with task adding, .*; allowed: the default shape"):
        export(run, tmp_path / "out", ExportOptions(format="saved_model", length=5, shape="length"), QUIET)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="exists and is no export; allowed: a new folder"):
        export(run, tmp_path / "mine", ExportOptions(format="saved_model"), QUIET)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


def test_the_command_takes_one_shape(cli):
    code, _, err = cli("export", "adding-x", "--step", "--length", "5")
    assert code == 2 and "got --step and --length; allowed: one of them; leave out the others" in err


def test_use_files_are_short_and_need_no_seqtasks():
    for form in formats.FORMATS:
        for kind in ("whole", "steps", "text", "sequences"):
            text = use_file("some", form, kind, "logits")
            compile(text, "use.py", "exec")
            assert len(text.splitlines()) <= 40 and "seqtasks" not in text


def test_the_relative_difference():
    logits, labels = [np.array([0.1, -4.0]), np.array([1.0])], [np.array([3, 17])]
    assert proof._relative(0.5, logits, 0.9) == 0.125  # of the largest output
    assert proof._relative(0.5, logits[1:], 0.9) == 0.5
    assert proof._relative(1.0, labels, 0.75) == 0.25  # the share of unequal labels


def test_examples_that_are_too_long():
    graph = Graph("model", [Port("x", (1, 5, None), "float32")], dict)
    assert proof.fits(Case({"x": np.zeros((1, 5, 2))}, np.zeros(1)), [graph])
    assert not proof.fits(Case({"x": np.zeros((1, 6, 2))}, np.zeros(1)), [graph])


def test_the_folder_of_an_export_is_replaced_whole(tmp_path):
    target = tmp_path / "out"
    with exporting._placed(target) as made:
        (made / "manifest.json").touch()
        (made / "old").touch()
    with exporting._placed(target) as made:
        (made / "manifest.json").touch()
    assert [path.name for path in target.iterdir()] == ["manifest.json"]
    with pytest.raises(KeyError), exporting._placed(target) as made:
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and (target / "manifest.json").is_file()
