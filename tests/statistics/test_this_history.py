"""The interval on this history: exact in the plain cases, honest for a strategy against itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics import this_history

Floats = NDArray[np.float64]
WEEKS, ROWS, PAIRS = 26, 10, 5


def against_itself(
    rng: np.random.Generator, kept: int, luck: float, *, lead: float = 0.0
) -> tuple[Floats, Floats]:
    """Replay a stochastic learner twice: each model is lucky or not, each row answers anew.

    With a ``lead`` the second strategy is better by so much a row, differently for each row.
    """
    models = rng.normal(scale=luck, size=(PAIRS, -(-WEEKS // kept)))
    by_week = models[:, np.arange(WEEKS) // kept]
    rows = np.repeat(by_week, ROWS, axis=1) + rng.normal(size=(PAIRS, WEEKS * ROWS))
    if lead:
        rows += rng.normal(lead, lead, size=WEEKS * ROWS)
    return rows - rows.mean(axis=1, keepdims=True), rows.sum(axis=1)


@pytest.mark.parametrize("kept", [1, 4, 13, 26])
@pytest.mark.parametrize("luck", [0.0, 0.5, 2.0])
def test_a_strategy_against_itself_covers_zero(kept: int, luck: float) -> None:
    rng, runs = np.random.default_rng([kept, int(10 * luck)]), 700
    got = [this_history(*against_itself(rng, kept, luck)) for _ in range(runs)]
    allowed = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert abs(sum(e.low <= 0 <= e.high for e in got) / runs - 0.95) <= allowed


def test_a_real_lead_is_covered() -> None:
    rng, runs = np.random.default_rng(4), 700
    truth = 0.5 * WEEKS * ROWS
    got = [this_history(*against_itself(rng, 4, 0.2, lead=0.5)) for _ in range(runs)]
    allowed = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert abs(sum(e.low <= truth <= e.high for e in got) / runs - 0.95) <= allowed


def test_averaged_effects_are_on_the_safe_side() -> None:
    """Why pairs are better kept apart: what rows and seeds do together is counted twice."""
    rng, wider = np.random.default_rng(5), []
    for _ in range(50):
        effects, values = against_itself(rng, 4, 0.0)
        apart, averaged = this_history(effects, values), this_history(effects.mean(0), values)
        wider.append((averaged.high - averaged.low) / (apart.high - apart.low))
        # Both parts estimate the same variance here; the t of more degrees is shorter.
        assert wider[-1] > 0.9
    assert 1.1 < float(np.median(wider)) < 1.5


def test_units_alone_give_students_interval() -> None:
    x = np.random.default_rng(1).normal(2, 1, size=30)
    got = this_history(x - x.mean(), np.array([x.sum()]), deterministic=True)
    low, high = stats.t.interval(0.95, 29, x.mean(), stats.sem(x))
    # A sum of 30 has 30 times the mean's interval.
    assert (got.value, got.low, got.high) == pytest.approx((30 * x.mean(), 30 * low, 30 * high))
    assert (got.n, got.groups) == (30, 1)


def test_seeds_alone_give_students_interval() -> None:
    x = np.random.default_rng(2).normal(size=6)
    got = this_history(np.zeros(9), x, confidence=0.9)
    low, high = stats.t.interval(0.9, 5, x.mean(), stats.sem(x))
    assert (got.low, got.high) == pytest.approx((low, high))


def test_degrees_of_freedom_are_welchs() -> None:
    """A seed part and a unit part of equal variance make a two-sample problem."""
    seeds, units = np.random.default_rng(3).normal(size=(2, 8))
    got = this_history((units - units.mean()) / 8, seeds)
    welch = stats.ttest_ind(seeds, units, equal_var=False).confidence_interval(0.95)
    assert got.high - got.low == pytest.approx(welch.high - welch.low)


def test_the_same_answers_differ_by_exactly_nothing() -> None:
    for values, deterministic in ((np.zeros(5), False), (np.zeros(1), False), (np.zeros(1), True)):
        got = this_history(np.zeros(9), values, deterministic=deterministic)
        assert (got.value, got.low, got.high) == (0, 0, 0)


def test_one_seed_pair_says_nothing_of_seeds() -> None:
    effects = np.array([0.1, -0.1, 0.2, -0.2])
    assert not this_history(effects, np.array([1.0])).known
    assert this_history(effects, np.array([1.0]), deterministic=True).known


@pytest.mark.parametrize("effects", [[0.0], [], [0.1, math.nan]])
def test_too_few_or_broken_units_give_no_interval(effects: list[float]) -> None:
    got = this_history(np.array(effects), np.array([1.0, 2.0]))
    assert not got.known
    assert got.value == 1.5


def test_shapes_are_checked() -> None:
    with pytest.raises(BadInput, match="one per seed pair"):
        this_history(np.ones(3), np.ones((2, 2)))
    with pytest.raises(BadInput, match="seed pairs, units"):
        this_history(np.ones((3, 4)), np.ones(2))
    with pytest.raises(BadValue, match="confidence"):
        this_history(np.ones(3), np.ones(2), confidence=95)
