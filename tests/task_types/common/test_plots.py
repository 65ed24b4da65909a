"""Figures and tables of the run folder."""

import numpy as np
import pytest

from seqtasks.task_types.common.plots import (
    attention_map,
    class_pictures,
    class_report,
    confusion,
    learning_curves,
    save_figure,
)


def test_the_report_of_each_label():
    report = class_report(["A", "A", "A", "B", "B", "D"], ["A", "A", "B", "B", "A", "C"])
    assert report.index.tolist() == ["A", "B", "D", "C"] and report.index.name == "label"
    assert report.columns.tolist() == ["precision", "recall", "f1", "support"]
    np.testing.assert_allclose(
        report.to_numpy(), [[2 / 3, 2 / 3, 2 / 3, 3], [1 / 2, 1 / 2, 1 / 2, 2], [0, 0, 0, 1], [0, 0, 0, 0]]
    )
    assert report["support"].dtype.kind == "i"


def test_a_classifier_gets_a_picture_and_a_report(tmp_path):
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    pictures = dict(class_pictures("mine", logits, np.array([0, 1, 1]), ["no", "yes"], "test texts"))
    assert pictures["confusion"].axes[0].get_title() == "mine: 66.67 % of 3 test texts"
    assert pictures["classes"].loc["yes", "recall"] == 0.5
    assert pictures["worst_errors"].reset_index()[["example", "true", "predicted"]].values.tolist() == [
        [2, "yes", "no"]
    ]
    pictures["confusion"].savefig(tmp_path / "confusion.png")


def test_confusion_counts():
    (axes,) = confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b"], "title").axes
    cells = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts if text.get_text()}
    assert cells == {(0, 0): "1", (1, 0): "1", (1, 1): "1"}  # predicted, true


def test_labels_that_never_occur_have_no_row():
    (axes,) = confusion(np.array([0, 2, 2]), np.array([0, 2, 4]), list("abcde"), "title").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "c", "e"]
    assert axes.get_xlabel() == "predicted\n(left out, as they never occur: b, d)"
    np.testing.assert_allclose(axes.images[0].get_array(), [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 0]])


def test_rare_labels_are_summed():
    targets, predicted = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 3, 1, 2, 2, 3])
    (axes,) = confusion(targets, predicted, list("abcd"), "title", most=2).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "other (2)"]
    cells = {tuple(map(int, text.get_position()[::-1])): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "1", (0, 2): "1", (1, 1): "1", (1, 2): "1", (2, 2): "2"}  # true, predicted


def test_attention_has_a_colour_bar_and_names_of_its_axes():
    axes, bar = attention_map(np.eye(2), ["a", "b"], ["c", "d"], "en → de").axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("source", "output ↓")
    assert bar.get_ylabel() == "attention weight" and axes.figure.get_suptitle() == "en → de"


def test_the_best_epoch_and_the_baseline_are_lines():
    history = [{"epoch": n, "loss": 1 / n, "val_loss": 2 / n, "accuracy": 0.1 * n} for n in (1, 2, 3)]
    loss, accuracy = learning_curves(history, "accuracy", best=2, baseline=("majority", 0.15)).axes
    assert "best epoch, 2" in {text.get_text() for text in loss.get_legend().get_texts()}
    assert list(accuracy.lines[-1].get_ydata()) == [0.15, 0.15]
    assert "majority (baseline, test)" in {text.get_text() for text in accuracy.get_legend().get_texts()}


@pytest.mark.parametrize("metric", ["accuracy", "nats"])
def test_curves_of_what_was_recorded(metric):
    history = [{"epoch": n, "loss": 1 / n, "val_loss": 2 / n, "accuracy": 0.1 * n} for n in (1, 2)]
    axes = learning_curves(history, metric).axes
    assert [a.get_ylabel() for a in axes] == (["loss", "accuracy"] if metric == "accuracy" else ["loss"])
    assert len(axes[0].lines) == 2


@pytest.mark.parametrize("word", ["$", "$$", "$$$$", "_^{", "%", r"\alpha", "$x_{", "a$b$c"])
def test_words_are_drawn_as_they_are(tmp_path, word):
    numbers = np.arange(2)
    figures = [confusion(numbers, numbers, [word, "b"], word), attention_map(np.eye(2), [word, "b"], ["a", word])]
    for figure in figures:
        save_figure(figure, tmp_path / "a.png")
        axes = figure.axes[0]
        shown = [label for label in axes.get_xticklabels() if label.get_text() == word]
        assert len(shown) == 1 and not shown[0].get_parse_math()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_suffix_names_the_format(tmp_path):
    save_figure(attention_map(np.eye(1), ["a"], ["b"]), tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()
    with pytest.raises(ValueError, match="xyz"):
        save_figure(attention_map(np.eye(1), ["a"], ["b"]), tmp_path / "a.xyz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]
