"""Tagging baselines, on words whose tags can be determined by hand."""

from seqtasks.task_types.tagging.baselines import most_frequent, word_shapes

TRAIN = [
    (["the", "cat", "runs", "."], ["DET", "NOUN", "VERB", "."]),
    (["the", "run", "."], ["DET", "NOUN", "."]),
    (["I", "run", "."], ["PRON", "VERB", "."]),
    (["I", "run", "quickly", "."], ["PRON", "VERB", "ADV", "."]),
    (["Rome", "sleeps", "."], ["PROPN", "VERB", "."]),
]


def test_the_most_frequent_tag_and_for_unknown_words_that_of_their_suffix():
    test = [(["I", "run", "slowly", "."], ["PRON", "VERB", "ADV", "."]), (["Jerome", "creeps"], ["PROPN", "VERB"])]
    predicted, size = most_frequent(TRAIN, test)
    assert predicted[0] == ["PRON", "VERB", "ADV", "."]
    assert predicted[1] == ["PROPN", "VERB"]  # suffixes of capitalised words are counted separately
    assert size > 9


def test_neighbours_decide_where_the_word_does_not():
    test = [(["the", "run", "."], ["DET", "NOUN", "."]), (["I", "run", "."], ["PRON", "VERB", "."])]
    predicted, size = word_shapes(TRAIN * 5, test)
    assert predicted == [labels for _, labels in test] and size > 100


def test_one_tag_alone():
    assert word_shapes([(["a"], ["X"])], [(["b", "c"], ["X", "X"])]) == ([["X", "X"]], 0)
