"""Tables: what may stand side by side, means and spreads, and every format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from seqtasks.core.errors import ConfigError, TableError
from seqtasks.experiments import folder_index, results
from seqtasks.experiments.table import build, load_table
from seqtasks.experiments.table_formats import render
from tests.experiments.test_results import make, store

GRU = [make(seed=seed, value=value) for seed, value in enumerate([0.981, 0.983, 0.979])]
LSTM = [make(cell="lstm", seed=seed, value=value, params=80000) for seed, value in enumerate([0.985, 0.99])]
BASELINE = make(
    kind="baseline",
    cell="50% & a_b",
    value=0.926,
    encoder_params=0,
    params=7850,
    seconds_per_epoch=0.0,
    engine="scikit-learn",
)
ROWS = [*GRU, *LSTM, BASELINE]


def test_mean_and_spread_are_those_of_numpy() -> None:
    group = build(ROWS).groups[-1]
    values = [row.value for row in GRU]
    assert group.mean == pytest.approx(np.mean(values))
    assert group.sd == pytest.approx(np.std(values, ddof=1))
    assert build(GRU[:1]).groups[0].sd is None


def test_what_varies_makes_the_columns_in_the_order_of_the_settings() -> None:
    rows = [make(config={"options.pixels": True, "train.epochs": 5, "encoder.units": 64, "data.limit": 9}), make()]
    assert build(rows).columns == ("encoder.cell", "data.limit", "encoder.units", "train.epochs", "options.pixels")


def test_settings_that_change_no_result_make_no_columns() -> None:
    other = {"data.tfds_dir": "/x", "train.trackers": ["mlflow"], "data.source": "tfds", "train.eval_batch_size": 1}
    table = build([make(), make(seed=1, config=other)])
    assert table.columns == ("encoder.cell",)
    assert len(table.groups) == 1


def test_options_of_a_cell_that_only_some_rows_have() -> None:
    table = build([make(), make(config={"encoder.options": {"forget_bias": 0}}), make(config={"train.epochs": 3})])
    assert table.columns == ("encoder.cell", "encoder.options.forget_bias", "train.epochs")
    assert {group.labels for group in table.groups} == {("gru", "–", None), ("gru", 0, None), ("gru", "–", 3)}


def test_of_two_rows_with_one_seed_the_latest_stays() -> None:
    late = make(value=0.5, finished="2026-01-02T00:00:00+00:00")
    (group,) = build([late, make()]).groups
    assert group.rows == (late,)


def test_baselines_come_first_and_their_training_is_ignored() -> None:
    baseline = make(kind="baseline", cell="best of all", value=1.0, config={"encoder.units": 7, "train.epochs": 1})
    table = build([*GRU, baseline])
    assert table.columns == ("encoder.cell",)
    assert [group.kind for group in table.groups] == ["baseline", "model"]
    assert "**98.10 ± 0.20 (3)**" in render(table, "markdown")
    assert "\n| best of all | 100.00 (1) |" in render(table, "markdown")


def plain(**changes):
    """A row of a task on the same images without recurrence."""
    return make(
        **{"task": "mnist_vanilla", "cell": "none", "version": 3, "value": 0.986, "encoder_params": 0, **changes}
    )


def test_tasks_of_the_same_data_are_compared() -> None:
    rows = [*GRU, plain(), make(seed=1, config={"options.pixels": True})]
    table = build([*GRU, plain()])
    assert table.columns == ("encoder.cell", "task") and table.task == "mnist_rows and mnist_vanilla"
    assert [group.labels for group in table.groups] == [("none", "mnist_vanilla"), ("gru", "mnist_rows")]
    assert table.notes[0].startswith("mnist_rows v1, mnist_vanilla v3 · tfds:mnist · ")
    assert "options.pixels" in build(rows).columns
    with pytest.raises(TableError, match=r"metric is accuracy in 3 rows and bleu in 1 row"):
        build([*GRU, plain(metric="bleu")])


def test_a_model_without_recurrence_has_no_encoder() -> None:
    (group,) = build([plain(config={"encoder.cell": "gru", "encoder.units": 7}), plain(seed=1)]).groups
    assert group.labels == ("none",) and len(group.rows) == 2


def test_what_must_agree_is_named_with_a_filter() -> None:
    rows = [make(seed=seed) for seed in range(9)] + [make(source="builtin:digits", fingerprint="ff") for _ in range(3)]
    with pytest.raises(TableError) as caught:
        build(rows)
    assert str(caught.value) == (
        "these rows are not comparable: source is tfds:mnist in 9 rows and builtin:digits in 3 rows; "
        "fingerprint is 0123abcd in 9 rows and ff in 3 rows; add source=tfds:mnist"
    )
    assert len(build(rows, where=["source=tfds:mnist"]).groups[0].rows) == 9


def test_task_versions_and_fingerprints_are_never_mixed() -> None:
    with pytest.raises(TableError, match=r"version is 1 in 2 rows and 2 in 1 row; .*; add version=1 fingerprint=ff$"):
        build([make(version=2), make(fingerprint="ff"), make()])


def test_a_baseline_on_other_data_is_refused() -> None:
    baseline = make(kind="baseline", cell="ngram", config={"options.pixels": True})
    with pytest.raises(
        TableError, match=r"options.pixels is false in 3 rows and true in 1 row; add options.pixels=fal"
    ):
        build([*GRU, baseline])


def test_by_names_all_that_differs_or_is_refused() -> None:
    rows = [make(config={"train.epochs": n, "encoder.units": u}) for n in (8, 20) for u in (32, 64)]
    with pytest.raises(TableError) as caught:
        build(rows, by=["encoder.units"])
    assert str(caught.value) == (
        "these rows also differ in train.epochs (8, 20); add them to --by or filter with train.epochs=8"
    )
    table = build(rows, by=["encoder.units"], where=["train.epochs=8"])
    assert table.columns == ("encoder.cell", "encoder.units")
    assert build(rows, by=["train.epochs", "encoder.units", "cell"]).columns[1:] == ("train.epochs", "encoder.units")
    assert [group.labels for group in build(GRU, by=["seed"]).groups] == [("gru", 1), ("gru", 0), ("gru", 2)]


MATCHED = [
    make(cell=cell, seed=seed, value=value, config={"encoder.match": "lstm:48", "encoder.units": units})
    for cell, units, value in (("lstm", 48, 0.98), ("gru", 55, 0.97))
    for seed in (0, 1)
]


def test_units_that_follow_from_a_match_do_not_separate_rows() -> None:
    table = build(MATCHED, by=["encoder.cell"], where=["encoder.match=lstm:48"])
    assert table.columns == ("encoder.cell",)
    assert [(group.labels, len(group.rows)) for group in table.groups] == [(("lstm",), 2), (("gru",), 2)]
    assert build(MATCHED).columns == ("encoder.cell", "encoder.units")  # which they are is worth a column
    wide = make(cell="gru", seed=2, config={"encoder.units": 300})
    with pytest.raises(TableError, match=r"also differ in encoder.match \(lstm:48, null\); add them"):
        build([*MATCHED, wide], by=["encoder.cell"])
    with pytest.raises(TableError, match=r"also differ in encoder.units \(300, 128\) and encoder.match"):
        build([*MATCHED, wide, make(seed=3)], by=["encoder.cell"])


def test_a_cell_whose_file_was_edited_is_not_one_cell() -> None:
    def of(file, **changes):
        return make(cell="own", versions={"keras": "3.15.1", **({"cell_file": file} if file else {})}, **changes)

    assert build([of("aa"), of("aa", seed=1), *LSTM]).columns == ("encoder.cell",)
    assert build([of("aa"), of("bb"), *LSTM]).columns == ("encoder.cell", "cell_file")
    assert build([of("aa"), of(None)]).columns == ("encoder.cell", "cell_file")
    with pytest.raises(TableError, match=r"also differ in cell_file \(aa, bb\)"):
        build([of("aa"), of("bb", seed=1)], by=["encoder.cell"])
    assert build([of("aa"), of("bb")], where=["cell_file=bb"]).groups[0].rows == (of("bb"),)


@pytest.mark.parametrize("call", [{"by": ["units"]}, {"where": ["units=3"]}])
def test_a_key_without_its_group_gets_its_full_name(call: dict[str, list[str]]) -> None:
    with pytest.raises(TableError, match=r"unknown .* units; did you mean encoder.units\?"):
        build(ROWS, **call)


@pytest.mark.parametrize("call", [{"by": ["encoder.unit"]}, {"where": ["encoder.unit=3"]}])
def test_an_unknown_key_gets_a_suggestion(call: dict[str, list[str]]) -> None:
    with pytest.raises(TableError, match=r"unknown .* encoder.unit; did you mean encoder.units\?"):
        build(ROWS, **call)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("seed=0", 3),
        ("encoder.units=128.0", 6),
        ("encoder.cell=gru", 4),
        ("kind=model", 5),
        ("train.learning_rate=2e-3", 6),
        ("train.jit=false", 6),
        ("data.limit=null", 6),
        ("fingerprint=0123abcd", 6),
        ("finished=2026-01-01T00:01:31+00:00", 6),
    ],
)
def test_filters(text: str, count: int) -> None:
    assert sum(len(group.rows) for group in build(ROWS, where=[text]).groups) == count


def test_a_filter_that_leaves_no_model_says_what_there_is() -> None:
    with pytest.raises(TableError, match=r"no row has encoder.cell=mgu; values of the rows: gru, lstm; change the"):
        build(ROWS, where=["encoder.cell=mgu"])
    with pytest.raises(TableError, match=r"no row has train.jit=0"):
        build(ROWS, where=["train.jit=0"])
    with pytest.raises(ConfigError, match="key=value"):
        build(ROWS, where=["gru"])


def test_tables_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=rf"no finished run in {tmp_path}; train one with `seqtasks run TASK`"):
        load_table(tmp_path)
    for row in [*GRU, make(task="tagging", run="t")]:
        store(row, tmp_path)
    assert load_table(tmp_path, ["mnist_rows"]).groups[0].rows == tuple(GRU)
    with pytest.raises(TableError, match=r"no finished run of mnist in .*; it has runs of mnist_rows, tagging; train"):
        load_table(tmp_path, ["mnist"])
    with pytest.raises(
        TableError, match=r"has runs of 2 tasks: mnist_rows, tagging; allowed: one task, or several on the same data"
    ):
        load_table(tmp_path)
    with pytest.raises(TableError, match="no finished runs"):
        build([])


def test_tables_of_an_index_are_those_of_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of an index share parts of their settings and are looked at in bundles; the tables must not differ."""
    for seed in range(3):
        for cell, units in (("gru", 8), ("gru", 16), ("lstm", 8)):
            row = make(seed=seed, cell=cell, value=(seed + units) / 100, config={"encoder.units": units})
            store(dataclasses.replace(row, run=f"{cell}-{units}-{seed}", notes=["a"] * seed), tmp_path)
    store(make(kind="baseline", cell="linear", run="linear", value=0.5), tmp_path)
    store(make(seed=0, value=0.9, run="again", finished="2027", config={"encoder.units": 8}), tmp_path)
    views: list[tuple[list[str], list[str]]] = [
        ([], []),
        ([], ["encoder.units=8"]),
        ([], ["seed=1"]),
        (["seed"], ["encoder.cell=gru", "encoder.units=8"]),
        (["encoder.units"], ["cell=gru"]),
        (["encoder.cell"], []),
        ([], ["encoder.units=7"]),
        ([], ["run=gru-8-1"]),
        ([], ["nothing=1"]),
    ]

    def texts() -> list[str]:
        shown = []
        for by, where in views:
            try:
                shown.append(render(load_table(tmp_path, [], by, where), "json"))
            except TableError as error:
                shown.append(str(error))
        return shown

    expected = texts()
    assert not list(tmp_path.glob(".index*"))
    monkeypatch.setattr(folder_index, "LEAST", 1)
    monkeypatch.setattr(folder_index, "RECENT", -(10**18))
    texts()
    monkeypatch.setattr(results, "read", lambda folder: pytest.fail("read again"))
    assert texts() == expected
