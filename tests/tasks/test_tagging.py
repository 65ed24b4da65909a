"""Tagger on artificial sentences: learning, baselines, files, errors, prediction."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.testing import check_task
from seqtasks.training import resolution, saved_model, train
from seqtasks.training.baselines import run_baselines
from seqtasks.training.compiled_model import build

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["encoder.units=16", "options.embedding_dim=16", "options.characters=rnn", "options.character_units=8",
         "train.batch_size=8", "options.word_dropout=0.25", "options.dropout=0.3", "encoder.dropout=0.3"]  # fmt: skip


def sentences(count, seed):
    """Artificial sentences: nouns end in o, verbs in as; "run" is a verb only after "I"."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        stem = ["".join(rng.choice(list("bdfgklm"), 2)) + rng.choice(list("aeiu")) for _ in range(2)]
        row = [["the", "DET"], [stem[0] + "o", "NOUN"], [stem[1] + "as", "VERB"]]
        row += [["I", "PRON"], ["run", "VERB"]] if rng.random() < 0.5 else [["the", "DET"], ["run", "NOUN"]]
        rows.append("".join(f"{word}\t{tag}\n" for word, tag in row) + "\n")
    return "".join(rows)


def folder_of(path, count=200):
    path.mkdir()
    for seed, part in enumerate(("train", "dev", "test")):
        (path / f"{part}.conll").write_text(sentences(count, seed))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("tagging")
    folder = folder_of(base / "data")
    cls = plugins.load_task("tagging")
    words = [f"data.source=files:{folder}", *SMALL, "train.epochs=6", "train.learning_rate=0.01"]
    config = resolve("tagging", cls.Options, words)
    row, _ = train.run(config, cls, base / "runs", QUIET)
    return base / "runs" / row.run, row, config, base


def test_ends_and_neighbours_are_learnt(trained):
    _, row, _, _ = trained
    assert row.value > 0.98 and row.metric == "accuracy" and row.scores["unseen_accuracy"] > 0.95


def test_a_tokenised_file_is_tagged_as_it_is(trained, cli, tmp_path):
    run, _, _, base = trained
    words, out = tmp_path / "words.conll", tmp_path / "tagged.conll"
    words.write_text("# a comment\nthe\nba-kmo\nI\nrun\n\nmelkas\n")
    code, _, err = cli("predict", run, "--runs", str(base / "runs"), "--file", str(words), "--out", str(out))
    assert code == 0 and f"{words} with predicted labels → {out}" in err
    tagged = out.read_text()
    assert tagged == "# a comment\nthe\tDET\nba-kmo\tNOUN\nI\tPRON\nrun\tVERB\n\nmelkas\tVERB\n"
    code, printed, _ = cli("predict", run, "--runs", str(base / "runs"), "--file", str(words))
    assert (code, printed) == (0, tagged)
    code, _, err = cli("predict", run, "--runs", str(base / "runs"), "--file", str(words), "--format", "csv", "a")
    assert code == 2 and "allowed: a tokenised file alone" in err
    lines = tmp_path / "words.txt"
    code, _, err = cli("predict", run, "--runs", str(base / "runs"), "words.txt")
    assert code == 0 and "words.txt is read as text, because there is no file of that name" in err
    lines.write_text(words.read_text())
    code, _, err = cli("predict", run, "--runs", str(base / "runs"), "words.txt")
    assert code == 2 and "words.txt is a file, and arguments are texts; allowed: --file words.txt" in err
    code, _, err = cli("predict", run, "--runs", str(base / "runs"), "--file", "words.txt")
    assert code == 0 and "has one word on each line" in err and "rename it to words.conll" in err


def test_words_are_printed_above_their_tags(trained):
    opened = run_folder.open_run(trained[0])
    (row,) = predict(opened, ["the bakmo melkas I run"])
    words, tags = saved_model.open_trained(opened)[0].show_answer(row).splitlines()[:2]
    assert words.split() == ["the", "bakmo", "melkas", "I", "run"] and tags.split() == [
        "DET", "NOUN", "VERB", "PRON", "VERB",
    ]  # fmt: skip
    assert words.index("melkas") == tags.index("VERB")
    assert (row["words"], row["tags"]) == (words.split(), tags.split())


def test_each_tag_has_a_confidence(trained, cli, tmp_path):
    run, _, _, base = trained
    runs = ("--runs", str(base / "runs"), "--confidence", "true")
    code, out, _ = cli("predict", run, *runs, "the bakmo melkas", "--format", "json")
    row = json.loads(out)
    assert code == 0 and row["tags"] == ["DET", "NOUN", "VERB"]
    assert len(row["confidence"]) == 3 and row["lowest"] == min(row["confidence"]) > 0.5
    code, out, _ = cli("predict", run, *runs, "the bakmo melkas")
    assert out.splitlines()[2].split() == [f"{share:.2f}" for share in row["confidence"]]
    file = tmp_path / "words.conllu"
    line = "{}\t{}\t_\t_\t_\t_\t_\t_\t_\t{}\n"
    file.write_text("# id 1\n" + line.format(1, "the", "A=1|Confidence=0.1") + line.format(2, "bakmo", "_") + "\n")
    code, out, _ = cli("predict", run, *runs, "--file", str(file))
    first, second = [text.split("\t") for text in out.splitlines()[1:3]]
    assert (first[3], second[3]) == ("DET", "NOUN") and first[9].startswith("A=1|Confidence=0.9")
    assert second[9] == f"Confidence={float(second[9].split('=')[1]):.4f}"
    code, _, err = cli("predict", run, "--file", str(file), "--runs", str(base / "runs"), "--sure", "1")
    assert code == 2 and "sure" in err
    table = pd.read_csv(run / "plots" / "least_certain.csv")
    assert list(table) == ["sentence", "lowest", "mean", "text"] and table["lowest"].is_monotonic_increasing


def test_any_text_but_an_empty_one_is_tagged(trained):
    opened = run_folder.open_run(trained[0])
    assert "漢字" in predict(opened, ["漢字 \x00 the " + "x" * 500])[0]["words"]
    assert len(predict(opened, ["the run " * 3000])[0]["tags"]) == 6000
    for nothing in ([], [""], ["  "]):
        with pytest.raises(ConfigError, match=r"no text to tag|no word in"):
            predict(opened, nothing)


def test_its_baselines(trained):
    _, row, config, base = trained
    baselines = {b.cell: b for b in run_baselines(config, plugins.load_task("tagging"), base / "runs", QUIET)}
    assert set(baselines) == {"most frequent tag", "logistic regression"}
    assert 0.8 < baselines["most frequent tag"].value < baselines["logistic regression"].value
    assert "unseen_accuracy" in baselines["most frequent tag"].scores and row.scores.keys() == baselines[
        "most frequent tag"
    ].scores.keys()  # fmt: skip


def test_spans_are_scored_by_f1(tmp_path):
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.conll").write_text("Mr O\nAnn B-P\nLee I-P\nsat O\n\nMr O\nBob B-P\nsat O\n\n" * 40)
    row = check_task(
        plugins.load_task("tagging"),
        tmp_path / "runs",
        [
            f"data.source=files:{tmp_path}",
            *SMALL,
            "options.crf=true",
            "options.characters=cnn",
            "train.epochs=4",
            "train.learning_rate=0.03",
        ],
        inputs=["Mr Ann sat"],
    )
    assert row.metric == "f1" and row.value == row.scores["f1"] > 0.9 and row.scores["precision"] > 0.9


def test_a_label_that_training_has_not_counts_as_wrong(tmp_path):
    folder = folder_of(tmp_path / "data", 5)
    with (folder / "test.conll").open("a") as file:
        file.write("zap XYZ\n")
    cls = plugins.load_task("tagging")
    config = resolve("tagging", cls.Options, [f"data.source=files:{folder}", *SMALL, "train.epochs=1"])
    row, _ = train.run(config, cls, tmp_path / "runs", QUIET)
    assert row.value < 1 and any("XYZ" in note for note in row.notes), row.notes


def test_the_syntax_of_python_is_learnt(tmp_path):
    row = check_task(
        plugins.load_task("tagging"),
        tmp_path,
        [*SMALL, "options.characters=none", "data.limit=60", "train.epochs=3", "train.learning_rate=0.02"],
        inputs=["def f(x): return 1"],
    )
    assert row.value > 0.4 and "of Python 3" in row.source


def test_begins_with_vectors_of_a_file(trained, tmp_path):
    _, _, config, _ = trained
    (tmp_path / "v.txt").write_text("run " + " ".join(map(str, range(16))) + "\n")
    words = [f"data.source={config.data.source}", *SMALL, f"options.vectors={tmp_path / 'v.txt'}"]
    task_class = plugins.load_task("tagging")
    config = resolve("tagging", task_class.Options, words)
    task = task_class(config.options)
    resolution.load(task, config, QUIET)
    model, _ = build(task, config)
    task.init_weights(model, None)
    rows = keras.ops.convert_to_numpy(model.get_layer("words_embedding").embeddings)
    np.testing.assert_array_equal(rows[task.spec.words.index("run")], range(16))


def test_the_run_folder_has_a_report_of_each_tag(trained):
    report = (trained[0] / "plots" / "classes.csv").read_text().splitlines()
    assert report[0] == "label,precision,recall,f1,support" and len(report) == 1 + 4
