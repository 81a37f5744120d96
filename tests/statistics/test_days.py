"""Whether some days differ from what reference days predict."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from tidemill.core.errors import BadInput
from tidemill.statistics.days import day_evidence, mean_evidence

EDGES = np.concatenate([[-np.inf], np.linspace(-5, 5, 99), [np.inf]])


def numbers(rng, days, *, sd, shift=0.0, rows=10_000):
    middle = shift + sd * rng.normal(size=days)
    wide = np.exp(sd / 2 * rng.normal(size=days))
    below = ndtr((EDGES - middle[:, None]) / wide[:, None])
    sizes = np.maximum(1, rows * np.exp(0.5 * rng.normal(size=days))).astype(int)
    return rng.multinomial(sizes, np.diff(below, axis=1))


def categories(rng, days, *, sd, levels=6):
    shares = np.exp(sd * rng.normal(size=(days, levels))) / np.arange(1, levels + 1)
    return rng.multinomial(10_000, shares / shares.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("days", "now", "sd"), [(28, 1, 0.0), (28, 7, 0.05), (10, 1, 0.2), (5, 1, 0.05)]
)
@pytest.mark.parametrize("ordered", [True, False])
def test_days_that_vary_as_usual_alarm_no_more_often_than_alpha(days, now, sd, ordered):
    rng = np.random.default_rng(days)
    kind = numbers if ordered else categories
    p = np.empty(250)
    for run in range(p.size):
        drawn = kind(rng, days + now, sd=sd)
        p[run] = day_evidence(drawn[:days], drawn[days:], ordered=ordered).p
    for alpha in (0.05, 0.01):
        assert (p <= alpha).sum() <= stats.binom.ppf(0.999, p.size, alpha)


def test_a_day_shifted_by_a_third_of_a_sd_is_found():
    rng = np.random.default_rng(1)
    p = [
        day_evidence(numbers(rng, 28, sd=0.05), numbers(rng, 1, sd=0.05, shift=0.3), ordered=True).p
        for _ in range(100)
    ]
    assert np.mean(np.array(p) < 0.001) >= 0.8


def test_by_weekday_a_weekend_is_usual_on_sunday_and_strange_on_monday():
    rng = np.random.default_rng(2)
    week = np.arange(28) % 7
    usual = np.concatenate([numbers(rng, 1, sd=0.03, shift=0.5 * (d >= 5)) for d in week])
    weekend = numbers(rng, 1, sd=0.03, shift=0.5)
    sunday = day_evidence(usual, weekend, ordered=True, weekday=(week, np.array([6])))
    monday = day_evidence(usual, weekend, ordered=True, weekday=(week, np.array([0])))
    assert sunday.p > 0.01
    assert monday.p < 1e-4
    assert day_evidence(usual, weekend, ordered=True).p > monday.p * 100


def test_weekdays_seen_once_are_not_told_apart_and_it_is_said():
    rng = np.random.default_rng(3)
    week = np.arange(10) % 7
    drawn = numbers(rng, 11, sd=0.05)
    for today in (6, 0):
        found = day_evidence(
            drawn[:10], drawn[10:], ordered=True, weekday=(week, np.array([today]))
        )
        plain = day_evidence(drawn[:10], drawn[10:], ordered=True)
        assert found.p == plain.p
        assert "weekdays not told apart" in found.why


def test_a_share_that_varies_by_rows_alone_alarms_no_more_often_than_alpha():
    rng = np.random.default_rng(4)
    for share in (1e-5, 1e-3, 0.2):
        p = np.empty(300)
        for run in range(p.size):
            rows = rng.integers(2_000, 20_000, size=15)
            hit = rng.binomial(rows, share) / rows
            p[run] = mean_evidence(hit[:14], hit[14:], rows=(rows[:14], rows[14:])).p
        assert (p <= 0.01).sum() <= stats.binom.ppf(0.999, np.isfinite(p).sum(), 0.01)


def test_the_mean_of_a_day_is_judged_by_students_t():
    usual, now = np.array([3.0, 5.0, 4.0, 6.0, 2.0, 4.5]), np.array([8.0])
    t = (now[0] - usual.mean()) / (usual.std(ddof=1) * math.sqrt(1 + 1 / 6))
    assert mean_evidence(usual, now).p == pytest.approx(2 * stats.t.sf(t, 5), rel=1e-6)
    assert mean_evidence(1e9 + usual, 1e9 + now).p == pytest.approx(2 * stats.t.sf(t, 5), rel=1e-4)


def test_reference_days_that_never_differ_do_not_crash():
    same = np.tile([50, 30, 20], (10, 1))
    assert day_evidence(same, same[:1], ordered=True).p == pytest.approx(1.0)
    assert day_evidence(same, np.array([[20, 30, 50]]), ordered=True).p < 0.001
    assert mean_evidence(np.zeros(10), np.array([1.0])).why == "reference days never differ"
    rows = np.full(10, 1000), np.array([1000])
    assert mean_evidence(np.zeros(10), np.array([0.1]), rows=rows).p < 1e-6


def test_the_wildest_number_is_still_found():
    usual = np.array([3.0, 5.0, 4.0, 6.0, 2.0, 4.5])
    for now in (1e9, -1e200):
        assert mean_evidence(usual, np.array([now])).p < 1e-9
    drift = 0.1 + 1e-17 * np.arange(8)
    assert math.isnan(mean_evidence(drift, np.array([0.2])).p)


def test_nothing_to_compare_is_no_calm_answer():
    days = np.array([[4, 5], [5, 4], [6, 5], [4, 4], [5, 6]])
    cases = [
        (days[:4], days[:1], "fewer than 5 reference days with rows"),
        (days, days[:0], "the current window has no rows"),
        (days, np.zeros((2, 2), dtype=int), "the current window has no rows"),
        (days * [1, 0], days[:1] * [1, 0], "all rows have the same value"),
    ]
    for before, after, why in cases:
        for ordered in (True, False):
            found = day_evidence(before, after, ordered=ordered)
            assert math.isnan(found.p)
            assert found.why == why
    assert mean_evidence(np.ones(9), np.ones(1)).why == "all days have the same value"
    assert mean_evidence(np.arange(9.0), np.array([math.nan])).why == "no current day has a value"
    assert math.isfinite(mean_evidence(np.array([*range(9), math.inf]), np.ones(1)).p)


def test_days_of_another_shape_are_refused():
    days = np.ones((6, 2), dtype=int)
    with pytest.raises(BadInput):
        day_evidence(days, days[:, :1], ordered=True)
    with pytest.raises(BadInput):
        day_evidence(days, days[:1], ordered=True, weekday=(np.arange(5), np.arange(1)))
    with pytest.raises(BadInput):
        mean_evidence(np.ones(6), np.ones(1), rows=(np.ones(5), np.ones(1)))
