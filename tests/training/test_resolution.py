"""What of a configuration follows from the data: epochs from updates, sections for a source and a size, limits."""

import functools

import numpy as np
import pytest

from seqtasks.core import config, config_files, plugins
from seqtasks.core.config import TrainConfig
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.training import resolution, train
from seqtasks.training.resolution import LONG, MOST_EPOCHS, with_epochs

QUIET = Reporter(quiet=True)


def plan_of(task, *overrides, file=None):
    return functools.partial(config.resolve, task, plugins.load_task(task).Options, list(overrides), file)


def resolved(task, *overrides, file=None):
    plan = plan_of(task, *overrides, file=file)
    return resolution.resolve(plan(), plugins.load_task(task), QUIET, plan)


@pytest.mark.parametrize(
    ("batches", "epochs", "stop"),
    [(430, 18, None), (10_000, 1, None), (376, 20, None), (375, 20, None), (100, 75, 19), (1, MOST_EPOCHS, 75)],
)
def test_as_many_epochs_as_give_the_updates(batches, epochs, stop):
    made = with_epochs(TrainConfig(min_updates=7500), batches)
    assert (made.epochs, made.early_stopping) == (epochs, stop)
    assert made.epochs * batches >= 7500 or made.epochs == MOST_EPOCHS


@pytest.mark.parametrize(
    ("task", "examples", "epochs"),
    [  # of the sets in docs/, whose scores were reached with these
        ("mnist_rows", 55_000, 18),
        ("mnist_vanilla", 55_000, 12),
        ("glimpses", 55_000, 10),
        ("sentiment", 22_500, 3),
        ("tagging", 12_543, 8),
        ("translation", 29_000, 10),
        ("captioning", 20_000, 15),
        ("frames", 10_000, 10),
        ("spoken_digits", 2000, 20),
        ("spoken_strings", 2000, 20),
    ],
)
def test_the_large_sets_take_the_epochs_that_they_were_tuned_with(task, examples, epochs):
    made = plan_of(task)(source="tfds:any", size=examples)
    assert made == plan_of(task)(), "no section applies"
    train = with_epochs(made.train, -(-examples // made.train.batch_size))
    assert (train.epochs, train.early_stopping) == (epochs, None)


def test_what_is_given_is_not_computed():
    assert with_epochs(TrainConfig(epochs=3), 10) == TrainConfig(epochs=3)
    made = with_epochs(TrainConfig(min_updates=1000, early_stopping=4), 10)
    assert (made.epochs, made.early_stopping) == (100, 4) and made.epochs > LONG


def test_a_computed_number_has_the_hash_of_the_same_number_given_by_hand():
    small = ["data.source=builtin", "data.limit=300", "encoder.units=4"]
    computed = resolved("mnist_rows", *small)
    c = computed.config.train
    assert c.epochs > 1 and f"{c.epochs} epochs" in computed.computed
    given = resolved("mnist_rows", *small, f"train.epochs={c.epochs}", f"train.early_stopping={c.early_stopping}",
                     f"train.min_updates={c.min_updates + 1}")  # fmt: skip
    hashes = [train.identity(one.task, one.config, one.splits) for one in (computed, given)]
    assert hashes[0] == hashes[1] and "epochs" not in given.computed


def test_an_epoch_count_of_a_file_is_kept(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {epochs: 4}\n")
    assert resolved("mnist_rows", "data.source=builtin", file=file).config.train.epochs == 4


def test_the_section_for_the_built_in_set_applies_by_itself_and_gives_way_to_what_is_typed():
    own, plain = resolved("mnist_rows", "data.source=builtin").config, plan_of("mnist_rows")()
    assert (own.train.batch_size, own.options.label_smoothing) == (32, 0.1)
    assert (plain.train.batch_size, plain.options.label_smoothing) == (128, 0.0)
    assert "settings for this data source or size: encoder.dropout=0.3 train.batch_size=32" in (
        resolved("mnist_rows", "data.source=builtin").computed
    )
    assert resolved("mnist_rows", "data.source=builtin", "train.batch_size=64").config.train.batch_size == 64


def sections(tmp_path, text):
    file = tmp_path / "some.yaml"
    file.write_text(text)
    return functools.partial(config_files.read, file)


def test_sections(tmp_path):
    read = sections(
        tmp_path,
        """
train: {batch_size: 64, epochs: 1}
sources:
  tfds: {train: {epochs: 2}}
  tfds:one: {train: {epochs: 3}}
sizes:
  100: {train: {batch_size: 4}}
  1000: {train: {batch_size: 8, epochs: 9}}
""",
    )
    assert read() == {"train": {"batch_size": 64, "epochs": 1}}
    assert read("files:x", 1001) == read()
    assert read("tfds:two", 1000) == {"train": {"batch_size": 8, "epochs": 2}}
    assert read("tfds:one", 100) == {"train": {"batch_size": 4, "epochs": 3}}
    assert read("files:x", 101) == {"train": {"batch_size": 8, "epochs": 9}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sizes: {small: {seed: 1}}", "sizes has 'small'; allowed: numbers of training examples"),
        ("sizes: 7", "sizes has 7; allowed: groups of settings"),
        ("sources: {builtin: 7}", "sources has 7; allowed: groups of settings"),
    ],
)
def test_sections_that_cannot_be_read(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        sections(tmp_path, text)()


@pytest.mark.parametrize("name", sorted(set(config_files.bundled()) - {"base"}))
def test_every_section_of_a_bundled_file_can_be_used(name):
    values = config_files.read_yaml(config_files.bundled()[name])
    task = name if name in plugins.tasks else next(t for t in sorted(plugins.tasks.names(), reverse=True)
                                                  if name.startswith(t))  # fmt: skip
    for source in ["files:x", *values.get("sources", {})]:
        for size in [10**9, *values.get("sizes", {})]:
            plan_of(task, file=name)(source=source, size=size)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("sentiment", []),
        ("char_lm", []),
        ("translation", ["options.unit=words"]),
        ("spoken_digits", []),
        ("mnist_rows", []),
        ("adding", ["options.examples=300"]),
    ],
)
def test_limits_come_before_the_vocabulary_and_leave_the_test_split(task, words):
    common = ["data.source=builtin", "train.epochs=1", *words]
    whole, small, quick = (resolved(task, *common, *more).splits for more in ([], ["data.limit=100"],
                                                                              ["data.limit_test=20"]))  # fmt: skip
    assert len(small.train) <= 100 and len(small.validation) <= 100 < len(whole.train)
    assert len(small.test) == len(whole.test) and len(quick.test) <= 20 and len(quick.train) == len(whole.train)
    assert len({part.fingerprint for part in (whole, small, quick)}) == 3
    if task in ("char_lm", "translation"):
        known = [spec.size if hasattr(spec, "size") else sum(spec.sizes) for spec in (small.spec, whole.spec)]
        assert known[0] < known[1]


def test_the_limit_of_tags_comes_before_the_lexicon(tmp_path):
    for part, count in (("train", 60), ("dev", 60), ("test", 60)):
        rows = [f"word{i}\t{'AB'[i % 2]}\n\n" for i in range(count)]
        (tmp_path / f"{part}.txt").write_text("".join(rows))
    common = [f"data.source=files:{tmp_path}", "train.epochs=1", "options.min_frequency=1"]
    whole, small = resolved("tagging", *common).splits, resolved("tagging", *common, "data.limit=10").splits
    assert [len(small.train), len(small.validation), len(small.test)] == [10, 10, 60]
    assert len(small.spec.words) == len(whole.spec.words) - 50


def test_split_of_one_text_keeps_its_proportions(tmp_path):
    file = tmp_path / "one.txt"
    file.write_text("abcdefghij" * 200)
    whole, small = (resolved("char_lm", f"data.source=files:{file}", "train.epochs=1", *more).splits
                    for more in ([], ["data.limit=950"]))  # fmt: skip
    assert [len(part) + 1 for part in (whole.train, whole.validation, whole.test)] == [1800, 100, 100]
    assert [len(part) + 1 for part in (small.train, small.validation, small.test)] == [900, 50, 100]
    for name in ("train", "validation"):
        np.testing.assert_array_equal(getattr(small, name).inputs["tokens"][:5], np.arange(5) + 1)


def test_data_that_is_read_twice_is_warned_of_once(tmp_path, caplog):
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.txt").write_text("John I-PER\n\nHe O\nmet O\nAnn I-PER\nLee I-PER\n\n" * 20)
    made = resolved("tagging", f"data.source=files:{tmp_path}")
    assert "options.dropout=0.5" in made.computed, "a section for the size changes an option"
    assert len([message for message in caplog.messages if "IOB1" in message]) == 1
