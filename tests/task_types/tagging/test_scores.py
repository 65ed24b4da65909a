"""Tagging scores, compared with values counted by hand and with seqeval."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.task_types.tagging.scores import sentence_terms, span_scheme, tagging_scores

TRUE = [["DET", "NOUN", "VERB"], [], ["NOUN", "VERB"]]
PREDICTED = [["DET", "NOUN", "NOUN"], [], ["VERB", "VERB"]]
WORDS = [["the", "cat", "sat"], [], ["Dogs", "run"]]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_accuracy_is_of_all_words_and_not_a_mean_of_sentences():
    assert tagging_scores(TRUE, PREDICTED) == {"accuracy": 3 / 5}


@pytest.mark.parametrize(
    ("known", "unseen"),
    [
        ({"the"}, 2 / 4),
        ({"the", "cat", "run"}, 0.0),
        (["the", "sat", "dogs", "run"], 1 / 2),  # case counts
        (set(), 3 / 5),
    ],
)
def test_accuracy_over_words_that_training_did_not_have(known, unseen):
    assert tagging_scores(TRUE, PREDICTED, WORDS, known) == {"accuracy": 3 / 5, "unseen_accuracy": unseen}


def test_where_all_words_are_known_or_none_are_given():
    known = {"the", "cat", "sat", "Dogs", "run"}
    for words, known_words in ((WORDS, known), (WORDS, None), (None, known)):
        assert tagging_scores(TRUE, PREDICTED, words, known_words) == {"accuracy": 3 / 5}


SPANS = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER", "B-PER"]]  # 4 spans


@pytest.mark.parametrize(
    ("predicted", "correct", "count"),
    [
        (SPANS, 4, 4),
        ([["B-PER", "O", "O", "B-LOC"], ["O", "B-PER", "B-PER"]], 3, 4),  # too short
        ([["B-LOC", "I-LOC", "O", "B-LOC"], ["O", "O", "O"]], 1, 2),  # of another kind
        ([["I-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER", "I-PER"]], 1, 2),  # begins with no B-; merges two
        ([["B-PER", "I-LOC", "O", "O"], ["O", "O", "O"]], 0, 1),
        ([["O", "O", "O", "O"], ["O", "O", "O"]], 0, 0),
    ],
)
def test_a_span_counts_whole_or_not_at_all(predicted, correct, count):
    scores = tagging_scores(SPANS, predicted)
    assert scores["precision"] == (correct / count if count else 0.0)
    assert scores["recall"] == correct / 4
    assert scores["f1"] == pytest.approx(2 * correct / (count + 4))
    assert all(type(value) is float for value in scores.values())
    hits = sum(a == b for one, other in zip(SPANS, predicted, strict=True) for a, b in zip(one, other, strict=True))
    assert scores["accuracy"] == hits / 7


def test_spans_with_ends_and_singles():
    true = [["B-PER", "I-PER", "E-PER", "O", "S-LOC"]]
    assert tagging_scores(true, true)["f1"] == 1.0
    scores = tagging_scores(true, [["B-PER", "I-PER", "I-PER", "O", "S-LOC"]])  # one span never ends
    assert (scores["precision"], scores["recall"]) == (1.0, 1 / 2)
    assert tagging_scores(true, [["O"] * 5])["f1"] == 0.0


def test_spans_that_are_only_predicted():
    assert tagging_scores([["O", "O"]], [["B-X", "O"]]) == {"accuracy": 0.5, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_the_scheme_is_that_of_all_labels():
    none = {"accuracy": 1.0, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert tagging_scores([["O", "O"]], [["O", "O"]], labels=["O", "B-X", "I-X"]) == none  # no spans at all
    closed = tagging_scores([["B-X", "I-X"]], [["B-X", "I-X"]], labels=["O", "B-X", "I-X", "E-X"])
    assert closed == none  # a span that never ends


@pytest.mark.parametrize("prefixes", ["BIO", "BIOES"])
def test_span_scores_equal_those_of_seqeval_in_its_strict_mode(prefixes):
    metrics = pytest.importorskip("seqeval.metrics")
    scheme = pytest.importorskip("seqeval.scheme")

    labels = ["O", *(f"{prefix}-{kind}" for prefix in prefixes if prefix != "O" for kind in ("A", "B"))]
    rng = np.random.default_rng(0)
    true, noise = ([list(map(str, rng.choice(labels, size=8))) for _ in range(60)] for _ in range(2))
    predicted = [
        [a if keep else b for a, b, keep in zip(*rows, rng.random(8) < 0.8, strict=True)]
        for rows in zip(true, noise, strict=True)
    ]
    kind = scheme.IOBES if "S" in prefixes else scheme.IOB2
    scores = tagging_scores(true, predicted)
    for name, score in (
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
    ):
        assert 0 < scores[name] < 1
        assert scores[name] == pytest.approx(score(true, predicted, mode="strict", scheme=kind))


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (["O", "B-X", "I-X"], "IOB2"),
        (["B-X"], "IOB2"),
        (["O", "B-X", "E-X"], "IOBES"),
        (["O", "B-X", "S-X"], "IOBES"),
        (["NOUN", "VERB"], None),
        (["O"], None),
        (["S--", "I--", "N--"], None),
        (["B-", "N-", "V-"], None),
    ],
)
def test_the_scheme_of_labels(labels, scheme):
    assert span_scheme(labels) == scheme


def test_a_label_that_fits_no_scheme():
    with pytest.raises(DataError, match=r"label 'B_LOC' among span labels; allowed: O, B-…, I-…"):
        tagging_scores([["O", "B-PER", "B_LOC"]], [["O", "O", "O"]])


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ([["A", "A"]], [["A"]], "received 2 and 1 labels in 1 and 1 sentences; allowed: as many in each"),
        ([["A"], ["A"]], [["A", "A"]], "received 2 and 2 labels in 2 and 1 sentences"),
        ([], [], "received no labels; allowed: one or more"),
        ([[]], [[]], "received no labels; allowed: one or more"),
    ],
)
def test_rows_that_do_not_match(one, other, message):
    with pytest.raises(DataError, match=message):
        tagging_scores(one, other)


def test_words_that_do_not_match():
    with pytest.raises(DataError, match="received 4 and 5"):
        tagging_scores(TRUE, PREDICTED, [["the", "cat", "sat"], [], ["run"]], {"the"})


def test_the_terms_of_sentences_make_the_scores():
    terms, formula = sentence_terms(SPANS, SPANS, ["O", "B-PER", "I-PER", "B-LOC"])
    assert formula == "f1" and terms.sum(axis=0).tolist() == [4, 4, 4]
    terms, formula = sentence_terms([["A", "B"], ["A"]], [["A", "A"], ["A"]], ["A", "B"])
    assert formula == "mean" and terms.tolist() == [[1, 2], [1, 1]]


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, seqtasks.task_types.tagging.scores as t; t.tagging_scores([['A']], [['A']]); "
        "print([m for m in ('pandas', 'matplotlib', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
