"""How the allowed false alarms are shared."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics.family import corrected_alpha, false_alarm_alpha, holm, within_window


def test_holm_keeps_the_family_at_alpha_and_finds_more_than_bonferroni():
    rng = np.random.default_rng(0)
    p = rng.random((4000, 10))
    p[:, :4] = 1e-4 * rng.random((4000, 4))  # four that changed
    adjusted = np.array([holm(row) for row in p])
    false = (adjusted[:, 4:] <= 0.05).any(axis=1)
    assert false.sum() <= stats.binom.ppf(0.999, false.size, 0.05)
    assert false.mean() > ((p[:, 4:] <= 0.05 / 10).any(axis=1)).mean()


def test_holm_leaves_out_what_says_nothing():
    p = np.array([0.02, math.nan, 0.01, math.nan])
    assert holm(p)[[0, 2]].tolist() == pytest.approx([0.02, 0.02])
    assert np.isnan(holm(p)[[1, 3]]).all()
    assert holm(np.array([])).size == 0
    with pytest.raises(BadInput):
        holm(np.array([1.5]))


@pytest.mark.parametrize(("looks", "alpha"), [(2, 0.05), (24, 0.05), (24, 0.01)])
def test_all_looks_at_a_window_together_err_with_alpha(looks, alpha):
    rng = np.random.default_rng(looks)
    times = np.arange(1, looks + 1)
    walk = np.cumsum(rng.normal(size=(60_000, looks)), axis=1) / np.sqrt(times)
    alarmed = (2 * ndtr(-np.abs(walk)) <= alpha * within_window(looks, alpha=alpha)).any(axis=1)
    noise = 4 * math.sqrt(alpha / alarmed.size)
    assert alarmed.mean() == pytest.approx(alpha, abs=noise)


def test_looks_get_more_and_more_and_the_last_most():
    for alpha in (0.3, 0.05, 1e-6):
        shares = within_window(24, alpha=alpha)
        assert (np.diff(shares) >= 0).all()
        assert 0.5 < shares[-1] <= 1


def test_a_budget_of_pages_becomes_a_level_of_a_window():
    assert false_alarm_alpha(1, 100, 1) == pytest.approx(0.01)
    assert false_alarm_alpha(1, 30, 7) == pytest.approx(7 / 30)
    assert corrected_alpha(0.01, 5) == pytest.approx(0.002)
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(BadValue):
            false_alarm_alpha(bad, 30, 1)
