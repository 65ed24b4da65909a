"""Character-level language model on a text with a known best score, baseline, commands."""

import json
import math

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.training import resolution, train
from seqtasks.training.baselines import run_baselines

from ..helpers import predict

QUIET = Reporter(quiet=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on random letters, one of 4, each followed by its capital, which is certain."""
    folder = tmp_path_factory.mktemp("lm")
    letters = np.random.default_rng(0).choice(list("abcd"), 6000)
    (folder / "text.txt").write_text("".join(letter + letter.upper() for letter in letters))
    words = [f"data.source=files:{folder / 'text.txt'}", "encoder.cell=gru", "encoder.units=32", "encoder.layers=1"]
    words += ["train.epochs=8", "train.batch_size=8", "options.bptt=20", "train.learning_rate=0.01"]
    words += ["encoder.dropout=0.2"]
    cls = plugins.load_task("char_lm")
    config = resolve("char_lm", cls.Options, words)
    row, _ = train.run(config, cls, folder / "runs", QUIET)
    return folder / "runs" / row.run, row, config


@pytest.mark.slow
def test_it_learns_what_can_be_known(trained):
    _, row, _ = trained
    best = math.log(4) / 2
    assert best - 0.03 < row.value < best + 0.06
    assert row.scores["perplexity"] == pytest.approx(math.exp(row.scores["nats"]))
    assert row.metric == "nats" and not row.higher_is_better


def test_it_writes_letters_and_capitals_in_a_stream(trained):
    opened = run_folder.open_run(trained[0])
    pieces = list(predict(opened, ["--prompt", "aA", "--length", "120", "--seed", "3"]))
    assert len(pieces) > 2  # shown as they come
    text = "".join(pieces)
    pairs = [text[i].upper() == text[i + 1] for i in range(0, len(text), 2)]
    assert len(text) == 122 and np.mean(pairs) > 0.9


def test_a_prompt_may_look_like_anything(trained):
    opened = run_folder.open_run(trained[0])
    for prompt in ("a: A", "[1", "null", "7"):
        assert "".join(predict(opened, ["--prompt", prompt, "--length", "2"])).startswith(prompt)


def test_lines_are_scored(trained, cli, tmp_path):
    folder = str(trained[0])
    (tmp_path / "lines.txt").write_text("aAbBcCdD\n\nabCDdcAB\n")
    code, out, _ = cli("score", folder, "--file", "lines.txt", "--format", "json")
    likely, unlikely = (json.loads(line) for line in out.splitlines())
    assert code == 0 and likely["text"] == "aAbBcCdD" and likely["units"] == 7
    assert likely["perplexity"] < 3 < unlikely["perplexity"]
    assert likely["perplexity"] == pytest.approx(math.exp(-likely["log-probability"] / 7))
    code, out, err = cli("score", folder)
    assert (code, out) == (2, "") and "allowed: lines of text, or --file FILE" in err


def test_the_baseline_is_the_compressor(trained, tmp_path):
    (row,) = run_baselines(trained[2], plugins.load_task("char_lm"), tmp_path, QUIET)
    assert row.cell == "xz" and math.log(4) / 2 < row.value < 2 * math.log(4)
    assert row.scores["dynamic_nats"] == row.value


def test_the_built_in_text_names_the_python_it_comes_from():
    cls = plugins.load_task("char_lm")
    task = cls()
    splits = resolution.load(task, resolve("char_lm", cls.Options, ["data.source=builtin"]), QUIET)
    assert splits.source.startswith("builtin:pydoc of Python 3.") and len(splits.train) > 100_000
