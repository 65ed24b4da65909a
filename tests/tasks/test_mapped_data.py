"""Data that is mapped from the cache gives the batches, facts and summaries of data in memory, bit by bit."""

import keras
import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.reporter import Reporter
from seqtasks.data.bucketing import Ragged
from seqtasks.data.survey import summary
from seqtasks.data.text import labelled_texts, parallel_corpus, tagged_sentences
from seqtasks.training.resolution import load

RNG = np.random.default_rng(0)
LINES = [" ".join(f"w{n}" for n in RNG.zipf(1.5, RNG.integers(1, 12)) if n < 50) + " x" for _ in range(300)]


def labelled(folder):
    path = folder / "all.csv"
    path.write_text("text,label\n" + "".join(f"{line},{'ab'[len(line) % 2]}\n" for line in LINES))
    return path


def pairs(folder):
    (folder / "train.en").write_text("".join(f"{line}\n" for line in LINES))
    (folder / "train.de").write_text("".join(f"{line[::-1]}\n" for line in LINES))
    return folder


def tagged(folder):
    """One file without splits, with span labels in IOB1, which are converted."""
    rows = [f"{word} {'I-A' if word < 'w2' else 'O'}" for line in LINES for word in [*line.split(), ""]]
    path = folder / "all.conll"
    path.write_text("".join(f"{row}\n" if row[0] != " " else "\n" for row in rows) + "end I-A\nend B-A\n")
    return path


@pytest.mark.parametrize(
    ("name", "write", "module", "options"),
    [
        ("sentiment", labelled, labelled_texts, []),
        ("sentiment", labelled, labelled_texts, ["data.limit=200"]),
        ("translation", pairs, parallel_corpus, ["options.unit=words", "options.max_length=9"]),
        ("translation", pairs, parallel_corpus, ["options.shared=true", "options.reverse=true"]),
        ("tagging", tagged, tagged_sentences, []),
        ("tagging", tagged, tagged_sentences, ["data.limit=100", "options.min_frequency=2"]),
    ],
)
def test_equal_to_data_in_memory(tmp_path, monkeypatch, name, write, module, options):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    data.mkdir()
    path = write(data)
    cls = plugins.load_task(name)
    config = resolve(name, cls.Options, [f"data.source=files:{path}", "train.epochs=1", *options])

    def loaded():
        task = cls(config.options)
        splits = load(task, config, Reporter(quiet=True))
        batches = task.batches(splits.train, 16, shuffle=True, seed=3)
        arrays = []
        for epoch in range(2):
            batches.seek(epoch, epoch)
            for some in (batches, task.batches(splits.validation, 16), task.batches(splits.test, 16)):
                arrays += [array for i in range(len(some)) for array in keras.tree.flatten(some[i])]
        return splits, (splits.fingerprint, splits.spec, summary(task.survey(splits), task.unit)), arrays

    _, facts, arrays = loaded()
    monkeypatch.setattr(module, "LARGE", 0)
    for _ in range(2):  # converted, mapped
        splits, mapped_facts, mapped_arrays = loaded()
        assert mapped_facts == facts and len(mapped_arrays) == len(arrays)
        for array, expected in zip(mapped_arrays, arrays, strict=True):
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype
        inputs = [array for array in splits.train.inputs.values() if isinstance(array, Ragged)]
        if name != "sentiment" or not options:
            assert inputs and all(isinstance(array.values, np.memmap) for array in inputs)
