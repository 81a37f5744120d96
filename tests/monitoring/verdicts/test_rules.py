"""Every verdict rule: awkward points give no verdict with a reason, and never a calm OK."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tidemill.core.signals import Judgement, Point, VerdictRule
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts import Limit, Predicted, Range, Usual, replayed
from tidemill.testing import check_rule

START = datetime(2024, 1, 1, tzinfo=UTC)
RULES: list[VerdictRule] = [
    Limit(at_most=100.0),
    Range(-100.0, 100.0),
    Predicted(),
    Predicted(trend=True, season="none", history="60d", zone="Asia/Tokyo"),
    Usual(reference=14),
    Usual(reference=25, sliding=True),
]
PAST = np.random.default_rng(1).normal(size=40).tolist()


def points(values: list[float], *, n: int = 1000, **more: Any) -> list[Point]:
    return [
        Point(
            start=START + timedelta(days=k), end=START + timedelta(days=k + 1), value=v, n=n, **more
        )
        for k, v in enumerate(values)
    ]


@pytest.mark.parametrize("cls", [Limit, Range, Predicted, Usual])
def test_it_keeps_the_promises_of_a_rule(cls: Any) -> None:
    check_rule(cls)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize(
    "last", [math.nan, math.inf, -math.inf], ids=["not a number", "infinite", "minus infinite"]
)
def test_a_value_that_was_not_measured_is_no_verdict(rule: VerdictRule, last: float) -> None:
    said = rule(points([*PAST, last]), alpha=0.01)
    assert said.verdict is Verdict.NO_VERDICT
    assert said.why


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_no_windows_and_no_rows_are_no_verdict_with_the_reason_of_the_point(
    rule: VerdictRule,
) -> None:
    assert rule([], alpha=0.01) == Judgement(verdict=Verdict.NO_VERDICT, why="no windows yet")
    *past, last = points([*PAST, 0.0])
    assert rule([*past, replace(last, n=0)], alpha=0.01).why == "no rows"
    broken = replace(last, value=math.nan, why="the column is gone")
    assert rule([*past, broken], alpha=0.01).why == "the column is gone"


@pytest.mark.parametrize("rule", RULES[2:], ids=repr)
def test_a_short_past_is_no_verdict_and_says_how_much_is_needed(rule: VerdictRule) -> None:
    for values in ([1.0], [0.0] * 8 + [5.0], [math.nan] * 40 + [0.0], [math.inf] * 40 + [0.0]):
        said = rule(points(values), alpha=0.01)
        assert said.verdict is Verdict.NO_VERDICT
        assert said.why.startswith("needs ")


@pytest.mark.parametrize("rule", RULES[2:], ids=repr)
def test_a_change_of_a_constant_past_is_an_alert_and_says_so(rule: VerdictRule) -> None:
    said = rule(points([0.5] * 40 + [0.51]), alpha=1e-6)
    assert said.verdict is Verdict.ALERT
    assert "without any spread" in said.why
    assert rule(points([0.5] * 41), alpha=1e-6).verdict is Verdict.OK


@pytest.mark.parametrize("rule", RULES[2:], ids=repr)
def test_a_large_change_is_an_alert_since_it_came_and_a_usual_value_is_ok(
    rule: VerdictRule,
) -> None:
    alert = rule(points([*PAST, 12.0, 12.0]), alpha=0.001)
    assert (alert.verdict, alert.onset) == (Verdict.ALERT, START + timedelta(days=40))
    assert alert.p <= 0.001
    assert alert.effect == pytest.approx(12, abs=2)
    calm = rule(points([*PAST, 0.1]), alpha=0.001)
    assert calm.verdict is Verdict.OK
    assert calm.low < 0.1 < calm.high


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: random.Random(1).sample(p, len(p)),
        lambda p: [replace(p[5], value=1e6), *p],
        lambda p: [*p, *p[3:9]],
    ],
    ids=["unsorted", "a window twice, the later given counts", "windows given again"],
)
def test_order_and_repeats_do_not_count(
    rule: VerdictRule, spoil: Callable[[list[Point]], list[Point]]
) -> None:
    made = points([*PAST, 3.0])
    said = repr(rule(spoil(made), alpha=0.01))
    assert said == repr(rule(made, alpha=0.01))


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_gaps_are_survived_and_the_past_is_never_seen_ahead(rule: VerdictRule) -> None:
    values = [math.nan if k % 4 == 1 else v for k, v in enumerate(PAST)]
    made = [p for k, p in enumerate(points(values)) if k not in (10, 11, 12, 20)]
    whole, part = replayed(rule, made, alpha=0.05), replayed(rule, made[:30], alpha=0.05)
    assert list(map(repr, whole[:30])) == list(map(repr, part))
    assert [s.verdict for s, p in zip(whole, made, strict=True) if math.isnan(p.value)] == [
        Verdict.NO_VERDICT
    ] * sum(math.isnan(p.value) for p in made)
    assert whole[-1].verdict is not Verdict.NO_VERDICT
