"""Tagged sentences from a treebank of tfds, from CoNLL-U, and from the Python standard library."""

import logging
from pathlib import Path

import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.resolve import resolve_source
from seqtasks.data.source import Source
from seqtasks.data.text import conll, tagged_sentences

CODE = '''def f(x):  # half
    """Doc."""
    return x / 2.5 if "a" else None
'''


def test_every_character_of_code_has_a_class():
    classes = tagged_sentences.syntax(CODE)
    runs = {}
    for character, name in zip(CODE, classes, strict=True):
        runs[name] = runs.get(name, "") + character
    assert runs["keyword"] == "defreturnifelseNone" and runs["name"] == "fxx"
    assert runs["comment"] == "# half" and runs["number"] == "2.5" and runs["string"] == '"""Doc.""""a"'
    assert runs["operator"] == "():/" and not runs["space"].strip()
    assert tagged_sentences.syntax("x = (") is None  # cannot be read


def test_a_form_feed_in_code_ends_no_line():
    code = "x = 1\n\x0c\ndef f():\n    return '\x0c'\n"
    classes = dict(zip(range(len(code)), tagged_sentences.syntax(code), strict=True))
    assert [code[i] for i, name in classes.items() if name == "keyword"] == list("defreturn")


def test_the_library_of_python_is_cut_between_lines_and_by_module(monkeypatch, tmp_path):
    monkeypatch.setattr(tagged_sentences.sysconfig, "get_path", lambda name: str(tmp_path))
    for number in range(60):  # of which every sixth is read
        (tmp_path / f"m{number:02}.py").write_text(f"# {number}\n" + CODE * 20)
    tagged = tagged_sentences.load(Source("builtin", "python", None), "upos")
    text = {part: "".join("".join(words) for words, _ in rows) for part, rows in tagged.parts.items()}
    assert text["validation"] == "# 48\n" + CODE * 20 and text["test"] == "# 54\n" + CODE * 20
    assert all(len(words) == len(labels) <= 400 and words[-1] == "\n" for words, labels in tagged.parts["train"])
    assert "of Python 3." in tagged.source


def test_files_and_their_fingerprint(tmp_path):
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.conll").write_text(f"The O\n{part} B-X\n\n\nsat O\n")
    tagged = tagged_sentences.load(Source("files", str(tmp_path), tmp_path), "upos")
    assert tagged.parts["validation"] == [(["The", "dev"], ["O", "B-X"]), (["sat"], ["O"])]
    before = tagged.fingerprint
    (tmp_path / "dev.conll").write_text("The O\ndev O\n")
    assert tagged_sentences.load(Source("files", str(tmp_path), tmp_path), "upos").fingerprint != before


@pytest.mark.slow
def test_the_treebank_of_tfds_has_the_words_of_its_files(tfds_dir):
    name = "universal_dependencies/en_ewt"
    task = {"tfds": (name,), "files": False, "builtin": None}
    source = resolve_source(f"tfds:{name}", **task, tfds_dir=str(tfds_dir), announce=print)
    tagged = tagged_sentences.load(source, "upos")
    counts = {part: (len(rows), sum(len(words) for words, _ in rows)) for part, rows in tagged.parts.items()}
    assert counts == {"train": (12543, 204578), "validation": (2001, 25149), "test": (2077, 25094)}
    assert tagged.parts["test"][0][0][:4] == ["In", "1998", "they", "were"]
    assert len({label for _, labels in tagged.parts["train"] for label in labels}) == 17  # none is "_"
    numbers = tagged_sentences.load(source, "Number").parts["test"][0]
    assert dict(zip(*numbers, strict=True))["they"] == "Plur"


def test_no_sentence_is_an_error(tmp_path):
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.conll").write_text("a X\n" if part != "dev" else "\n\n")
    with pytest.raises(DataError, match="no sentence"):
        tagged_sentences.load(Source("files", str(tmp_path), Path(tmp_path)), "upos")
    assert list(conll.read(tmp_path / "train.conll")) == [(["a"], ["X"])]


def test_a_split_that_happens_to_have_no_begin_of_a_span_is_checked(tmp_path):
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.conll").write_text("sat O\nAnn I-P\n" if part == "test" else "sat O\nAnn B-P\n")
    with pytest.raises(DataError, match="the test split, sentence 1: 'Ann' begins a span with the label I-P after O"):
        tagged_sentences.load(Source("files", str(tmp_path), tmp_path), "upos")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ann I-P\nsat O\nBob B-P\n", "'Ann' begins a span with the label I-P after O; allowed: B-P .* in one scheme"),
        (
            "Ann B-P\nLee I-P\nRom I-L\n",
            "'Rom' begins a span with the label I-L after I-P; allowed: B-L .* in one scheme",
        ),
        ("Ann B-P\nsat O\nRom B_L\n", "label 'B_L' among span labels; allowed: O, B-…, I-…"),
        ("Ann B-P\nsat O\nRom B-\n", "label 'B-' among span labels"),
        ("Ann _\nLee _\n", "every word of the training split has the label '_' in column 'upos'; allowed: two or more"),
    ],
)
def test_labels_that_would_be_lost_are_refused(tmp_path, text, message):
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.conll").write_text(text)
    with pytest.raises(DataError, match=message):
        tagged_sentences.load(Source("files", str(tmp_path), tmp_path), "upos")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("I-P I-P O I-P", "B-P I-P O B-P"),
        ("I-P B-P I-P I-L O", "B-P B-P I-P B-L O"),
        ("O I-P I-L I-P", "O B-P B-L B-P"),
    ],
)
def test_iob1_is_read_as_iob2(tmp_path, caplog, labels, expected):
    rows = "".join(f"w{i} {label}\n" for i, label in enumerate(labels.split()))
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.conll").write_text(rows + "\nthe O\n\n" + rows)
    with caplog.at_level(logging.WARNING):
        tagged = tagged_sentences.load(Source("files", str(tmp_path), tmp_path), "upos")
    for rows in tagged.parts.values():
        assert [labels for _, labels in rows] == [expected.split(), ["O"], expected.split()]
    assert "span labels are IOB1; they are converted to IOB2" in caplog.text


@pytest.mark.parametrize("labels", ["B-P I-P O", "B-P B-P O", "I-P E-P O", "I-P X O", "NOUN I-P", "I-P I-L"])
def test_other_labels_are_not_taken_for_iob1(labels):
    assert not tagged_sentences.is_iob1([(["w"] * 3, labels.split())])


@pytest.mark.parametrize("name", ["one.conllu", "one.txt"])
def test_one_file_is_split_by_a_fixed_rule(tmp_path, name):
    def line(i):
        tag = "RARE" if i in (0, 44) else "NOUN"
        rows = [(1, f"w{i}", tag), (2, "x", "VERB")]
        if name.endswith("txt"):
            return "".join(f"{word} {tag}\n" for _, word, tag in rows)
        return "".join(f"{number}\t{word}\t_\t{tag}" + "\t_" * 6 + "\n" for number, word, tag in rows)

    path = tmp_path / name
    path.write_text("\n".join(line(i) for i in range(45)))
    source = Source("files", str(path), path)
    tagged = tagged_sentences.load(source, "upos")
    assert {part: len(rows) for part, rows in tagged.parts.items()} == {"train": 39, "validation": 3, "test": 3}
    every = sorted(int(words[0][1:]) for rows in tagged.parts.values() for words, _ in rows)
    assert every == list(range(45)) and tagged_sentences.load(source, "upos") == tagged
    known = {label for _, labels in tagged.parts["train"] for label in labels}
    assert known == {"NOUN", "VERB", "RARE"}
    path.write_text(line(1) + "\n" + line(2))
    with pytest.raises(DataError, match="2 sentences for training, validation and test; allowed: 3 or more"):
        tagged_sentences.load(source, "upos")
