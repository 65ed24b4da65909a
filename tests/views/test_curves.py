"""Learning curves of several runs in one figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqtasks.core.errors import RunError
from seqtasks.experiments import history
from seqtasks.experiments.results import Row
from seqtasks.experiments.run_folder import Run
from seqtasks.views import curves
from tests.experiments.test_results import make, store

HEAD = "epoch,seconds,validation_seconds,loss,accuracy,val_loss,val_accuracy"


def trained(runs: Path, cell: str = "gru", seed: int = 0, peak: int = 2, epochs: int = 3, **changes: object) -> Row:
    """A stored run whose validation accuracy is best in an epoch."""
    accuracy = [0.9 - 0.1 * abs(epoch - peak) + 0.01 * seed for epoch in range(1, epochs + 1)]
    lines = [f"{n},1.0,0.1,{1 / n},{0.8 + n / 100},{1.5 / n},{value}" for n, value in enumerate(accuracy, 1)]
    validation = {"loss": 1.5 / peak, "accuracy": accuracy[peak - 1]}
    row = make(cell=cell, seed=seed, value=accuracy[peak - 1], validation=validation, **changes)
    folder = store(row, runs).parent
    (folder / "history.csv").write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    (folder / "run.json").write_text('{"format": 2, "task": "mnist_rows", "spec": {"counts": {"train": 9}}}')
    return row


def opened(runs: Path, row: Row) -> tuple[Run, Row]:
    return Run(runs / row.run, {"format": 2}), row


def test_the_best_epoch_is_the_one_of_the_result(tmp_path: Path) -> None:
    row = trained(tmp_path, peak=2)
    epochs = history.read_history(tmp_path / row.run)
    assert history.best_epoch(row, epochs) == 2
    assert history.best_epoch(make(validation={"loss": 9.0, "accuracy": 0.1}), epochs) is None


def test_seeds_are_a_mean_with_its_range() -> None:
    histories = [[{"epoch": 1.0, "loss": 1.0}, {"epoch": 2.0, "loss": 3.0}], [{"epoch": 1.0, "loss": 2.0}]]
    line = curves.curve("gru", histories, "loss")
    assert line is not None
    assert (line.epochs, line.mean, line.low, line.high) == ([1], [1.5], [1.0], [2.0])  # epochs that both have
    assert curves.curve("gru", histories, "accuracy") is None


def test_names_have_what_differs_besides_the_seed() -> None:
    wide = {"encoder.units": 64}
    assert curves.distinct_labels([make(), make(seed=1)]) == ["gru", "gru"]
    assert curves.distinct_labels([make(), make(cell="lstm", config=wide)]) == ["gru units=128", "lstm units=64"]
    matched = {"encoder.match": "lstm:64", "encoder.units": 9}
    rows = [make(config=matched), make(cell="lstm", config=matched | {"encoder.units": 8})]
    assert curves.distinct_labels(rows) == ["gru", "lstm"]
    assert curves.distinct_labels([make(), make(task="mnist_vanilla")]) == ["mnist_rows gru", "mnist_vanilla gru"]


def test_the_figure_has_a_line_for_each_model_and_the_best_baseline(tmp_path: Path) -> None:
    rows = [trained(tmp_path, seed=0), trained(tmp_path, seed=1), trained(tmp_path, "lstm", peak=3)]
    baselines = [make(kind="baseline", cell="SVM", value=0.7), make(kind="baseline", cell="mean", value=0.1)]
    figure = curves.draw([opened(tmp_path, row) for row in rows], baselines)
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    words = [text.get_text() for text in accuracy.get_legend().get_texts()]
    parts = [f"{cell} {part}" for cell in ("gru", "lstm") for part in ("training", "validation")]
    assert words == [*parts, "best epoch, mean", "SVM (baseline, test)"]
    assert figure.get_suptitle() == "mnist_rows · 2 models · seeds 0, 1"
    marks = [line.get_xdata().tolist() for line in accuracy.lines if line.get_fillstyle() == "none"]
    assert marks == [[2], [3], []]
    single = curves.draw([opened(tmp_path, rows[0])])
    assert single.get_suptitle() == "mnist_rows · gru · seed 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"cannot read .*history\.csv: No such file or directory; give a run that was trained"),
        (HEAD + "\n", r"history\.csv has no epoch; allowed: one or more; continue the run with seqtasks resume"),
        (HEAD + "\n1,x\n", r"cannot read .*history\.csv: .*; give a run"),
    ],
)
def test_histories_that_cannot_be_drawn(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "history.csv").write_text(text)
    with pytest.raises(RunError, match=message):
        history.read_history(tmp_path)


def test_the_command(tmp_path: Path, cli) -> None:
    rows = [trained(tmp_path), trained(tmp_path, "lstm")]
    names = [row.run for row in rows]
    code, out, err = cli("plot", *names, "--runs", tmp_path, "--out", tmp_path / "a.png")
    assert (code, out.strip(), err) == (0, str(tmp_path / "a.png"), "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = cli("plot", names[0], "--runs", tmp_path, "--out", "curves.txt")
    assert code == 2 and "curves.txt" in err and ".png" in err
    other = trained(tmp_path, "mgu", metric="nats")
    code, _, err = cli("plot", names[0], other.run, "--runs", tmp_path)
    assert code == 2 and "runs with the metrics accuracy and nats; allowed: one metric; draw them separately" in err
