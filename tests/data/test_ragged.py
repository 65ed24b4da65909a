"""Ragged arrays: rows, selections and padding."""

import numpy as np
import pytest

from seqtasks.data.bucketing import Ragged

ROWS = [[1, 2, 3], [], [4], [5, 6, 7, 8], [9, 9]]


def lists(ragged):
    return [ragged.row(i).tolist() for i in range(len(ragged))]


def test_rows_come_back():
    ragged = Ragged.of(ROWS)
    assert lists(ragged) == ROWS and len(ragged) == 5 and ragged.lengths.tolist() == [3, 0, 1, 4, 2]


@pytest.mark.parametrize("index", [slice(None), slice(2), slice(1, 4), np.array([3, 1, 0, 3]), np.array([], int)])
def test_some_rows_in_any_order(index):
    expected = [ROWS[i] for i in np.arange(5)[index]]
    assert lists(Ragged.of(ROWS)[index]) == expected
    assert lists(Ragged.of(ROWS)[index][:2]) == expected[:2]


def test_padded_to_the_longest():
    padded = Ragged.of(ROWS).padded(fill=-1)
    for row, values in zip(padded, ROWS, strict=True):
        assert row.tolist() == values + [-1] * (4 - len(values))
    assert Ragged.of(ROWS).padded(least=6).shape == (5, 6)
    assert Ragged.of([[], []]).padded().shape == (2, 1) and Ragged.of([]).padded().shape == (0, 1)
