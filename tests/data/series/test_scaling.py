"""Scaling fitted on training series, missing values filled from the past only, gaps between steps."""

import numpy as np
import pytest

from seqtasks.core.errors import DataError
from seqtasks.data.series import scaling
from seqtasks.data.series.scaling import Scaling, forward_filled, gaps
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_moments_are_those_of_numpy_in_blocks_and_far_from_zero(monkeypatch, block):
    monkeypatch.setattr(scaling, "BLOCK", block)
    rng = np.random.default_rng(0)
    rows = [rng.normal([1e4, -3], [0.5, 20], (n, 2)).astype(np.float32) for n in (5, 1, 9)]
    rows[0][2, 1] = np.nan
    fitted, every = Scaling.fit(SeriesSet(Segments.stack(rows), ["x", "y"])), np.concatenate(rows).astype(np.float64)
    np.testing.assert_allclose(fitted.mean, np.nanmean(every, axis=0), rtol=1e-9)
    np.testing.assert_allclose(fitted.sd, np.nanstd(every, axis=0), rtol=1e-6)
    np.testing.assert_allclose(fitted.missing, [0, 1 / 15])
    np.testing.assert_allclose(fitted.unscaled(fitted.scaled(every)), every)
    assert Scaling.from_dict(fitted.to_dict()) == fitted


def test_only_chosen_rows_count():
    rows = Segments.stack([[[0.0], [2.0]], [[100.0], [300.0]]])
    assert Scaling.fit(SeriesSet(rows[:1], ["x"])).mean == [1.0]


def test_statics_and_gaps():
    rows = Segments.stack([[[0.0], [2.0]], [[1.0], [3.0]]])
    times = Segments.stack([[0.0, 1.0], [0.0, 3.0]], "float64")
    facts = {
        "statics": np.array(
            [
                [1, 5],
                [3, np.nan],
            ],
            np.float32,
        ),
        "static_names": ["age", "weight"],
    }
    with pytest.raises(DataError, match=r"column weight: the static covariate is 5 in all training series; allowed"):
        Scaling.fit(SeriesSet(rows, ["x"], times, **facts))
    facts["statics"][1, 1] = 7
    fitted = Scaling.fit(SeriesSet(rows, ["x"], times, **facts))
    assert fitted.gap == 2 and fitted.static_mean == [2, 6] and fitted.static_sd == [1, 1]


@pytest.mark.parametrize(
    ("values", "problem"), [([1, 1], "is 1 in all training series"), ([np.nan] * 2, "has no value")]
)
def test_a_constant_channel_is_named(tmp_path, values, problem):
    rows = Segments.stack([np.array([[0, 1], values]).T])
    with pytest.raises(DataError, match=rf"t\.csv, column y: the channel {problem}.*options\.ignore=y") as error:
        Scaling.fit(SeriesSet(rows, ["x", "y"], path=tmp_path / "t.csv"))
    assert "\n" not in str(error.value)


def test_a_missing_value_is_the_last_one_before_it():
    x = np.array([[[np.nan, 1], [2, np.nan], [np.nan, np.nan], [9, 9]], [[1, 1], [np.nan, 2], [3, np.nan], [4, 4]]])
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)
    filled, measured = forward_filled(x, [5, 6], mask)
    assert filled.tolist() == [[[5, 1], [2, 1], [2, 1], [0, 0]], [[1, 1], [1, 2], [3, 2], [4, 4]]]
    assert measured.sum() == 2 + 6 and not measured[0, 3].any()


def test_gaps_are_in_units_and_zero_at_first_steps_and_padding():
    times = Segments.stack([[10.0, 12.0, 18.0], [5.0]], "float64")
    assert gaps(times, 2, least=4).tolist() == [[0, 1, 3, 0], [0, 0, 0, 0]]
