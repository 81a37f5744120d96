"""Discrepancies of many dimensions: their size, what they see, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, wasserstein_distance

from tidemill.core.errors import BadInput
from tidemill.statistics.mmd import mmd
from tidemill.statistics.permutation import memberships
from tidemill.statistics.sliced import earth_movers, sliced

BOTH = pytest.mark.parametrize("ask", [mmd, sliced], ids=["mmd", "sliced"])
FEW = {"mmd": {"features": 64}, "sliced": {"directions": 8}}


def few(ask, *pair, permutations=39, **more) -> float:
    return ask(*pair, permutations=permutations, **FEW[ask.__name__], **more).p


def test_permutations_in_blocks_are_uniform() -> None:
    rng = np.random.default_rng(0)
    drawn = np.hstack(list(memberships(rng, 3, 3, permutations=20_000, block=4)))
    assert (drawn.sum(axis=1) == 3).all()
    _, seen = np.unique(drawn @ (2 ** np.arange(6)), return_counts=True)
    assert seen.size == 20
    assert np.abs(seen - 1000).max() < 150  # five standard errors


@BOTH
def test_equal_samples_are_found_different_one_time_in_twenty(ask) -> None:
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found += few(ask, rng.standard_t(2, (60, 4)), rng.standard_t(2, (40, 4)), seed=seed) <= 0.05
    assert binom.ppf(0.001, 200, 0.05) <= found <= binom.ppf(0.999, 200, 0.05)


@BOTH
def test_days_with_an_effect_of_their_own_are_permuted_whole(ask) -> None:
    rows = days = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        day = np.repeat(np.arange(18), 20)
        points = rng.normal(size=(360, 3)) + rng.normal(size=(18, 3))[day]
        pair, units = (points[:280], points[280:]), (day[:280], day[280:])
        rows += few(ask, *pair, seed=seed) <= 0.05
        days += few(ask, *pair, units=units, seed=seed) <= 0.05
    assert rows > 60  # rows are not the units here, so this is why units are there
    assert days <= binom.ppf(0.999, 100, 0.05)


@BOTH
@pytest.mark.parametrize("kind", ["mean", "scale", "correlation"])
def test_a_change_of_mean_scale_or_correlation_is_seen(ask, kind: str) -> None:
    rng = np.random.default_rng(1)
    reference, current = rng.normal(size=(800, 4)), rng.normal(size=(500, 4))
    if kind == "correlation":
        current = math.sqrt(0.2) * current + math.sqrt(0.8) * rng.normal(size=(500, 1))
    current = current + 0.3 if kind == "mean" else current * 1.5 if kind == "scale" else current
    assert few(ask, reference, current, permutations=99) == pytest.approx(0.01)


def test_the_value_is_that_of_the_exact_kernel() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(150, 3)), rng.normal(0.4, 1, size=(120, 3))
    both = np.concatenate([x, y])
    apart = np.square(both[:, None] - both[None]).sum(axis=2)
    kernel = np.exp(-apart / np.median(apart[np.triu_indices(270, 1)]))
    np.fill_diagonal(kernel, 0)
    within = kernel[:150, :150].sum() / (150 * 149) + kernel[150:, 150:].sum() / (120 * 119)
    exact = within - 2 * kernel[:150, 150:].mean()
    found = mmd(x, y, features=20_000, permutations=1).value
    assert found == pytest.approx(exact, rel=0.05)


def test_the_value_is_0_on_average_when_nothing_changed() -> None:
    values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        pair = rng.normal(size=(50, 2)), rng.normal(size=(30, 2))
        values.append(mmd(*pair, features=64, permutations=1, seed=seed).value)
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(200)


def test_the_exact_distance_is_scipys() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.standard_cauchy(300), rng.integers(0, 3, 200).astype(float)
    assert earth_movers(a, b) == pytest.approx(wasserstein_distance(a, b))


@BOTH
@pytest.mark.parametrize("scale", [True, False])
def test_missing_infinite_and_enormous_numbers_do_no_harm(ask, scale: bool) -> None:
    rng = np.random.default_rng(4)
    reference, current = rng.normal(size=(300, 3)), rng.normal(2.0, 1, size=(200, 3))
    reference[0, 0], reference[1, 1], reference[2] = math.nan, math.inf, 1e300
    current[:, 2] = 7.0
    reference[3:, 2] = 7.0
    found = ask(reference, current, standardise=scale, permutations=99)
    assert (found.n, found.m, found.dropped) == (298, 200, 2)
    assert math.isfinite(found.value)
    assert ask is sliced or found.p == pytest.approx(0.01)


@BOTH
def test_what_cannot_be_said_has_its_reason(ask) -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, 2))
    empty, same = ask(rows, rows[:0]), ask(np.ones((9, 2)), np.ones((9, 2)))
    one_day = ask(rows[:28], rows[28:], units=(np.arange(28), np.zeros(12)))
    for found, why in ((empty, "40 and 0 rows"), (same, "same point"), (one_day, "28 and 1 units")):
        assert math.isnan(found.p)
        assert math.isnan(found.value)
        assert why in found.why
        assert not found.evidence.says
    with pytest.raises(BadInput, match="2 dimensions, current 1"):
        ask(rows, rows[:, :1])
    with pytest.raises(BadInput, match="shape"):
        ask(rows[:, 0], rows[:, 0])
    with pytest.raises(BadInput, match="units of current"):
        ask(rows, rows, units=(np.arange(40), np.arange(3)))
