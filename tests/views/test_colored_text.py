"""Texts coloured by a unit: the text is unchanged and escaped, shades follow the values."""

from __future__ import annotations

import re

import numpy as np

from seqtasks.views.colored_text import LEVELS, colour, levels, page, terminal


def test_shades_follow_the_values_and_zero_is_white() -> None:
    values = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert levels(values).tolist() == [-LEVELS, -LEVELS // 2, 0, LEVELS // 2, LEVELS]
    assert levels(np.zeros(3)).tolist() == [0, 0, 0] and levels(np.zeros(0)).tolist() == []
    assert colour(0) == (255, 255, 255)
    red, blue = colour(LEVELS), colour(-LEVELS)
    assert red[0] > red[2] and blue[2] > blue[0]


def test_one_large_value_does_not_hide_the_others() -> None:
    values = np.append(np.ones(500), 1000.0)
    assert levels(values)[0] == LEVELS


def test_the_page_has_the_text_once_for_each_unit_and_escapes_it() -> None:
    text = page("run <1>", ["a", "<b>", "&"], " ", [("h 0", np.array([1.0, 1.0, -1.0])), ("c 1 & 2", np.zeros(3))])
    assert text.count("a &lt;b&gt; ") == 2 and "<b>" not in text and "run &lt;1&gt;" in text and "c 1 &amp; 2" in text
    assert f'<span class="p{LEVELS}">a &lt;b&gt; </span><span class="n{LEVELS}">&amp; </span>' in text
    assert not re.search("https?:|<script|<link|<img", text)


def test_the_terminal_has_the_same_text() -> None:
    text = terminal(["to", "be"], " ", np.array([0.0, 1.0]))
    assert text.plain == "to be "
    assert [str(span.style) for span in text.spans] == [
        f"#000000 on #{''.join(f'{part:02x}' for part in colour(LEVELS))}"
    ]
