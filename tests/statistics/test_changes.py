"""Kinds of change are told apart, and since when; noise and memory are no change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from tidemill.core.errors import BadInput, BadValue
from tidemill.statistics.changes import KINDS, kind_of_change

Floats = NDArray[np.float64]
MANY, SIZE = 90, 3.0


def drawn(rng: np.random.Generator, kind: str, *, rho: float = 0.0) -> tuple[Floats, int | None]:
    """Draw 90 windows of noise with a change of 3 sd, and the onset."""
    noise = lfilter([math.sqrt(1 - rho**2)], [1.0, -rho], rng.normal(size=MANY + 40 * (rho > 0)))
    x, at, up = noise[-MANY:], np.arange(MANY), SIZE * float(rng.choice([-1, 1]))
    if kind == "sudden":
        start = int(rng.integers(15, 76))
        return x + up * (at >= start), start
    if kind == "temporary":
        start, long = int(rng.integers(10, 65)), int(rng.integers(4, 15))
        return x + up * ((at >= start) & (at < start + long)), start
    if kind == "gradual":
        long = int(rng.integers(20, 51))
        start = int(rng.integers(5, MANY - long - 5))
        return x + up * np.clip((at - start) / long, 0, 1), start + 1
    if kind == "periodic":
        period = int(rng.choice([7, 10, 14, 20, 28]))
        return x + up / 2 * np.sin(2 * math.pi * (at / period + rng.random())), None
    return x, None


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_at_least_80_percent_are_told_right(kind: str) -> None:
    rng, runs, right, errors = np.random.default_rng(12), 60, 0, []
    for _ in range(runs):
        x, start = drawn(rng, kind)
        found = kind_of_change(x)
        right += found.kind == kind
        if found.kind == kind and start is not None:
            assert found.onset is not None
            errors.append(abs(found.onset - start))
    assert right / runs >= (0.95 if kind == "none" else 0.8)
    if kind in ("sudden", "temporary"):
        assert np.median(errors) <= 1


@pytest.mark.parametrize("kind", ["gradual", "temporary"])
def test_memory_does_not_hide_a_change(kind: str) -> None:
    rng, runs = np.random.default_rng(14), 40
    right = [kind_of_change(drawn(rng, kind, rho=0.3)[0]).kind == kind for _ in range(runs)]
    assert np.mean(right) >= 0.8


def test_memory_passes_for_no_change() -> None:
    rng, runs = np.random.default_rng(9), 60
    noise = rng.normal(size=(runs, MANY + 40))
    flat = lfilter([1.0], [1.0, -0.3], noise, axis=1)[:, 40:]
    assert sum(kind_of_change(x).kind == "none" for x in flat) / runs >= 0.9


def test_a_random_walk_is_never_called_a_season() -> None:
    walks = np.cumsum(np.random.default_rng(3).normal(size=(40, MANY)), axis=1)
    kinds = [kind_of_change(x).kind for x in walks]
    assert kinds.count("unknown") >= 30
    assert kinds.count("periodic") <= 2


def test_the_numbers_of_a_change_are_those_that_were_put_in() -> None:
    at, noise = np.arange(MANY), 0.1 * np.random.default_rng(1).normal(size=MANY)
    season = np.array([0.0, 0, 0, 0, 0, 3, 3])[at % 7]
    bump = kind_of_change(noise + season + 5 * ((at >= 40) & (at < 47)))
    assert (bump.kind, bump.onset, bump.end) == ("temporary", 40, 47)
    assert bump.size == pytest.approx(5, abs=0.2)
    ramp = kind_of_change(noise - 6 * np.clip((at - 30) / 40, 0, 1))
    assert (ramp.kind, ramp.size) == ("gradual", pytest.approx(-6, abs=0.2))
    assert abs(int(ramp.onset or 0) - 31) <= 1
    line = kind_of_change(noise + 0.1 * at)
    assert (line.kind, line.earliest, line.end) == ("gradual", 1, None)
    assert int(line.onset or 0) <= 2
    wave = kind_of_change(noise + season)
    assert (wave.kind, wave.onset) == ("periodic", None)
    assert wave.size == pytest.approx(3, abs=0.2)
    swing = kind_of_change(noise + np.sin(at / 2), season=0)
    assert (swing.kind, swing.size) == ("periodic", pytest.approx(2, abs=0.2))


def test_gaps_infinities_units_and_constants() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=MANY) + 4 * (np.arange(MANY) >= 50)
    whole = kind_of_change(1e-200 * x)
    assert (whole.kind, whole.onset) == ("sudden", 50)
    x[rng.choice(MANY, 20, replace=False)] = math.nan
    x[7] = math.inf
    x[50] = 4.0
    found = kind_of_change(1e150 * x)
    assert (found.kind, found.onset) == ("sudden", 50)
    assert kind_of_change(np.full(MANY, 7.0)).why == "all values are alike"
    assert kind_of_change(np.full(MANY, math.nan)).kind == "unknown"
    assert kind_of_change(np.array([])).why == "needs 14 values, has 0"
    exact = kind_of_change(np.repeat([0.0, 1.0], 20))
    assert (exact.kind, exact.onset, exact.size) == ("sudden", 20, pytest.approx(1))
    with pytest.raises(BadInput, match="one number per window"):
        kind_of_change(np.ones((3, 30)))
    with pytest.raises(BadValue, match="season"):
        kind_of_change(np.ones(30), season=-1)
