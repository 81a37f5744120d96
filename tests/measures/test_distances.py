"""Distances: what others compute on the same bins, what chance makes of them, and effects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from tidemill.core.errors import BadInput, NotFound
from tidemill.measures.categories import Categories
from tidemill.measures.distances import (
    DISTANCES,
    aligned,
    binned,
    day_effect,
    earth_mover,
    effect,
    expected_under_no_change,
    ks,
    lumped,
    robust_sd,
)
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers

RNG = np.random.default_rng(7)
N = 20_000
SAMPLES = {
    "normal": (RNG.normal(size=N), RNG.normal(0.2, 1.1, N)),
    "lognormal": (np.exp(RNG.normal(size=N)), 1.2 * np.exp(RNG.normal(size=N))),
    "Cauchy, clipped": tuple(np.clip(RNG.standard_cauchy(N) + d, -200, 200) for d in (0, 0.5)),
    "counts": (RNG.poisson(1, N).astype(float), RNG.poisson(1.3, N).astype(float)),
    "tenths": (np.round(RNG.normal(5, 0.4, N), 1), np.round(RNG.normal(5.1, 0.4, N), 1)),
    "mostly zero": tuple(
        np.where(RNG.random(N) < 0.9, 0, np.exp(RNG.normal(d, 1, N))) for d in (0, 0.3)
    ),
}
EACH = pytest.mark.parametrize("name", SAMPLES)


def numbers(reference: np.ndarray, *others: np.ndarray) -> list[Numbers]:
    grid = Grid.around(reference)
    return [Numbers.of_values(grid, values) for values in (reference, *others)]


def categories(counts: np.ndarray) -> Categories:
    return Categories.of_counts({f"{i:06d}": int(n) for i, n in enumerate(counts)})


@EACH
def test_the_earth_mover_on_a_grid_is_within_a_thousandth_of_a_robust_sd(name):
    reference, current = SAMPLES[name]
    one, other = numbers(reference, current)
    exact = stats.wasserstein_distance(reference, current)
    assert earth_mover(one, other) == pytest.approx(exact, abs=1e-3 * robust_sd(one))


@EACH
def test_ks_on_a_grid_is_within_half_a_percent(name):
    reference, current = SAMPLES[name]
    exact = float(stats.ks_2samp(reference, current).statistic)
    assert exact - 0.005 <= ks(*numbers(reference, current)) <= exact + 1e-12


@EACH
def test_distances_on_the_stated_bins_are_those_of_others(name):
    pair = binned(aligned(*numbers(*SAMPLES[name])))
    assert 2 <= pair.reference.size <= 64
    p, q = pair.shares
    half = [(side + 0.5) / (side + 0.5).sum() for side in (pair.reference, pair.current)]
    both = np.stack([pair.reference, pair.current])
    want = {
        "l1": np.abs(p - q).sum(),
        "l_infinity": np.abs(p - q).max(),
        "jensen_shannon": distance.jensenshannon(p, q, base=2),
        "hellinger": math.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2),
        "psi": stats.entropy(*half) + stats.entropy(*half[::-1]),
        "kl": stats.entropy(half[1], half[0]),
        "chi_square": stats.chi2_contingency(both[:, both.any(axis=0)], correction=False).statistic,
    }
    for name_, value in want.items():
        assert DISTANCES[name_](*numbers(*SAMPLES[name])) == pytest.approx(value, rel=1e-9), name_


def test_bins_hold_about_equal_shares_and_heavy_values_have_their_own():
    one, other = numbers(*SAMPLES["normal"])
    share = binned(aligned(one, other)).shares[0]
    assert share.size == pytest.approx(32, abs=2)
    assert share.max() < 1.8 / 32
    one, other = numbers(*SAMPLES["mostly zero"])
    zero = binned(aligned(one, other))
    assert zero.reference.max() == (SAMPLES["mostly zero"][0] == 0).sum()


def test_nothing_to_compare_is_nan_and_kinds_are_not_mixed():
    full, empty = numbers(np.arange(9.0), np.array([]))
    letters = categories(np.array([3, 4]))
    for name, found in DISTANCES.items():
        assert math.isnan(found(full, empty)), name
        assert found(full, full) == pytest.approx(0, abs=1e-7), name
        assert math.isnan(expected_under_no_change(name, empty, full)), name
        with pytest.raises(BadInput, match="cannot be compared"):
            found(full, letters)
    with pytest.raises(BadInput, match="categories have none"):
        earth_mover(letters, letters)
    with pytest.raises(NotFound, match="did you mean 'hellinger'"):
        expected_under_no_change("helinger", full, full)


@pytest.mark.parametrize(("levels", "n", "m"), [(8, 400, 900), (300, 1_000, 3_000)])
def test_what_is_expected_by_chance_is_what_chance_brings(levels, n, m):
    rng = np.random.default_rng(3)
    share = rng.dirichlet(np.full(levels, 2.0))
    drawn = [[categories(rng.multinomial(size, share)) for size in (n, m)] for _ in range(150)]
    for name in set(DISTANCES) - {"earth_mover", "ks"}:
        mean = np.mean([DISTANCES[name](*pair) for pair in drawn])
        said = np.mean([expected_under_no_change(name, *pair) for pair in drawn[:10]])
        # Where most cells hold a few rows only L1 is added up exactly, as its docstring says.
        close = 0.03 if name == "l1" else 0.12 if levels < 100 else 0.35
        assert said == pytest.approx(mean, rel=close), name
    samples = [numbers(rng.normal(size=n), rng.normal(size=m)) for _ in range(150)]
    for name in ("earth_mover", "ks"):
        mean = np.mean([DISTANCES[name](*pair) for pair in samples])
        assert expected_under_no_change(name, *samples[0]) == pytest.approx(mean, rel=0.15), name


def test_robust_sd_is_not_moved_by_the_wild_and_finds_spread_beside_a_heavy_value():
    clean, wild = np.random.default_rng(0).normal(size=5_000), np.full(50, 1e9)
    assert robust_sd(numbers(np.concatenate([clean, wild]))[0]) == pytest.approx(1, abs=0.05)
    mostly = np.array([0.0] * 9_990 + [4.0] * 10)
    assert 0 < robust_sd(numbers(mostly)[0]) == pytest.approx(mostly.std(), rel=0.01)
    assert robust_sd(numbers(np.full(50, 7.0))[0]) == 0
    assert math.isnan(robust_sd(numbers(np.array([]))[0]))


def test_lumps_keep_the_frequent_apart_and_new_values_stand_against_those_met_once():
    old = Categories.of_counts({f"v{i:03d}": 50 for i in range(100)} | {"once": 1, "twice": 2})
    new = Categories.of_counts({f"v{i:03d}": 50 for i in range(100)} | {"once": 4, "fresh": 3})
    pair = lumped(old, new)
    assert (pair.reference.size, pair.reference[-2:].tolist(), pair.current[-2:].tolist()) == (
        102,
        [2, 1],
        [4, 3],
    )
    assert (pair.reference.sum(), pair.current.sum()) == (old.n, new.n)
    cut = Categories.of_counts(old.as_dict(), most=100)
    assert lumped(cut, new).current[-2:].tolist() == [7, 0]


def held(pairs: list[tuple], truth: float, measure=effect) -> tuple[float, float]:
    """Return how often the interval held the truth, and the mean of the value."""
    found = [measure(*pair) for pair in pairs]
    inside = [e.low - 1e-12 <= truth <= e.high + 1e-12 for e in found]
    return float(np.mean(inside)), float(np.mean([e.value for e in found]))


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_the_interval_of_an_effect_holds_a_shift_and_its_value_is_not_made_of_chance(shift):
    rng = np.random.default_rng(11)
    grid = Grid(0.0, 0.01)
    pairs = [
        tuple(
            Numbers.of_values(grid, rng.normal(d, 1, n)) for d, n in ((0, 20_000), (shift, 3_000))
        )
        for _ in range(120)
    ]
    coverage, mean = held(pairs, shift * 0.975)  # the outer 1 % are drawn in
    assert coverage >= 0.90
    # Half of it is what chance alone would say: .024.
    assert mean == pytest.approx(shift * 0.975, abs=0.011)
    assert effect(*pairs[0]).expected == pytest.approx(0.024, abs=0.003)


@pytest.mark.parametrize(("levels", "moved"), [(5, 0.0), (50, 0.05), (5_000, 0.0)])
def test_the_interval_of_an_effect_holds_the_share_of_rows_that_moved(levels, moved):
    rng = np.random.default_rng(12)
    share = 1 / np.arange(1, levels + 1) ** 0.7
    share /= share.sum()
    shifted = share.copy()
    shifted[:2] += (-moved, moved)
    pairs = [
        tuple(categories(rng.multinomial(n, p)) for n, p in ((10_000, share), (2_000, shifted)))
        for _ in range(100 if levels < 1_000 else 40)
    ]
    coverage, mean = held(pairs, moved)
    assert coverage >= 0.90
    assert mean == pytest.approx(moved, abs=0.012)
    if levels == 5_000:
        assert effect(*pairs[0]).raw > 4 * mean  # what would have been said without care


def test_days_that_differ_widen_the_interval_that_rows_would_make_too_narrow():
    rng = np.random.default_rng(5)
    grid = Grid(0.0, 0.01)
    for days in (2, 7):
        worlds = []
        for _ in range(40):
            moods = [(d + rng.normal(0, 0.15)) for d, k in ((0, 20), (0.3, days)) for _ in range(k)]
            counted = [Numbers.of_values(grid, rng.normal(mood, 1, 400)) for mood in moods]
            worlds.append((counted[:20], counted[20:]))
        coverage, _ = held(worlds, 0.29, day_effect)
        assert coverage >= 0.88, days
        by_rows, _ = held([(r[0].plus(*r[1:]), c[0].plus(*c[1:])) for r, c in worlds], 0.29)
        assert by_rows < 0.8, days


def test_days_of_categories_and_of_fewer_rows_are_measured_too():
    rng = np.random.default_rng(14)
    old = [categories(rng.multinomial(3_000, [0.5, 0.3, 0.2])) for _ in range(14)]
    new = [categories(rng.multinomial(200, [0.3, 0.3, 0.2, 0.2])) for _ in range(2)]
    found = day_effect(old, new)
    assert found.low < 0.2 < found.high
    assert found.high - found.low > 0.05  # 400 rows cannot say more
    assert "4 days" in day_effect(old[:4], new).why
    with pytest.raises(BadInput, match="a number on some days"):
        day_effect([*old, *numbers(np.arange(20.0))], new)


def test_nothing_broken_looks_calm():
    grid = Grid(5.0, 0.01)
    constant = Numbers.of_values(grid, np.full(100, 5.0))
    few, none = (Numbers.of_values(grid, np.full(n, 5.0)) for n in (9, 0))
    infinite = Numbers.of_values(grid, np.full(100, np.inf))
    for other in (few, none, infinite):
        found = effect(constant, other)
        assert math.isnan(found.value)
        assert "10 are needed" in found.why
    same, moved = (
        effect(constant, constant),
        effect(constant, Numbers.of_values(grid, np.full(50, 9.0))),
    )
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    assert moved.low > 1
    wild = [
        Numbers.of_values(grid, np.array([-1.7e308, 1.7e308, 1e-300, 5.0] * 10)) for _ in range(2)
    ]
    assert effect(*wild).value == 0.0
    assert effect(constant, wild[0]).value > 0
    assert effect(categories(np.array([50])), categories(np.array([0, 50]))).low > 0.8
