"""Influences: what leaving a row out would have moved, and nothing in sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.measures import AUC
from tidemill.statistics import auc_influence, mean_influence, weighted_mean

Floats = NDArray[np.float64]

ROWS = st.integers(4, 30)
SEEDS = st.integers(0, 10_000)


def tied_rows(seed: int, n: int) -> tuple[Floats, Floats, Floats]:
    """Draw rows of both classes with many equal scores, and weights of which some are 0."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n).astype(np.float64)
    label[:4] = [0, 0, 1, 1]
    weight = rng.integers(0, 4, n).astype(np.float64)
    weight[:4] = 1.0
    return label, rng.integers(0, 5, n) / 4, weight


@given(SEEDS, ROWS)
def test_a_row_left_out_moves_the_auc_by_its_influence(seed: int, n: int) -> None:
    """Exactly: A - A(without i) = influence * W / (W - w), with W the weight of i's class."""
    label, score, weight = tied_rows(seed, n)
    got = auc_influence(label, score, weight)
    full = AUC()(label, score, weight)
    for i in range(n):
        rest = np.where(np.arange(n) == i, 0.0, weight)
        own = weight[label == label[i]].sum()
        moved = (full - AUC()(label, score, rest)) * (own - weight[i]) / own
        assert got[i] == pytest.approx(moved, abs=1e-12)


@given(SEEDS, ROWS)
def test_influences_sum_to_zero_in_each_class(seed: int, n: int) -> None:
    label, score, weight = tied_rows(seed, n)
    got = auc_influence(label, score, weight)
    assert got[label == 1].sum() == pytest.approx(0, abs=1e-12)
    assert got[label == 0].sum() == pytest.approx(0, abs=1e-12)
    assert (got[weight == 0] == 0).all()


def test_the_auc_variance_is_delongs() -> None:
    """Against the pairwise definition of DeLong et al., equations 5 to 7."""
    rng = np.random.default_rng(5)
    good, bad = rng.normal(0.8, 1, 60).round(1), rng.normal(0, 1, 90).round(1)
    wins = (good[:, None] > bad) + 0.5 * (good[:, None] == bad)
    delong = wins.mean(1).var(ddof=1) / 60 + wins.mean(0).var(ddof=1) / 90
    label = np.repeat([1.0, 0.0], [60, 90])
    got = auc_influence(label, np.concatenate([good, bad]), np.ones(150))
    ours = np.square(got[:60]).sum() * 60 / 59 + np.square(got[60:]).sum() * 90 / 89
    assert ours == pytest.approx(delong)


@given(SEEDS, ROWS)
def test_a_row_left_out_moves_the_mean_by_its_influence(seed: int, n: int) -> None:
    _, loss, weight = tied_rows(seed, n)
    got = mean_influence(loss, weight)
    assert got.sum() == pytest.approx(0, abs=1e-12)
    for i in range(n):
        rest = np.where(np.arange(n) == i, 0.0, weight)
        moved = weighted_mean(loss, weight) - weighted_mean(loss, rest)
        assert got[i] == pytest.approx(moved * rest.sum() / weight.sum(), abs=1e-12)


def test_weights_count_by_their_ratios_only() -> None:
    label, score, weight = tied_rows(3, 20)
    assert auc_influence(label, score, weight * 1e300) == pytest.approx(
        auc_influence(label, score, weight)
    )
    assert mean_influence(score, weight * 1e300) == pytest.approx(mean_influence(score, weight))


@pytest.mark.parametrize("label", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, math.nan]])
def test_no_auc_no_influence(label: list[float]) -> None:
    assert np.isnan(auc_influence(np.array(label), np.arange(3.0), np.ones(3))).all()


def test_no_mean_no_influence() -> None:
    assert np.isnan(mean_influence(np.array([1.0, math.nan]), np.ones(2))).all()
    assert np.isnan(mean_influence(np.ones(2), np.zeros(2))).all()
    missing_without_weight = mean_influence(np.array([1.0, 3.0, math.nan]), np.array([1, 1, 0]))
    assert missing_without_weight.tolist() == [-0.5, 0.5, 0.0]


def test_labels_must_be_0_or_1() -> None:
    with pytest.raises(BadInput, match=r"label 2\.0 is not 0 or 1"):
        auc_influence(np.array([0, 1, 2]), np.arange(3.0), np.ones(3))
