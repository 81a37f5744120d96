"""A fixed limit with evidence: OK, WARN, ALERT, or NO_VERDICT with its reason."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidemill.core.signals import Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.quality import NullRate, RowCount, Schema, Vanished

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULE = NullRate("age", at_most=0.02)


def points(*given):
    return [
        Point(start=MONDAY + k * DAY, end=MONDAY + (k + 1) * DAY, value=value, n=n)
        for k, (value, n) in enumerate(given)
    ]


@pytest.mark.parametrize(
    ("value", "n", "verdict", "why"),
    [
        (0.01, 1000, Verdict.OK, "10 of 1000 rows have no age"),
        (0.05, 1000, Verdict.ALERT, "50 of 1000"),
        (0.023, 1000, Verdict.WARN, "not more than chance"),
        (0.02, 1000, Verdict.OK, "20 of 1000"),
        (0.0, 20, Verdict.NO_VERDICT, "too few rows to see even 0.12"),
        (1.0, 1, Verdict.NO_VERDICT, "too few rows to tell"),
        (1.0, 20, Verdict.ALERT, "20 of 20"),
        (math.nan, 0, Verdict.NO_VERDICT, "no rows"),
        (math.nan, 10, Verdict.NO_VERDICT, "not finite"),
    ],
)
def test_a_share_is_judged_by_its_limit_and_by_evidence(value, n, verdict, why):
    said = RULE.judge(points((value, n)), alpha=0.01)
    assert said.verdict is verdict
    assert why in said.why


def test_nothing_measured_is_no_verdict():
    for rule in (RULE, RowCount(at_least=1), Vanished("a", ("x",)), Schema(("a",))):
        assert rule.judge([], alpha=0.01).verdict is Verdict.NO_VERDICT


def test_a_rule_without_tolerance_alerts_on_one_row_and_one_that_allows_all_never():
    assert NullRate("a", at_most=0).judge(points((1e-6, 10**6)), alpha=1e-9).verdict == "ALERT"
    assert NullRate("a", at_most=1).judge(points((1.0, 5)), alpha=0.1).verdict == "OK"


def test_it_says_since_when():
    run = points((0.0, 1000), (0.3, 1000), (math.nan, 0), (0.3, 1000), (0.3, 1000))
    assert RULE.judge(run, alpha=0.01).onset == MONDAY + 3 * DAY
    assert RULE.judge(points((0.3, 1000), (0.3, 1000)), alpha=0.01).onset == MONDAY


def test_at_its_limit_it_alerts_no_more_often_than_stated_even_when_rows_of_a_day_go_together():
    # A fixed limit: days whose own share is at or below it, in any mixture, never exceed alpha.
    rng = np.random.default_rng(3)
    shares = np.where(rng.random(4000) < 0.5, 0.02, rng.beta(1, 99, 4000).clip(max=0.02))
    hits = rng.binomial(700, shares)
    said = {k: RULE.judge(points((k / 700, 700)), alpha=0.05).verdict for k in set(hits)}
    rate = np.mean([said[k] is Verdict.ALERT for k in hits])
    assert 0.005 < rate <= 0.05
    twice = rng.binomial(700, 0.06, 1000)
    assert (
        np.mean([RULE.judge(points((k / 700, 700)), alpha=0.05).verdict == "ALERT" for k in twice])
        > 0.95
    )


def test_rows_are_counted_by_weekday_and_a_window_without_rows_is_not_calm():
    rule = RowCount(at_least=(90, 90, 90, 90, 90, 5, 0), at_most=200)
    week = [(100.0, 100), (50.0, 50), (201.0, 201), (math.nan, 0), (100.0, 100), (6.0, 6), (0.0, 0)]
    said = [rule.judge(points(*week[: k + 1]), alpha=0.01) for k in range(7)]
    assert [s.verdict for s in said] == ["OK", "ALERT", "ALERT", "ALERT", "OK", "OK", "OK"]
    assert said[3].onset == MONDAY + DAY
    assert "0 rows, 90 to 200 are due on Thursdays" in said[3].why
    assert [s.effect for s in said[:3]] == [0, -40, 1]


def test_a_broken_count_is_no_verdict():
    broken = Point(start=MONDAY, end=MONDAY + DAY, value=math.nan, n=0, why="the engine said no")
    said = RowCount(at_least=1).judge([broken], alpha=0.01)
    assert (said.verdict, said.why) == (Verdict.NO_VERDICT, "the engine said no")


def test_a_category_is_gone_only_when_there_were_rows_enough_to_bring_it():
    rule = Vanished("a", ("x", "y", "z"), least=0.1)
    assert rule.judge(points((1.0, 3)), alpha=0.01).verdict is Verdict.NO_VERDICT
    assert rule.judge(points((1.0, 30)), alpha=0.01).verdict is Verdict.WARN
    assert rule.judge(points((1.0, 100)), alpha=0.01).verdict is Verdict.ALERT
    assert rule.judge(points((0.0, 100)), alpha=0.01).verdict is Verdict.OK
    # The bound holds: three values of a tenth each, absent by chance from 15 rows.
    rng = np.random.default_rng(5)
    rows = rng.choice(4, size=(4000, 15), p=[0.1, 0.1, 0.1, 0.7])
    lost = sum((rows != k).all(axis=1) for k in range(3))
    for k in (1, 2, 3):
        assert (lost >= k).mean() <= rule.by_chance(k, 15) + 0.01


def test_a_schema_is_not_judged_by_a_few_rows():
    rule = Schema(("a", "b"), least=20)
    assert rule.judge(points((1.0, 19)), alpha=0.01).verdict is Verdict.NO_VERDICT
    assert rule.judge(points((1.0, 20)), alpha=0.01).verdict is Verdict.ALERT
    assert rule.judge(points((0.0, 20)), alpha=0.01).verdict is Verdict.OK
