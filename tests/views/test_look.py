"""`look` on tiny runs: tables, pictures, texts, and what is refused."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, RunError
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.training import train
from seqtasks.views.gradients import look_at_gradients
from seqtasks.views.look import LookOptions, look

QUIET = Reporter(quiet=True)
SMALL = ("train.epochs=1", "encoder.units=6", "train.batch_size=16")


def make(folder: Path, name: str, *settings: str) -> run_folder.Run:
    task = load_task(name)
    row, _ = train.run(resolve(name, task.Options, [*SMALL, *settings]), task, folder, QUIET)
    return run_folder.open_run(folder / row.run)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("looking")


@pytest.fixture(scope="module")
def language(base: Path) -> run_folder.Run:
    text = 'ADA:\nThe cat sat on "the mat" (there).\nIt sat.\n\n' * 60
    (base / "text.txt").write_text(text, encoding="utf-8")
    settings = ("encoder.cell=lstm", "encoder.layers=2", "options.bptt=10", "train.log_gradients=true")
    return make(base / "runs", "char_lm", f"data.source=files:{base / 'text.txt'}", *settings)


@pytest.fixture(scope="module")
def images(base: Path) -> run_folder.Run:
    return make(base / "runs", "mnist_rows", "data.source=builtin", "data.limit=60", "options.augment=false")


def words_of_page(path: Path) -> list[str]:
    """Text of each `pre` of a page."""
    texts: list[str] = []

    class Reader(HTMLParser):
        inside = False

        def handle_starttag(self, tag, attributes):
            if tag == "pre":
                self.inside = True
                texts.append("")
            assert not {"src", "href"} & {name for name, _ in attributes} and tag != "script"

        def handle_endtag(self, tag):
            self.inside = self.inside and tag != "pre"

        def handle_data(self, data):
            if self.inside:
                texts[-1] += data

    Reader().feed(path.read_text(encoding="utf-8"))
    return texts


def test_a_language_model(language: run_folder.Run, tmp_path: Path) -> None:
    result = look(language, LookOptions(top=3), tmp_path / "out", QUIET)
    names = ["states.png", "units.png", "gates.png", "trajectories.png", "spectrum.png", "text.html"]
    assert [path.name for path in result.files] == names
    assert 1 < len(result.rows) <= 3
    for row in result.rows:
        assert row["state"] in ("h", "c") and 0 <= row["unit"] < 6 and -1 <= row["correlation"] <= 1
    correlations = [abs(row["correlation"]) for row in result.rows]
    assert correlations == sorted(correlations, reverse=True)
    assert [row["gate"] for row in result.gates] == ["input", "forget", "output"]
    pages = words_of_page(tmp_path / "out" / "text.html")
    assert pages and all("The cat sat" in page for page in pages) and len(set(pages)) == 1
    assert result.text is not None and "The cat sat" in result.text.plain
    for path in result.files[:-1]:
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5  # not empty


def test_a_text_of_the_user_a_unit_and_a_layer(language: run_folder.Run, tmp_path: Path) -> None:
    options = LookOptions(inputs=["The mat\nsat."], unit="c:2", layer=1)
    result = look(language, options, tmp_path, QUIET)
    assert words_of_page(tmp_path / "text.html")[0] == "The mat\nsat."
    assert "layer 1" in (tmp_path / "text.html").read_text() and "c 2" in (tmp_path / "text.html").read_text()
    assert result.notes and not result.rows  # too short to compare units
    assert result.text is not None and result.text.plain == "The mat\nsat."


def test_images_are_drawn_above_their_states(images: run_folder.Run, tmp_path: Path) -> None:
    result = look(images, LookOptions(example=1, top=20), tmp_path, QUIET)
    assert not (tmp_path / "text.html").exists() and result.text is None
    follows = {row["follows"] for row in result.rows}
    assert {"ink", "ink, mean so far", "step"} <= follows
    assert "symbol alone" not in result.rows[0]


def test_gradients_of_a_run_with_a_log_of_training(language: run_folder.Run, tmp_path: Path) -> None:
    result = look_at_gradients([language], tmp_path, QUIET, steps=12)
    assert [(row["network"], row["layer"]) for row in result.rows] == [
        ("trained", "layer 1"),
        ("trained", "layer 2"),
        ("untrained", "layer 1"),
        ("untrained", "layer 2"),
    ]
    lines = (tmp_path / "gradients.csv").read_text().splitlines()
    assert lines[0] == "run,trained,layer,steps back,norm" and len(lines) == 1 + 4 * 13
    with Image.open(tmp_path / "gradients.png") as picture:
        assert picture.height > picture.width  # the panel of training below that of time


def test_several_runs_in_one_picture(
    images: run_folder.Run, language: run_folder.Run, base: Path, tmp_path: Path
) -> None:
    settings = ("data.source=builtin", "data.limit=60", "options.augment=false", "encoder.cell=simple_rnn")
    other = make(base / "runs", "mnist_rows", *settings)
    result = look_at_gradients([images, other], tmp_path, QUIET, steps=7)
    assert [row["run"] for row in result.rows] == ["lstm", "lstm", "simple_rnn", "simple_rnn"]
    with pytest.raises(RunError, match="of the tasks char_lm, mnist_rows; allowed: runs of one task"):
        look_at_gradients([images, language], tmp_path, QUIET)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 3}, "--layer is 3; allowed: 1 to 2, the layers of this model"),
        ({"unit": "c:6"}, "--unit is 'c:6'; allowed: a number, or h:0 to h:5, c:0 to c:5"),
        ({"unit": "first"}, "--unit is 'first'; allowed"),
        ({"example": 900}, r"--example is 900; allowed: 0 to \d+"),
        ({"inputs": [""]}, "the text has no token"),
    ],
)
def test_what_is_refused(language: run_folder.Run, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        look(language, LookOptions(**options), tmp_path / "out", QUIET)
    assert not (tmp_path / "out").exists()


def test_the_command(language: run_folder.Run, images: run_folder.Run, cli, tmp_path: Path) -> None:
    run, other = str(language.path), str(images.path)
    (tmp_path / "mine.txt").write_text("It sat.\nThe cat sat.\n", encoding="utf-8")
    code, out, err = cli("look", run, "--file", "mine.txt")
    assert code == 0 and words_of_page(language.path / "look" / "text.html")[0] == "It sat.\nThe cat sat.\n"
    assert re.search(r"^forget +0\.\d+", out, re.M) and "look/text.html" in err
    for words, message in (
        ([run, other], "got 2 runs; allowed: one run, or several with --gradients"),
        ([run, "--gradients", "--unit", "3"], "--gradients is given with --input, --file or --unit"),
        ([run, "--input", "a", "--file", "mine.txt"], "got both --input and --file mine.txt"),
        ([run, "--out", "mine.txt"], "--out mine.txt is a file; allowed: a folder"),
        ([run, "--out", "no/such"], "--out no/such: there is no folder no; create it"),
        ([run, "--file", "none.txt"], "--file none.txt does not exist"),
        ([other, "--file", "mine.txt"], "task mnist_rows does not read texts; allowed: --input PATH"),
        (["none"], "there is no run 'none'"),
    ):
        code, out, err = cli("look", *words)
        assert code == 2 and not out and message in err, words
        assert len(err.strip().splitlines()) == 1


def test_a_task_without_recurrence_is_refused(base: Path, tmp_path: Path) -> None:
    run = make(base / "runs", "mnist_vanilla", "data.source=builtin", "data.limit=60")
    with pytest.raises(ConfigError, match="has no recurrent network with the options of this run; allowed"):
        look(run, LookOptions(), tmp_path, QUIET)
