import numpy as np
import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.task_types.forecasting.cuts import cut, origins, training_windows


def test_test_follows_validation_follows_training():
    cuts = cut(np.array([100, 60, 14]), 6)
    assert cuts.series.tolist() == [0, 1]  # 14 - 2 * 6 leaves two steps
    assert (
        cuts.train.tolist() == [60, 36] and cuts.validation.tolist() == [80, 48] and cuts.length.tolist() == [100, 60]
    )
    assert cut(np.full(10, 30), 6).train.tolist() == [18] * 10  # ten series: one horizon each
    assert cut(np.array([100]), 6, test=30).train.tolist() == [40]


def test_a_horizon_longer_than_the_history_is_one_line():
    with pytest.raises(
        ConfigError, match=r"options\.horizon is 12, but the longest series has 20 steps; allowed: up to 8"
    ):
        cut(np.array([20, 5]), 12)
    assert cut(np.array([20, 5]), 8).series.tolist() == [0]


def test_windows_and_origins_stay_in_their_part():
    train = np.array([50, 7])
    series, begins, ends = training_windows(train, 10)
    assert (ends < train[series]).all() and (begins >= 0).all() and (ends - begins <= 10).all()
    assert (series == 0).sum() == 40 and (series == 1).sum() == 1 and ends[series == 1] == 6
    series, begins, ends = origins(train, np.array([70, 12]), 5, 10, 50)
    assert ends[series == 0].tolist() == list(range(50, 66)) and ends[series == 1].tolist() == [7]
    few = origins(train, np.array([70, 12]), 5, 10, 4)[2]
    assert few.tolist() == [50, 55, 60, 65, 7]


def test_long_series_have_windows_at_some_steps_only():
    assert len(training_windows(np.array([50_000]), 100)[0]) < 4000
