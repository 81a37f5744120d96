"""Fixed limits: an alert takes an interval beyond the limit, at the alpha that was given."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tidemill.core.errors import BadValue
from tidemill.core.signals import Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts import Limit, Range

DAY = datetime(2024, 1, 1, tzinfo=UTC)


def point(value: float, half: float = math.nan, *, n: int = 1000) -> list[Point]:
    low, high = value - half, value + half
    return [Point(start=DAY, end=DAY + timedelta(days=1), value=value, low=low, high=high, n=n)]


@pytest.mark.parametrize(
    ("rule", "value", "half", "verdict"),
    [
        (Limit(at_most=0.2), 0.3, 0.05, Verdict.ALERT),
        (Limit(at_most=0.2), 0.22, 0.05, Verdict.WARN),
        (Limit(at_most=0.2), 0.2, 0.05, Verdict.OK),
        (Limit(at_least=0.2), 0.1, 0.05, Verdict.ALERT),
        (Limit(at_least=0.2), 0.19, 0.05, Verdict.WARN),
        (Limit(at_least=0.2, band=0.05), 0.22, 0.01, Verdict.WARN),
        (Limit(at_least=0.2, at_most=0.4), 0.6, 0.05, Verdict.ALERT),
        (Range(0.2, 0.4), 0.3, 0.05, Verdict.OK),
        (Range(0.2, 0.4), 0.1, 0.05, Verdict.ALERT),
        (Range(0.2, 0.4), 0.41, 0.05, Verdict.WARN),
        (Range(0.2, 0.4, band=0.02), 0.39, 0.001, Verdict.WARN),
        (Limit(at_most=0.2), 0.21, math.nan, Verdict.ALERT),
        (Limit(at_most=0.2), 0.21, 0.0, Verdict.ALERT),
        (Limit(at_most=0.2), 0.19, 0.0, Verdict.OK),
    ],
)
def test_value_and_interval_decide(rule: Any, value: float, half: float, verdict: Verdict) -> None:
    assert rule(point(value, half), alpha=0.01).verdict is verdict


def test_few_rows_are_no_verdict_unless_their_interval_decides() -> None:
    rule = Limit(at_most=0.2)
    assert rule(point(0.5, n=5), alpha=0.01).why == "5 rows and no interval; needs 30"
    assert rule(point(0.0, n=5), alpha=0.01).verdict is Verdict.NO_VERDICT
    assert "do not rule out" in rule(point(0.0, 0.4, n=5), alpha=0.01).why
    assert rule(point(0.0, 0.1, n=5), alpha=0.01).verdict is Verdict.OK
    assert rule(point(0.9, 0.1, n=5), alpha=0.01).verdict is Verdict.ALERT


@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_a_limit_that_is_just_met_is_reported_beyond_as_often_as_alpha_says(alpha: float) -> None:
    rng, runs = np.random.default_rng(3), 4000
    two = Limit(at_least=0.0, at_most=100.0)
    for rule in (Limit(at_most=0.0), two, Range(0.0, 100.0)):
        found = [rule(point(float(v), 1.96), alpha=alpha) for v in rng.normal(size=runs)]
        share = sum(s.verdict is Verdict.ALERT for s in found) / runs
        nominal = alpha / 2 if rule is two or isinstance(rule, Range) else alpha
        assert abs(share - nominal) <= 3.5 * math.sqrt(nominal / runs)
        assert all((s.p <= nominal) == (s.verdict is Verdict.ALERT) for s in found)


def test_the_alpha_of_a_family_makes_the_same_value_a_warning() -> None:
    rule, made = Limit(at_most=0.2), point(0.3, 0.08)
    assert rule(made, alpha=0.01).verdict is Verdict.ALERT
    assert rule(made, alpha=0.001).verdict is Verdict.WARN


def test_an_interval_that_does_not_hold_its_value_is_none() -> None:
    wrong = Point(start=DAY, end=DAY + timedelta(days=1), value=0.3, low=0.4, high=0.5, n=1000)
    assert "without an interval" in Limit(at_most=0.2)([wrong], alpha=0.01).why


def test_limits_that_allow_nothing_are_refused() -> None:
    for make in (
        Limit,
        lambda: Limit(at_least=2.0, at_most=1.0),
        lambda: Range(2.0, 1.0),
        lambda: Limit(at_most=math.nan),
    ):
        with pytest.raises(BadValue, match="Fix: pass"):
            make()
