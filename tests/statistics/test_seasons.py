"""What the calendar says of a moment."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tidemill.statistics.seasons import as_days, day, design, seasons


def test_seasons_need_a_spacing_that_tells_them_apart_and_time_to_be_seen() -> None:
    assert seasons(1.0, 12.9) == ()
    assert seasons(1.0, 13.0) == ("weekday",)
    assert seasons(1 / 24, 1.0) == ()
    assert seasons(1 / 24, 13.99) == ("weekday", "hour")
    assert seasons(30.0, 3000.0) == ()


def test_every_hour_of_a_week_is_its_own_however_days_are_rounded() -> None:
    hours = 19_723 + np.arange(24 * 14) / 24
    made = design(hours, 19_723 + 14 + 5 / 24, season=["hour of week"])
    assert (made.columns.sum(axis=0) == 2).all()
    assert made.columns.shape == (336, 168)
    assert np.flatnonzero(made.new).tolist() == [5]


def test_an_hour_that_was_never_seen_is_named() -> None:
    made = design(19_723 + np.arange(20) / 24, 19_723 + 23 / 24, season=["hour"])
    assert made.missing == "no 23:00 among the windows"
    made = design(19_723 + np.arange(20) / 24, 19_724.0, season=["hour of week"])
    assert made.missing == "no Tuesday 0:00 among the windows"


def test_two_windows_of_one_holiday_are_one_occurrence() -> None:
    days = 19_723 + np.arange(40) / 2
    made = design(days, 19_744.25, holidays={date(2024, 1, 3): "fair", date(2024, 1, 22): "fair"})
    assert made.missing == "fair was seen once before, two are needed"


def test_moments_and_day_numbers_are_the_same() -> None:
    moments = np.array(["2024-01-01T06:00", "2024-01-02"], dtype="datetime64[s]")
    assert as_days(moments).tolist() == [19_723.25, 19_724.0]
    assert day(19_723.25) == date(2024, 1, 1)
    assert np.isnan(as_days(np.array([np.nan]))).all()
    assert as_days(np.array([3])).dtype == np.float64
    with pytest.raises(ValueError, match="datetime64"):
        as_days(np.array(["x"]))
