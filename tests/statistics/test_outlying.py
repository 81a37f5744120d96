"""A window among usual ones: how often it stands out by chance, and that it does when it should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tidemill.core.errors import BadInput
from tidemill.statistics.embedded import kernel_means, sliced_shares
from tidemill.statistics.outlying import evident_distance, one_outlying, some_outlying
from tidemill.statistics.sliced import sliced

ONE = np.concatenate([[1.0], 0.4 / np.arange(1, 15) ** 2])
TEN = np.concatenate([np.ones(10), np.repeat(0.4 / np.arange(1, 11) ** 2, 10)])


@pytest.mark.parametrize("variances", [ONE, TEN, np.ones(200)], ids=["one", "ten", "flat"])
def test_one_more_usual_window_stands_out_no_more_often_than_it_may(
    variances: np.ndarray,
) -> None:
    rng = np.random.default_rng(5)
    p = []
    for _ in range(1000):
        windows = rng.normal(size=(29, variances.size)) * np.sqrt(variances)
        p.append(one_outlying(windows[1:], windows[0]))
    # 1.5 times the nominal level, and what a thousand worlds may add to it by chance.
    for alpha, most in ((0.05, 98), (0.01, 25), (0.001, 6)):
        assert np.sum(np.array(p) <= alpha) <= most
    assert np.sum(np.array(p) <= 0.05) >= 10


@pytest.mark.parametrize("together", [1, 7])
@pytest.mark.parametrize("variances", [TEN, np.ones(200)], ids=["ten", "flat"])
def test_what_is_as_far_as_evidence_asks_is_found_in_about_half_of_cases(
    variances: np.ndarray, together: int
) -> None:
    rng = np.random.default_rng(8)
    runs, found = 60, 0
    for k in range(runs):
        windows = rng.normal(size=(28 + together, variances.size)) * np.sqrt(variances)
        usual, current = windows[:28], windows[28:]
        by_chance = variances.sum() * (1 / 28 + 1 / together)
        asked = evident_distance(usual, alpha=0.01, together=together)
        way = rng.normal(size=variances.size) * np.sqrt(variances)
        current = current + way / np.linalg.norm(way) * math.sqrt(asked - by_chance)
        one = together == 1
        found += (
            one_outlying(usual, current[0])
            if one
            else some_outlying(usual, current, alpha=0.01, seed=k)
        ) <= 0.01
    assert 0.25 <= found / runs <= 0.8


def test_windows_that_vary_in_one_direction_are_judged_as_by_t() -> None:
    rng = np.random.default_rng(0)
    line = rng.normal(size=(20, 1))
    found = one_outlying(line, np.array([3.0]))
    t = (3.0 - line.mean()) / (line.std(ddof=1) * math.sqrt(1 + 1 / 20))
    assert found == pytest.approx(2 * stats.t.sf(abs(t), 19), rel=0.02)


def test_a_window_no_farther_than_some_usual_ones_is_never_rare() -> None:
    rng = np.random.default_rng(1)
    usual = rng.normal(size=(28, 5))
    usual[3] = 50.0
    usual[17] = -50.0
    assert one_outlying(usual, np.full(5, 30.0)) >= 2 / 29


def test_what_cannot_be_said_is_nan() -> None:
    assert math.isnan(one_outlying(np.zeros((4, 2)), np.ones(2)))
    assert math.isnan(one_outlying(np.ones((28, 2)), np.zeros(2)))
    assert math.isnan(evident_distance(np.ones((28, 2)), alpha=0.01))
    assert math.isnan(evident_distance(np.eye(4), alpha=0.01))
    # Two of twelve can be shared out in 66 ways: no p is below 1 %.
    assert math.isnan(some_outlying(np.eye(10), np.ones((2, 10)), alpha=0.01, seed=0))
    with pytest.raises(BadInput, match="Fix: pass"):
        one_outlying(np.ones((28, 2)), np.zeros(3))


def test_windows_shared_out_at_random_have_the_level_and_find_a_shift() -> None:
    rng = np.random.default_rng(2)
    null, moved, shift = [], [], np.array([0.0, 4.0, 4.0, 0.0, 0.0, 0.0])
    for k in range(300):
        windows = rng.normal(size=(35, 6)) * [3, 1, 1, 1, 1, 1]
        null.append(some_outlying(windows[:28], windows[28:], alpha=0.05, seed=k))
        if k < 20:
            moved.append(some_outlying(windows[:28], windows[28:] + shift, alpha=0.001, seed=k))
    assert np.sum(np.array(null) <= 0.05) <= 27
    assert np.sum(np.array(moved) <= 0.001) >= 16


def test_the_sliced_distance_of_windows_is_that_of_their_points() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=(2000, 3)), rng.normal(0.5, 1.0, size=(2000, 3))
    made = sliced_shares([one, two], directions=64, standardise=True, seed=0)
    value = np.abs(made.windows[0] - made.windows[1]) @ made.lengths
    exact = sliced(one, two, permutations=1, directions=64, seed=0).value
    assert value == pytest.approx(exact, rel=0.08)


def test_missing_numbers_and_windows_without_rows_are_counted() -> None:
    days = [np.ones((3, 2)), np.array([[np.nan, 1.0], [2.0, 3.0]]), np.zeros((0, 2))]
    made = kernel_means(days, features=8, standardise=True, seed=0)
    assert (made.rows.tolist(), made.dropped, made.why != "") == ([3, 1, 0], 1, True)
