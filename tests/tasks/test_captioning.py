"""Captions of scenes and of files: learning, batches, prediction, errors."""

import numpy as np
import pytest
from PIL import Image

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.data.seq2seq_batches import END
from seqtasks.experiments import run_folder
from seqtasks.training import resolution, train
from seqtasks.training.baselines import run_baselines
from tests.data.image.test_captions import folder_of

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["encoder.units=24", "options.embedding_dim=24", "options.filters=[8,16]", "options.dropout=0"]


def run(folder, *words):
    cls = plugins.load_task("captioning")
    config = resolve("captioning", cls.Options, [*SMALL, *words])
    return train.run(config, cls, folder, QUIET)[0], config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("captioning")
    splits = ["train", "train", "train", "val", "test"]
    rows = [f"{i}.png,{'a dark image' if i < 12 else 'a bright one !'},{splits[i % 5]}" for i in range(25)]
    source = folder_of(base / "data", rows, 25, "image,caption,split")
    row, config = run(base / "runs", f"data.source=files:{source.folder}", "train.epochs=60", "options.side=16",
                      "train.learning_rate=0.01", "train.batch_size=8")  # fmt: skip
    return base / "runs" / row.run, row, config, base


@pytest.mark.slow
def test_captions_of_files_are_learnt_and_predicted(trained, tmp_path):
    folder, row, _, base = trained
    assert row.value == row.scores["exact"] > 0.7 and row.topology == "one-to-many" and row.encoder_params > 0
    assert (folder / "plots" / "attention.png").read_bytes().startswith(b"\x89PNG")
    files = [str(base / "data" / f"{i}.png") for i in (4, 24)]
    rows = predict(run_folder.open_run(folder), [*files, "--n-best", "2", "--attention", str(tmp_path / "map.png")])
    assert [row["caption"] for row in rows][::2] == ["a dark image", "a bright one !"]
    assert rows[0]["log-probability"] > rows[1]["log-probability"] and rows[1]["image"] == ""
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match="no image given"):
        predict(run_folder.open_run(folder), [])


def test_baselines_see_less(trained):
    folder, row, config, _ = trained
    frequent, nearest = run_baselines(config, plugins.load_task("captioning"), folder.parent, QUIET)
    assert frequent.cell == "most frequent sentence" and frequent.value < row.value
    assert nearest.cell == "nearest neighbour" and nearest.engine == "scikit-learn"


def batches_of(**options):
    cls = plugins.load_task("captioning")
    task = cls(cls.Options(scenes=40, **options))
    splits = resolution.load(task, resolve("captioning", cls.Options, ["data.source=builtin"]), QUIET)
    return task, splits, task.batches(splits.train, 8, shuffle=True, seed=3)


def test_batches_are_those_of_their_epoch():
    task, splits, batches = batches_of()
    first = [batches[i] for i in range(len(batches))]
    batches.seek(1, 2)
    later = batches[0]
    again = task.batches(splits.train, 8, shuffle=True, seed=3)
    again.seek(1, 0)
    assert all((a == b).all() for a, b in zip(later[0].values(), again[2][0].values(), strict=True))
    images = np.concatenate([inputs["image"] for inputs, _, _ in first])
    assert len(np.unique(images, axis=0)) == 40
    for inputs, targets, weights in first:
        texts = task.texts([row[w > 0] for row, w in zip(targets, weights, strict=True)])
        assert all(len(text.split()) + 1 == w.sum() for text, w in zip(texts, weights, strict=True))
        assert (inputs["previous"][:, 0] == END).all() and (inputs["previous"][:, 1:] == targets[:, :-1]).all()


@pytest.mark.slow
def test_scenes_with_other_decoders(tmp_path):
    small = ["data.source=builtin", "options.scenes=64", "train.epochs=1", "data.limit=64", "options.num_beams=2"]
    row, _ = run(tmp_path, *small, "options.attention=none", "encoder.cell=lstm")
    assert set(row.scores) == {"exact", "exact_greedy", "bleu", "chrf", "perplexity"}
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "black.png")
    opened = run_folder.open_run(tmp_path / row.run)
    assert isinstance(predict(opened, [str(tmp_path / "black.png")])[0]["caption"], str)
    with pytest.raises(ConfigError, match="no attention to draw"):
        predict(opened, [str(tmp_path / "black.png"), "--attention", str(tmp_path / "map.png")])
    with pytest.raises(ConfigError, match="bidirectional"):
        run(tmp_path, *small, "encoder.bidirectional=true")
