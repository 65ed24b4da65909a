"""Windows of series: all steps are covered, marked ones are not trained on, and targets are what comes next."""

import numpy as np
import pytest

from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples
from seqtasks.task_types.anomaly_detection.batches import WindowBatches, cut, ends_first, training_windows

INPUTS = Inputs(Scaling(mean=[0.0], sd=[2.0], missing=[0.0]))


def examples(lengths, marked=()):
    rows = [np.arange(length, dtype=float)[:, None] + 100 * i for i, length in enumerate(lengths)]
    marks = [np.zeros(length, np.int8) for length in lengths]
    for step in marked:
        marks[0][step] = 1
    return Examples({"steps": Segments.stack(rows)}, Segments.stack(marks, "int8"))


@pytest.mark.parametrize("size", [3, 5, 50])
def test_windows_cover_all_steps(size):
    made = cut(examples([23, 7, 2]), size, max(1, size // 2)).inputs["steps"]
    covered = np.unique(np.concatenate([made.row(i)[:, 0] for i in range(len(made))]))
    assert covered.tolist() == [*range(23), *range(100, 107), 200, 201]
    assert made.lengths.max() == min(size, 23)


def test_windows_with_marked_steps_are_left_out():
    made = training_windows(examples([40], marked=[20]), 10)
    starts = [int(made.inputs["steps"].row(i)[0, 0]) for i in range(len(made))]
    assert starts == [*range(11), *range(21, 31)]


def test_targets_are_the_scaled_next_steps():
    windows = training_windows(examples([12]), 6)
    batches = WindowBatches(windows, 4, shuffle=True, inputs=INPUTS, size=4, horizon=2)
    arrays, targets = batches[0]
    assert arrays["steps"].shape == (4, 4, 1) and targets.shape == (4, 4, 2)
    np.testing.assert_allclose(targets[..., 0] * 2, arrays["steps"][..., 0] + 1)
    np.testing.assert_allclose(targets[..., 1] * 2, arrays["steps"][..., 0] + 2)


def test_a_window_is_rebuilt_from_its_end_and_padding_has_no_target():
    batches = WindowBatches(examples([3]), 4, inputs=INPUTS, size=5, horizon=0)
    arrays, targets = batches[0]
    assert arrays["mask"].tolist() == [[True, True, True, False, False]]
    np.testing.assert_allclose(targets[0, :, 0], [1.0, 0.5, 0.0, np.nan, np.nan])
    assert ends_first(targets, np.array([3]))[0, :3, 0].tolist() == [0.0, 0.5, 1.0]


def test_a_missing_value_has_no_target():
    data = examples([8])
    data.inputs["steps"].steps[3] = np.nan
    _, targets = WindowBatches(data, 4, inputs=INPUTS, size=7, horizon=1)[0]
    assert np.flatnonzero(np.isnan(targets[0, :, 0])).tolist() == [2]


def test_the_order_depends_on_seed_and_epoch_only():
    windows = training_windows(examples([60]), 6)

    def first(seed, epoch):
        batches = WindowBatches(windows, 8, True, seed, inputs=INPUTS, size=4, horizon=2)
        batches.seek(epoch, 0)
        return batches[0][0]["steps"].tolist()

    assert first(0, 1) == first(0, 1) and first(0, 1) != first(0, 2) and first(0, 1) != first(1, 1)
