"""Labelled words from CoNLL-U and column files; errors have the number of the malformed line."""

import logging
from pathlib import Path

import pytest

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.text import conll, reader

UD = Path(__file__).resolve().parents[4] / "shared" / "data" / "ud_en_ewt"


def row(number, word, upos="X", xpos="Y", features="_"):
    return "\t".join([str(number), word, "_", upos, xpos, features, "_", "_", "_", "_"]) + "\n"


SAMPLE = (
    "# sent_id = 1\n# text = I don't go\n"
    + row(1, "I", "PRON", "PRP", "Case=Nom|Number=Sing")
    + row("2-3", "don't", "_", "_")
    + row(2, "do", "AUX", "VBP")
    + row(3, "n't", "PART", "RB")
    + row("3.1", "then", "ADV", "RB")
    + row(4, "go", "VERB", "VB", "Number[psor]=Plur")
    + "\n\n# only a comment\n\n"
    + row("0.1", "_", "VERB", "VB")
    + row(1, "New York", "PROPN", "NNP", "Number=Plur")
)
WORDS = [["I", "do", "n't", "go"], ["New York"]]


def write(folder, content, name="a.conllu"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("upos", [["PRON", "AUX", "PART", "VERB"], ["PROPN"]]),
        ("xpos", [["PRP", "VBP", "RB", "VB"], ["NNP"]]),
        ("Number", [["Sing", "_", "_", "_"], ["Plur"]]),
        ("Number[psor]", [["_", "_", "_", "Plur"], ["_"]]),
    ],
)
@pytest.mark.parametrize("piece", [7, 1 << 18])
def test_the_words_of_conllu_and_a_column(tmp_path, monkeypatch, piece, column, labels):
    monkeypatch.setattr(reader, "PIECE", piece)
    assert list(conll.read_conllu(write(tmp_path, SAMPLE), column)) == list(zip(WORDS, labels, strict=True))


def test_a_byte_order_mark_carriage_returns_and_no_last_line_end(tmp_path):
    other = write(tmp_path, b"\xef\xbb\xbf" + SAMPLE.rstrip("\n").replace("\n", "\r\n").encode(), "b.conllu")
    expected = list(conll.read_conllu(write(tmp_path, SAMPLE), "upos"))
    assert list(conll.read_conllu(other, "upos")) == expected


def test_words_keep_the_blanks_of_other_kinds(tmp_path):
    words = "1\u00a0000\u2028a\u0085b"
    assert next(conll.read_conllu(write(tmp_path, row(1, words)), "upos")) == ([words], ["X"])
    assert next(conll.read_columns(write(tmp_path, f"{words} O\n"))) == ([words], ["O"])


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        (row(1, "a") + "2\tb\tc\n", "upos", "line 2: found 3 columns; allowed: 10 between tabs"),
        (row(1, "a").replace("\t", " "), "upos", "line 1: found 1 columns; allowed: 10 between tabs"),
        ("# c\n" + row("one", "a"), "upos", "line 2: found id 'one'; allowed: 1 here"),
        (row(1, "a") + row(1, "b"), "upos", "line 2: found id '1'; allowed: 2 here, 1 after a blank line"),
        (row(1, ""), "upos", "line 1: found no word; allowed: one in column 2"),
        (row(1, "a", "_"), "upos", "line 1: found no upos of 'a'; allowed: one in column 4, or another column"),
        (row(1, "a", xpos=""), "xpos", "line 1: found no xpos of 'a'"),
        (row(1, "a", features="Number"), "Case", "line 1: found feature 'Number'; allowed: Name=Value"),
        (row(1, "a", features="Number="), "Case", "line 1: found feature 'Number='; allowed: Name=Value"),
    ],
)
def test_a_broken_line_of_conllu(tmp_path, content, column, message):
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        list(conll.read_conllu(path, column))
    assert str(caught.value).startswith(f"{path}, {message}")
    assert str(caught.value).endswith("; correct that line") and "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["pos", "lemma", "number", "UPOS=X", ""])
def test_an_unknown_column(tmp_path, column):
    for function in (conll.read_conllu, conll.read):
        with pytest.raises(ConfigError, match=r"unknown column .*; allowed: upos, xpos, or a feature such as Number"):
            function(write(tmp_path, SAMPLE), column)


@pytest.mark.parametrize("between", [" ", "\t", "   ", "\t\t"])
@pytest.mark.parametrize("middle", [[], ["NN", "I-NP"]])
def test_columns_hold_the_word_first_and_the_label_last(tmp_path, between, middle):
    rows = [["-DOCSTART-", "-X-", "O"], [], ["EU", *middle, "B-ORG"], ["rejects", *middle, "O"]]
    rows += [["-DOCSTART-"], ["#", *middle, "O"], [], [" "], ["a", *middle, "O"]]
    path = write(tmp_path, "\n".join(between.join(fields) for fields in rows), "a.txt")
    expected = [(["EU", "rejects"], ["B-ORG", "O"]), (["#"], ["O"]), (["a"], ["O"])]
    assert list(conll.read_columns(path)) == expected


@pytest.mark.parametrize("between", [" ", "\t"])
@pytest.mark.parametrize("comment", ["# newdoc", "# text = Ana ran", "#\tnewdoc", "# sent_id = 3"])
def test_a_comment_above_a_sentence_may_look_like_a_row(tmp_path, caplog, between, comment):
    rows = [comment, "Ana|NOUN", "#|SYM", "ran|VERB", "", comment, "#|SYM", "1|NUM", "", "#Ana|NEW"]
    path = write(tmp_path, "\n".join(row.replace("|", between) for row in rows), "a.txt")
    with caplog.at_level(logging.WARNING):
        sentences = list(conll.read_columns(path))
    assert sentences == [
        (["Ana", "#", "ran"], ["NOUN", "SYM", "VERB"]),
        (["#", "1"], ["SYM", "NUM"]),
        (["#Ana"], ["NEW"]),
    ]
    if comment.endswith("newdoc"):
        assert f"a.txt: 2 lines above sentences are read as comments, the first is line 1, {comment!r}" in caplog.text
    else:
        assert not caplog.records


def test_between_tabs_a_word_may_hold_spaces(tmp_path):
    path = write(tmp_path, "New York\tB-LOC \r\nis\tO\t\r\n", "a.tsv")
    assert list(conll.read_columns(path)) == [(["New York", "is"], ["B-LOC", "O"])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a O\n\nb\n", "line 3: found only 'b'; allowed: a word and a label"),
        ("a\tO\nb\t\n", "line 2: found only 'b'"),
        ("\tO\n", "line 1: found only 'O'"),
        ("x" * 500, "line 1: found only '" + "x" * 94 + "…; allowed"),
        ("a NN O\nb O\n", "line 2: found 2 columns; allowed: 3, as in line 1"),
        ("-DOCSTART- O\n\na NN O\nb O\n", "line 4: found 2 columns; allowed: 3, as in line 3"),
    ],
)
def test_a_broken_line_of_columns(tmp_path, content, message):
    path = write(tmp_path, content, "a.txt")
    with pytest.raises(DataError) as caught:
        list(conll.read_columns(path))
    assert str(caught.value).startswith(f"{path}, {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n\n", "has no sentence; allowed: CoNLL-U, or rows of word and label; give such a file"),
        (b"a\xe9 O\n", "is not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["a.conllu", "a.txt"])
def test_a_file_without_sentences(tmp_path, content, message, name):
    with pytest.raises(DataError, match=message):
        list(conll.read(write(tmp_path, content, name)))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*No such file"):
        list(conll.read(tmp_path / "a.txt"))


def test_sentences_come_one_by_one(tmp_path):
    path = write(tmp_path, "a O\n\nb\n", "a.txt")
    assert next(conll.read_columns(path)) == (["a"], ["O"])  # the broken line is not reached


@pytest.mark.parametrize("name", ["a.conllu", "a.CONLLU", "a.conll", "a.txt"])
def test_conllu_is_known_by_its_name_or_its_first_row(tmp_path, name):
    assert [words for words, _ in conll.read(write(tmp_path, SAMPLE, name), "xpos")] == WORDS


@pytest.mark.parametrize("first", ["1-2", "0.1"])
def test_the_first_row_of_conllu_may_hold_no_word(tmp_path, first):
    path = write(tmp_path, "# c\n" + row(first, "au", "_") + row(1, "à") + row(2, "le"), "a.txt")
    assert list(conll.read(path)) == [(["à", "le"], ["X", "X"])]


def test_everything_else_is_columns(tmp_path):
    ten = "\t".join(["word", *"12345678", "B-LOC"]) + "\n"
    assert list(conll.read(write(tmp_path, ten, "a.txt"))) == [(["word"], ["B-LOC"])]
    with pytest.raises(DataError, match="line 1: found 2 columns; allowed: 10 between tabs"):
        list(conll.read(write(tmp_path, "a\tO\n")))


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (["en_ewt-ud-train.conllu", "en_ewt-ud-dev.conllu", "en_ewt-ud-test.conllu"], ["en_ewt-ud-train.txt"]),
        (["train.txt", "valid.txt", "test.txt"], ["README.md", "notes.txt", "train.txt.gz"]),
        (["Train.conll", "VALIDATION.conll", "Test.tsv"], ["mytrain.conll"]),
        (["eng.train", "eng.testa", "eng.testb"], ["eng.raw"]),
        (["test-of-time-train.conll", "test-of-time-dev.conll", "test-of-time-test.conll"], []),
        (["wnut17train.conll", "emerging.dev.conll", "emerging.test.conll"], ["latest.conll"]),
    ],
)
def test_the_splits_of_a_folder(tmp_path, names, others):
    for name in names + others:
        write(tmp_path, "a O\n", name)
    (tmp_path / "train.conllu").mkdir()
    files = conll.splits_of(tmp_path)
    assert files == {role: tmp_path / name for role, name in zip(conll.ROLES, names, strict=True)}
    assert list(files) == ["train", "validation", "test"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train.txt", "test.txt"], "has no file for validation, but test.txt, train.txt; allowed: a name with dev or"),
        (
            ["a.conll"],
            "has no file for train, but a.conll; allowed: a name with train or training that ends in .conllu",
        ),
        ([], "has no file for train, but no such file"),
        (
            ["train.txt", "dev.txt", "valid.txt", "test.txt"],
            "has 2 files for validation: dev.txt, valid.txt; allowed: one; move the others away",
        ),
    ],
)
def test_a_split_without_a_file_or_with_several(tmp_path, names, message):
    for name in names:
        write(tmp_path, "a O\n", name)
    with pytest.raises(DataError) as caught:
        conll.splits_of(tmp_path)
    assert f"{tmp_path} {message}" in str(caught.value)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(
        DataError, match="is not a folder; give a folder with a file for each of train, validation, test"
    ):
        conll.splits_of(tmp_path / "none")


@pytest.mark.skipif(not UD.is_dir(), reason=f"no UD English EWT in {UD}")
@pytest.mark.parametrize(
    ("role", "sentences", "words"), [("train", 12544, 204577), ("validation", 2001, 25147), ("test", 2077, 25094)]
)
def test_the_english_web_treebank(role, sentences, words):
    path = conll.splits_of(UD)[role]
    parsed = list(conll.read(path, "upos"))
    assert len(parsed) == sentences
    assert sum(len(row) for row, _ in parsed) == sum(len(labels) for _, labels in parsed) == words
    assert len({label for _, labels in parsed for label in labels}) == 17  # https://universaldependencies.org/u/pos/
    if role == "validation":
        assert parsed[0] == (
            ["From", "the", "AP", "comes", "this", "story", ":"],
            ["ADP", "DET", "PROPN", "VERB", "DET", "NOUN", "PUNCT"],
        )
        for column, labels in (("xpos", 49), ("Number", 4), ("Abbr", 2)):
            rows = list(conll.read(path, column))
            assert [w for w, _ in rows] == [w for w, _ in parsed]
            assert len({label for _, row in rows for label in row}) == labels, column
