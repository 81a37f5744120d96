"""Ranges of rare shares, counts and times: skewed noise raises no more alarms than it should."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

from tidemill.core.errors import BadValue
from tidemill.statistics.on_scales import range_on_scales
from tidemill.statistics.scales import SCALES, log_likelihood

Floats = NDArray[np.float64]
DAYS = 19_723.0 + np.arange(57)


def shares(rng: np.random.Generator, median: float, sd: float, rho: float) -> tuple[Floats, Any]:
    """Draw 57 days of shares of 500 rows; days differ in their log odds."""
    noise = lfilter([1.0], [1.0, -rho], rng.normal(size=117))[60:] * math.sqrt(1 - rho**2)
    n = np.full(57, 500)
    share = expit(math.log(median / (1 - median)) + sd * np.asarray(noise))
    return rng.binomial(n, share) / n, n.astype(float)


def p_of_last(x: Floats, n: Floats, kind: Any, times: float = 1.0) -> float:
    found = range_on_scales(
        x[:-1], DAYS[:-1], DAYS[-1], alpha=0.002, kind=kind, n=n[:-1], n_at=float(n[-1]),
        season=["weekday"],
    )  # fmt: skip
    return found.p(float(x[-1]) * times)


def test_a_rare_share_that_clusters_does_not_cry_wolf() -> None:
    """On the plain scale alone, high days are taken for another kind and alarm tenfold."""
    rng, ours, plain = np.random.default_rng(7), 0, 0
    for world in ((0.05, 1.0, 0.5), (0.01, 1.0, 0.0)):
        for _ in range(200):
            x, n = shares(rng, *world)
            ours += p_of_last(x, n, "share") <= 0.002
            plain += p_of_last(x, n, "") <= 0.002
    assert ours <= 5 < plain  # the binomial's 99.9 % quantile at .002 is 5


def test_a_share_that_trebles_is_found() -> None:
    rng = np.random.default_rng(2)
    found = [
        p_of_last(*shares(rng, 0.05, 0.1, 0.0), "share", times=3.0) <= 0.002 for _ in range(60)
    ]
    assert np.mean(found) >= 0.9


def test_far_from_its_bounds_a_value_is_read_as_it_is() -> None:
    rng = np.random.default_rng(3)
    x, n = 0.7 + 0.01 * rng.normal(size=57), np.ones(57)
    assert p_of_last(x, n, "share") == p_of_last(x, n, "")


def test_times_that_vary_by_factors_and_what_is_outside_the_bounds() -> None:
    rng = np.random.default_rng(4)
    x = np.exp(rng.normal(size=56))
    asked: dict[str, Any] = {"alpha": 0.01, "season": ()}
    found = range_on_scales(x, DAYS[:-1], DAYS[-1], kind="positive", **asked)
    assert 0 <= found.low < found.expected < found.high
    assert found.high == pytest.approx(math.exp(2.68), rel=0.4)
    assert found.why.endswith("on the scale of their logarithm")
    for value in (found.low * 0.9, found.high * 1.1):
        assert found.p(value) < 0.01
    assert found.p(found.expected) > 0.9
    assert found.p(-5.0) < 0.01
    assert math.isnan(found.p(math.nan))
    assert range_on_scales(np.zeros(56), DAYS[:-1], DAYS[-1], kind="share", **asked).sd == 0
    with pytest.raises(BadValue, match="kind"):
        range_on_scales(x, DAYS[:-1], DAYS[-1], kind="log", **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["positive", "share"])
def test_scales_rise_come_back_and_stretch_as_they_say(kind: str) -> None:
    x, eps = np.array([0.0, 0.02, 0.4, 0.97]), 1e-6
    for scale in SCALES[kind]:
        z = scale.of(x, 0.01)
        assert (np.diff(z) > 0).all()
        assert [scale.back(float(v), 0.01) for v in z] == pytest.approx(x, abs=1e-9)
        rise = (scale.of(x[1:] + eps, 0.01) - scale.of(x[1:] - eps, 0.01)) / (2 * eps)
        assert scale.stretch(x[1:], 0.01) == pytest.approx(np.log(rise), abs=1e-4)
    assert np.isnan(SCALES["share"][2].of(np.array([-0.1, 1.2]), 0.01)).all()


def test_a_few_odd_values_do_not_decide_the_scale() -> None:
    rest = np.random.default_rng(5).normal(size=200)
    odd = np.append(rest[3:], [40.0, 50.0, 60.0])
    # Under normal noise of a fitted spread three such values cost 300 nats.
    assert log_likelihood(rest) - log_likelihood(odd) < 60
