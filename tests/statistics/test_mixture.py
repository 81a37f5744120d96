"""Tails of weighted chi-squares."""

import math

import numpy as np
import pytest
from scipy import stats

from tidemill.statistics.mixture import mixture_tail, ratio_tail, tail_of_form


@pytest.mark.parametrize("df", [1, 2, 5, 64, 2000])
def test_equal_weights_are_a_chi_square_to_many_digits(df):
    one = np.ones(df)
    for x in stats.chi2.isf([0.999, 0.9, 0.5, 0.05, 1e-4, 1e-12, 1e-100], df):
        exact = stats.chi2.sf(x, df)
        assert tail_of_form(float(x), one, one) == pytest.approx(exact, rel=1e-6)
        assert mixture_tail(float(x), one) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("x", [0.1, 1, 5, 20, 60, 200])
def test_pairs_of_weights_are_a_sum_of_exponentials(x):
    exact = (np.exp(-0.5 * x) - 0.5 * np.exp(-x)) / 0.5
    assert mixture_tail(x, np.array([1, 1, 0.5, 0.5])) == pytest.approx(exact, rel=1e-6)


def test_the_anderson_darling_limit_has_its_tabled_quantiles():
    j = np.arange(1, 4000)
    weights = 1 / (j * (j + 1.0))
    for x, alpha in ((2.492367, 0.05), (3.878125, 0.01)):  # Marsaglia and Marsaglia, 2004
        assert mixture_tail(x, weights) == pytest.approx(alpha, rel=2e-3)


def test_equal_weights_on_both_sides_are_an_f():
    for x, r, df in ((0.3, 1, 4), (4, 3, 10), (40, 1, 27), (300, 5, 100)):
        exact = stats.f.sf(x, r, r * df)
        assert ratio_tail(x, np.ones(r), np.ones(r), df) == pytest.approx(exact, rel=1e-6)


def test_noncentral_forms_keep_their_digits_on_both_sides_of_the_mean():
    one = np.ones(3)
    for x, far in ((1, 50), (10, 50), (50, 4), (200, 4), (400, 500)):
        exact = stats.ncx2.sf(x, 3, 3 * far)
        found = tail_of_form(float(x), one, one, noncentrality=far * one)
        assert found == pytest.approx(exact, rel=1e-6)


def test_what_is_no_mixture_has_no_tail():
    for weights in ([], [0.0], [-1.0, 2.0], [math.nan], [math.inf]):
        assert math.isnan(mixture_tail(1.0, np.array(weights)))
    assert math.isnan(mixture_tail(math.nan, np.ones(2)))
    assert math.isnan(ratio_tail(math.inf, np.ones(1), np.ones(1), 3))
    assert mixture_tail(-1.0, np.ones(2)) == 1.0
    assert mixture_tail(1e300, np.array([1.0, 2.0])) == 0.0
