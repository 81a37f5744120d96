"""A replay tells what would have been paged, and false pages keep to the budget."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidemill.core.errors import BadValue
from tidemill.core.signals import Judgement, Key, Point
from tidemill.core.verdict import Verdict
from tidemill.monitoring.verdicts import Limit, Predicted, Usual, budget, incidents, replayed

START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)


def points(values: list[float]) -> list[Point]:
    return [
        Point(start=START + k * DAY, end=START + (k + 1) * DAY, value=v, n=1000)
        for k, v in enumerate(values)
    ]


def key(name: str) -> Key:
    return Key(kind="quality", metric=name)


def test_three_drops_would_have_fired_three_times() -> None:
    values = np.random.default_rng(1).normal(size=90)
    for k in (40, 41, 60, 80):
        values[k] -= 9
    said = replayed(Predicted(), points(values.tolist()), alpha=0.001)
    assert incidents(said) == [(40, 41), (60, 60), (80, 80)]
    assert {s.verdict for s in said[:14]} == {Verdict.NO_VERDICT}
    assert said[41].onset == START + 40 * DAY


def test_false_pages_keep_to_the_budget() -> None:
    """Twenty signals for sixty days, the first twenty of which they are compared with."""
    rng = np.random.default_rng(2)
    watched = [
        (key(f"m{k}"), Usual(reference=20), points(rng.normal(size=60).tolist())) for k in range(20)
    ]
    found = budget(watched, pages=6.0)
    assert found.days == 40
    expected = 6 * 40 / 30
    assert 1 <= len(found.pages) <= expected + 3 * math.sqrt(expected)


def test_alerts_of_many_signals_at_once_page_once() -> None:
    values = [0.1] * 20 + [0.5] * 3 + [0.1] * 7
    watched = [(key(m), Limit(at_most=0.2), points(values)) for m in "abc"]
    found = budget(watched, pages=1.0)
    assert found.pages == ((START + 20 * DAY, START + 22 * DAY),)
    assert [line.alerts for line in found.lines] == [3, 3, 3]
    assert found.per_month == pytest.approx(1.0)
    assert found.table().splitlines()[-1] == "1 page in 30 days, 1 a month; 1 may be false"


def test_nothing_to_replay_is_no_calm_month() -> None:
    assert replayed(Predicted(), [], alpha=0.01) == []
    assert math.isnan(budget([]).per_month)
    empty = budget([(key("a"), Predicted(), points([math.nan] * 5))])
    assert math.isnan(empty.per_month)
    assert empty.lines[0].no_verdict == 5
    with pytest.raises(BadValue, match="pages"):
        budget([], pages=0.0)


def test_an_incident_lasts_through_short_calms() -> None:
    words = {"a": Verdict.ALERT, ".": Verdict.OK, "?": Verdict.NO_VERDICT}
    said = [Judgement(verdict=words[c], why="") for c in "a.a??a.aa"]
    assert incidents(said, quiet=1) == [(0, 0), (2, 2), (5, 5), (7, 8)]
    assert incidents(said, quiet=3) == [(0, 8)]
    assert incidents([]) == []
