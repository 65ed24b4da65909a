"""Word vectors from text files in the formats of GloVe and fastText."""

import keras
import numpy as np
import pytest

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.text.word_vectors import read_vectors, start_from


def file(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "vectors.txt"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("first", ["", "4 3\n", "\ufeff", "\ufeff4 3\r\n"])
def test_both_layouts(tmp_path, first):
    path = file(tmp_path, first + "the 1 2 3\n. . -1 0.5 2e-1 \ncafé 0 0 1\nthe 9 9 9\n5 1 2 4\n")
    vectors = read_vectors(path, ["the", ". .", "café", "5", "absent"])
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        "the": [1, 2, 3],
        ". .": [-1, 0.5, np.float32(0.2)],
        "café": [0, 0, 1],
        "5": [1, 2, 4],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("4 3\n", "has no vector"),
        ("a 1 2 3\nb 1 2\n", "line 2: 'b 1 2' is not a word and 3 numbers"),
        ("word\n", "line 1: 'word' is not a word and some numbers"),
        ("a 1 2\nb x y\n", "line 2: 'x y' are not numbers"),
        ("a 1 2\nb nan 1\n", "line 2: a number is not finite"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_vectors(file(tmp_path, text), ["a", "b"])


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"cannot read the vectors .*No such file"):
        read_vectors(tmp_path / "absent.txt", ["a"])
    with pytest.raises(DataError, match=r"cannot read the vectors .*UTF-8: byte 0xe9 at position 0"):
        read_vectors(file(tmp_path, "é 1 2\n", "latin-1"), ["a"])


def test_a_word_may_hold_signs_that_end_lines_elsewhere(tmp_path):
    vectors = read_vectors(file(tmp_path, "a\u2028b 1 2\r\nc\rd 3 4\r\ne\x85 5 6"), ["a\u2028b", "c\rd", "e\x85"])
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        "a\u2028b": [1, 2],
        "c\rd": [3, 4],
        "e\x85": [5, 6],
    }


def test_an_embedding_starts_from_them(tmp_path):
    embedding = keras.layers.Embedding(3, 2)
    embedding.build()
    before = keras.ops.convert_to_numpy(embedding.embeddings)
    path = file(tmp_path, "b 1 2\nz 3 4\n")
    start_from(embedding, ["", "a", "b"], path, "options.width")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(embedding.embeddings), [*before[:2], [1, 2]])
    with pytest.raises(DataError, match="has none of the 2 words"):
        start_from(embedding, ["x", "y"], path, "options.width")
    wide = keras.layers.Embedding(3, 5)
    wide.build()
    with pytest.raises(ConfigError, match=r"vectors of 2 numbers, but options\.width is 5; set options\.width=2"):
        start_from(wide, ["", "a", "b"], path, "options.width")
