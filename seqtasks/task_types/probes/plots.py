"""Plot of the accuracy by the number of symbols up to a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqtasks.task_types.common import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@style.styled
def by_length(table: DataFrame, trained: int, guess: float) -> Figure:
    """Draws the accuracy over the number of symbols, with the length of training and the chance level.

    Args:
        table: Columns `above`, `to` and `accuracy`: interval of the number of symbols, and accuracy in it.
        trained: Maximum number of symbols of a training sequence.
        guess: Accuracy of the most frequent label.
    """
    figure = style.new_figure(5.4, 3.4)
    axes = figure.subplots()
    axes.plot(table["to"], table["accuracy"], marker="o", label="test accuracy")
    axes.axhline(guess, color="0.35", linestyle="--", linewidth=1, label=f"most frequent label, {guess:.2f}")
    if table["to"].max() > trained:
        axes.axvline(trained, color="0.6", linestyle=":", linewidth=1.2, label=f"longest in training, {trained}")
    if len(table) > 1:
        axes.set_xscale("log", base=2)
    ticks = table["to"].tolist()
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.minorticks_off()
    axes.set(xlabel="symbols up to the label, at most", ylabel="accuracy", ylim=(0, 1.03))
    axes.grid(visible=True)
    axes.legend(loc="lower left")
    return figure
