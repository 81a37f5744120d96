"""Heavy tails and odd values are found no more often than stated, and found."""

from __future__ import annotations

import math

import numpy as np

from tidemill.statistics.tails import gross, heavy_tails_p


def test_normal_tails_are_called_heavy_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    for n in (25, 100):
        p = np.array([heavy_tails_p(x) for x in rng.normal(size=(4000, n))])
        assert 0.006 <= (p < 0.01).mean() <= 0.018
        assert 0.03 <= (p < 0.05).mean() <= 0.06
    assert math.isnan(heavy_tails_p(np.arange(19.0)))


def test_values_of_a_normal_series_are_seldom_taken_for_another_kind() -> None:
    rng, weekday = (
        np.random.default_rng(2),
        (np.arange(56)[:, None] % 7 == np.arange(7)).astype(float),
    )
    odd = [gross(x, weekday, alpha=0.05).any() for x in rng.normal(size=(300, 56))]
    assert np.mean(odd) <= 0.07


def test_a_long_incident_is_another_level_and_no_outlier() -> None:
    x = np.random.default_rng(3).normal(size=40)
    x[:7] += 20
    assert gross(x, np.ones((40, 1))).tolist() == [True] * 7 + [False] * 33
    x[7:9] += 20
    assert not gross(x, np.ones((40, 1))).any()
    assert not gross(np.ones(40), np.ones((40, 1))).any()
