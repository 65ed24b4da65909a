"""Rows that share one array: chosen, padded and masked without copies of their steps."""

import numpy as np

from seqtasks.data.series.segments import Segments

ROWS = [np.full((n, 2), i + 1.0) + np.arange(n)[:, None] / 10 for i, n in enumerate((3, 1, 4))]


def test_rows_are_found_again_in_any_order_and_share_their_steps():
    segments = Segments.stack(ROWS)
    chosen = segments[np.array([2, 0])]
    assert chosen.steps is segments.steps and len(chosen) == 2 and chosen.shape == (2, 4, 2)
    np.testing.assert_allclose(chosen.row(0), ROWS[2], rtol=1e-6)
    assert segments[:2].shape == (2, 3, 2) and segments.dtype == np.float32


def test_padding_is_at_the_end_and_the_mask_is_true_before_it():
    segments = Segments.stack(ROWS)
    padded, mask = segments.padded(least=6, fill=-1), segments.mask(least=6)
    assert padded.shape == (3, 6, 2) and mask.sum(axis=1).tolist() == [3, 1, 4]
    for i, row in enumerate(ROWS):
        np.testing.assert_allclose(padded[i, mask[i]], row, rtol=1e-6)
    assert (padded[~mask] == -1).all()
    assert segments[np.array([], int)].padded().shape == (0, 1, 2)


def test_windows_overlap_in_one_array():
    series = np.arange(10.0)
    windows = Segments(series, np.arange(8), np.full(8, 3))
    assert windows.padded().tolist() == [[i, i + 1, i + 2] for i in range(8)]
