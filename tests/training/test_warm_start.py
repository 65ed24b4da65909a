"""Runs that start from the weights of another run (`train.start`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import RunError
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results, run_folder
from seqtasks.task_types.tagging.model import TaggingParts
from seqtasks.training import compiled_model, resolution, train, warm_start
from seqtasks.training.saved_model import open_trained

QUIET = Reporter(quiet=True)
SMALL = [
    "encoder.units=4",
    "options.embedding_dim=4",
    "options.character_units=4",
    "train.epochs=1",
    "options.crf=true",
]
ENGLISH, OTHER = "the\tDET\ncat\tNOUN\nruns\tVERB\n\n", "cat\tNOUN\nhat\tVERB\nça\tPRON\n\n"


def data(folder: Path, sentence: str) -> str:
    """Writes a folder of tagged sentences; returns the setting that names it."""
    folder.mkdir()
    for part, count in (("train", 12), ("dev", 3), ("test", 3)):
        (folder / f"{part}.conll").write_text(sentence * count, encoding="utf-8")
    return f"data.source=files:{folder}"


def run(runs: Path, task: str, *words: str) -> results.Row:
    cls = plugins.load_task(task)
    return train.run(resolve(task, cls.Options, [*words]), cls, runs, QUIET)[0]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, run_folder.Run]:
    base = tmp_path_factory.mktemp("start")
    row = run(base / "runs", "tagging", data(base / "english", ENGLISH), *SMALL)
    return base, run_folder.open_run(base / "runs" / row.run)


def test_words_characters_and_tags_of_the_same_name_keep_their_weights(first: tuple[Path, run_folder.Run]) -> None:
    base, folder = first
    cls = plugins.load_task("tagging")
    words = [data(base / "other", OTHER), *SMALL, f"train.start={folder.path.name}"]
    resolved = resolution.resolve(resolve("tagging", cls.Options, words), cls, QUIET)
    task, config = resolved.task, resolved.config
    fresh, _ = compiled_model.build(task, config)
    model, _ = compiled_model.compiled(task, config, 1, None, QUIET, start=warm_start.find(config, base / "runs"))
    old_task, _, old = open_trained(folder)
    parts, old_parts, untouched = (TaggingParts.of(one) for one in (model, old, fresh))
    rows, old_rows, random = (one.embedding.get_weights()[0] for one in (parts, old_parts, untouched))
    new, before = task.spec.words.index, old_task.spec.words.index
    np.testing.assert_array_equal(rows[new("cat")], old_rows[before("cat")])
    np.testing.assert_array_equal(rows[new("hat")], random[new("hat")])
    labels, old_labels = task.spec.labels.index, old_task.spec.labels.index
    moved, original = (one.head.crf.transitions.numpy() for one in (parts, old_parts))
    assert moved[labels("NOUN"), labels("VERB")] == original[old_labels("NOUN"), old_labels("VERB")]
    assert moved[labels("PRON"), labels("VERB")] == 0
    of_encoder, old_of_encoder = (one.get_layer("encoder").get_weights() for one in (model, old))
    for weight, old_weight in zip(of_encoder, old_of_encoder, strict=True):
        np.testing.assert_array_equal(weight, old_weight)


def test_the_run_has_another_name_and_says_where_it_started(first: tuple[Path, run_folder.Run]) -> None:
    base, folder = first
    words = (f"data.source=files:{base / 'english'}", *SMALL)
    row = run(base / "runs", "tagging", *words, f"train.start={folder.path}")
    assert row.run != folder.path.name and row.config["train"]["start"] == str(folder.path)
    assert run(base / "runs", "tagging", *words).run == folder.path.name  # as without the setting


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (),
            r"has encoder/.* of shape \(\d+, 16\), and this model needs encoder/.* of shape \(\d+, 24\); allowed",
        ),
        (("options.crf=false",), r"has \d+ weights, and this model needs \d+"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    first: tuple[Path, run_folder.Run], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    base, folder = first
    settings = [*SMALL, "encoder.units=6", *words, f"train.start={folder.path}"]
    with pytest.raises(RunError, match=message):
        run(tmp_path, "tagging", f"data.source=files:{base / 'english'}", *settings)


def test_what_is_not_there_or_of_other_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run 'nowhere'"):
        run(tmp_path, "adding", "train.start=nowhere")
    words = ("encoder.units=4", "options.embedding_dim=4", "train.epochs=1")
    sources = []
    for first_word in ("x", "y"):
        file = tmp_path / f"{first_word}.csv"
        file.write_text("text,label\n" + f"{first_word} one,up\n{first_word} two,down\n" * 12, encoding="utf-8")
        sources.append(f"data.source=files:{file}")
    row = run(tmp_path / "runs", "sentiment", sources[0], *words)
    with pytest.raises(RunError, match=r"has other vocabulary in its data, and this model needs the same"):
        run(tmp_path / "runs", "sentiment", sources[1], *words, f"train.start={row.run}")
