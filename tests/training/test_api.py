"""`seqtasks.run`, `compare` and `load_run`: the runs of the command line, from Python."""

import json

import numpy as np
import pandas as pd
import pytest

import seqtasks
from seqtasks.core.errors import ConfigError, RunError, UnknownNameError
from seqtasks.training import api

pytestmark = pytest.mark.pictures  # looked at in the run folders

SMALL = ["data.source=builtin", "encoder.units=8", "train.epochs=2", "options.augment=false"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    return folder, seqtasks.run("mnist_rows", *SMALL, runs=folder, quiet=True, seed=3)


def test_a_run_is_that_of_the_command_line(made, cli):
    folder, result = made
    assert result.path == folder / result.row.run and result.row.seed == 3 and result.value == result.row.value
    code, out, err = cli("run", "mnist_rows", *SMALL, "seed=3", "--runs", folder, "--json")
    assert code == 0, err
    row = json.loads(out)
    assert row["skipped"] and row["run"] == result.row.run
    assert seqtasks.run("mnist_rows", *SMALL, runs=folder, quiet=True, seed=3).row == result.row


def test_what_a_result_has(made):
    folder, result = made
    assert list(result.history["loss"]) == sorted(result.history["loss"], reverse=True) and len(result.history) == 2
    assert [path.name for path in result.plots] == ["confusion.png", "learning_curves.png", "worst_errors.png"]
    assert result.evaluate()["accuracy"] == pytest.approx(result.value)
    assert result.model.predict_on_batch(np.zeros((2, 8, 8), "uint8")).shape == (2, 10)
    for text in ("mnist_rows", f"{result.value:.4f}", result.row.run):
        assert text in result._repr_html_() and text in repr(result)
    assert seqtasks.load_run(result.row.run, folder).row == seqtasks.load_run(result.path).row == result.row


def test_predictions_take_options_of_the_command(made, tmp_path):
    from PIL import Image

    _, result = made
    file = tmp_path / "digit.png"
    Image.fromarray(np.zeros((8, 8), "uint8")).save(file)
    (row,) = result.predict(str(file), invert="no")
    assert row["inverted"] == "no" and row["answer"] in map(str, range(10))
    with pytest.raises(ConfigError, match="unknown setting --colour"):
        result.predict(str(file), colour="red")


def test_notes_are_printed_once(made, capsys, tmp_path):
    note = "weight updates, fewer than"
    seqtasks.run("mnist_rows", *SMALL, "data.limit=50", runs=tmp_path)
    assert capsys.readouterr().err.count(note) == 1
    result = seqtasks.run("mnist_rows", *SMALL, "data.limit=50", runs=tmp_path)  # finished before
    assert capsys.readouterr().err.count(note) == 1 and note in " ".join(result.row.notes)


def test_a_result_has_its_task(made):
    _, result = made
    assert result.task.name == "mnist_rows" and result.task.classes == list("0123456789")
    assert result.model is result.model


CELL = """
from seqtasks.cells import Cell, register_cell
from seqtasks.cells.simple_rnn import SimpleRNN

@register_cell("cell_of_test_api", paper="none")
class OfTest(SimpleRNN):
    "A cell of a file."
"""


def test_code_that_the_caller_named_is_trusted_and_that_of_a_folder_on_request(tmp_path):
    file = tmp_path / "cell_of_test_api.py"
    file.write_text(CELL, encoding="utf-8")
    call = ("mnist_rows", *SMALL, "data.limit=50", f"encoder.cell={file}")
    result = seqtasks.run(*call, runs=tmp_path / "runs", quiet=True)
    assert result.trust and result.model.get_layer("encoder")
    loaded = seqtasks.load_run(result.path)
    with pytest.raises(RunError, match=r"load_run\(path, trust=True\)"):
        _ = loaded.model
    assert seqtasks.load_run(result.path, trust=True).evaluate()["accuracy"] == pytest.approx(result.value)
    assert not api._same_code(result.path, "mnist_rows", [])
    assert api._same_code(result.path, "mnist_rows", call[1:])
    file.write_text(CELL + "# edited", encoding="utf-8")
    assert not api._same_code(result.path, "mnist_rows", call[1:])


def test_compare_gives_a_table(tmp_path):
    small = [*SMALL, "data.limit=60"]
    rows = [seqtasks.run("mnist_rows", *small, runs=tmp_path, quiet=True, seed=seed).row for seed in (0, 1)]
    table = seqtasks.compare("mnist_rows", *small, runs=tmp_path, baseline=False, seed=[0, 1])  # skips what is finished
    frame = table.to_frame()
    names = {path.parent.name for path in tmp_path.glob("mnist_rows-lstm-*/result.json")}
    assert names == {row.run for row in rows}
    assert isinstance(frame, pd.DataFrame) and frame.loc[0, "seeds"] == [0, 1] and frame.loc[0, "n"] == 2
    assert "<table>" in table._repr_html_() and "accuracy % ↑" in str(table)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda folder: seqtasks.run("mnist_row", runs=folder), UnknownNameError, "did you mean mnist_rows"),
        (lambda folder: seqtasks.run("mnist_rows", "encoder.unit=3", runs=folder), ConfigError, "encoder.units"),
        (lambda folder: seqtasks.run("mnist_rows", runs=folder, sed=1), ConfigError, "seed"),
        (lambda folder: seqtasks.load_run("mnist_rows-lstm-00000000", folder), RunError, "there is no run"),
    ],
)
def test_errors_are_those_of_the_command_line(tmp_path, call, error, message):
    with pytest.raises(error, match=message):
        call(tmp_path)
    assert not list(tmp_path.iterdir())
