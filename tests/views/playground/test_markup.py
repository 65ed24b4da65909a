"""HTML of answers: what visitors typed stays text."""

from rich.text import Text

from seqtasks.views.playground import markup

HOSTILE = '<img src=x onerror="alert(1)">'


def test_texts_are_escaped() -> None:
    colored = Text(HOSTILE)
    colored.stylize("black on #00ff00", 0, 4)
    shown = [
        markup.table([{HOSTILE: HOSTILE, "text": colored}]),
        markup.bars({HOSTILE: 0.5}),
        markup.colored(colored),
        markup.tagged([HOSTILE], [HOSTILE]),
        markup.paragraph(HOSTILE),
        markup.picture(b"", HOSTILE),
    ]
    assert all("<img src=x" not in part and "&lt;" in part for part in shown)


def test_long_tables_are_cut() -> None:
    table = markup.table([{"step": i} for i in range(markup.MOST_ROWS + 1234)])
    assert table.count("<tr>") == markup.MOST_ROWS + 1 and "and 1,234 more rows" in table


def test_bars_are_ordered_and_bounded() -> None:
    bars = markup.bars({"a": 0.25, "b": 0.75, "c": float(2)}, most=2)
    assert bars.index(">c<") < bars.index(">b<") and ">a<" not in bars and "width: 100.0%" in bars
