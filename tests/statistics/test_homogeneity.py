"""Whether the categories of two windows differ."""

import math
import time

import numpy as np
import pytest
from scipy import stats

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics.homogeneity import category_evidence, l1_p, share_p


def zipf(levels):
    shares = 1 / np.arange(1, levels + 1) ** 0.8
    return shares / shares.sum()


@pytest.mark.parametrize(
    ("levels", "m", "n"),
    [(2, 200, 30), (5, 200, 200), (50, 10_000, 3_000), (5_000, 10_000, 3_000)],
)
def test_unchanged_categories_alarm_no_more_often_than_alpha(levels, m, n):
    rng = np.random.default_rng(levels)
    shares = zipf(levels)
    runs = 200 if levels > 1000 else 400
    p = np.array(
        [
            category_evidence(rng.multinomial(m, shares), rng.multinomial(n, shares)).p
            for _ in range(runs)
        ]
    )
    for alpha in (0.05, 0.01):
        assert (p <= alpha).sum() <= stats.binom.ppf(0.999, runs, alpha)
    assert (p <= 0.4).mean() > 0.1


@pytest.mark.parametrize(("levels", "m", "n"), [(5, 200, 200), (20, 2000, 300), (400, 500, 500)])
def test_the_saddlepoint_agrees_with_random_splits(levels, m, n):
    rng = np.random.default_rng(levels)
    pooled = rng.multinomial(m + n, zipf(levels))
    pooled = pooled[pooled > 0]
    splits = rng.multivariate_hypergeometric(pooled, n, size=8_000)
    far = np.abs(splits - pooled * n / (m + n)).sum(axis=1)
    for share in (0.2, 0.05, 0.01):
        at = splits[np.argmin(np.abs(far - np.quantile(far, 1 - share)))]
        same = (far >= np.abs(at - pooled * n / (m + n)).sum() - 1e-9).mean()
        assert l1_p((pooled - at).astype(float), at.astype(float)) == pytest.approx(same, rel=0.25)


def test_a_move_of_five_points_is_found_among_twenty_columns():
    rng = np.random.default_rng(4)
    usual = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    moved = usual + np.array([0.05, 0, -0.05, 0, 0])
    found = [
        category_evidence(rng.multinomial(5000, usual), rng.multinomial(5000, moved)).p <= 0.05 / 20
        for _ in range(100)
    ]
    assert np.mean(found) >= 0.95


def test_many_small_moves_among_fifty_thousand_categories_are_found_quickly():
    rng = np.random.default_rng(5)
    usual = zipf(50_000)
    moved = usual * np.exp(0.3 * rng.normal(size=usual.size))
    before = rng.multinomial(100_000, usual)
    began = time.process_time()
    changed = category_evidence(before, rng.multinomial(100_000, moved / moved.sum()))
    same = category_evidence(before, rng.multinomial(100_000, usual))
    assert time.process_time() - began < 1  # some hundredths; a CI machine may be slow
    assert changed.p < 1e-20
    assert "all categories" in changed.method
    assert same.p > 0.001


def test_categories_never_seen_before_are_found():
    before, after = np.zeros(60), np.zeros(60)
    before[:30], after[:30], after[30:] = 300, 90, 10
    assert category_evidence(before, after).p < 1e-8


def test_two_categories_are_one_exact_question():
    for a, b in ((3, 9), (5, 5), (0, 7)):
        found = category_evidence(np.array([a, 20 - a]), np.array([b, 12 - b])).p
        tail = stats.hypergeom(32, a + b, 12)
        assert found == pytest.approx(min(1, 2 * min(tail.cdf(b), tail.sf(b - 1))))


@pytest.mark.parametrize("rows", [30, 5_000, 4_000_000])
def test_one_share_is_exact_or_as_good(rows):
    for z in (0, 2, 5):
        after = rows // 2 + math.ceil(z * math.sqrt(rows / 8))
        before = rows - after
        tail = stats.hypergeom(10 * rows, rows, 5 * rows)
        exact = min(1.0, 2 * float(tail.sf(after - 1)))
        assert share_p(before, after, 5 * rows, 5 * rows) == pytest.approx(exact, rel=0.02)


def test_rows_that_occur_once_say_nothing():
    once = np.concatenate([np.ones(50), np.zeros(50)])
    assert (
        category_evidence(once, once[::-1]).p > 0.99
        or category_evidence(once, once[::-1], top=1).p > 0.99
    )


def test_nothing_to_compare_is_no_calm_answer():
    for before, after in (([0, 0], [1, 2]), ([1, 2], [0, 0]), ([], []), ([5, 0], [3, 0])):
        found = category_evidence(np.array(before, dtype=int), np.array(after, dtype=int))
        assert math.isnan(found.p)
        assert found.why


def test_what_is_no_count_is_refused():
    with pytest.raises(BadInput):
        category_evidence(np.array([1, 2]), np.array([1, math.nan]))
    with pytest.raises(BadValue):
        category_evidence(np.array([1, 2]), np.array([1, 2]), top=0)
