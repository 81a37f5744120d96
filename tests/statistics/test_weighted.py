"""Weighted means: exact, indifferent to the scale of weights, unbiased for what was sampled."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.core.errors import BadInput
from tidemill.statistics import n_effective, weighted_mean

WEIGHTS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30).map(np.array)
SCALES = st.sampled_from([1e-290, 1e-6, 0.1, 7.0, 1e6, 1e290])


def test_equal_weights_count_every_row() -> None:
    assert n_effective(np.full(10, 0.1)) == pytest.approx(10)


def test_one_heavy_row_counts_as_one() -> None:
    assert n_effective(np.array([1e9, 1.0, 1.0])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("weights", [np.array([]), np.zeros(3)])
def test_no_weight_is_no_rows_and_no_mean(weights: np.ndarray) -> None:
    assert n_effective(weights) == 0
    assert math.isnan(weighted_mean(np.ones(weights.size), weights))


@given(WEIGHTS, SCALES)
def test_only_ratios_of_weights_matter(weights: np.ndarray, scale: float) -> None:
    values = np.arange(weights.size, dtype=float)
    assert n_effective(weights * scale) == pytest.approx(n_effective(weights))
    assert weighted_mean(values, weights * scale) == pytest.approx(weighted_mean(values, weights))


@given(WEIGHTS)
def test_n_effective_lies_between_one_and_the_rows(weights: np.ndarray) -> None:
    assert 1 - 1e-9 <= n_effective(weights) <= weights.size + 1e-9


def test_rows_of_weight_zero_are_not_looked_at() -> None:
    assert weighted_mean(np.array([1.0, math.nan, math.inf]), np.array([1.0, 0.0, 0.0])) == 1.0


def test_a_missing_value_with_weight_is_never_skipped() -> None:
    assert math.isnan(weighted_mean(np.array([1.0, math.nan]), np.ones(2)))


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_what_is_no_weight_is_refused_with_its_row(bad: float) -> None:
    with pytest.raises(BadInput, match=r"in row 1 .*Fix:"):
        weighted_mean(np.ones(2), np.array([1.0, bad]))


def test_lengths_must_agree() -> None:
    with pytest.raises(BadInput, match="one weight per value"):
        weighted_mean(np.ones(2), np.ones(3))
    with pytest.raises(BadInput, match="one weight per row"):
        n_effective(np.ones((2, 2)))


def test_inverse_probability_weights_undo_the_choice_of_rows() -> None:
    """Hard rows are chosen nine times as often; only the weighted error rate is the true one."""
    rng = np.random.default_rng(20261122)
    rows, runs = 4000, 200
    hard = rng.random((runs, rows)) < 0.3
    wrong = rng.random((runs, rows)) < np.where(hard, 0.4, 0.05)
    chance = np.where(hard, 0.45, 0.05)
    chosen = rng.random((runs, rows)) < chance
    truth = 0.3 * 0.4 + 0.7 * 0.05
    plain, weighted = np.empty(runs), np.empty(runs)
    for i in range(runs):
        keep = chosen[i]
        plain[i] = wrong[i, keep].mean()
        weighted[i] = weighted_mean(wrong[i, keep], 1 / chance[i, keep])
    error = weighted.std(ddof=1) / math.sqrt(runs)
    assert error < 0.002
    assert abs(weighted.mean() - truth) < 3 * error
    assert plain.mean() - truth > 0.1
