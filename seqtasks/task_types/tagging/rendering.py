"""Rendering of tagged text in a terminal: words above their tags, or colours."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Colored

STYLES = {"keyword": "bold magenta", "string": "green", "comment": "dim italic", "number": "cyan", "operator": "yellow"}
# English treebanks split clitics from the word: do n't, it 's.
_CLITIC = re.compile(r"(?i)(?<=.)(?=n['’]t$|['’](?:s|m|d|re|ve|ll)$)")


def words_of(line: str) -> list[str]:
    """Splits a line into words and punctuation, as NLTK's tweet tokenizer does.

    Clitics are split off as in English treebanks: "don't" is "do" and "n't". A web address and an emoticon are one word
    each. Combining marks and joiners (vowel signs of Devanagari, points of Arabic and Hebrew, a decomposed "é", U+200D
    in an emoji) stay with the character that they modify.

    Args:
        line: Text of one line.

    Example:
        >>> words_of("I don't think so!")
        ['I', 'do', "n't", 'think', 'so', '!']
    """
    from nltk.tokenize import TweetTokenizer

    # The method `tokenize` would shorten "!!!!" to "!!!" and decode "&amp;"; its regular expression changes nothing.
    tokens: list[str] = []
    for token in TweetTokenizer(match_phone_numbers=False).WORD_RE.findall(line):
        if tokens and unicodedata.category(token[0])[0] == "M":  # such as the variation selector of an emoji
            tokens[-1] += token
        else:
            tokens += _CLITIC.split(token)
    return tokens


def format_interlinear(*rows: Sequence[str], width: int | None = None) -> str:
    """Formats words above their tags, wrapped to a width.

    Args:
        *rows: Words of a sentence, their tags, and what else each word has, such as the confidence of its tag.
        width: Maximum width of a line in terminal cells; None: the width of the terminal.

    Example:
        >>> print(format_interlinear(["The", "cat"], ["DET", "NOUN"], width=80), end="")
        The  cat
        DET  NOUN
    """
    width = width or Console().width
    lines: list[str] = []
    present = [""] * len(rows)
    for column in zip(*rows, strict=True):
        size = max(map(cell_len, column))
        if present[0] and cell_len(present[0]) + size > width:
            lines += [*(line.rstrip() for line in present), ""]
            present = [""] * len(rows)
        present = [line + text + " " * (size + 2 - cell_len(text)) for line, text in zip(present, column, strict=True)]
    return "\n".join([*lines, *(line.rstrip() for line in present)]) + "\n"


def colorize(rows: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields texts with each character coloured by its class.

    If standard output is not a terminal, it yields one line with class and text for each run of a class instead,
    without the class `space`.

    Args:
        rows: Characters of each text.
        tags: Class of each character.
    """
    terminal = Console(highlight=False)
    for characters, classes in zip(rows, tags, strict=True):
        runs = [
            (name, "".join(c for c, _ in run))
            for name, run in groupby(zip(characters, classes, strict=True), lambda pair: pair[1])
        ]
        if sys.stdout.isatty():
            with terminal.capture() as capture:
                terminal.print(Colored.assemble(*((text, STYLES.get(name, "")) for name, text in runs)), end="")
            yield capture.get()
        else:
            yield "".join(f"{name}\t{text!r}\n" for name, text in runs if name != "space")
