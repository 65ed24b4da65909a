"""Models that cannot be told from the best: marks, the stored p-values, what is not compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqtasks.experiments import example_outputs, significance
from seqtasks.experiments.example_outputs import ExampleOutputs
from seqtasks.experiments.results import Row
from seqtasks.experiments.table import Table, load_table
from seqtasks.experiments.table_formats import render
from tests.experiments.test_results import make, store

METHOD = "paired bootstrap over test examples and seeds, corrected by Holm"


def trained(runs: Path, cell: str, right: np.ndarray, seed: int = 0, kept: bool = True) -> Row:
    """A stored run that answers these test examples right."""
    row = make(cell=cell, seed=seed, value=float(right.mean()))
    folder = store(row, runs).parent
    if kept:
        example_outputs.write(ExampleOutputs.of(right), folder)
    return row


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs of lstm (best), gru (as good), and simple_rnn (worse), two seeds each."""
    rng = np.random.default_rng(0)
    hard = rng.random(600)
    for seed in range(2):
        for cell, skill in (("lstm", 0.9), ("gru", 0.895), ("simple_rnn", 0.7)):
            trained(tmp_path, cell, hard + rng.normal(scale=0.02, size=600) < skill, seed)
    return tmp_path


def p_of(table: Table) -> dict[str, float | None]:
    return {group.labels[0]: group.p_best for group in table.groups}


def test_models_like_the_best_one_are_marked(runs: Path) -> None:
    table = load_table(runs)
    p = p_of(table)
    assert p["lstm"] is None and p["gru"] > 0.05 > 0.01 > p["simple_rnn"]  # type: ignore[operator]
    lines = {line.split()[0]: line for line in render(table).splitlines() if line}
    assert "(2)≈" in lines["gru"] and "≈" not in lines["lstm"] and "≈" not in lines["simple_rnn"]
    assert f"≈: cannot be told from the best mean (p ≥ 0.05; {METHOD})" in render(table)
    assert "≈" in render(table, "html") and r"$\approx$" in render(table, "latex")
    assert {record["cell"]: record["p_best"] for record in json.loads(render(table, "json"))} == p


def test_p_values_are_computed_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    p = p_of(load_table(runs))
    monkeypatch.setattr(significance, "_computed", lambda *_: pytest.fail("computed again"))
    assert p_of(load_table(runs)) == p
    (runs / significance.FILE).write_text("{damaged")
    monkeypatch.undo()
    assert p_of(load_table(runs)) == p
    store_again = make(cell="gru", value=0.5, finished="2027-01-01T00:00:00+00:00", run="mnist_rows-gru-0")
    example_outputs.write(ExampleOutputs.of(np.arange(600) < 300), runs / "mnist_rows-gru-0")
    (runs / "mnist_rows-gru-0" / "result.json").unlink()
    (runs / "mnist_rows-gru-0").rename(runs / "kept")
    store(store_again, runs)
    (runs / "kept" / "outputs.npz").rename(runs / "mnist_rows-gru-0" / "outputs.npz")
    assert p_of(load_table(runs))["gru"] != p["gru"]


def test_a_table_of_stored_p_values_imports_no_numpy(runs: Path) -> None:
    load_table(runs)
    code = (
        "import sys\n"
        "from pathlib import Path\nfrom seqtasks.experiments.table import load_table\n"
        f"text = str(load_table(Path({str(runs)!r})))\n"
        "assert '≈' in text and 'numpy' not in sys.modules and 'scipy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONUTF8": "1"})


def test_runs_without_outputs_are_not_marked(tmp_path: Path) -> None:
    right = np.arange(100) < 90
    trained(tmp_path, "lstm", right)
    trained(tmp_path, "gru", np.arange(100) < 89, kept=False)
    trained(tmp_path, "simple_rnn", np.arange(100) < 20)
    table = load_table(tmp_path)
    assert p_of(table)["gru"] is None and p_of(table)["simple_rnn"] is not None
    note = "not compared with the best mean: 1 model without comparable stored outputs of the test split"
    assert note in render(table) and f"the model compared with the best mean: p < 0.05 ({METHOD})" in render(table)


def test_nothing_is_compared_where_the_best_has_no_outputs(tmp_path: Path) -> None:
    trained(tmp_path, "lstm", np.arange(100) < 90, kept=False)
    trained(tmp_path, "gru", np.arange(100) < 89)
    table = load_table(tmp_path)
    assert set(p_of(table).values()) == {None}
    assert "no model is compared with the best mean, as stored outputs of the test split are missing" in render(table)


@pytest.mark.parametrize("damage", ["cut", "other examples", "other score"])
def test_outputs_that_do_not_fit_are_left_out(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    right = np.arange(100) < 90
    trained(tmp_path, "lstm", right)
    row = trained(tmp_path, "gru", right)
    if damage == "cut":
        (tmp_path / row.run / "outputs.npz").write_bytes(b"")
    else:
        values = np.arange(50) < 45 if damage == "other examples" else np.arange(100) < 10
        example_outputs.write(ExampleOutputs.of(values), tmp_path / row.run)
    table = load_table(tmp_path)
    assert p_of(table)["gru"] is None and not (tmp_path / significance.FILE).exists()
    assert ("cannot read" in caplog.text) == (damage == "cut")


def test_a_single_run_is_not_best_without_a_word(tmp_path: Path) -> None:
    right = np.arange(100) < 90
    trained(tmp_path, "lstm", right)
    note = "the best model has a single run, so its score may be due to its seed; add seed=0,1,2"
    assert note in render(load_table(tmp_path), "markdown")
    trained(tmp_path, "lstm", right, seed=1)
    assert note not in render(load_table(tmp_path), "markdown")


def test_holm_by_hand() -> None:
    # Sorted: 0.005·4, 0.01·3 = 0.03, 0.03·2 = 0.06, 0.04·1 → 0.06 (not below the one before).
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.holm([]) == [] and significance.holm([0.7, 0.9]) == [1.0, 1.0]


def test_holm_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    p = np.random.default_rng(1).beta(0.3, 2.0, size=30)
    assert significance.holm(p.tolist()) == pytest.approx(multitest.multipletests(p, method="holm")[1])
