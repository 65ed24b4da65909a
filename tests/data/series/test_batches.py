"""Batches of series: masks, filled values, gaps, statics, weights of classes."""

import numpy as np

from seqtasks.data.series.batches import Inputs, SeriesBatches
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet

ROWS = [[[1, np.nan], [2, 5]], [[3, 4]], [[5, 6], [np.nan, 8], [9, 1]]]
TIMES = [[0, 1], [7], [0, 2, 5]]


def series():
    times = Segments.stack(TIMES, "float64")
    statics = np.array([[30], [np.nan], [50]], np.float32)
    return SeriesSet(Segments.stack(ROWS), ["x", "y"], times, statics=statics, static_names=["age"])


def batches(shuffle=False, weights=None, irregular=True, measured=(0, 1), rows=3):
    inputs = Inputs(Scaling.fit(series()), measured, irregular)
    examples = inputs.examples(series(), np.array([0, 1, 1]))
    return SeriesBatches(examples, rows, None, shuffle, inputs=inputs, weights=weights)


def test_a_batch_has_every_input_by_name():
    made = batches()
    arrays, targets = made[0]
    order = made.rows(0)
    assert order.tolist() == [2, 0, 1] and targets.tolist() == [1, 0, 1]
    assert set(arrays) == {"steps", "mask", "measured", "time_gaps", "statics"}
    assert arrays["mask"].sum(axis=1).tolist() == [3, 2, 1] and arrays["statics"][:, 0].tolist() == [50, 30, 40]
    assert arrays["steps"][0, 1, 0] == 5 and arrays["measured"][0, 1, 0] == 0  # filled from the step before
    assert arrays["steps"][1, 0, 1] == np.float32(made.inputs.scaling.mean[1])  # nothing before it
    np.testing.assert_allclose(arrays["time_gaps"][0, :3], [0, 1, 1.5])  # the mean gap is 2
    assert not arrays["steps"][~arrays["mask"]].any() and not arrays["time_gaps"][~arrays["mask"]].any()


def test_inputs_that_are_not_needed_are_left_out():
    arrays, _ = batches(irregular=False, measured=())[0]
    assert set(arrays) == {"steps", "mask", "statics"}


def test_classes_are_weighed_in_training_only():
    weights = np.array([2.0, 0.5])
    assert len(batches(weights=weights)[0]) == 2
    _, targets, sample = batches(shuffle=True, weights=weights)[0]
    assert sample.tolist() == weights[targets].tolist()


def test_lengths_of_the_first_two_batches_differ_unless_all_series_are_equally_long():
    made = batches(rows=2)
    assert made[0][0]["steps"].shape[1] != made[1][0]["steps"].shape[1]
    inputs = Inputs(Scaling(mean=[0.0], sd=[1.0], missing=[0.0]))
    equal = SeriesSet(Segments.stack(np.ones((4, 5, 1))), ["x"])
    shapes = [batch[0]["steps"].shape for batch in SeriesBatches(inputs.examples(equal, np.zeros(4)), 2, inputs=inputs)]
    assert shapes == [(2, 5, 1)] * 2
