"""Perceptron without recurrence, compared with a recurrent model of the same images."""

from pathlib import Path

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.experiments.table import load_table
from seqtasks.training import inference, train

QUIET = Reporter(quiet=True)


def run(name: str, folder: Path, *words: str):
    cls = plugins.load_task(name)
    small = ["data.source=builtin", "train.batch_size=32", "encoder.units=8", *words]
    return train.run(resolve(name, cls.Options, small), cls, folder, QUIET)


def test_it_learns_without_a_cell_and_is_tabled_beside_one(tmp_path: Path) -> None:
    row, _ = run("mnist_vanilla", tmp_path, "train.epochs=12", "options.hidden=[64]")
    assert row.value > 0.9 and row.topology == "one-to-one"
    assert (row.cell, row.engine, row.encoder_params) == ("none", row.versions["backend"].split()[0], 0)
    assert row.params == 64 * 64 + 64 + 64 * 10 + 10
    assert row.run.startswith("mnist_vanilla-none-")
    assert inference.evaluate(run_folder.open_run(tmp_path / row.run), QUIET)[0]["now"] == row.value
    run("mnist_rows", tmp_path, "train.epochs=1")
    table = load_table(tmp_path, ["mnist_vanilla", "mnist_rows"])
    assert [group.labels for group in table.groups] == [("none", "mnist_vanilla"), ("lstm", "mnist_rows")]


def test_settings_of_the_encoder_make_no_other_run(tmp_path: Path) -> None:
    first, skipped = run("mnist_vanilla", tmp_path, "train.epochs=1", "options.hidden=[]")
    again, skipped = run("mnist_vanilla", tmp_path, "train.epochs=1", "options.hidden=[]", "encoder.cell=gru")
    assert skipped and again == first
