"""Glimpses at small canvases: learning, scores, plots, prediction, errors."""

import numpy as np
import pytest
from PIL import Image

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.data.source import Source
from seqtasks.experiments import run_folder
from seqtasks.task_types.visual_attention.task import on_picture
from seqtasks.testing import check_task
from seqtasks.training import train
from seqtasks.training.baselines import run_baselines
from seqtasks.training.compiled_model import build

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["encoder.cell=gru", "encoder.units=24", "options.canvas=10", "options.glimpses=3", "options.glimpse_size=4",
         "options.scales=2", "options.hidden=16", "train.batch_size=25"]  # fmt: skip


def configuration(*words):
    return resolve("glimpses", plugins.load_task("glimpses").Options, words)


def make(*words, source=("builtin", "digits")):
    cls = plugins.load_task("glimpses")
    task = cls(configuration(*words).options)
    splits = task.load(Source(*source), 0)
    task.spec = splits.spec
    return task, splits


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    """Images of 4×4 pixels: upright or lying bars, with equal numbers of bright pixels."""
    folder = tmp_path_factory.mktemp("signs")
    rng = np.random.default_rng(0)
    for label in ("lying", "upright"):
        (folder / label).mkdir()
        for i in range(250):
            picture = np.zeros((4, 4), np.uint8)
            picture[rng.integers(4)] = rng.integers(150, 256)
            Image.fromarray(picture if label == "lying" else picture.T.copy()).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def trained(signs, tmp_path_factory):
    base = tmp_path_factory.mktemp("glimpses")
    words = [*SMALL, f"data.source=files:{signs}", "train.epochs=30", "train.learning_rate=0.01", "options.draws=2"]
    config = configuration(*words)
    row, _ = train.run(config, plugins.load_task("glimpses"), base, QUIET)
    return base / row.run, row, config, base


@pytest.mark.slow
def test_digits_are_located_and_classified(trained):
    _, row, _, _ = trained
    assert row.value > 0.9 and row.scores["accuracy_mean_of_2"] > 0.85
    assert row.engine == "loop" and row.topology == "one-to-one"


def test_linear_canvases_are_hard(trained):
    _, row, config, base = trained
    (baseline,) = run_baselines(config, plugins.load_task("glimpses"), base, QUIET)
    assert baseline.cell == "logistic regression" and 0.3 < baseline.value < row.value - 0.1
    assert baseline.params == 10 * 10 + 1


def test_the_run_folder_shows_paths(trained):
    names = {path.name for path in (trained[0] / "plots").iterdir()}
    assert {"paths.png", "confusion.png", "classes.csv"} <= names
    assert min(Image.open(trained[0] / "plots" / "paths.png").size) > 300


def test_pictures_are_read_and_paths_drawn(trained, tmp_path):
    opened = run_folder.open_run(trained[0])
    bar = np.zeros((4, 4), np.uint8)
    bar[:, 2] = 250
    Image.fromarray(bar).save(tmp_path / "bar.png")
    large = np.zeros((10, 10), np.uint8)
    large[8, 2:6] = 250
    Image.fromarray(large).save(tmp_path / "line.png")
    words = [str(tmp_path / "bar.png"), str(tmp_path / "line.png"), "--path", str(tmp_path / "seen.png")]
    rows = predict(opened, words)
    assert [row["answer"] for row in rows] == ["upright", "lying"] and rows[0]["inverted"] == "no"
    assert min(Image.open(tmp_path / "seen.png").size) > 100
    assert predict(opened, words) == rows
    with pytest.raises(ConfigError, match="no image given"):
        predict(opened, [])
    with pytest.raises(ConfigError, match=r"--path seen.txt ends in .\.txt.; allowed: \.png"):
        predict(opened, [words[0], "--path", "seen.txt"])


def test_a_single_glimpse_is_in_the_middle():
    task, _ = make("options.glimpses=1", "encoder.units=4")
    model, _ = build(task, configuration("encoder.units=4", "options.glimpses=1"))
    assert model.output_shape == (None, 10 + 2)
    assert not any("place" in weight.path for weight in model.weights)


@pytest.mark.slow
def test_the_same_without_choice(signs, tmp_path):
    words = [*SMALL, f"data.source=files:{signs}", "train.epochs=1", "data.limit=60", "options.policy=random"]
    row = check_task(plugins.load_task("glimpses"), tmp_path, words)
    assert row.config["options"]["policy"] == "random"


def test_noise_is_for_training_alone_unless_chance_chooses():
    for policy, kinds in {"learned": (True, False), "random": (True, True), "centre": (False, False)}.items():
        task, splits = make(f"options.policy={policy}", "options.clutter=2")
        splits_batches = task.batches(splits.train, 10, True), task.batches(splits.test, 10)
        assert tuple(bool(batches[0][0]["noise"].any()) for batches in splits_batches) == kinds


def test_the_sizes_follow_the_pictures():
    task, splits = make()
    assert task.canvas.side == 17 and task.canvas.piece == 2 and task.size == 3
    assert splits.spec.counts == {"train": 1374, "validation": 124, "test": 299}
    assert make()[1].fingerprint == splits.fingerprint != make("options.clutter=1")[1].fingerprint
    with pytest.raises(ConfigError, match="a canvas of 7×7 is too small"):
        make("options.canvas=7")


def test_how_often_the_picture_is_looked_at():
    task, splits = make("options.glimpses=2", "options.canvas=16")
    batches = task.batches(splits.test.take(4), 4)
    corners = batches.places.corners
    centres = (corners + 4) / 16 * 2 - 1
    locations = np.stack([np.zeros((4, 2)), centres], axis=1)
    assert on_picture(locations, batches) == 1
    locations[0, 1] = (corners[0] - 1) / 16 * 2 - 1
    assert on_picture(locations, batches) == 0.75


def test_an_encoder_that_reads_backwards_is_refused(tmp_path):
    config = configuration("encoder.bidirectional=true", "data.source=builtin")
    with pytest.raises(ConfigError, match=r"set encoder.bidirectional=false"):
        train.run(config, plugins.load_task("glimpses"), tmp_path, QUIET)
