"""A higher mean of some rows: its size when rows of a unit are alike, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, ttest_ind

from tidemill.core.errors import BadInput
from tidemill.statistics.clustered import higher


def test_rows_of_a_unit_count_together() -> None:
    rows = units = covered = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        unit = rng.integers(0, 40, 800)
        inside = rng.random(40)[unit] < 0.4
        loss = rng.normal(size=800) + rng.normal(size=40)[unit]
        rows += higher(loss, np.ones(800), inside, np.arange(800)).p <= 0.05
        found = higher(loss + 0.5 * inside, np.ones(800), inside, unit)
        covered += found.low <= 0.5
        units += higher(loss, np.ones(800), inside, unit).p <= 0.05
    assert rows > 100
    assert units <= binom.ppf(0.999, 400, 0.06)
    assert covered >= binom.ppf(0.001, 400, 0.94)


def test_single_rows_are_welchs_test() -> None:
    rng = np.random.default_rng(1)
    loss, inside = rng.normal(size=2000), np.arange(2000) < 500
    found = higher(loss, np.ones(2000), inside, np.arange(2000))
    welch = ttest_ind(loss[inside], loss[~inside], equal_var=False, alternative="greater")
    assert found.p == pytest.approx(welch.pvalue, rel=0.02)
    assert found.value == pytest.approx(loss[:500].mean() - loss[500:].mean())


def test_rows_of_few_units_say_nothing() -> None:
    loss, unit = np.arange(40.0), np.repeat(np.arange(8), 5)
    one = np.ones(40)
    for inside in (unit < 3, unit < 0, unit < 8):
        assert math.isnan(higher(loss, one, inside, unit).p)
    assert math.isnan(higher(one, one, unit < 6, unit).p)
    assert math.isnan(higher(np.full(40, math.nan), one, unit < 6, unit).p)
    with pytest.raises(BadInput):
        higher(loss, one, unit < 3, unit[:3])
