"""Anomaly scores: chunks equal the whole, and what is measured agrees with hand-made cases."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from seqtasks.core.config import EncoderConfig
from seqtasks.data.series.batches import Inputs
from seqtasks.data.series.scaling import Scaling
from seqtasks.data.series.segments import Segments
from seqtasks.data.splits import Examples
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types import AnomalyOptions
from seqtasks.task_types.anomaly_detection import scoring
from seqtasks.task_types.anomaly_detection.batches import ends_first, next_values, scaled_values
from seqtasks.task_types.anomaly_detection.model import prediction_model, rebuilding_model

SCALING = Scaling(mean=[100.0, -5.0], sd=[10.0, 2.0], missing=[0.0, 0.1])
INPUTS = Inputs(SCALING, measured=(1,))
HORIZON = 3


def examples(lengths=(37, 12), missing=True):
    rng = np.random.default_rng(0)
    rows = [rng.normal([100, -5], [10, 2], (length, 2)) for length in lengths]
    if missing:
        rows[0][5, 1] = rows[0][-17, 0] = np.nan
    marks = Segments.stack([np.zeros(length) for length in lengths], "int8")
    return Examples({"steps": Segments.stack(rows)}, marks)


@pytest.fixture(scope="module", params=["gru", "lstm"])
def predictor(request):
    encoder = Encoder(EncoderConfig(cell=request.param, units=4, layers=2), name="encoder")
    return prediction_model(encoder, INPUTS, HORIZON, AnomalyOptions(), "m")


def collected(errors, data, outputs):
    """All errors (steps of all series, outputs)."""
    made = np.full((int(data.inputs["steps"].lengths.sum()), outputs), np.nan)
    for part in errors(data):
        made[part.steps, part.outputs] = part.values
    return made


def test_errors_are_those_of_the_predictions_of_the_whole_series(predictor):
    data = examples()
    made = collected(scoring.PredictionErrors(predictor, INPUTS, HORIZON), data, HORIZON * 2)
    arrays = INPUTS.arrays(data.inputs)
    outputs = np.asarray(predictor.predict_on_batch([arrays[tensor.name] for tensor in predictor.inputs]))
    wanted = next_values(scaled_values(data.inputs["steps"], INPUTS), HORIZON) - outputs[:, : 37 - HORIZON]
    for ahead in range(HORIZON):
        columns = slice(2 * ahead, 2 * ahead + 2)
        steps = slice(ahead + 1, ahead + 1 + 37 - HORIZON)
        np.testing.assert_allclose(made[:37][steps, columns], wanted[0][:, columns], atol=1e-5)
        assert np.isnan(made[: ahead + 1, columns]).all()  # nothing was predicted for the first steps
    assert np.isnan(made[5, 1]) and np.isnan(made[20, 0])  # a missing value has no error


@pytest.mark.parametrize("chunk", [1, 5, 37])
def test_chunks_with_carried_states_equal_the_whole(predictor, chunk):
    data = examples()
    whole = collected(scoring.PredictionErrors(predictor, INPUTS, HORIZON), data, HORIZON * 2)
    parts = collected(scoring.PredictionErrors(predictor, INPUTS, HORIZON, chunk), data, HORIZON * 2)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_score_depends_on_no_later_step(predictor):
    data = examples((30,), missing=False)
    changed = examples((30,), missing=False)
    changed.inputs["steps"].steps[20:] += 50
    errors = scoring.PredictionErrors(predictor, INPUTS, HORIZON)
    before, after = (scoring.step_scores(errors, one, np.ones(6), 1)[0] for one in (data, changed))
    np.testing.assert_allclose(before[:20], after[:20], atol=1e-6)
    assert after[20] > before[20] + 1


def test_a_batch_of_series_scores_as_each_alone(predictor):
    data, errors = examples(), scoring.PredictionErrors(predictor, INPUTS, HORIZON)
    together = scoring.step_scores(errors, data, np.ones(6), 2)
    for i in range(2):
        alone = scoring.step_scores(errors, data.take(np.array([i])), np.ones(6), 2)
        np.testing.assert_allclose(together[i], alone[0], atol=1e-5)


def test_each_step_has_the_errors_of_the_windows_around_it():
    encoder = Encoder(EncoderConfig(cell="gru", units=4), name="encoder")
    model = rebuilding_model(encoder, INPUTS, 8, AnomalyOptions(window=8), "m")
    data = examples((20, 5))
    scores = scoring.step_scores(scoring.RebuildingErrors(model, INPUTS, 8), data, np.ones(2), 1)
    values = scaled_values(data.inputs["steps"], INPUTS)[0]
    squares = np.zeros((20, 2))
    for begin in (0, 4, 8, 12):
        window = Segments(data.inputs["steps"].steps, np.array([begin]), np.array([8]))
        arrays = INPUTS.arrays({"steps": window}, 8)
        rebuilt = np.asarray(model.predict_on_batch([arrays[tensor.name] for tensor in model.inputs]))
        error = (values[begin : begin + 8] - ends_first(rebuilt, np.array([8]))[0]) ** 2
        squares[begin : begin + 8] += np.stack([np.nansum(error, axis=1), (~np.isnan(error)).sum(axis=1)], axis=1)
    np.testing.assert_allclose(scores[0], np.sqrt(squares[:, 0] / squares[:, 1]), atol=1e-5)
    assert len(scores[1]) == 5 and (scores[1] > 0).all()


def test_the_scale_is_that_of_normal_steps():
    marks = Segments.stack([[-1, 0, 0, 1]], "int8")
    data = Examples({"steps": Segments.stack([np.zeros((4, 1))])}, marks)

    def errors(_):
        yield scoring.Errors(np.arange(4), np.array([[50.0], [3.0], [np.nan], [70.0]]), slice(0, 1))

    scale = scoring.normal_scale(errors, data, 2)
    assert scale.tolist() == [3.0, 1.0]  # the second output has no error
    scores = scoring.step_scores(errors, data, scale, 1)[0]
    np.testing.assert_allclose(scores, [50 / 3, 1, 0, 70 / 3])
    assert scoring.threshold_of([scores], marks, 1.0) == 1.0


def test_measures_of_steps_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    marks = Segments.stack([rng.integers(-1, 2, 50), rng.integers(-1, 2, 30)], "int8")
    scores = [rng.normal(size=50), rng.normal(size=30)]
    measured = scoring.detection_scores(scores, marks, 0.0)
    flat, labels = np.concatenate(scores), marks.steps
    judged = labels >= 0
    assert measured["roc_auc"] == pytest.approx(roc_auc_score(labels[judged], flat[judged]))
    assert measured["pr_auc"] == pytest.approx(average_precision_score(labels[judged], flat[judged]))
    assert measured["false_alarms"] == pytest.approx(1000 * (flat[labels == 0] > 0).mean())


@pytest.mark.parametrize(
    ("alarms", "f1", "recall"),
    [
        ([3], 2 / 3, 0.5),  # one of two events, no false one
        ([3, 4, 8], 1.0, 1.0),
        ([2, 3, 8], 1.0, 1.0),  # a stretch of alarms that begins before its event is no false one
        ([1, 3, 8], 0.8, 1.0),  # one false stretch
        ([0, 3, 8], 1.0, 1.0),  # a step that is not judged counts nowhere
        ([], 0.0, 0.0),
    ],
)
def test_an_event_needs_one_step_above_the_threshold(alarms, f1, recall):
    marks = Segments.stack([[-1, 0, 0, 1, 1, 0], [0, 0, 1]], "int8")
    flat = np.zeros(9)
    flat[alarms] = 2
    measured = scoring.detection_scores([flat[:6], flat[6:]], marks, 1.0)
    assert (measured["event_f1"], measured["event_recall"]) == (pytest.approx(f1), recall)


def test_the_distance_of_the_highest_score():
    marks = Segments.stack([[-1, 0, 0, 0, 1, 1], [0, 0, 0]], "int8")
    scores = [np.array([9.0, 0, 3, 1, 2, 0]), np.zeros(3)]
    assert scoring.detection_scores(scores, marks, 1.0)["peak_distance"] == 2
    scores[1][1] = 5  # in a series without an anomaly
    assert scoring.detection_scores(scores, marks, 1.0)["peak_distance"] == 3


def test_without_marked_steps_false_alarms_are_counted():
    marks = Segments.stack([[-1, 0, 0, 0, 0]], "int8")
    assert scoring.detection_scores([np.array([9.0, 2, 2, 0, 2])], marks, 1.0) == {"false_alarms": 750.0, "alarms": 2.0}
