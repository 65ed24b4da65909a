"""Pictures: panels, labels and scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seqtasks.task_types.common.plots import save_figure
from seqtasks.views import figures
from seqtasks.views.gradient_flow import GradientFlow

RNG = np.random.default_rng(0)


def texts(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


@pytest.mark.parametrize("features", [1, 9])
def test_states_stand_below_their_sequence(features):
    states = {"h": RNG.normal(size=(5, 3)), "c": RNG.normal(size=(5, 3))}
    figure = figures.state_figure("title", states, ["a", " ", "\n", "b", "c"], RNG.normal(size=(10, features)))
    sequence, h, c = figure.axes[:3]
    assert sequence.get_ylabel() == "input" and sequence.get_xlim() == (-0.5, 4.5)
    assert h.images[0].get_array().shape == c.images[0].get_array().shape == (3, 5)
    assert texts(c) == ["a", "␣", "↵", "b", "c"]


def test_similar_units_are_next_to_each_other():
    wave = np.sin(np.arange(30))
    values = np.stack([wave, -wave, wave, -wave], axis=1) + 0.01 * RNG.normal(size=(30, 4))
    (axes, _) = figures.state_figure("title", {"h": values}).axes
    rows = np.asarray(axes.images[0].get_array())
    assert np.corrcoef(rows)[0, 1] > 0.9 and np.corrcoef(rows)[2, 3] > 0.9
    assert axes.get_xlabel() == "step"


def test_gates_have_the_shares_of_valid_steps():
    gates = np.zeros((1, 4, 2))
    gates[0, :2, 0] = 1.0  # open at both valid steps
    gates[0, 2:, 1] = 1.0  # open at padding only
    figure = figures.gate_figure("title", {"forget": gates}, np.array([[True, True, False, False]]), 0, 2)
    np.testing.assert_allclose(figure.axes[1].collections[0].get_offsets(), [[0, 1], [1, 0]])


def test_trajectories_are_coloured_by_class_or_by_time():
    paths = [RNG.normal(size=(6, 4)) for _ in range(3)]
    figure = figures.trajectory_figure("title", paths, ["a", "b", "a"])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b"]
    figure = figures.trajectory_figure("title", paths[:1], [], list("abcdef"))
    assert [text.get_text() for text in figure.axes[0].texts] == list("abcdef")
    assert figures.trajectory_figure("one unit", [RNG.normal(size=(6, 1))], []).axes


def test_eigenvalues_have_the_unit_circle_and_their_radius():
    figure = figures.spectrum_figure("title", {"U": np.array([0.5, 2.0j])}, [np.array([0.1 + 0j])] * 2)
    assert "largest |λ| 2.000" in figure.axes[0].get_title() and "2 steps" in figure.axes[1].get_title()
    assert figure.axes[0].get_xlim() == pytest.approx((-2.1, 2.1))


def test_gradients_are_logarithmic_and_labels_are_numbers(tmp_path):
    norms = 0.5 ** np.arange(20)
    flows = [GradientFlow("lstm", {"layer 1": norms}), GradientFlow("lstm", {"layer 1": norms / 2}, trained=False)]
    log = pd.DataFrame({"epoch": [1, 1], "step": [1, 2], "all": [0.1, 2.0], "head": [0.1, 1.0], "clipped": [0, 1]})
    figure = figures.gradient_figure("title", flows, 1.0, {"lstm": log})
    above, below = figure.axes
    assert above.get_yscale() == below.get_yscale() == "log"
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert labels == ["lstm", "lstm, untrained", "clipping threshold of the weights (1)"]
    assert [line.get_linestyle() for line in above.lines] == ["-", "--", ":"]
    assert "50.0 % of updates clipped" in below.get_title()
    save_figure(figure, tmp_path / "gradients.png")
    ticks = {label.get_text() for label in above.get_yticklabels()}
    assert "1e-5" in ticks and not any("$" in tick for tick in ticks)
