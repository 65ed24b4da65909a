"""Rendering of tagged text in a terminal."""

import pytest

from seqtasks.task_types.tagging.rendering import colorize, format_interlinear, words_of


def test_words_are_split_as_in_treebanks():
    assert words_of("I don't think it's 3.5, (no)!") == [
        "I", "do", "n't", "think", "it", "'s", "3.5", ",", "(", "no", ")", "!",
    ]  # fmt: skip
    assert words_of("  ") == []
    assert words_of("See http://a.org/b?c=1 :-)") == ["See", "http://a.org/b?c=1", ":-)"]
    assert words_of("no!!!!!! &amp; &") == ["no", *"!!!!!!", "&", "amp", ";", "&"]  # not shortened, not decoded


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("नमस्ते Ana", ["नमस्ते", "Ana"]),
        ("مُحَمَّدٌ كَتَبَ.", ["مُحَمَّدٌ", "كَتَبَ", "."]),
        ("שָׁלוֹם עוֹלָם!", ["שָׁלוֹם", "עוֹלָם", "!"]),
        ("ที่นี่ ดี", ["ที่นี่", "ดี"]),
        ("cafe\u0301's e\u0301te\u0301", ["cafe\u0301", "'s", "e\u0301te\u0301"]),
        ("می\u200cخواهم, क्\u200dष", ["می\u200cخواهم", ",", "क्\u200dष"]),
        ("ok 👩\u200d💻 ❤\ufe0f!", ["ok", "👩\u200d💻", "❤\ufe0f", "!"]),
    ],
)
def test_marks_and_joiners_do_not_end_a_word(line, words):
    assert words_of(line) == words


def test_a_line_is_wrapped_at_the_width_of_the_terminal():
    text = format_interlinear(["The", "cat", "sat"], ["DET", "NOUN", "VERB"], width=12)
    assert text == "The  cat\nDET  NOUN\n\nsat\nVERB\n"
    assert format_interlinear(["漢字", "x"], ["N", "VERB"], width=80).splitlines() == ["漢字  x", "N     VERB"]


def test_without_a_terminal_runs_are_named():
    text = "".join(colorize([list("if x")], [["keyword", "keyword", "space", "name"]]))
    assert text == "keyword\t'if'\nname\t'x'\n"
