"""Word-level language models: files in the layout of the Penn Treebank, published sizes."""

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.data.source import Source
from seqtasks.training.compiled_model import build

LINES = "the company said <unk> will rise N %\nit did n't\n" * 30


@pytest.fixture
def treebank(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "ptb").mkdir()
    for name in ("train", "valid", "test"):
        (tmp_path / "ptb" / f"{name}.txt").write_text(LINES)
    return Source("files", str(tmp_path / "ptb"), tmp_path / "ptb")


def load(source, **options):
    cls = plugins.load_task("word_lm")
    task = cls(cls.Options(**options))
    splits = task.load(source, 0)
    task.spec = splits.spec
    return task, splits


def test_words_are_kept_as_they_are_and_line_ends_count(treebank):
    task, splits = load(treebank)
    assert splits.spec.tokens == {"train": 30 * 13, "validation": 30 * 13, "test": 30 * 13}
    assert task.vocabulary.decode(splits.train.inputs["tokens"]) + "\n" == LINES
    assert splits.spec.size == len(set(LINES.split())) + 1  # <eos>; <unk> is one of them


def test_raw_text_is_split_at_signs(tmp_path, treebank):
    (tmp_path / "raw.txt").write_text("Well, it did n't.\n" * 40)
    raw = Source("files", str(tmp_path / "raw.txt"), tmp_path / "raw.txt")
    task, splits = load(raw)
    assert [task.vocabulary.token(n) for n in splits.train.inputs["tokens"][:7]] == [
        "Well", ",", "it", "did", "n't", ".", "<eos>",
    ]  # fmt: skip
    unsplit, splits = load(raw, punctuation="keep")
    assert unsplit.vocabulary.token(splits.train.inputs["tokens"][0]) == "Well,"


def test_byte_pair_units(treebank):
    task, splits = load(treebank, unit="bpe", vocab_size=300)
    text = task.vocabulary.decode([*splits.test.inputs["tokens"], splits.test.targets[-1]])
    assert text == LINES and splits.spec.size <= 300


def test_the_size_of_the_vocabulary_is_a_bound(treebank):
    _, splits = load(treebank, vocab_size=6)
    assert splits.spec.size == 6 and 0 in splits.train.targets


@pytest.mark.parametrize(
    ("name", "params"),
    [("zaremba_small", 4_651_600), ("zaremba_medium", 19_775_200), ("tied", 2_651_600), ("awd", 24_210_800)],
)
def test_the_published_models_have_their_sizes(name, params):
    """Computed by hand: embedding, LSTM layers of 4n(m + n + 1), logits; 4.65, 19.8, 2.65 and 24 million."""
    cls = plugins.load_task("word_lm")
    config = resolve("word_lm", cls.Options, [], f"word_lm_{name}")
    model, _ = build(cls(config.options, {"size": 10_000}), config)
    weights = [w.numpy() for w in model.trainable_weights]
    assert sum(w.size for w in weights) == params
    assert max(np.abs(w).max() for w in weights) <= np.float32(config.options.init)
    assert all(w.std() > config.options.init / 3 for w in weights)  # biases, too
