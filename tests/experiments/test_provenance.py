"""The notes below a table: what they say is true of all its rows."""

from __future__ import annotations

from seqtasks.experiments.table import build
from tests.experiments.test_results import make
from tests.experiments.test_table import BASELINE, MATCHED, plain


def test_the_note_says_matched_only_of_matched_rows() -> None:
    assert "encoder parameters matched to lstm:48 ·" in build([*MATCHED, BASELINE]).notes[0]
    assert "encoder parameters matched to lstm:48 ·" in build([*MATCHED, plain(value=0.5)]).notes[0]
    mixed = build([*MATCHED, make(seed=3)])
    assert "matched" not in mixed.notes[0] and "encoder.match" in mixed.columns
    references = [*MATCHED, make(seed=3, config={"encoder.match": "lstm:64"})]
    assert "matched to lstm:48 and lstm:64 ·" in build(references).notes[0]
    other = make(task="mnist_columns", version=3)
    assert "encoder parameters of mnist_rows matched to lstm:48 ·" in build([*MATCHED, other]).notes[0]


def test_rows_of_several_sources_are_marked() -> None:
    rows = [make(), make(seed=1, machine="other", threads=4, versions={"keras": "3.16.0"})]
    note, warning = build(rows).notes
    assert note.endswith("seqtasks 0.1.0, Keras 3.15.1/3.16.0, tensorflow 2.21.0 · 2/4 threads on box / other")
    assert warning == (
        "rows differ in machine (box; other), threads (2; 4), Keras (3.15.1; 3.16.0): times are not comparable"
    )
