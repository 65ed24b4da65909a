"""Labels are filled into tokenised files; all else stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.text import conll_filling
from seqtasks.data.text.conll import read_conllu
from seqtasks.data.text.conll_filling import fill_labels

UD = Path(__file__).resolve().parents[4] / "shared" / "data" / "ud_en_ewt"
CONLLU = (
    "# sent_id = 1\r\n# text = Não vá.\r\n"
    "1-2\tNoutro\t_\t_\t_\t_\t_\t_\t_\t_\r\n"
    "1\tNo\tem o\tADP\t_\tCase=Loc|gender=Masc\t2\tcase\t_\tX=1\r\n"
    "1.1\tghost\t_\t_\t_\t_\t_\t_\t_\t_\r\n"
    "2\toutro\u2028x\toutro\t_\tP1\t_\t0\troot\t_\t_\r\n\r\n\r\n"
    "1\tOi\t_\tINTJ\t_\tNumber=Sing\t0\troot\t_\t_"  # no end of line
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def upper(rows: list[list[str]]) -> list[list[str]]:
    return [[word.upper() for word in row] for row in rows]


def test_a_column_of_conllu_is_replaced_and_all_else_stays(tmp_path: Path) -> None:
    filled = "".join(fill_labels(write(tmp_path, "a.conllu", CONLLU), "upos", upper))
    expected = CONLLU.replace("ADP", "NO").replace("outro\t_\tP1", "outro\tOUTRO\u2028X\tP1").replace("INTJ", "OI")
    assert filled.encode() == expected.encode()
    xpos = "".join(fill_labels(tmp_path / "a.conllu", "xpos", upper))
    assert xpos == CONLLU.replace("ADP\t_", "ADP\tNO").replace("P1", "OUTRO\u2028X").replace("INTJ\t_", "INTJ\tOI")


def test_a_feature_is_set_removed_and_sorted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.conllu", CONLLU)
    labels = {"No": "Plur", "outro\u2028x": "Sing", "Oi": "_"}
    filled = "".join(fill_labels(path, "Number", lambda rows: [[labels[word] for word in row] for row in rows]))
    expected = CONLLU.replace("gender=Masc", "gender=Masc|Number=Plur").replace("P1\t_", "P1\tNumber=Sing")
    assert filled == expected.replace("\t_\tNumber=Sing\t0\troot\t_\t_", "\t_\t_\t0\troot\t_\t_")[: len(filled)]
    assert filled.endswith("INTJ\t_\t_\t0\troot\t_\t_")


@pytest.mark.skipif(not UD.is_dir(), reason=f"no UD English EWT in {UD}")
def test_a_treebank_filled_with_its_own_labels_is_unchanged() -> None:
    path = UD / "dev.conllu"
    for column in ("upos", "Number"):
        sentences = iter(list(read_conllu(path, column)))
        filled = "".join(fill_labels(path, column, lambda rows: [next(sentences)[1] for _ in rows]))  # noqa: B023
        assert filled.encode() == path.read_bytes()


def test_labels_are_appended_to_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conll_filling, "SENTENCES", 2)
    words = write(tmp_path, "a.conll", "\ufeffa\n# b\n\n# a comment\nc\td\n-DOCSTART-\n\n\ne f\ng h\n\ni\n")
    batches: list[list[list[str]]] = []

    def label(rows: list[list[str]]) -> list[list[str]]:
        batches.append(rows)
        return upper(rows)

    filled = "".join(fill_labels(words, "upos", label))
    assert filled == "\ufeffa\tA\n# b #\n\n# a comment\nc\td\tC\n-DOCSTART-\n\n\ne f E\ng h G\n\ni\tI\n"
    assert batches == [[["a", "#"], ["c"]], [["e", "g"], ["i"]]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.conllu", "1\ta\tb\n", "line 1: found 3 columns; allowed: 10"),
        ("a.conllu", CONLLU.replace("\tOi\t", "\t\t"), "line 9: found no word in column 2"),
        ("a.conllu", "# only a comment\n", "has no word; allowed: CoNLL-U"),
        ("a.tsv", "\n\n", "has no word; allowed: a row for each word"),
    ],
)
def test_a_malformed_file_is_an_error(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(fill_labels(write(tmp_path, name, text), "upos", upper))


def test_latin_1_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_bytes("ok\nvá\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"line 2: .* allowed: UTF-8"):
        list(fill_labels(path, "upos", upper))
