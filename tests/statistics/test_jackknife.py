"""The jackknife over days: exact where a formula is known, honest where days have moods."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.verdict import Estimate
from tidemill.measures import AUC, measure_difference
from tidemill.statistics import jackknife

ROWS = 20
RUNS = 400


def _one(_keep: np.ndarray) -> float:
    return 1.0


def mean_of(x: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda keep: float(x[keep].mean())


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def test_one_row_a_day_gives_students_interval() -> None:
    x = np.random.default_rng(1).normal(size=9)
    got = jackknife(mean_of(x), np.arange(9), np.ones(9), confidence=0.9)
    low, high = stats.t.interval(0.9, 8, x.mean(), stats.sem(x))
    assert (got.value, got.low, got.high) == pytest.approx((x.mean(), low, high))
    assert (got.n, got.n_effective, got.groups) == (9, 9, 9)


def test_one_sided_bounds_are_the_ends_of_the_wider_doubt() -> None:
    x = np.random.default_rng(2).normal(size=8)
    one = jackknife(mean_of(x), np.arange(8), np.ones(8), confidence=0.95, sides=1)
    two = jackknife(mean_of(x), np.arange(8), np.ones(8), confidence=0.90, sides=2)
    assert (one.low, one.high) == pytest.approx((two.low, two.high))


@given(st.permutations(range(12)))
def test_order_of_rows_does_not_matter(order: list[int]) -> None:
    x, day = np.arange(12.0) ** 2, np.arange(12) // 2
    first = jackknife(mean_of(x), day, np.ones(12))
    again = jackknife(mean_of(x[order]), day[order], np.ones(12))
    assert (again.low, again.high) == pytest.approx((first.low, first.high))


@pytest.mark.parametrize(
    "days",
    [
        np.array([dt.date(2026, 1, d) for d in range(1, 7)], dtype=object),
        np.array([f"2026-01-0{d}" for d in range(1, 7)]),
        np.arange("2026-01-01", "2026-01-07", dtype="datetime64[D]"),
        np.arange(6) * 100.0,
    ],
)
def test_days_of_any_kind(days: np.ndarray) -> None:
    x = np.array([1.0, 5.0, 2.0, 4.0, 3.0, 3.0])
    assert jackknife(mean_of(x), days, np.ones(6)) == jackknife(
        mean_of(x), np.arange(6), np.ones(6)
    )


def test_too_few_days_give_no_interval() -> None:
    x = np.arange(400.0)
    few = jackknife(mean_of(x), np.arange(400) % 4, np.ones(400))
    assert few.value == x.mean()
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    assert not few.known
    assert jackknife(mean_of(x), np.arange(400) % 4, np.ones(400), least=4).known


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_value_that_fails_without_one_day_gives_no_interval(lost: float) -> None:
    day = np.arange(8)
    got = jackknife(lambda keep: 1.0 if keep[3] else lost, day, np.ones(8))
    assert got.value == 1.0
    assert not got.known


def test_no_rows() -> None:
    got = jackknife(_one, np.array([]), np.array([]))
    assert math.isnan(got.value)
    assert (got.n, got.n_effective, got.groups, got.known) == (0, 0, 0, False)


def test_days_without_weight_are_no_evidence() -> None:
    x = np.array([1.0, 5.0, 2.0, 4.0, 3.0, 99.0])
    weights = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    days: np.ndarray = np.array([1, 2, 3, 4, 5, None], dtype=object)
    got = jackknife(mean_of(x), days, weights)
    assert (got.value, got.groups, got.n) == (3.0, 5, 5)
    assert got == jackknife(mean_of(x[:5]), np.arange(5), np.ones(5))


@pytest.mark.parametrize(
    "days",
    [
        np.array([1.0, math.nan]),
        np.array([None, "a"], dtype=object),
        np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
    ],
)
def test_a_row_without_a_day_is_refused(days: np.ndarray) -> None:
    with pytest.raises(BadInput, match=r"no group.*Fix:"):
        jackknife(_one, days, np.ones(2))


def test_lengths_must_agree() -> None:
    with pytest.raises(BadInput, match="one per row"):
        jackknife(_one, np.arange(3), np.ones(2))


@pytest.mark.parametrize(
    "wrong", [{"confidence": 1.0}, {"confidence": 0.4}, {"sides": 3}, {"least": 1}]
)
def test_settings_have_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match=next(iter(wrong))):
        jackknife(_one, np.arange(6), np.ones(6), **wrong)


def moody_mean(rng: np.random.Generator, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows with sd 1 on days whose own means have sd 0.5; the true mean is 0."""
    day = np.repeat(np.arange(days), ROWS)
    return rng.normal(size=days)[day] * 0.5 + rng.normal(size=day.size), day


@pytest.mark.parametrize("days", [6, 12, 30])
def test_a_mean_is_covered_when_days_have_moods(days: int) -> None:
    rng = np.random.default_rng(days)
    hits = 0
    for _ in range(RUNS):
        x, day = moody_mean(rng, days)
        hits += covers(jackknife(mean_of(x), day, np.ones(x.size)), 0.0)
    assert 0.92 <= hits / RUNS <= 0.98


def test_one_sided_bounds_each_hold() -> None:
    rng = np.random.default_rng(11)
    below = above = 0
    for _ in range(RUNS):
        x, day = moody_mean(rng, 8)
        got = jackknife(mean_of(x), day, np.ones(x.size), sides=1)
        below, above = below + (got.low <= 0), above + (got.high >= 0)
    assert 0.92 <= below / RUNS <= 0.98
    assert 0.92 <= above / RUNS <= 0.98


def test_rows_as_units_would_promise_far_too_much() -> None:
    """Why days are the unit: with rows as groups, "95 %" covers about two times in three."""
    rng = np.random.default_rng(12)
    runs, hits = 100, {"days": 0, "rows": 0}
    for _ in range(runs):
        x, day = moody_mean(rng, 12)
        by = {"days": day, "rows": np.arange(x.size)}
        for unit, groups in by.items():
            hits[unit] += covers(jackknife(mean_of(x), groups, np.ones(x.size)), 0.0)
    assert hits["rows"] / runs < 0.8
    assert hits["days"] / runs > 0.9


def two_models(rng: np.random.Generator, days: int) -> tuple[np.ndarray, ...]:
    """Labels and two models' scores; base rate and the candidate's lead change by day."""
    day = np.repeat(np.arange(days), ROWS)
    base, lead = rng.normal(-0.5, 0.5, size=days), rng.normal(0.3, 0.4, size=days)
    label = (rng.random(day.size) < 1 / (1 + np.exp(-base[day]))).astype(float)
    shared = rng.normal(size=day.size)
    champion = label + shared + 0.5 * rng.normal(size=day.size)
    candidate = label * (1 + lead[day]) + shared + 0.5 * rng.normal(size=day.size)
    return label, candidate, champion, day


@pytest.fixture(scope="module")
def true_lead() -> float:
    label, candidate, champion, _ = two_models(np.random.default_rng(0), 20_000)
    ones, auc = np.ones(label.size), AUC()
    return auc(label, candidate, ones) - auc(label, champion, ones)


@pytest.mark.parametrize("days", [6, 12, 30])
def test_a_difference_of_auc_is_covered_when_days_have_moods(days: int, true_lead: float) -> None:
    rng = np.random.default_rng(100 + days)
    hits, runs = 0, 250
    for _ in range(runs):
        label, candidate, champion, day = two_models(rng, days)
        weight = np.ones(label.size)
        got = measure_difference(AUC(), label, candidate, champion, weight, day)
        hits += covers(got, true_lead)
    assert true_lead > 0.02
    assert 0.92 <= hits / runs <= 0.98
