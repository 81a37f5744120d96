"""The probability of overfitting: a coin's for noise, none for a real winner."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics import probability_of_overfitting


def by_definition(table: NDArray[np.float64], blocks: int) -> float:
    """Follow the paper step by step, one way to halve at a time."""
    parts = np.array_split(table, blocks)
    fails = []
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[b] for b in chosen]).mean(axis=0)
        rest = [parts[b] for b in range(blocks) if b not in chosen]
        ranks = rankdata(np.concatenate(rest).mean(axis=0))
        share = ranks[inside.argmax()] / (table.shape[1] + 1)
        logit = math.log(share / (1 - share))
        fails.append(0.5 if abs(logit) < 1e-9 else float(logit < 0))
    return float(np.mean(fails))


@pytest.mark.parametrize(("periods", "strategies", "blocks"), [(26, 7, 6), (30, 4, 8), (16, 2, 2)])
def test_equals_the_definition(periods: int, strategies: int, blocks: int) -> None:
    table = np.random.default_rng(periods).normal(size=(periods, strategies))
    got = probability_of_overfitting(table, blocks=blocks)
    assert got == pytest.approx(by_definition(table, blocks))


def test_noise_is_a_coin() -> None:
    rng = np.random.default_rng(1)
    got = [probability_of_overfitting(rng.normal(size=(52, 20))) for _ in range(300)]
    error = float(np.std(got)) / math.sqrt(len(got))
    assert abs(float(np.mean(got)) - 0.5) <= max(3 * error, 0.05)


def test_a_real_winner_does_not_fail() -> None:
    rng = np.random.default_rng(2)
    lead = np.zeros(20)
    lead[3] = 1.5
    got = [probability_of_overfitting(lead + rng.normal(size=(52, 20))) for _ in range(50)]
    assert float(np.mean(got)) < 0.01


def test_strategies_that_did_the_same_are_a_coin() -> None:
    assert probability_of_overfitting(np.ones((8, 5))) == 0.5


def test_bad_tables_are_refused() -> None:
    with pytest.raises(BadInput, match="at least two periods"):
        probability_of_overfitting(np.ones((8, 1)))
    with pytest.raises(BadInput, match="1 not finite"):
        probability_of_overfitting(np.array([[1.0, math.nan], [1, 2]]), blocks=2)
    for blocks in (0, 3, 10, 22):
        with pytest.raises(BadValue, match="even number from 2 to 8"):
            probability_of_overfitting(np.ones((9, 2)), blocks=blocks)
