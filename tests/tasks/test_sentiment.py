"""Sentiment: accuracy near its upper bound, tables with any labels, salient words."""

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
from seqtasks.core.reporter import Reporter
from seqtasks.data.text.synthetic_reviews import WRONG
from seqtasks.experiments import run_folder
from seqtasks.testing import check_task
from seqtasks.training import train
from seqtasks.training.baselines import run_baselines

from ..helpers import predict

QUIET = Reporter(quiet=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentiment")
    cls = plugins.load_task("sentiment")
    words = ["data.source=builtin", "encoder.units=16", "options.embedding_dim=16", "options.embedding_dropout=0",
             "options.dropout=0", "train.epochs=4", "train.learning_rate=0.01", "options.adversarial=0"]  # fmt: skip
    config = resolve("sentiment", cls.Options, words)
    row, _ = train.run(config, cls, folder, QUIET)
    return folder / row.run, row, config


def test_negation_and_contrast_are_learnt_to_what_can_be_known(trained):
    _, row, _ = trained
    assert 1 - WRONG - 0.03 < row.value < 1 - WRONG + 0.02
    assert {"accuracy", "nll", "macro_f1"} == set(row.scores)


def test_the_linear_baseline_knows_less(trained):
    folder, row, config = trained
    (baseline,) = run_baselines(config, plugins.load_task("sentiment"), folder.parent, QUIET)
    assert 0.6 < baseline.value < row.value and set(baseline.scores) == set(row.scores)


def test_the_words_that_mattered_are_named(trained, tmp_path):
    opened = run_folder.open_run(trained[0])
    rows = predict(opened, ["the plot was not funny .", "the plot was so funny .", "--heat", str(tmp_path / "a.html")])
    assert [row["answer"] for row in rows] == ["negative", "positive"]
    assert all("funny" in row["because"] for row in rows) and "not" in rows[0]["because"]
    assert rows[1]["P(positive)"] > 0.8
    page = (tmp_path / "a.html").read_text()
    assert "funny" in page and "background-color" in page
    predict(opened, ["the cast was dull .", "--heat", str(tmp_path / "a.png")])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match=r"ends in '\.gif'; allowed: \.html, \.htm, \.png"):
        predict(opened, ["dull", "--heat", str(tmp_path / "a.gif")])


def test_any_text_but_an_empty_one_is_classified(trained):
    opened = run_folder.open_run(trained[0])
    rows = predict(opened, ["漢字 \x00", "so funny " * 1000])
    assert len(rows) == 2 and all(np.isfinite(row["P(positive)"]) for row in rows)
    with pytest.raises(ConfigError, match="no text to classify"):
        predict(opened, [" "])


@pytest.mark.a_third
@pytest.mark.parametrize("option", ["pooling=last", "pooling=mean", "pooling=attention", "adversarial=2"])
def test_tables_with_three_labels_and_empty_texts(tmp_path, option):
    rows = [f"{'good' if n % 3 == 0 else 'bad' if n % 3 else ''} {'x ' * (n % 5)},l{n % 3}" for n in range(60)]
    (tmp_path / "all.csv").write_text("\n".join(["text,label", *rows, ",l0", ",l1"]) + "\n")
    row = check_task(
        plugins.load_task("sentiment"),
        tmp_path / "runs",
        [f"data.source=files:{tmp_path / 'all.csv'}", f"options.{option}", "options.embedding_dim=8"],
        inputs=["good"],
    )
    assert row.params > 0


def test_without_recurrence(tmp_path):
    words = ["options.recurrence=false", "options.pooling=mean", "options.embedding_dim=8"]
    cls = plugins.load_task("sentiment")
    config = resolve("sentiment", cls.Options, ["data.source=builtin", "data.limit=100", "train.epochs=1", *words])
    row, _ = train.run(config, cls, tmp_path, QUIET)
    assert row.encoder_params == 0
