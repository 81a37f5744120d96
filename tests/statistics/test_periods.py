"""Intervals over time: exact on a small case, honest when weeks remember."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics import group_t


def remembering(rng: np.random.Generator, runs: int, n: int, rho: float) -> np.ndarray:
    """Draw stationary AR(1) series with mean 0, one per row, already 60 periods old."""
    noise = rng.normal(size=(runs, n + 60))
    return np.asarray(lfilter([1.0], [1.0, -rho], noise, axis=1))[:, 60:]


def test_six_values_give_students_interval() -> None:
    x = np.random.default_rng(1).normal(size=6)
    got = group_t(x)
    low, high = stats.t.interval(0.95, 5, x.mean(), stats.sem(x))
    assert (got.value, got.low, got.high) == pytest.approx((x.mean(), low, high))


def test_stretches_are_consecutive_and_nearly_equal() -> None:
    x = np.array([1.0, 1, 2, 2, 3, 4, 5, 6])
    six = group_t(np.array([1.0, 2, 3, 4, 5, 6]))
    got = group_t(x)
    assert (got.low, got.high) == pytest.approx((six.low, six.high))
    assert (got.n, got.n_effective, got.groups) == (8, 8, 6)


def test_missing_periods_are_left_out() -> None:
    x = np.array([1.0, 2, 3, 4, 5, 6])
    gaps = np.array([1.0, math.nan, 2, 3, 4, math.inf, 5, 6])
    assert group_t(gaps) == group_t(x)


@pytest.mark.parametrize("n", range(6))
def test_too_few_periods_give_no_interval(n: int) -> None:
    got = group_t(np.append(np.arange(float(n)), math.nan))
    assert not got.known
    assert math.isnan(got.low)
    assert (got.n, got.groups) == (n, n)
    assert math.isnan(got.value) if n == 0 else got.value == (n - 1) / 2


@given(st.floats(-100, 100), st.floats(0.01, 100))
def test_moves_with_shift_and_scale(shift: float, scale: float) -> None:
    x = np.random.default_rng(2).normal(size=20)
    was, now = group_t(x), group_t(x * scale + shift)
    assert now.low == pytest.approx(was.low * scale + shift, abs=1e-9)
    assert now.high == pytest.approx(was.high * scale + shift, abs=1e-9)


@pytest.mark.parametrize(("rho", "n"), [(0.0, 26), (0.0, 52), (0.3, 26), (0.3, 52)])
def test_the_mean_is_covered_when_weeks_remember(rho: float, n: int) -> None:
    runs = 2000
    got = [group_t(x) for x in remembering(np.random.default_rng(n), runs, n, rho)]
    assert 0.92 <= sum(e.low <= 0 <= e.high for e in got) / runs <= 0.97


def test_weeks_as_units_would_promise_too_much() -> None:
    """Why stretches: with every week a unit, "95 %" covers five times in six at rho = 0.3."""
    runs = 500
    got = [group_t(x, groups=52) for x in remembering(np.random.default_rng(9), runs, 52, 0.3)]
    assert sum(e.low <= 0 <= e.high for e in got) / runs < 0.88


def test_settings_have_limits() -> None:
    with pytest.raises(BadValue, match="groups must be a whole number, at least 2"):
        group_t(np.ones(9), groups=1)
    with pytest.raises(BadValue, match="confidence"):
        group_t(np.ones(9), confidence=95)
    with pytest.raises(BadInput, match="one number per period"):
        group_t(np.ones((3, 3)))
