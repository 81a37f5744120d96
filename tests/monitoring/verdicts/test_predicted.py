"""Predicted ranges over the points of a signal: seasons, clocks, floors and rows."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tidemill.core.signals import Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts import Predicted, Usual

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def series(
    values: list[float], *, start: datetime | None = None, every: timedelta = DAY, n: int = 1000
) -> list[Point]:
    first = start or datetime(2024, 1, 1, tzinfo=UTC)
    return [
        Point(start=first + k * every, end=first + (k + 1) * every, value=v, n=n)
        for k, v in enumerate(values)
    ]


def noise(n: int, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).normal(size=n).tolist()


def test_hours_follow_the_clock_on_the_wall_when_it_is_changed() -> None:
    """Berlin is quiet until 7 in the morning, by its own clock, in winter and in summer."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2024, 3, 1, tzinfo=UTC)
    at = [start + k * HOUR for k in range(24 * 33 + 6)]
    values = [
        e / 10 + 10 * (t.astimezone(zone).hour >= 7)
        for t, e in zip(at, noise(len(at)), strict=True)
    ]
    points = series(values, start=start, every=HOUR)
    assert at[-1].isoformat() == "2024-04-03T05:00:00+00:00"  # 7 o'clock in Berlin since 31 March
    here = Predicted(season="hour", zone="Europe/Berlin")(points, alpha=0.001)
    assert here.verdict is Verdict.OK
    assert here.low > 9
    there = Predicted(season="hour")(points, alpha=0.001)
    assert there.low < 9


def test_a_day_is_the_day_in_its_middle() -> None:
    """Days of UTC are judged by New York's weekday at noon, not at 7 in the evening before."""
    values = [10.0 * (k % 7 < 5) + e / 10 for k, e in enumerate(noise(43))]
    said = Predicted(zone="America/New_York")(series(values), alpha=0.001)
    assert said.verdict is Verdict.OK
    assert said.high - said.low < 2


def test_significant_is_not_enough_below_the_floor() -> None:
    points = series([*noise(56), 6.0])
    assert Predicted(floor=5.0)(points, alpha=0.01).verdict is Verdict.ALERT
    small = Predicted(floor=8.0)(points, alpha=0.01)
    assert small.verdict is Verdict.OK
    assert "less than the 8 that matter" in small.why
    assert small.p < 0.01


def test_a_range_too_wide_to_see_twice_the_floor_is_no_verdict() -> None:
    said = Predicted(floor=1.0)(series([*noise(56), 0.1]), alpha=0.01)
    assert said.verdict is Verdict.NO_VERDICT
    assert "too wide to see a change of 2" in said.why
    assert Predicted(floor=2.0)(series([*noise(56), 0.1]), alpha=0.01).verdict is Verdict.OK


def test_near_is_a_warning() -> None:
    points = series([*noise(56), 0.0])
    edge = Predicted()(points, alpha=0.01).high
    verdicts = [
        Predicted()([*points[:-1], replace(points[-1], value=edge * by)], alpha=0.01).verdict
        for by in (1.01, 0.95, 0.5)
    ]
    assert verdicts == [Verdict.ALERT, Verdict.WARN, Verdict.OK]


def test_holidays_of_one_name_share_their_effect_and_a_rare_one_gives_no_verdict() -> None:
    values = noise(57)
    for k in (10, 31, 56):
        values[k] -= 20
    days = [(series(values)[k].start.date().isoformat(), "strike") for k in (10, 31, 56)]
    assert Predicted(holidays=days)(series(values), alpha=0.01).verdict is Verdict.OK
    rare = Predicted(holidays=days[1:])(series(values), alpha=0.01)
    assert rare.verdict is Verdict.NO_VERDICT
    assert "two are needed" in rare.why
    assert Predicted()(series(values), alpha=0.01).verdict is Verdict.ALERT


def test_fewer_rows_widen_the_range_but_a_count_of_rows_is_not_excused_by_itself() -> None:
    rng = np.random.default_rng(3)
    n = [*rng.integers(300, 3000, size=56).tolist(), 100]
    rates = [float(v) for v in rng.normal(size=57) * 5 / np.sqrt(n)]
    points = [replace(p, n=int(k)) for p, k in zip(series(rates), n, strict=True)]
    wide = Predicted()(points, alpha=0.01)
    full = Predicted()([*points[:-1], replace(points[-1], n=1000)], alpha=0.01)
    assert wide.high - wide.low > 2 * (full.high - full.low)
    counts = [replace(p, value=float(p.n), n=p.n) for p in points]
    steady = [
        replace(p, value=float(k), n=k)
        for p, k in zip(counts, rng.integers(950, 1050, 56).tolist(), strict=False)
    ]
    lost = [*steady, replace(points[-1], value=100.0, n=100)]
    assert Predicted()(lost, alpha=0.001).verdict is Verdict.ALERT


def test_only_the_history_that_was_asked_for_counts() -> None:
    points = series([*(50 + v for v in noise(60)), *noise(40, 1), 0.2])
    assert Predicted(history="40d")(points, alpha=0.01).low > -5
    assert Predicted()(points, alpha=0.01).low < -5


def test_a_usual_level_that_moved_is_seen_by_the_first_windows_only() -> None:
    points = series([*noise(30), *(8 + v for v in noise(40, 1)), 8.0])
    assert Usual(reference=20)(points, alpha=0.001).verdict is Verdict.ALERT
    assert Usual(reference=20)(points, alpha=0.001).onset == points[30].start
    assert Usual(reference=20, sliding=True)(points, alpha=0.001).verdict is Verdict.OK


def test_usual_alarms_as_often_as_stated() -> None:
    """Ten windows; without ``sqrt(1 + 1/k)`` and Student's t it would be .09."""
    rng, runs, fired = np.random.default_rng(8), 700, 0
    for _ in range(runs):
        points = series(rng.normal(size=11).tolist())
        fired += Usual(reference=10)(points, alpha=0.05).verdict is Verdict.ALERT
    assert abs(fired / runs - 0.05) <= 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("season", ["weekday", "hour", "weekday and hour", "hour of week", "none"])
def test_every_season_can_be_asked_for(season: str) -> None:
    points = series(noise(24 * 29), start=datetime(2024, 1, 1, tzinfo=UTC), every=HOUR)
    assert Predicted(season=season)(points, alpha=0.001).verdict in (Verdict.OK, Verdict.WARN)
