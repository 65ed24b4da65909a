"""Values that other libraries published for constant weights: TensorFlow Addons' tests of its cells."""

import numpy as np
import pytest

from seqtasks.cells.registration import make_cell


def one_step(name, units, x, states, options=None, **weights):
    """The output and states after one step, with weights filled by one number each."""
    cell = make_cell(name, units, options)
    x = np.asarray(x, "float32")
    cell.build((None, x.shape[-1]))
    for weight in cell.weights:
        weight.assign(np.full(weight.shape, weights.get(weight.name, 0.0)))
    output, new = cell(x, [np.asarray(state, "float32") for state in states])
    return np.asarray(output), [np.asarray(state) for state in new]


def test_nas():
    x = np.repeat([[1.0], [2.0], [3.0]], 4, axis=1)
    start = np.full((3, 6), 0.1)
    output, (h, c) = one_step("nas", 6, x, [start, start], kernel=0.5, recurrent_kernel=0.5)
    for row, (wanted_h, wanted_c) in enumerate([(0.576751, 0.7157977), (0.618936, 0.7804162), (0.627393, 0.7945764)]):
        np.testing.assert_allclose(h[row], wanted_h, atol=1e-6)
        np.testing.assert_allclose(c[row], wanted_c, atol=1e-6)
    np.testing.assert_array_equal(output, h)


@pytest.mark.parametrize(("row", "wanted"), [(np.eye(4)[1], 0.417551), (np.zeros(4), 0.0)])
def test_peephole_lstm(row, wanted):
    # There, `kernel_initializer` filled the peepholes too.
    output, _ = one_step("peephole_lstm", 5, [row], [np.zeros((1, 5))] * 2, kernel=1.0, peephole=1.0)
    np.testing.assert_allclose(output, wanted, atol=1e-6)


def test_layernorm_lstm():
    # Only the output: theirs carries the normalised cell, ours, as the paper, the cell itself.
    gains = dict.fromkeys(("kernel_gain", "recurrent_gain", "cell_gain"), 1.0)
    start = [[[0.2, 0.3]], [[0.0, 0.1]]]
    halves = dict.fromkeys(("kernel", "recurrent_kernel", "bias"), 0.5)
    output, _ = one_step("layernorm_lstm", 2, np.ones((1, 3)), start, {"epsilon": 1e-9}, **gains, **halves)
    np.testing.assert_allclose(output, [[-0.47406167, 0.47406143]], atol=1e-5)
