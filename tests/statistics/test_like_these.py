"""Claims about periods like these: covered where they are made, not made where they would not be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from tidemill.core.errors import BadValue
from tidemill.core.verdict import Estimate
from tidemill.statistics import group_t, like_these


def remembering(runs: int, n: int, rho: float) -> NDArray[np.float64]:
    """Draw stationary AR(1) series of sd 1, one per row, already 60 periods old."""
    rng = np.random.default_rng([n, int(10 * rho)])
    noise = rng.normal(size=(runs, n + 60)) * math.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise, axis=1), dtype=np.float64)[:, 60:]


def claim(x: NDArray[np.float64], **lengths: float) -> tuple[Estimate, str]:
    """Ask with lengths of a period each, unless said otherwise."""
    ages = {"label_delay": 1.0, "model_life": 1.0, "season": 1.0, **lengths}
    return like_these(x, **ages)


@pytest.mark.parametrize(("n", "rho"), [(26, 0.0), (26, 0.3), (52, 0.0), (52, 0.3), (52, 0.6)])
def test_claims_are_covered_when_weeks_remember(n: int, rho: float) -> None:
    runs = 1500
    made = [got for got, _ in (claim(x) for x in remembering(runs, n, rho)) if got.known]
    covered = sum(e.low <= 0 <= e.high for e in made) / len(made)
    assert len(made) / runs >= 0.9
    assert 0.92 - 3 * math.sqrt(0.08 * 0.92 / runs) <= covered <= 0.97


def test_the_claim_is_the_t_over_six_stretches() -> None:
    x = np.random.default_rng(1).normal(size=26)
    got, why = claim(x, label_delay=4.0)
    assert got == group_t(x)
    assert why == "6 stretches of at least 4 periods"


@pytest.mark.parametrize(
    ("name", "words"),
    [("label_delay", "label delay"), ("model_life", "model's life"), ("season", "season")],
)
def test_stretches_shorter_than_what_binds_them_make_no_claim(name: str, words: str) -> None:
    x = np.random.default_rng(1).normal(size=26)
    got, why = claim(x, **{name: 4.5})
    assert not got.known
    assert got.value == group_t(x).value
    assert why == (
        f"too few independent periods: 6 stretches of 4 days are shorter than the {words}, 4.5 days"
    )


def test_lengths_are_in_the_unit_of_a_step() -> None:
    x = np.random.default_rng(1).normal(size=26)
    assert claim(x, step=7.0, label_delay=28.0)[0].known
    assert not claim(x, step=7.0, label_delay=29.0)[0].known
    just_over = 1.1 - 0.7  # a length of 4 steps, but for rounding
    assert just_over > 4 * 0.1
    assert claim(x, step=0.1, label_delay=just_over, model_life=0.1, season=0.1)[0].known


def test_a_trend_makes_no_claim() -> None:
    x = np.random.default_rng(1).normal(size=26) + np.arange(26)
    got, why = claim(x)
    assert not got.known
    assert why.startswith("the difference has a trend (p = ")


@pytest.mark.parametrize("n", range(6))
def test_fewer_than_six_periods_make_no_claim(n: int) -> None:
    got, why = claim(np.append(np.arange(float(n)), math.nan), label_delay=0, season=0)
    assert not got.known
    assert why == f"too few independent periods: {n}, at least 6 are needed"


def test_a_strategy_against_itself_claims_nothing_but_zero() -> None:
    got, _ = claim(np.zeros(26))
    assert (got.value, got.low, got.high) == (0, 0, 0)


def test_settings_have_limits() -> None:
    with pytest.raises(BadValue, match="step must be a number above 0"):
        claim(np.ones(26), step=0.0)
    with pytest.raises(BadValue, match="label delay must be a number at least 0"):
        claim(np.ones(26), label_delay=-1.0)
