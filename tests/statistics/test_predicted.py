"""Predicted ranges: they cover what they say, see a drop, and say when they cannot tell."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import stdtrit

from tidemill.core.errors import BadInput, BadValue, NotFound
from tidemill.statistics.predicted import PredictedRange, predicted_range

Floats = NDArray[np.float64]
MONDAY = 19_723.0  # 2024-01-01
WAVE = np.array([3.0, 1.0, 2.0, 0.0, -1.0, -3.0, -2.0])


def ar(rng: np.random.Generator, n: int, rho: float) -> Floats:
    noise = rng.normal(size=n + 40) * math.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise), dtype=np.float64)[40:]


def predict(series: Floats, *, alpha: float = 0.05, **more: object) -> PredictedRange:
    """Predict the last of a series of days that starts on a Monday."""
    days = MONDAY + np.arange(series.size)
    more = {"season": ["weekday"], **more}
    return predicted_range(series[:-1], days[:-1], float(days[-1]), alpha=alpha, **more)  # type: ignore[arg-type]


def held(p: Floats, alpha: float) -> float:
    return float((p > alpha).mean())


@pytest.mark.parametrize(("weeks", "rho"), [(3, 0.5), (8, 0.0)])
def test_95_percent_ranges_cover_93_to_97_percent_and_99_percent_ranges_about_99(
    weeks: int, rho: float
) -> None:
    rng, runs, p = np.random.default_rng([weeks, int(10 * rho)]), 500, []
    for _ in range(runs):
        x = ar(rng, 7 * weeks + 1, rho) + 3 * WAVE[np.arange(7 * weeks + 1) % 7]
        p.append(predict(x).p(float(x[-1])))
    se = math.sqrt(0.05 * 0.95 / runs)
    assert 0.93 - se <= held(np.array(p), 0.05) <= 0.97 + se
    assert held(np.array(p), 0.01) >= 0.975


def test_neighbours_that_resemble_each_other_do_not_narrow_the_range_of_a_trend() -> None:
    """Taken as independent, 21 days with a correlation of one half cover 92.8 %."""
    rng, runs, inside = np.random.default_rng(5), 1000, 0
    for _ in range(runs):
        x = ar(rng, 22, 0.5)
        found = predict(x, season=(), trend=True)
        inside += found.low <= x[-1] <= found.high
    assert 0.938 <= inside / runs <= 0.965


@pytest.mark.parametrize("amplitude", [0.0, 3.0])
def test_a_season_does_not_hide_a_drop_by_four_standard_deviations(amplitude: float) -> None:
    rng, runs, seen = np.random.default_rng(11), 200, 0
    season = amplitude * np.sin(2 * math.pi * np.arange(57) / 7)
    for _ in range(runs):
        x = rng.normal(size=57) + season
        seen += predict(x, alpha=0.01).p(float(x[-1]) - 4.0) <= 0.01
    assert seen / runs >= 0.8


def test_without_a_season_it_is_the_textbook_range_of_a_new_value() -> None:
    x = np.tile([1.0, -1.0], 10)  # neighbours differ, so no memory is found
    found = predict(np.append(x, 0.0), season=())
    half = stdtrit(19, 0.975) * x.std(ddof=1) * math.sqrt(1 + 1 / 20)
    assert (found.low, found.high) == pytest.approx((-half, half))
    assert found.df == pytest.approx(19)


def test_p_is_at_most_alpha_exactly_outside_the_range() -> None:
    rng = np.random.default_rng(3)
    for x in (rng.normal(size=60), rng.standard_t(2, size=60)):
        for alpha in (0.2, 0.05, 0.01, 0.001):
            found = predict(x, alpha=alpha)
            edge = found.high - found.expected
            assert found.p(found.expected + 1.0001 * edge) <= alpha
            assert found.p(found.expected - 0.9999 * edge) > alpha


def test_heavy_tails_widen_the_range_and_rare_alphas_are_said_to_be_unsupported() -> None:
    x = np.random.default_rng(8).standard_t(2, size=200)
    found = predict(x, alpha=0.001)
    assert "heavy tails" in found.why
    assert found.high - found.expected > stdtrit(found.df, 0.9995) * found.sd
    assert not found.supported
    assert "1000 are needed" in found.why
    assert predict(x, alpha=0.01).supported
    assert not predict(x[:100], alpha=0.01).supported


def test_incidents_of_the_past_do_not_blind_it() -> None:
    x = np.random.default_rng(4).normal(size=57)
    clean = predict(x)
    x[20:24] -= 12.0
    found = predict(x)
    assert found.gross == 4
    assert "4 left out" in found.why
    assert found.high - found.low < 1.3 * (clean.high - clean.low)
    told = predict(x, normal=np.abs(x[:-1]) < 6)
    assert (told.low, told.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_part_from_sampling_is_rescaled_to_the_rows(share: float) -> None:
    """A tenth of the rows: a range that does not know covers .46, or is right by luck."""
    rng, runs, inside = np.random.default_rng(6), 200, 0
    for _ in range(runs):
        n = np.append(rng.integers(200, 2000, size=56), 100)
        x = rng.normal(size=57) * np.sqrt(1 - share + share * 1000 / n)
        found = predict(x, n=n[:-1], n_at=100)
        inside += found.low <= x[-1] <= found.high
    assert inside / runs >= 0.91


def test_a_holiday_needs_two_of_its_kind() -> None:
    x = np.random.default_rng(2).normal(size=57)
    x[[10, 31, 56]] += 20.0
    day = [date.fromordinal(date(2024, 1, 1).toordinal() + k) for k in (10, 31, 56)]
    once = predict(x, holidays={day[1]: "strike", day[2]: "strike"})
    assert not once.known
    assert once.why == "strike was seen once before, two are needed"
    assert "never" in predict(x, holidays={day[2]: "strike"}).why
    twice = predict(x, holidays=dict.fromkeys(day, "strike"))
    assert twice.low <= x[-1] <= twice.high
    assert twice.expected > 15


def test_hours_have_their_own_effects() -> None:
    hours = MONDAY + np.arange(24 * 21) / 24
    x = np.where(np.arange(hours.size) % 24 < 6, 2.0, 9.0)
    x = x + 0.1 * np.random.default_rng(1).normal(size=x.size)
    for season in (["weekday", "hour"], ["hour of week"]):
        found = predicted_range(x, hours, MONDAY + 21 + 3 / 24, alpha=0.01, season=season)
        assert found.expected == pytest.approx(2.0, abs=0.15)
        assert found.high < 3


def test_nothing_is_claimed_without_ground() -> None:
    x = np.random.default_rng(0).normal(size=30)
    assert predict(np.full(8, math.nan)).why == "fewer than 2 past values"
    assert not predict(x[:9]).known
    workdays = np.where((np.arange(29) % 7) < 5, x[:-1], math.nan)
    days = MONDAY + np.arange(29)
    sunday = predicted_range(workdays, days, MONDAY + 34, alpha=0.05, season=["weekday"])
    assert sunday.why == "no Sunday among the windows"
    assert math.isnan(sunday.p(1.0))
    assert not predict(x, n=np.full(29, 10), n_at=0).known
    broken = x.copy()
    broken[[3, 9]] = math.inf, 1e300
    assert predict(broken).residuals == 27
    assert np.isnan(predict(broken).apart).nonzero()[0].tolist() == [3, 9]


def test_a_past_without_spread_says_so() -> None:
    for level in (0.0, 5.0, 1e9, -1e-9):
        found = predict(np.full(30, level), alpha=0.001)
        assert "without any spread" in found.why
        assert found.p(level) == 1
        assert found.p(level + max(1e-6, abs(level) / 100)) == 0


@settings(max_examples=20, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(15, 60))
def test_level_and_unit_do_not_count(level: float, unit: float, n: int) -> None:
    x = np.random.default_rng(n).normal(size=n)
    was, found = predict(x), predict(unit * x + level)
    assert found.p(unit * float(x[-1]) + level) == pytest.approx(was.p(float(x[-1])), rel=1e-3)


def test_it_refuses_what_it_cannot_read() -> None:
    x, days = np.zeros(5), np.arange(5.0)
    with pytest.raises(BadInput, match="one of each per window"):
        predicted_range(x, days[:3], 5.0, alpha=0.05)
    with pytest.raises(BadValue, match="alpha"):
        predicted_range(x, days, 5.0, alpha=0.0)
    with pytest.raises(NotFound, match="did you mean 'weekday'"):
        predicted_range(x, days, 5.0, alpha=0.05, season=["weekdays"])
    with pytest.raises(BadValue, match="datetime64"):
        predicted_range(x, np.array(list("abcde")), 5.0, alpha=0.05)
