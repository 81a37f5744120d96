"""Whether two windows of a number differ."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from tidemill.core.errors import BadInput
from tidemill.statistics.anderson_darling import anderson_darling, numeric_evidence, rows_outside

EDGES = np.concatenate([[-np.inf], np.linspace(-6, 6, 999), [np.inf]])
SMOOTH = np.diff(ndtr(EDGES))
POISSON = stats.poisson.pmf(np.arange(12), 1)
ZEROS = np.concatenate([[0.9], np.full(500, 0.1 / 500)])


def draw(rng, shares, rows):
    return rng.multinomial(rows, shares / shares.sum())


@pytest.mark.parametrize(
    ("shares", "m", "n"),
    [(SMOOTH, 200, 30), (SMOOTH, 10_000, 3_000), (POISSON, 10_000, 300), (ZEROS, 200, 30)],
)
def test_unchanged_numbers_alarm_no_more_often_than_alpha(shares, m, n):
    rng = np.random.default_rng(m)
    p = np.array(
        [anderson_darling(draw(rng, shares, m), draw(rng, shares, n)).p for _ in range(400)]
    )
    for alpha in (0.05, 0.01):
        # The binomial's 99.9 % quantile; benchmarks/calibration.py draws many more.
        assert (p <= alpha).sum() <= stats.binom.ppf(0.999, p.size, alpha)
    assert (p <= 0.3).mean() > 0.15  # nor is it deaf


def test_a_shift_of_a_fifth_of_a_sd_is_found_among_twenty_columns():
    rng = np.random.default_rng(2)
    moved = np.diff(ndtr(EDGES - 0.2))
    found = [
        numeric_evidence(draw(rng, SMOOTH, 2000), draw(rng, moved, 2000)).p <= 0.05 / 20
        for _ in range(100)
    ]
    assert np.mean(found) >= 0.9


def test_few_rows_far_out_are_found_and_named():
    rng = np.random.default_rng(3)
    mixed = 0.98 * SMOOTH + 0.02 * np.diff(ndtr(EDGES - 5))
    seen = [numeric_evidence(draw(rng, SMOOTH, 10_000), draw(rng, mixed, 3000)) for _ in range(20)]
    assert all(found.p < 1e-6 and "outside" in found.method for found in seen)


def test_rows_outside_is_an_exact_precedence_test():
    # Every order of 4 reference and 3 current rows, no ties: allowed is 0 at each end.
    p, hits = [], []
    for places in itertools.combinations(range(7), 3):
        after = np.zeros(7)
        after[list(places)] = 1
        found = rows_outside(1 - after, after)
        p.append(found.p)
        inner = np.flatnonzero(after == 0)
        hits.append(int(after[: inner[0]].sum() + after[inner[-1] :].sum()))
    p, hits = np.array(p), np.array(hits)
    for many in (1, 2, 3):
        assert p[hits == many] == pytest.approx((hits >= many).mean())


def test_the_p_of_few_rows_with_ties_is_that_of_all_splits():
    before, after = np.array([12, 1, 1]), np.array([2, 2, 1])
    exact_of = {}
    for split in itertools.product(range(15), range(4), range(3)):
        if sum(split) == 5:
            current = np.array(split)
            ways = math.prod(math.comb(t, c) for t, c in zip((14, 3, 2), split, strict=True))
            statistic = anderson_darling(before + after - current, current).statistic
            exact_of[split] = (statistic, ways)
    found = anderson_darling(before, after)
    total = sum(ways for _, ways in exact_of.values())
    far = sum(w for s, w in exact_of.values() if s >= found.statistic * (1 - 1e-9))
    assert found.p == pytest.approx(far / total, rel=0.15)
    assert "random splits" in found.why


def test_a_p_from_splits_is_never_below_what_they_can_say():
    found = anderson_darling(np.array([1000, 0]), np.array([0, 40]))
    assert found.p == pytest.approx(1e-5)
    assert "99999" in found.why


def test_only_the_order_of_cells_matters_and_empty_ones_do_not():
    before, after = np.array([5, 0, 9, 3, 0]), np.array([1, 0, 9, 8, 0])
    plain = anderson_darling(before[[0, 2, 3]], after[[0, 2, 3]])
    assert anderson_darling(before, after) == plain
    assert anderson_darling(before[::-1], after[::-1]).p == pytest.approx(plain.p)
    assert anderson_darling(after, before).p == pytest.approx(plain.p)


@pytest.mark.parametrize("evidence", [anderson_darling, numeric_evidence, rows_outside])
@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ([0, 0], [1, 2], "the reference has no rows"),
        ([1, 2], [0, 0], "the current window has no rows"),
        ([], [], "the reference has no rows"),
        ([7], [5], "all rows have the same value"),
    ],
)
def test_nothing_to_compare_is_no_calm_answer(evidence, before, after, why):
    found = evidence(np.array(before, dtype=int), np.array(after, dtype=int))
    assert math.isnan(found.p)
    assert found.why == why


@pytest.mark.parametrize(
    "bad", [[1.0, math.nan], [1, -1], [1.5, 2], [math.inf, 1], ["a", "b"], [[1, 2]], [1, 2, 3]]
)
def test_what_is_no_count_is_refused(bad):
    with pytest.raises(BadInput):
        numeric_evidence(np.array([1, 2]), np.array(bad))


def test_huge_counts_are_taken():
    before = np.full(2000, 5_000_000)
    assert numeric_evidence(before, before).p == 1.0
    assert numeric_evidence(before, before[::-1] * np.array([1, 2] * 1000)).p < 1e-100
    tied = np.array([10**11, 300, 300])
    assert numeric_evidence(tied, np.array([1000, 20, 20])).p < 0.001
