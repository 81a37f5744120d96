"""How likely a change of a given size would have been found."""

import numpy as np
import pytest
from scipy.special import ndtr

from tidemill.core.errors import BadValue
from tidemill.statistics.anderson_darling import numeric_evidence
from tidemill.statistics.days import day_evidence
from tidemill.statistics.homogeneity import category_evidence
from tidemill.statistics.power import power_of_share, power_of_shift

RUNS = 100
NEAR = 0.1 + 0.05  # what is promised, and the noise of so many runs
EDGES = np.concatenate([[-np.inf], np.linspace(-6, 6, 199), [np.inf]])


def shifted(by):
    return np.diff(ndtr(EDGES - np.atleast_1d(by)[:, None]), axis=1)


@pytest.mark.parametrize(
    ("m", "n", "shift", "alpha"),
    [(200, 30, 0.5, 0.05), (2000, 2000, 0.1, 0.01), (10_000, 300, 0.2, 0.001)],
)
def test_the_power_of_a_shift_is_that_of_simulation(m, n, shift, alpha):
    rng = np.random.default_rng(n)
    found = [
        numeric_evidence(
            rng.multinomial(m, shifted(0.0)[0]), rng.multinomial(n, shifted(shift)[0])
        ).p
        <= alpha
        for _ in range(RUNS)
    ]
    said = power_of_shift(m, n, shift=shift, alpha=alpha)
    assert said == pytest.approx(np.mean(found), abs=NEAR)
    assert 0.05 < said < 0.95  # where it is easy, agreeing would prove little


@pytest.mark.parametrize(
    ("days", "now", "sd", "shift"), [(28, 1, 0.1, 0.3), (10, 1, 0.05, 0.25), (28, 7, 0.1, 0.1)]
)
def test_the_power_by_days_is_that_of_simulation(days, now, sd, shift):
    rng = np.random.default_rng(days)
    found = []
    for _ in range(RUNS):
        middle = sd * rng.normal(size=days + now)
        middle[days:] += shift
        drawn = rng.multinomial(5000, shifted(middle))
        found.append(day_evidence(drawn[:days], drawn[days:], ordered=True).p <= 0.01)
    said = power_of_shift(
        5000 * days, 5000 * now, shift=shift, alpha=0.01, days=(days, now), day_sd=sd
    )
    assert said == pytest.approx(np.mean(found), abs=NEAR)


@pytest.mark.parametrize(
    ("m", "n", "levels", "share", "moved"),
    [
        (2000, 2000, 2, 0.5, 0.04),
        (10_000, 300, 5, 0.2, 0.08),
        (5000, 5000, 50, 0.1, -0.02),
        (200, 30, 5, 0.2, 0.25),
    ],
)
def test_the_power_of_a_share_is_that_of_simulation(m, n, levels, share, moved):
    rng = np.random.default_rng(levels)
    rest = np.full(levels - 1, 1 / (levels - 1))
    before = np.concatenate([[share], (1 - share) * rest])
    after = np.concatenate([[share + moved], (1 - share - moved) * rest])
    found = [
        category_evidence(rng.multinomial(m, before), rng.multinomial(n, after)).p <= 0.01
        for _ in range(RUNS)
    ]
    said = power_of_share(m, n, share=share, moved=moved, alpha=0.01, levels=levels)
    assert said == pytest.approx(np.mean(found), abs=NEAR)


def test_where_no_change_could_be_found_power_is_small_and_where_any_could_it_is_one():
    assert power_of_shift(200, 30, shift=0.2, alpha=0.001) < 0.05
    assert power_of_shift(10**6, 10**6, shift=0.2, alpha=1e-6) > 0.999
    assert power_of_shift(0, 100, shift=0.2, alpha=0.05) == 0.0
    assert power_of_shift(1000, 100, shift=9.0, alpha=0.05, days=(4, 1)) == 0.0
    assert power_of_shift(70_000, 10_000, shift=0.3, alpha=0.05, days=(7, 1)) > 0.99
    assert power_of_share(10_000, 30, share=0.2, moved=0.1, alpha=0.001, levels=5) < 0.05
    assert power_of_share(10**6, 10**6, share=0.2, moved=0.1, alpha=1e-6, levels=5) > 0.999
    assert power_of_share(100, 0, share=0.2, moved=0.1, alpha=0.05, levels=5) == 0.0


def test_without_a_shift_power_is_at_most_alpha():
    assert power_of_shift(1000, 1000, shift=0.0, alpha=0.05) == pytest.approx(0.025, rel=0.01)
    days = power_of_shift(28_000, 1000, shift=0.0, alpha=0.05, days=(28, 1), day_sd=0.1)
    assert 0.02 < days <= 0.055


def test_shares_outside_their_range_are_refused():
    with pytest.raises(BadValue):
        power_of_share(100, 100, share=0.9, moved=0.2, alpha=0.05, levels=5)
    with pytest.raises(BadValue):
        power_of_shift(-1, 100, shift=0.1, alpha=0.05)
