"""`seqtasks predict`: words and files of lines, where answers go, and what is refused before any work."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from seqtasks.cli.predict_command import Request, predict, utf8
from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import run_folder
from seqtasks.training import train

from ..helpers import predict as predict_words

QUIET = Reporter(quiet=True)
SMALL = ("train.epochs=1", "encoder.units=4", "train.batch_size=16")
# Six lines: characters that str.splitlines takes for line ends, an empty line, one of spaces.
LINES = ["a good\u2028film", "", "bad \x85 one", "form\x0cfeed", "  ", "the last"]
TEXT = "a good\u2028film\n\nbad \x85 one\r\nform\x0cfeed\n  \nthe last"


def make(folder: Path, name: str, *settings: str) -> run_folder.Run:
    task = plugins.load_task(name)
    row, _ = train.run(resolve(name, task.Options, [*SMALL, *settings]), task, folder, QUIET)
    return run_folder.open_run(folder / row.run)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predicting")


@pytest.fixture(scope="module")
def classifier(base: Path) -> run_folder.Run:
    rows = [f"{'good' if n % 2 else 'bad'} film {n % 5},{'+' if n % 2 else '-'}" for n in range(60)]
    (base / "texts.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return make(base / "runs", "sentiment", f"data.source=files:{base / 'texts.csv'}", "options.embedding_dim=4")


@pytest.fixture(scope="module")
def language(base: Path) -> run_folder.Run:
    (base / "text.txt").write_text("the cat sat on the mat.\n" * 100, encoding="utf-8")
    return make(base / "runs", "char_lm", f"data.source=files:{base / 'text.txt'}", "options.bptt=10")


@pytest.fixture(scope="module")
def tagger(base: Path) -> run_folder.Run:
    (base / "tags").mkdir()
    rows = "the\tDET\ncat\tNOUN\nsat\tVERB\n\n"
    for part, count in (("train", 30), ("dev", 5), ("test", 5)):
        (base / "tags" / f"{part}.conll").write_text(rows * count, encoding="utf-8")
    source = f"data.source=files:{base / 'tags'}"
    return make(base / "runs", "tagging", source, "options.embedding_dim=4", "options.character_units=4")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty; give a text file"),
        (b"caf\xe9 x", "byte 0xe9 at position 3; convert it from the encoding it was written in, e.g. iconv -f"),
        ("a".encode("utf-16"), "is UTF-16, not UTF-8; convert it: iconv -f UTF-16"),
        (None, "does not exist; give a text file, or the texts themselves as arguments"),
    ],
)
@pytest.mark.parametrize("name", ["classifier", "language"])
def test_files_that_cannot_be_read(name: str, data: bytes | None, says: str, tmp_path: Path, request) -> None:
    if data is not None:
        (tmp_path / "in.txt").write_bytes(data)
    with pytest.raises(DataError, match=re.escape(says)):
        predict(request.getfixturevalue(name), Request(file=str(tmp_path / "in.txt")))


@pytest.mark.parametrize("name", ["classifier", "tagger"])
def test_as_many_lines_come_out_as_go_in(name: str, tmp_path: Path, request, capsys) -> None:
    run = request.getfixturevalue(name)
    source, out = str(tmp_path / "in.txt"), tmp_path / "out.txt"
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    predict(run, Request(file=source, out=str(out)))
    answers = out.read_bytes().decode().split("\n")
    assert len(answers) == 7 and answers[6] == ""
    assert [bool(line) for line in answers[:6]] == [True, False, True, True, False, True]
    alone = predict_words(run, ["the last"])[0]["answer" if name == "classifier" else "tags"]
    assert answers[5] == (alone if isinstance(alone, str) else " ".join(alone))

    capsys.readouterr()
    predict(run, Request(file=source, format="json"))
    rows = [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]
    assert len(rows) == 6 and rows[1]["text"] == rows[4]["text"] == ""
    assert all(value is None for key, value in rows[1].items() if key != "text")
    predict(run, Request(file=source, format="csv", out=str(out)))
    assert len(out.read_text(encoding="utf-8").strip("\n").split("\n")) == 7
    (tmp_path / "in.txt").write_text("\n \n", encoding="utf-8")
    predict(run, Request(file=source, out=str(out)))
    assert out.read_text(encoding="utf-8") == "\n\n"


def test_the_name_of_a_file_is_a_text_after_two_dashes_only(
    classifier: run_folder.Run, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.txt").write_text("another text\nof two lines\n", encoding="utf-8")
    long = "\N{CJK UNIFIED IDEOGRAPH-597D}" * 86  # 258 bytes: more than a file's name may have
    with pytest.raises(ConfigError, match=r"words\.txt is a file, .* allowed: --file words\.txt"):
        predict(classifier, Request(["words.txt"]))
    predict(classifier, Request([long, "x" * 999], ["words.txt"], format="json"))
    texts = [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]
    assert texts == [long, "x" * 999, "words.txt"]


def test_after_two_dashes_all_is_text(classifier: run_folder.Run, cli, capsys) -> None:
    code, out, _ = cli("predict", str(classifier.path), "-f", "json", "--", "--heat", "--debug", "-f")
    assert code == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["--heat", "--debug", "-f"]
    code, out, _ = cli("predict", "--format", "json", "--", str(classifier.path), "--x")
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["--x"]
    code, out, _ = cli("predict", str(classifier.path), "- a film", "--format=json")
    assert json.loads(out)["text"] == "- a film"


def test_a_file_is_the_prompt_of_a_language_model(language: run_folder.Run, tmp_path: Path, capsys) -> None:
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbfthe cat\r\n")  # read as training texts are
    source, out = str(tmp_path / "in.txt"), tmp_path / "out.txt"
    predict(language, Request(["--length", "5"], file=source, format="json"))
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["prompt"] == "the cat\n" and row["text"].startswith("the cat\n") and len(row["text"]) == 13
    predict(language, Request(["--length", "5"], file=source, out=str(out)))
    assert out.read_text(encoding="utf-8") == row["text"] + "\n"
    with pytest.raises(ConfigError, match=r"got both --file .* and --prompt; allowed: one of them"):
        predict(language, Request(["--prompt", "x"], file=source))


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(["a"], out="none/out.txt"), "there is no folder none"),
        (Request(["a"], out="."), "is a folder"),
        (Request(["a", "--heat", "none/a.html"]), "--heat none/a.html: there is no folder none"),
        (Request(["a", "--heat", "a.gif"]), "ends in '.gif'; allowed: .html, .htm, .png"),
        (Request(["a", "--heat", "h" * 300 + ".png"]), "cannot be used as a path: File name too long"),
        (Request(["a", "--heat", "a\0.png"]), "cannot be used as a path"),
        (Request(["a"], file="in.txt"), "both --file in.txt and 1 inputs"),
        (Request(["a caf\udce9 room"]), r"the text 'a caf\udce9 room' is not UTF-8; set the terminal"),
        (Request(literal=["caf\udce9"]), r"the text 'caf\udce9' is not UTF-8"),
    ],
)
def test_all_is_checked_before_the_model_is_loaded(
    classifier: run_folder.Run, tmp_path: Path, monkeypatch, request_: Request, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("seqtasks.training.saved_model.open_trained", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(ConfigError, match=re.escape(says)):
        predict(classifier, request_)


def test_text_in_a_locale_that_is_not_utf8() -> None:
    word = "好".encode().decode("ascii", "surrogateescape")  # as Python reads it under LC_ALL=C without UTF-8 mode
    assert utf8(word) == "好" and utf8("é") == "é"
    with pytest.raises(ConfigError, match="is not UTF-8"):
        utf8(os.fsdecode(b"caf\xe9"))


def test_tasks_of_pictures_take_paths_as_words(base: Path, tmp_path: Path) -> None:
    run = make(base / "runs", "mnist_rows", "data.source=builtin", "data.limit=40", "options.augment=false")
    with pytest.raises(ConfigError, match=r"task mnist_rows does not read texts; allowed: its inputs as arguments"):
        predict(run, Request(file="in.txt"))
    for name in ("p" * 300 + ".png", "a\0.png"):
        with pytest.raises(ConfigError, match="cannot be used as a path"):
            predict(run, Request([name]))
