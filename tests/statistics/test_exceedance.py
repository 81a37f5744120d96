"""Limits for shares and counts of a new day hold as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tidemill.core.errors import BadInput
from tidemill.statistics.exceedance import (
    count_ranges,
    exceedance_p,
    hits_needed,
    power,
    rate_limit,
)


def test_the_p_is_that_of_the_binomial_test():
    for hits, n, limit in [(0, 10, 0.1), (3, 10, 0.1), (10, 10, 0.1), (700, 10**6, 6e-4)]:
        exact = stats.binomtest(hits, n, limit, alternative="greater").pvalue
        assert exceedance_p(hits, n, limit) == pytest.approx(exact, rel=1e-9)


def test_the_fewest_hits_that_are_evidence_are_the_fewest():
    for n, limit, alpha in [(50, 0.02, 0.01), (1000, 0.3, 0.05), (10**7, 1e-3, 1e-6)]:
        need = hits_needed(n, limit, alpha)
        assert exceedance_p(need, n, limit) <= alpha < exceedance_p(need - 1, n, limit)
    assert power(0, 0.1, 0.05, share=0.5) == 0.0


@pytest.mark.parametrize(
    ("days", "rows", "mean", "spread"),
    [
        (7, 500, 0.02, 0.0),
        (30, 500, 0.02, 0.01),
        (30, 2000, 0.3, 0.05),
        (14, 300, 0.001, 0.0005),
        (60, 1000, 0.9, 0.02),
    ],
)
def test_a_new_day_of_the_same_kind_is_seldom_above_the_limit_with_evidence(
    days, rows, mean, spread
):
    rng, alpha, runs = np.random.default_rng(11), 0.05, 600
    shares = np.full((runs, days + 1), mean)
    if spread:
        size = mean * (1 - mean) / spread**2 - 1
        shares = rng.beta(mean * size, (1 - mean) * size, (runs, days + 1))
    hits = rng.binomial(rows, shares)
    limits = [rate_limit(h[:-1], np.full(days, rows), alpha=alpha) for h in hits]
    above = [
        exceedance_p(h, rows, limit) <= alpha for h, limit in zip(hits[:, -1], limits, strict=True)
    ]
    # 600 runs have a standard error of 0.009 at 0.05.
    assert np.mean(above) <= alpha + 0.02
    # It is no limit that nothing ever exceeds: three times as many nulls, or half as many
    # values, are found.
    worse = min(3 * mean + 0.02, 1 - (1 - mean) / 4)
    if rows * mean > 5:
        found = [exceedance_p(round(rows * worse), rows, limit) <= alpha for limit in limits]
        assert np.mean(found) > 0.8


def test_bursts_raise_the_limit_to_what_was_seen():
    hits = np.zeros(30)
    hits[4] = 300
    assert rate_limit(hits, np.full(30, 1000), alpha=0.01) >= 0.3


def test_a_day_that_was_cut_does_not_make_the_limit():
    hits, n = np.array([1.0] + [10.0] * 20), np.array([1.0] + [1000.0] * 20)
    assert rate_limit(hits, n, alpha=0.01) < 0.02


def test_too_few_days_give_no_limit_and_odd_shapes_are_refused():
    assert math.isnan(rate_limit(np.array([1.0]), np.array([10.0]), alpha=0.05))
    assert math.isnan(rate_limit(np.zeros(5), np.zeros(5), alpha=0.05))
    assert rate_limit(np.full(5, 10), np.full(5, 10), alpha=0.05) == 1.0
    assert np.isnan(count_ranges(np.ones(2), np.arange(2), alpha=0.05)).all()
    with pytest.raises(BadInput, match="one of each per day"):
        rate_limit(np.zeros(3), np.zeros(4), alpha=0.05)


@pytest.mark.parametrize("days", [10, 28])
def test_counts_of_new_days_are_inside_as_often_as_stated(days):
    rng, alpha, runs = np.random.default_rng(13), 0.05, 400
    season = np.array([1, 1.1, 1.2, 1.1, 1, 0.3, 0.2]) if days >= 28 else np.ones(7)
    weekday = np.arange(days) % 7
    level = 800 * season[np.arange(days + 7) % 7] * np.exp(rng.normal(0, 0.1, (runs, days + 7)))
    counts = rng.poisson(level)
    outside = []
    for row in counts:
        low, high = count_ranges(row[:days], weekday, alpha=alpha).T
        when = np.arange(days, days + 7) % 7
        outside += list((row[days:] < low[when]) | (row[days:] > high[when]))
    assert 0.03 < np.mean(outside) < 0.07
