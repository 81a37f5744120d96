"""The hindsight optimum: what brute force finds, above no schedule, and no better than noise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics import calendar, cross_fitted, optimum, random_schedules, total

Floats = NDArray[np.float64]
STEPS = st.integers(1, 10)
SEEDS = st.integers(0, 100_000)


def world(seed: int, steps: int) -> tuple[Floats, Floats, Floats]:
    """Draw losses, costs and losses of steps with a change, from few values so that ties occur."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        loss, mixed = rng.integers(0, 4, size=(2, steps, steps)).astype(np.float64)
        return loss, rng.integers(0, 4, size=steps).astype(np.float64), mixed
    loss, mixed = rng.normal(size=(2, steps, steps))
    return loss, rng.exponential(size=steps), mixed


def by_hand(schedule: tuple[int, ...], loss: Floats, cost: Floats, mixed: Floats | None) -> float:
    """Walk through the steps with the model in front, as one would tell it."""
    front, spent = 0, float(loss[0, 0])
    for t in range(1, len(cost)):
        if t in schedule:
            spent += float((loss[t, t] if mixed is None else mixed[front, t]) + cost[t])
            front = t
        else:
            spent += float(loss[front, t])
    return spent


def all_schedules(steps: int) -> list[tuple[int, ...]]:
    later = range(1, steps)
    return [s for k in range(steps) for s in itertools.combinations(later, k)]


def aging(steps: int, slope: float) -> Floats:
    """A loss that grows by ``slope`` with each step of a model's age."""
    at = np.arange(steps)
    return slope * np.maximum(0, at - at[:, None]).astype(np.float64)


@settings(max_examples=40)
@given(SEEDS, STEPS, st.booleans())
def test_equals_brute_force_over_all_schedules(seed: int, steps: int, change: bool) -> None:
    loss, cost, drawn = world(seed, steps)
    mixed = drawn if change else None
    schedule, found = optimum(loss, cost, mixed=mixed)
    least = min(by_hand(s, loss, cost, mixed) for s in all_schedules(steps))
    assert found == pytest.approx(least, abs=1e-9)
    assert by_hand(schedule, loss, cost, mixed) == pytest.approx(least, abs=1e-9)


@given(SEEDS, st.integers(2, 60), st.booleans(), st.data())
def test_is_never_above_any_schedule(
    seed: int, steps: int, change: bool, data: st.DataObject
) -> None:
    loss, cost, drawn = world(seed, steps)
    mixed = drawn if change else None
    schedule = tuple(sorted(data.draw(st.sets(st.integers(1, steps - 1)))))
    spent = total(schedule, loss, cost, mixed=mixed)
    assert spent == pytest.approx(by_hand(schedule, loss, cost, mixed), abs=1e-9)
    assert optimum(loss, cost, mixed=mixed)[1] <= spent + 1e-9


def test_an_impossible_step_is_never_chosen() -> None:
    loss, cost = aging(8, 1.0), np.full(8, 0.1)
    cost[[2, 3, 5]] = math.inf
    schedule, found = optimum(loss, cost)
    assert schedule == (1, 4, 6, 7)
    assert math.isfinite(found)


def test_what_is_below_the_diagonal_is_not_looked_at() -> None:
    loss, cost = aging(6, 1.0), np.ones(6)
    was = optimum(loss, cost)
    loss[np.tril_indices(6, -1)] = math.nan
    assert optimum(loss, cost) == was


@pytest.mark.parametrize("cost", [0.5, 1.0, 1.5, 2.0, 5.0, 9.9, 15.0, 20.0])
def test_linear_decay_spaces_retrains_by_the_law(cost: float) -> None:
    """k(k-1) <= 2c/s <= k(k+1) for the steps k between retrains, whatever history's length."""
    steps, slope = 120, 0.7
    schedule, _ = optimum(aging(steps, slope), np.full(steps, cost * slope))
    lives = np.diff([0, *schedule, steps])
    law = [k for k in range(1, steps) if k * (k - 1) <= 2 * cost <= k * (k + 1)]
    # What is left over is spread: no life is off the law by more than one step.
    assert min(law) - 1 <= lives.min()
    assert lives.max() <= max(law) + 1
    assert abs(float(lives.mean()) - np.mean(law)) <= 1
    assert lives.max() - lives.min() <= 2


def test_when_the_law_fits_history_it_holds_exactly() -> None:
    steps = 120
    for k in (2, 3, 4, 5, 6):
        schedule, _ = optimum(aging(steps, 1.0), np.full(steps, k * k / 2))
        assert schedule == tuple(range(k, steps, k))


def test_hindsight_fits_noise_and_the_other_half_tells() -> None:
    """No drift: in-sample gain over never is large, cross-fitted none."""
    rng, seen, honest = np.random.default_rng(7), [], []
    for _ in range(60):
        a, b = rng.normal(size=(2, 52, 52)) * math.sqrt(2)  # each half has twice the variance
        got = cross_fitted(a, b, np.full(52, 0.5))
        never = total((), (a + b) / 2, np.zeros(52))
        seen.append(never - got.bound)
        honest.append(total((), b, np.zeros(52)) - got.total + 0.5 * len(got.schedule))
    assert min(seen) > 0
    assert float(np.mean(seen)) > 20
    error = float(np.std(honest)) / math.sqrt(len(honest))
    assert abs(float(np.mean(honest))) <= 3 * error
    assert error < 2


@given(SEEDS, st.integers(2, 12), st.booleans())
def test_the_bound_is_below_the_honest_total_on_all_rows(seed: int, steps: int, same: bool) -> None:
    loss_a, cost, mixed_a = world(seed, steps)
    loss_b, _, mixed_b = (loss_a, cost, mixed_a) if same else world(seed + 2, steps)
    got = cross_fitted(loss_a, loss_b, cost, mixed_a=mixed_a, mixed_b=mixed_b)
    both = total(got.schedule, (loss_a + loss_b) / 2, cost, mixed=(mixed_a + mixed_b) / 2)
    assert got.bound <= both + 1e-9
    assert got.total == total(got.schedule, loss_b, cost, mixed=mixed_b)
    if same:
        assert (got.schedule, got.total) == (got.bound_schedule, got.bound)


@given(st.integers(1, 120), st.data())
def test_calendars_are_even(steps: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, steps - 1))
    lives = np.diff([0, *calendar(k, steps), steps])
    assert lives.size == k + 1
    assert lives.min() >= 1
    assert lives.max() - lives.min() <= 1


def test_random_schedules_are_even_in_the_long_run() -> None:
    drawn = random_schedules(3, 11, n=2000, seed=1)
    assert drawn == random_schedules(3, 11, n=2000, seed=1)
    assert drawn != random_schedules(3, 11, n=2000, seed=2)
    assert all(s == tuple(sorted(set(s))) and len(s) == 3 for s in drawn)
    times = np.bincount(np.concatenate([np.array(s) for s in drawn]), minlength=11)
    assert times[0] == 0
    assert np.abs(times[1:] / 2000 - 0.3).max() <= 4 * math.sqrt(0.3 * 0.7 / 2000)


def test_bad_input_is_refused() -> None:
    loss, cost = aging(4, 1.0), np.ones(4)
    with pytest.raises(BadInput, match="cost per step"):
        optimum(loss, np.ones(3))
    with pytest.raises(BadInput, match="missing or negative"):
        optimum(loss, np.array([1, -1, 1, 1]))
    with pytest.raises(BadInput, match="not finite"):
        optimum(np.where(loss == 3, math.nan, loss), cost)
    with pytest.raises(BadInput, match="mixed has shape"):
        optimum(loss, cost, mixed=np.ones((3, 3)))
    with pytest.raises(BadInput, match="both or none"):
        cross_fitted(loss, loss, cost, mixed_a=loss)
    for schedule in ((0,), (4,), (2, 1), (1, 1)):
        with pytest.raises(BadInput, match="rising steps from 1 to 3"):
            total(schedule, loss, cost)
    with pytest.raises(BadValue, match="room for 3 retrains"):
        calendar(4, 4)
    with pytest.raises(BadValue, match="at least 0"):
        random_schedules(-1, 4)
