import numpy as np
import pandas as pd
import pytest

from seqtasks.data.series.frequency import calendar, following, frequency_of


def seconds(start, count, freq):
    dates = pd.date_range(start, periods=count, freq=freq, tz="UTC")
    return np.asarray((dates - pd.Timestamp(0, tz="UTC")).total_seconds())


@pytest.mark.parametrize(
    ("freq", "name", "season"),
    [("YS", "yearly", 1), ("QS", "quarterly", 4), ("MS", "monthly", 12), ("ME", "monthly", 12), ("7D", "weekly", 52),
     ("D", "daily", 7), ("h", "hourly", 24), ("15min", "every 15 minutes", 96), ("37s", "every 37 s", 1)],
)  # fmt: skip
def test_the_season_and_the_times_to_come_follow_from_dates(freq, name, season):
    times = seconds("2019-01-31" if freq == "ME" else "2019-01-01", 40, freq)
    frequency = frequency_of(times[:30], True)
    assert (frequency.name, frequency.season) == (name, season)
    late = 3 * 86_400 if freq == "ME" else 0  # the last day of a month is not always the same one
    np.testing.assert_allclose(following(times[29], 10, frequency), times[30:], atol=late)


def test_numbers_have_no_season():
    frequency = frequency_of(np.arange(0, 20, 0.5), False)
    assert (frequency.season, frequency.gap) == (1, 0.5)
    assert following(3.0, 2, frequency).tolist() == [3.5, 4.0]


def test_calendar_features_repeat_with_the_year_and_the_week():
    months = seconds("2019-01-01", 36, "MS")
    features, names = calendar(months, frequency_of(months, True))
    assert names == ["sine of the year", "cosine of the year"]
    np.testing.assert_allclose(features[:12], features[12:24], atol=1e-6)
    assert len(np.unique(features[:12].round(4), axis=0)) == 12
    hours = seconds("2024-01-01", 24 * 21, "h")
    features, names = calendar(hours, frequency_of(hours, True))
    assert len(names) == 6
    np.testing.assert_allclose(features[: 24 * 7, 2:], features[24 * 7 : 24 * 14, 2:], atol=1e-5)
    assert calendar(seconds("2000-01-01", 9, "YS"), frequency_of(seconds("2000-01-01", 9, "YS"), True))[1] == []
