"""Labels of video frames: learning, padding, baselines, prediction of videos, errors."""

import keras
import numpy as np
import pytest
from PIL import Image

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.data.source import Source
from seqtasks.experiments import run_folder
from seqtasks.training import resolution, saved_model, train
from seqtasks.training.baselines import run_baselines

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["encoder.cell=gru", "encoder.units=24", "options.canvas=8", "options.min_length=3", "options.max_length=6",
         "options.noise=0", "options.examples=300", "data.limit=300", "options.filters=[8]", "options.frame_dim=32",
         "train.batch_size=20"]  # fmt: skip


def configuration(*words):
    return resolve("frames", plugins.load_task("frames").Options, words)


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    """Images of 4×4 pixels: upright or lying bars."""
    folder = tmp_path_factory.mktemp("signs")
    rng = np.random.default_rng(0)
    for label in ("lying", "upright"):
        (folder / label).mkdir()
        for i in range(60):
            picture = np.zeros((4, 4), np.uint8)
            picture[1 + rng.integers(2)] = rng.integers(150, 256)
            Image.fromarray(picture if label == "lying" else picture.T.copy()).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def trained(signs, tmp_path_factory):
    base = tmp_path_factory.mktemp("videos")
    words = [*SMALL, f"data.source=files:{signs}", "options.margin=1", "train.epochs=8", "train.learning_rate=0.01"]
    config = configuration(*words)
    row, _ = train.run(config, plugins.load_task("frames"), base, QUIET)
    return base / row.run, row, config, base


@pytest.mark.slow
def test_the_digit_in_front_is_learnt(trained):
    _, row, _, _ = trained
    assert row.value > 0.85 and 0.4 < row.scores["whole"] <= row.value


def test_single_frames_and_the_most_frequent_label_are_worse(trained):
    _, row, config, base = trained
    baselines = {b.cell: b for b in run_baselines(config, plugins.load_task("frames"), base, QUIET)}
    assert set(baselines) == {"most frequent label", "logistic regression"}
    assert 0.45 < baselines["most frequent label"].value < 0.55 < row.value
    assert baselines["logistic regression"].value < row.value and baselines["logistic regression"].params == 8 * 8 + 1
    assert all(b.scores.keys() == row.scores.keys() for b in baselines.values())


def test_padding_changes_nothing(trained):
    task, _, model = saved_model.open_trained(run_folder.open_run(trained[0]))
    video = np.random.default_rng(0).integers(0, 256, (1, 4, 8, 8)).astype(np.uint8)
    longer = np.concatenate([video, np.full((1, 3, 8, 8), 200, np.uint8)], axis=1)
    mask = np.arange(7)[None] < 4
    short = model.predict_on_batch({"image": video, "mask": mask[:, :4]})
    np.testing.assert_allclose(model.predict_on_batch({"image": longer, "mask": mask})[:, :4], short, atol=1e-5)
    targets = np.zeros((1, 7), int)
    loss = float(task.loss()(targets[:, :4], short, sample_weight=np.ones((1, 4))))
    padded = np.concatenate([short, np.full((1, 3, 2), 9.0)], axis=1)
    assert float(task.loss()(targets, padded, sample_weight=mask.astype(float))) == pytest.approx(loss, rel=1e-6)
    model.compile(loss=task.loss(), weighted_metrics=task.metrics())
    values = model.evaluate({"image": longer, "mask": mask}, targets, sample_weight=mask.astype(float), verbose=0)
    assert values[0] == pytest.approx(loss, rel=1e-5)
    assert values[1] == pytest.approx(np.mean(short[0].argmax(axis=-1) == 0))


def test_scores_by_hand(trained):
    task, config, model = saved_model.open_trained(run_folder.open_run(trained[0]))
    splits = resolution.load(task, config, QUIET)
    part = splits.test.take(7)
    batches = task.batches(part, 3)
    right, whole, nll = [], [], []
    for row in range(7):
        video, labels = batches.one(row)
        logits = model.predict_on_batch({"image": video[None], "mask": np.ones((1, len(video)), bool)})[0]
        hits = logits.argmax(axis=-1) == labels
        right, whole = [*right, *hits], [*whole, hits.all()]
        nll += list(keras.ops.convert_to_numpy(keras.losses.sparse_categorical_crossentropy(labels, logits, True)))
    scores = task.score(model, batches)
    assert scores["accuracy"] == pytest.approx(np.mean(right)) and scores["whole"] == pytest.approx(np.mean(whole))
    assert scores["nll"] == pytest.approx(np.mean(nll), rel=1e-4)


def test_videos_are_read_and_written(trained, tmp_path):
    opened = run_folder.open_run(trained[0])
    rows = predict(opened, ["test:3", "--strip", str(tmp_path / "out.gif")])
    assert {"frame", "answer", "true", "P(lying)", "P(upright)"} == set(rows[0])
    with Image.open(tmp_path / "out.gif") as video:
        assert video.n_frames == len(rows) and min(video.size) >= 200
    task, config, _ = saved_model.open_trained(opened)
    splits = resolution.load(task, config, QUIET)
    frames, labels = task.batches(splits.test, 1).one(3)
    assert [row["true"] for row in rows] == [task.classes[n] for n in labels]
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{i}.png")
    again = predict(opened, [*(str(tmp_path / f"{i}.png") for i in range(len(frames))), "--invert", "no",
                                 "--strip", str(tmp_path / "strip.png")])  # fmt: skip
    assert [row["answer"] for row in again] == [row["answer"] for row in rows] and "true" not in again[0]
    assert Image.open(tmp_path / "strip.png").size[0] > 200


def test_what_cannot_be_predicted_is_refused(trained, tmp_path):
    opened = run_folder.open_run(trained[0])
    with pytest.raises(ConfigError, match="no video given; allowed: a GIF, a folder"):
        predict(opened, [])
    with pytest.raises(ConfigError, match="test:2000: no such video; allowed: test:0 to test:1999"):
        predict(opened, ["test:2000"])
    with pytest.raises(ConfigError, match=r"--strip video.mp4 ends in .\.mp4.; allowed: \.gif, \.png"):
        predict(opened, ["test:0", "--strip", "video.mp4"])
    with pytest.raises(ConfigError, match=r"there is no folder .*none; create it or name another file"):
        predict(opened, ["test:0", "--strip", str(tmp_path / "none" / "video.gif")])


def test_the_run_folder_shows_a_strip(trained):
    names = {path.name for path in (trained[0] / "plots").iterdir()}
    assert {"strip.png", "confusion.png", "classes.csv"} <= names


@pytest.mark.slow
def test_directions_are_learnt_from_neighbours(signs, tmp_path):
    words = [*SMALL, f"data.source=files:{signs}", "options.label=direction", "train.epochs=10",
             "train.learning_rate=0.01"]  # fmt: skip
    config = configuration(*words)
    row, _ = train.run(config, plugins.load_task("frames"), tmp_path, QUIET)
    baselines = {b.cell: b.value for b in run_baselines(config, plugins.load_task("frames"), tmp_path, QUIET)}
    assert row.value > 0.6 and row.value > baselines["logistic regression"] + 0.15


def test_the_sizes_follow_the_pictures():
    cls = plugins.load_task("frames")
    task = cls(configuration("options.examples=50").options)
    splits = task.load(Source("builtin", "digits"), 0)
    assert (task.video.side, task.video.margin) == (11, 1)
    assert splits.spec.counts == {"train": 50, "validation": 1000, "test": 2000}
    noisy = cls(configuration("options.examples=50", "options.noise=0.2").options)
    assert noisy.load(Source("builtin", "digits"), 0).fingerprint != splits.fingerprint
    wide = cls(configuration("options.examples=20").options).load(Source("builtin", "digits"), 1)
    assert wide.fingerprint == splits.fingerprint
