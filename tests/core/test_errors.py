"""The tail of an error about a name: the nearest ones, and where all are."""

from __future__ import annotations

import pytest

from seqtasks.core.errors import listed, suggest

CELLS = ["gru", "gru_v1", "irnn", "lstm", "lstmp", "mgu", "mgu1", "mgu2", "mgu3", "slstm"]


@pytest.mark.parametrize(
    ("name", "known", "says"),
    [
        ("lstn", CELLS, "did you mean lstm? see `all`"),
        ("mut4", [*CELLS, "mut1", "mut2", "mut3"], "did you mean mut3, mut2 or mut1? see `all`"),
        ("grux", CELLS, "did you mean gru? see `all`"),
        ("xyz", CELLS[:3], "allowed: gru, gru_v1, irnn"),
        ("gri", CELLS[:3], "did you mean gru?"),
        ("xyz", [], "there are none"),
    ],
)
def test_a_name_is_suggested(name: str, known: list[str], says: str) -> None:
    assert suggest(name, known, see="`all`") == says


def test_a_long_list_is_never_given_whole() -> None:
    many = [f"name{number}" for number in range(59)]
    for name in ("name", "name7x", "zzz", ""):
        hint = suggest(name, many, "encoder.", "`seqtasks list cells`")
        assert 1 <= hint.count("encoder.name") <= 3 and hint.endswith("see `seqtasks list cells`")
    assert suggest("zzz", many).startswith("the nearest of 59: ")


def test_a_list_of_names_is_cut() -> None:
    assert listed("abcdefgh") == "a, b, c, d, e, f, g, h"
    assert listed("abcdefghi") == "a, b, c … (9 in all)"
