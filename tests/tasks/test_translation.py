"""Translation of an artificial language: learning, files, errors, prediction, baselines."""

import json

import numpy as np
import pytest

from seqtasks.cli import predict_command
from seqtasks.cli.predict_command import Request
from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results, run_folder
from seqtasks.task_types.translation.task import UNKNOWN
from seqtasks.training import resolution, train
from seqtasks.training.baselines import run_baselines

from ..helpers import predict

QUIET = Reporter(quiet=True)
WORDS = {"red": "rot", "green": "grün", "blue": "blau", "dog": "Hund", "cat": "Katze", "bird": "Vogel"}


def lines(count, seed):
    """Pairs of lines with two words, in reverse order in the target language."""
    rng = np.random.default_rng(seed)
    pairs = [(rng.choice(list(WORDS)), rng.choice(list(WORDS))) for _ in range(count)]
    return [f"a {a} {b}." for a, b in pairs], [f"{WORDS[b]} {WORDS[a]} ein." for a, b in pairs]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("translation")
    folder = base / "data"
    folder.mkdir()
    for seed, (part, n) in enumerate({"train": 400, "val": 40, "test": 40}.items()):
        for language, text in zip(("en", "de"), lines(n, seed), strict=True):
            (folder / f"{part}.{language}").write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
    cls = plugins.load_task("translation")
    words = [f"data.source=files:{folder}", "encoder.units=24", "options.embedding_dim=24", "options.dropout=0",
             "options.vocab_size=300", "train.epochs=8", "train.batch_size=20", "train.learning_rate=0.01"]  # fmt: skip
    config = resolve("translation", cls.Options, words)
    row, _ = train.run(config, cls, base / "runs", QUIET)
    return base / "runs" / row.run, row, config, folder


@pytest.mark.slow
def test_order_and_words_are_learnt(trained):
    _, row, _, _ = trained
    assert row.value > 90 and row.metric == "bleu" and row.value == row.scores["bleu"]
    assert set(row.scores) == {"bleu", "chrf", "exact", "bleu_greedy", "perplexity"}
    assert "val_bleu" not in row.validation and row.validation["bleu"] > 90
    assert row.versions["sacrebleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a")


def test_sentences_are_translated(trained, tmp_path):
    opened = run_folder.open_run(trained[0])
    rows = predict(opened, ["a red dog.", "a blue bird.", "--attention", str(tmp_path / "map.png")])
    assert [row["de"] for row in rows] == ["Hund rot ein.", "Vogel blau ein."] and rows[0]["log-probability"] < 0
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    best = predict(opened, ["a red dog.", "--n-best", "3"])
    assert len(best) == 3 and best[0]["de"] == "Hund rot ein." and [row["en"] for row in best][1:] == ["", ""]
    assert best[0]["log-probability"] > best[1]["log-probability"]
    json.dumps(rows)


def test_files_of_lines(trained, tmp_path):
    (tmp_path / "in.txt").write_text("a red dog.\n\na green cat.\n", encoding="utf-8")
    request = Request(["--n-best", "2"], file=str(tmp_path / "in.txt"), out=str(tmp_path / "out.txt"))
    predict_command.predict(run_folder.open_run(trained[0]), request)
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "Hund rot ein.\n\nKatze grün ein.\n"


def test_any_text_but_an_empty_one_is_translated(trained):
    opened = run_folder.open_run(trained[0])
    (row,) = predict(opened, ["漢字 \x00 " + "dog " * 300])
    assert isinstance(row["de"], str)
    with pytest.raises(ConfigError, match="nothing to translate"):
        predict(opened, [])
    with pytest.raises(DataError, match=r"--file absent.txt does not exist; give a text file"):
        predict_command.predict(opened, Request(file="absent.txt"))


def test_baselines_know_less(trained):
    folder, row, config, _ = trained
    copied, dictionary = run_baselines(config, plugins.load_task("translation"), folder.parent, QUIET)
    assert copied.cell == "copy of the source" and dictionary.cell == "word by word (IBM model 1)"
    assert copied.value < dictionary.scores["chrf"] and dictionary.value < row.value
    assert results.read(folder.parent / dictionary.run) == dictionary


def test_pairs_that_are_too_long(trained, tmp_path):
    cls = plugins.load_task("translation")
    config = resolve("translation", cls.Options, [f"data.source=files:{trained[3]}", "options.max_length=1"])
    with pytest.raises(DataError, match=r"more than 1 tokens; allowed: at most options\.max_length=1 on each"):
        train.run(config, cls, tmp_path, QUIET)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        [
            "options.attention=none",
            "options.reverse=true",
            "options.scheduled_sampling=0.3",
            "options.sampling_steps=2",
        ],
        pytest.param(
            ["options.input_feeding=true", "options.attention=multiplicative", "options.decoder_cell=lstm"],
            marks=pytest.mark.slow,
        ),
        ["options.unit=words", "options.tie_embeddings=false", "options.copy=true"],
        pytest.param(
            ["options.shared=true", "options.max_tokens_per_batch=400", "options.coverage=0.2"], marks=pytest.mark.slow
        ),
    ],
    ids=str,
)
def test_other_models(trained, tmp_path, words):
    cls = plugins.load_task("translation")
    small = [f"data.source=files:{trained[3]}", "encoder.units=8", "options.embedding_dim=8", "train.epochs=1",
             "data.limit=40", "options.vocab_size=300", "options.num_beams=2"]  # fmt: skip
    row, _ = train.run(resolve("translation", cls.Options, [*small, *words]), cls, tmp_path, QUIET)
    assert row.params > 0
    assert predict(run_folder.open_run(tmp_path / row.run), ["a red dog."])


@pytest.mark.parametrize("reverse", ["false", "true"])
def test_unknown_words_are_those_that_were_attended_to(trained, reverse):
    cls = plugins.load_task("translation")
    words = [f"data.source=files:{trained[3]}", "options.unit=words", "options.copy=true", f"options.reverse={reverse}"]
    config = resolve("translation", cls.Options, words)
    task = cls(config.options)
    splits = resolution.load(task, config, QUIET)

    class Looks:
        """Translator that attends to the last word, then to the first one."""

        def attention(self, sources, targets):
            order = [0, 2] if reverse == "true" else [2, 0]
            return [np.eye(3)[[order[0], 1, order[1], 1]] for _ in targets]

    rows = [np.array([UNKNOWN, 3, UNKNOWN]), np.array([3, 4, 5])]
    examples = splits.test.take([4, 7])
    (copied, plain), (first, *_, last) = task._decode(Looks(), examples, rows), lines(40, 2)[0][4].split()
    middle = task.texts([[3]])[0]
    assert copied == f"{last} {middle} {first}" and plain == task.texts([rows[1]])[0]


def test_copying_needs_words_and_attention(trained, tmp_path):
    cls = plugins.load_task("translation")
    for words in (["options.copy=true"], ["options.copy=true", "options.unit=words", "options.attention=none"]):
        config = resolve("translation", cls.Options, [f"data.source=files:{trained[3]}", *words])
        with pytest.raises(ConfigError, match=r"copying needs options\.unit=words"):
            train.run(config, cls, tmp_path, QUIET)
