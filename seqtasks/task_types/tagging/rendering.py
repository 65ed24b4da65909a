"""Renders tagged text for a terminal: words over their tags, or coloured."""

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
# English treebanks split these off: do n't, it 's.
_CLITIC = re.compile(r"(?i)(?<=.)(?=n['’]t$|['’](?:s|m|d|re|ve|ll)$)")


def words_of(line: str) -> list[str]:
    """Splits a line into words and signs, as NLTK's tokenizer for tweets does; "don't" is two, as in English treebanks.

    Addresses of the web and emoticons are one word. Combining marks and joiners (vowel signs of Devanagari, points of
    Arabic and Hebrew, a decomposed "é", U+200D in an emoji) belong to the word or sign that they stand on.
    """
    from nltk.tokenize import TweetTokenizer

    # `tokenize` would shorten "!!!!" to "!!!" and decode "&amp;": the expression leaves the text as it is.
    tokens: list[str] = []
    for token in TweetTokenizer(match_phone_numbers=False).WORD_RE.findall(line):
        if tokens and unicodedata.category(token[0])[0] == "M":  # such as the selector of a coloured sign
            tokens[-1] += token
        else:
            tokens += _CLITIC.split(token)
    return tokens


def format_interlinear(words: Sequence[str], tags: Sequence[str], width: int | None = None) -> str:
    """Words over their tags, in as many lines as the width needs."""
    width = width or Console().width
    lines, above, below = [], "", ""
    for word, tag in zip(words, tags, strict=True):
        size = max(cell_len(word), cell_len(tag))
        if above and cell_len(above) + size > width:
            lines += [above.rstrip(), below.rstrip(), ""]
            above = below = ""
        above += word + " " * (size + 2 - cell_len(word))
        below += tag + " " * (size + 2 - cell_len(tag))
    return "\n".join([*lines, above.rstrip(), below.rstrip()]) + "\n"


def colorize(rows: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> Iterator[str]:
    """Characters coloured by their classes; where there is no terminal, each run of a class with its name."""
    terminal = Console(highlight=False)
    for characters, classes in zip(rows, tags, strict=True):
        runs = [
            (name, "".join(c for c, _ in part))
            for name, part in groupby(zip(characters, classes, strict=True), lambda x: x[1])
        ]
        if sys.stdout.isatty():
            with terminal.capture() as capture:
                terminal.print(Colored.assemble(*((text, STYLES.get(name, "")) for name, text in runs)), end="")
            yield capture.get()
        else:
            yield "".join(f"{name}\t{text!r}\n" for name, text in runs if name != "space")
