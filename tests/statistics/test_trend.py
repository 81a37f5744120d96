"""The trend test: keeps its size when weeks remember, and sees a trend that is there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter

from tidemill.core.errors import BadInput
from tidemill.statistics import trend_p


def remembering(runs: int, n: int, rho: float) -> NDArray[np.float64]:
    """Draw stationary AR(1) series of sd 1, one per row, already 60 periods old."""
    rng = np.random.default_rng([n, int(10 * rho)])
    noise = rng.normal(size=(runs, n + 60)) * math.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise, axis=1), dtype=np.float64)[:, 60:]


@pytest.mark.parametrize(
    ("n", "rho", "most"),
    [(26, 0.0, 0.05), (26, 0.3, 0.06), (26, 0.6, 0.08), (52, 0.3, 0.06), (52, 0.6, 0.065)],
)
def test_false_alarms_stay_near_5_percent(n: int, rho: float, most: float) -> None:
    runs = 2000
    found = sum(trend_p(x) <= 0.05 for x in remembering(runs, n, rho)) / runs
    assert found <= most + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found >= 0.05 - 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("n", [26, 52])
def test_a_trend_is_seen(n: int) -> None:
    """A line that rises by two and a half standard deviations, and weeks that remember."""
    line = np.linspace(-1.25, 1.25, n)
    assert sum(trend_p(x + line) <= 0.05 for x in remembering(300, n, 0.3)) / 300 >= 0.6


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(6, 60))
def test_level_and_scale_and_direction_do_not_count(shift: float, scale: float, n: int) -> None:
    x = np.random.default_rng(n).normal(size=n)
    was = trend_p(x)
    assert trend_p(scale * (x[::-1] + shift / 1e3)) == pytest.approx(was, abs=1e-6)


def test_edges() -> None:
    assert trend_p(np.ones(12)) == 1
    assert trend_p(np.full(12, 1e300)) == 1
    assert trend_p(np.arange(12.0)) < 1e-6
    assert math.isnan(trend_p(np.arange(5.0)))
    assert math.isnan(trend_p(np.array([1.0, 2, 3, 4, 5, math.nan])))
    with pytest.raises(BadInput, match="one number per period"):
        trend_p(np.ones((6, 6)))
