"""Labelled texts: tables, splits, limits, missing columns and labels."""

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.cache import fingerprint
from seqtasks.data.source import Source
from seqtasks.data.text import labelled_texts

ROWS = [('a "quoted" text, with a comma', "up"), ("two\nlines", "down"), ("", "up"), ("漢字 NA null", "down")] * 10


def table(path, rows=ROWS, header="text,label", separator=","):
    lines = [separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def load(path, text="text", label="label"):
    return labelled_texts.load(Source("files", str(path), path), text, label)


def test_nothing_of_a_field_is_lost(tmp_path):
    labelled = load(table(tmp_path / "all.csv"))
    every = sorted(pair for texts, labels in labelled.parts.values() for pair in zip(texts, labels, strict=True))
    assert every == sorted(ROWS) and labelled.classes == ["down", "up"]
    assert [len(texts) for texts, _ in labelled.parts.values()] == [26, 6, 8]
    assert load(tmp_path / "all.csv").parts == labelled.parts


def test_a_folder_has_a_file_for_each_split(tmp_path):
    for name, rows in (("train", ROWS), ("test", ROWS[:3]), ("dev", ROWS[:2])):
        table(tmp_path / f"{name}.tsv", rows, "label\ttext", "\t")
    labelled = load(tmp_path, text="label", label="text")
    assert [len(texts) for texts, _ in labelled.parts.values()] == [40, 2, 3]
    before = labelled.fingerprint
    table(tmp_path / "test.tsv", ROWS[1:4], "label\ttext", "\t")
    assert load(tmp_path, text="label", label="text").fingerprint != before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "review,label\nx,y\n",
            r"has no column 'text'; it has: review, label; set options",
        ),
        ("a.csv", "text,label\n", "has no row below its header"),
        ("a.csv", "text,label\nx,y\nz,\n", "line 3: row 2 has no label"),
        ("a.csv", 'text,label\n"x,y\n', "cannot read .* give a table in UTF-8"),
        ("a.csv", "", "is empty; give a table in UTF-8"),
        ("a.json", "{}", r"ends in '\.json'; allowed: \.csv, \.tsv"),
        ("a.csv", "text,label\nx,y\n", "has only the label y"),
    ],
)
def test_faults_are_reported(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / name)


def test_a_label_that_comes_once_stays_in_training(tmp_path):
    labelled = load(table(tmp_path / "all.csv", [*ROWS, ("alone", "sideways")]))
    assert labelled.classes == ["down", "sideways", "up"]
    assert ["sideways" in labels for _, labels in labelled.parts.values()] == [True, False, False]
    assert sum(len(texts) for texts, _ in labelled.parts.values()) == 41


@pytest.mark.parametrize("name", ["train.csv", "all.csv"])
def test_one_label_is_not_enough(tmp_path, name):
    table(tmp_path / name, [(text, "up") for text, _ in ROWS])
    with pytest.raises(DataError, match="has only the label up; allowed: two or more labels; add texts"):
        load(tmp_path if name == "train.csv" else tmp_path / name)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "up"), ("b", "up")], r"two\.csv has only the label up; allowed: two or more labels"),
        (
            [("a", "up"), ("b", "down")],
            r"two\.csv: 2 texts with 2 labels are too few to hold out some for test; needed",
        ),
        ([("a", "up")] * 3 + [("b", "down")] * 2, "3 texts with 2 labels are too few to hold out some for validation"),
    ],
)
def test_too_few_texts_to_hold_some_out(tmp_path, rows, message):
    with pytest.raises(DataError, match=message) as caught:
        load(table(tmp_path / "two.csv", rows))
    assert "options.label_column" in str(caught.value)


def test_bytes_that_are_no_utf_8(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,label\n\xff\xfe,y\n")
    with pytest.raises(DataError, match="cannot read"):
        load(tmp_path / "a.csv")


def test_labels_that_training_has_not_are_classes_all_the_same(tmp_path):
    table(tmp_path / "train.csv")
    table(tmp_path / "test.csv", [("x", "sideways")])
    assert load(tmp_path).classes == ["down", "sideways", "up"]


def test_a_limit_takes_a_fair_sample_before_validation_is_held_out_and_leaves_the_test_split(tmp_path):
    rows = [(f"text {i}", "up" if i < 100 else "down") for i in range(200)]  # sorted by label
    table(tmp_path / "train.csv", rows)
    table(tmp_path / "test.csv", rows[50:150])
    source = Source("files", str(tmp_path), tmp_path, limit=60)
    labelled = labelled_texts.load(source, "text", "label")
    assert [len(texts) for texts, _ in labelled.parts.values()] == [48, 12, 100]
    assert 14 < labelled.parts["train"][1].count("up") < 34
    quick = labelled_texts.load(Source("files", str(tmp_path), tmp_path, limit_test=7), "text", "label")
    assert [len(texts) for texts, _ in quick.parts.values()] == [160, 40, 7]


def test_a_folder_without_training_texts(tmp_path):
    table(tmp_path / "train.csv")
    table(tmp_path / "test.csv")
    (tmp_path / "train.csv").unlink()
    with pytest.raises(DataError, match=r"has test\.csv; needed: train\.csv"):
        load(tmp_path)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """Whether files are converted: a function."""
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    return lambda yes: monkeypatch.setattr(labelled_texts, "LARGE", 0 if yes else 1 << 40)


def test_mapped_texts_are_those_in_memory(tmp_path, large):
    path = table(tmp_path / "all.csv")
    large(False)
    memory = load(path)
    large(True)
    for _ in range(2):
        mapped = load(path)
        assert mapped.parts == memory.parts and mapped.classes == memory.classes
        assert mapped.fingerprint == memory.fingerprint and mapped.large and not memory.large
        assert all(isinstance(texts.values, np.memmap) for texts, _ in mapped.parts.values())
    rows = {
        f"{part} {name}": np.frombuffer("\0".join(column).encode(), np.uint8)
        for part, columns in memory.parts.items()
        for name, column in zip("xy", columns, strict=True)
    }
    assert fingerprint(rows) == memory.fingerprint  # as it was before texts could be mapped


def test_a_file_is_converted_once_and_again_when_it_or_the_columns_change(tmp_path, large, monkeypatch):
    large(True)
    rows = [(text, label) for text, label in ROWS if text]
    path = table(tmp_path / "all.csv", rows)
    load(path)
    with monkeypatch.context() as patch:
        patch.setattr(labelled_texts, "_read", lambda *_: pytest.fail("read again"))
        load(path)
    assert load(path, text="label", label="text").classes == sorted({text for text, _ in rows})
    table(path, [(text.upper(), label) for text, label in rows])
    assert "TWO\nLINES" in load(path).parts["train"][0]


@pytest.mark.parametrize("name", ["bytes", "ends", "labels", "facts"])
def test_a_damaged_entry_is_made_again(tmp_path, large, name):
    large(True)
    path = table(tmp_path / "all.csv")
    expected = {part: (list(texts), list(labels)) for part, (texts, labels) in load(path).parts.items()}
    (entry,) = (tmp_path / "cache").glob(f"all-*-{name}-*")
    entry.write_bytes(entry.read_bytes()[:-3])
    assert load(path).parts == expected


def test_a_wrong_row_leaves_no_entry(tmp_path, large):
    large(True)
    path = table(tmp_path / "all.csv", [*ROWS, ("x", " ")])
    for _ in range(2):
        with pytest.raises(DataError, match="row 41 has no label"):
            load(path)
    assert not list((tmp_path / "cache").iterdir())


def test_without_a_cache_they_stay_in_memory(tmp_path, large, caplog):
    large(True)
    (tmp_path / "cache").write_text("a file in place of the folder")
    labelled = load(table(tmp_path / "all.csv"))
    assert not isinstance(labelled.parts["train"][0].values, np.memmap) and "they stay in memory" in caplog.text
