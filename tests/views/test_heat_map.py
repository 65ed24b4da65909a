"""Heat map of a suite: a square for each model and task, with its mean, in order of the matrix."""

from __future__ import annotations

import numpy as np

from seqtasks.views import heat_map
from tests.experiments.test_matrix import matrix


def test_squares_and_their_texts() -> None:
    axes = heat_map.draw(matrix()).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gru", "lstm", "lru", "min_gru"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a %", "b %"]
    shares = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shares[:, 0], [1, 0.6, 0.4, 0.2])  # 0.5 is chance, 1 the ceiling
    assert np.isnan(shares[3, 1])
    texts = [text.get_text() for text in axes.texts]
    assert texts[:4] == ["100.0", "100.0", "80.0", "50.0"]
    assert {"nonlinear", "linear"} <= set(texts)
