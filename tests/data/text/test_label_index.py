"""Numbers of names: sorted by frequency, 1 for unknown names."""

from seqtasks.data.text.label_index import LabelIndex


def test_frequent_names_come_first_and_unknown_ones_are_one():
    words = LabelIndex.count(["b", "a", "c", "b", "<unk>", "c", "c"])
    assert words.names == ["<pad>", "<unk>", "c", "b", "a"] and len(words) == 5
    assert [words.number(name) for name in ("c", "a", "z", "<unk>")] == [2, 4, 1, 1]
    assert LabelIndex.count(["b", "a", "c", "b"], least=2).names == ["<pad>", "<unk>", "b"]
    again = LabelIndex(words.names)
    assert [again.number(name) for name in words.names] == list(range(5))
