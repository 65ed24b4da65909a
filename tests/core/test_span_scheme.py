"""Which labels of spans may follow which."""

from itertools import pairwise

import pytest

from seqtasks.core.errors import DataError
from seqtasks.core.span_scheme import span_scheme, transitions_of


def legal(labels, text):
    allowed, starts, ends = transitions_of(labels)
    path = [labels.index(label) for label in text.split()]
    pairs = pairwise(path)
    return starts[path[0]] and ends[path[-1]] and all(allowed[a][b] for a, b in pairs)


BIO = ["O", "B-X", "I-X", "B-Y", "I-Y"]
BIOES = ["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "E-Y"]


@pytest.mark.parametrize("text", ["O O", "B-X I-X I-X O", "B-X B-X", "B-X", "O B-Y I-Y B-X"])
def test_bio(text):
    assert legal(BIO, text)


@pytest.mark.parametrize("text", ["I-X", "O I-X", "B-X I-Y", "B-X O I-X"])
def test_not_bio(text):
    assert not legal(BIO, text)


@pytest.mark.parametrize("text", ["O S-X", "B-X E-X O", "B-X I-X E-X B-Y E-Y", "S-X S-X"])
def test_bioes(text):
    assert legal(BIOES, text)


@pytest.mark.parametrize("text", ["B-X", "B-X O", "E-X", "B-X E-Y", "S-X E-X", "B-X S-X", "B-X I-X"])
def test_not_bioes(text):
    assert not legal(BIOES, text)


@pytest.mark.parametrize("labels", [["NOUN", "VERB"], ["O"], ["INTJ", "B-X"], ["B", "I", "O"], ["BI-X", "B-X"]])
def test_other_labels_have_no_rules(labels):
    assert transitions_of(labels) is None and span_scheme(labels) is None


@pytest.mark.parametrize("odd", ["B_LOC", "B-", "NOUN", "o"])
@pytest.mark.parametrize("function", [transitions_of, span_scheme])
def test_one_label_beside_those_of_spans(function, odd):
    with pytest.raises(DataError, match=f"label '{odd}' among span labels"):
        function(["O", "B-X", odd])
