import numpy as np

from seqtasks.data.series.forecast_batches import ForecastBatches, Panel
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples


def panel(horizon=2):
    rows = [np.arange(8.0)[:, None], 100 + np.arange(5.0)[:, None]]
    rows[0][3] = np.nan
    known = [np.arange(len(row) + horizon)[:, None] for row in rows]
    return Panel(Segments.stack(rows), Segments.stack(known), np.zeros((2, 0), np.float32), horizon, [0.0], [0])


def examples(made, first):
    inputs = made.windows(np.array([0, 1]), np.array([0, 1]), np.array([5, 4]), np.array([6, 5]))
    inputs |= {"first": np.array(first), "weights": np.array([[1.0], [0.5]])}
    return Examples(inputs, np.zeros(2))


def test_each_step_has_the_values_that_follow_as_targets():
    made = panel()
    batches = ForecastBatches(examples(made, [0, 0]), 2, panel=made, ahead=2)
    arrays, targets, weights = batches[0]
    assert arrays["mask"].sum(axis=1).tolist() == [5, 3]  # long ones come first
    np.testing.assert_array_equal(arrays["steps"][0, :5, 0], [0, 1, 2, 2, 4])  # a missing value is filled
    np.testing.assert_array_equal(arrays["measured"][0, :5, 0], [1, 1, 1, 0, 1])
    np.testing.assert_array_equal(targets[0, :5, 0, 0, 0], [1, 2, 1, 4, 5])
    np.testing.assert_array_equal(weights[0, :5, 0, 0] > 0, [True, True, False, True, True])  # step 3 is missing
    np.testing.assert_array_equal(
        weights[0, :5, 1, 0] > 0, [True, False, True, True, False]
    )  # step 6 is after the split
    np.testing.assert_array_equal(arrays["known"][1, :3], [[2, 3], [3, 4], [4, 5]])
    assert weights[1, 0, 0, 0] / weights[0, 0, 0, 0] == 0.5 and not weights[1, 3:].any()
    valid = weights[weights > 0]
    assert np.isclose(weights.size / len(valid) * 1.0, valid.max())  # Keras's mean is that over valid targets


def test_only_origins_have_weights():
    made = panel()
    batches = ForecastBatches(examples(made, [4, 2]), 2, panel=made, ahead=1)
    _, _, weights = batches[0]
    assert np.argwhere(weights[..., 0, 0] > 0).tolist() == [[0, 4], [1, 2]]
    last = ForecastBatches(examples(made, [4, 2]), 2, panel=made, ahead=2, last=True)[0]
    assert last[1].shape == (2, 1, 2, 1, 1) and last[1][:, 0, 0, 0, 0].tolist() == [5, 104]


def test_targets_of_logarithms():
    made = panel()
    _, targets, weights = ForecastBatches(examples(made, [4, 2]), 2, panel=made, ahead=1, log_floors=[0.1])[0]
    np.testing.assert_allclose(targets[weights > 0][:, 0], np.log([5, 104]), rtol=1e-6)


def test_windows_may_begin_later():
    made = panel()
    rows = examples(made, [0, 0]).inputs
    arrays = made.joined(np.zeros((2, 5, 1)), np.ones((2, 5), bool), np.ones((2, 5, 1), bool), rows, 1, skip=1)
    assert arrays["known"][0, :, 0].tolist() == [2, 3, 4, 5, 6]
