"""The recommended cadence: brute force without noise, almost free with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics import best_cadence, optimum, staleness, total

Floats = NDArray[np.float64]


def ages(steps: int) -> Floats:
    at = np.arange(steps)
    return np.maximum(0, at - at[:, None]).astype(np.float64)


def true_rate(every: int, cost: float) -> float:
    """What a step costs in the long run when a model loses 1 more each step."""
    return (cost + every * (every - 1) / 2) / every


def noisy(rng: np.random.Generator, steps: int, kind: str) -> Floats:
    """Losses that grow by 1 a step, with noise of 3 by cell, by model, by step, or all three."""
    loss = ages(steps)
    if kind in {"cell", "all"}:
        loss = loss + rng.normal(0, 3, size=(steps, steps))
    if kind in {"model", "all"}:
        loss = loss + rng.normal(0, 3, size=(steps, 1))
    if kind in {"step", "all"}:
        loss = loss + rng.normal(0, 3, size=(1, steps))
    return loss


@pytest.mark.parametrize("cost", [0.5, 1.0, 2.5, 3.0, 7.0, 10.0, 12.5, 21.0])
def test_without_noise_it_is_brute_force(cost: float) -> None:
    """The cheapest cadence on a long history of 840 steps, each walked through."""
    steps = 840  # of which 1 to 8 are divisors
    loss, of_retrain = ages(steps), np.full(steps, cost)
    spent = {
        every: total(range(every, steps, every), loss, of_retrain) + cost for every in range(1, 9)
    }
    got = best_cadence(loss[:60, :60], cost)
    assert spent[got] == pytest.approx(min(spent.values()))
    assert got * (got - 1) <= 2 * cost <= got * (got + 1)


@pytest.mark.parametrize("kind", ["cell", "model", "step", "all"])
@pytest.mark.parametrize("cost", [1.0, 6.0, 30.0, 200.0])
def test_noise_of_three_times_the_decay_costs_at_most_2_percent(kind: str, cost: float) -> None:
    steps, rng = 104, np.random.default_rng(int(cost))
    least = min(true_rate(every, cost) for every in range(1, steps + 1))
    excess = [
        true_rate(best_cadence(noisy(rng, steps, kind), cost), cost) / least - 1 for _ in range(40)
    ]
    assert float(np.mean(excess)) <= 0.02


def test_the_schedule_fitted_step_by_step_would_cost_more() -> None:
    """Why a cadence: the optimum of noisy losses is well above the least in truth."""
    steps, rng = 104, np.random.default_rng(3)
    truth, of_retrain = ages(steps), np.full(steps, 6.0)
    least = optimum(truth, of_retrain)[1]
    excess = []
    for _ in range(10):
        schedule, _ = optimum(noisy(rng, steps, "cell"), of_retrain)
        excess.append(total(schedule, truth, of_retrain) / least - 1)
    assert float(np.mean(excess)) > 0.05


@given(st.integers(1, 30), st.integers(0, 1000))
def test_hard_steps_are_no_sign_of_age(steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    curve = np.concatenate([[0.0], np.cumsum(rng.exponential(size=steps - 1))])
    level = rng.normal(0, 100, size=steps)
    loss = curve[ages(steps).astype(np.int64)] + level
    loss[np.tril_indices(steps, -1)] = math.nan
    assert staleness(loss) == pytest.approx(curve, abs=1e-8)


def test_models_that_do_not_age_are_kept() -> None:
    assert best_cadence(np.ones((20, 20)), 1.0) == 20
    assert best_cadence(np.ones((20, 20)), 0.0) == 20
    assert best_cadence(ages(20), 0.0) == 1
    assert best_cadence(-ages(20), 1.0) == 20


def test_bad_input_is_refused() -> None:
    with pytest.raises(BadInput, match="shape"):
        staleness(np.ones((2, 3)))
    with pytest.raises(BadInput, match="not finite"):
        staleness(np.array([[0.0, math.nan], [0, 0]]))
    with pytest.raises(BadValue, match="cost must be a number at least 0"):
        best_cadence(ages(4), -1.0)
