"""Triggers that look at the time only: Once, At, Cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidemill.core.clock import instant
from tidemill.core.errors import BadValue
from tidemill.core.rules import Facts
from tidemill.loop.triggers import At, Cron, Once
from tidemill.loop.triggers.timetable import Timetable


def at(now, last=None, asked=None):
    last = None if last is None else instant(last)
    return Facts(now=instant(now), last_triggered=last, asked=asked)


def after(text, moment):
    found = Timetable.of(text).after(instant(moment))
    return None if found is None else found.strftime("%Y-%m-%d %H:%M %a")


@pytest.mark.parametrize("rule", [Once(), At([]), Cron("0 6 * * 1")])
def test_a_first_model_is_trained_at_once_and_a_person_is_heard(rule):
    assert rule(at("2024-01-01")).why == "no model was trained yet"
    asked = rule(at("2024-01-01T00:00:01Z", "2024-01-01", "Zoë"))
    assert (asked.fire, asked.why) == (True, "asked for by Zoë")


def test_once_is_enough():
    assert not Once()(at("2034-01-01", "2024-01-01")).fire


@pytest.mark.parametrize(
    ("last", "now", "fire", "due"),
    [
        ("2024-01-01", "2024-01-09", False, "2024-01-10"),
        ("2024-01-01", "2024-01-10", True, None),  # the moment itself has come
        ("2024-01-10", "2024-01-11", False, "2024-02-01"),  # and is not due twice
        ("2024-01-01", "2024-03-01", True, None),  # two were missed
        ("2024-02-01", "2025-01-01", False, None),  # nothing is left
    ],
)
def test_at_fires_when_a_moment_lies_between_the_last_retrain_and_now(last, now, fire, due):
    said = At(["2024-02-01", datetime(2024, 1, 10, tzinfo=UTC)])(at(now, last))
    assert said.fire == fire
    assert said.next_due == (None if due is None else instant(due))


def test_moments_are_kept_once_in_order_and_in_utc():
    rule = At(["2024-02-01", "2024-01-01T02:00:00+02:00", "2024-01-01"])
    assert rule.times == ("2024-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00")
    assert rule == At(rule.times)


@pytest.mark.parametrize(
    ("text", "moment", "found"),
    [
        ("0 6 * * 1", "2024-01-01T05:59:59Z", "2024-01-01 06:00 Mon"),
        ("0 6 * * 1", "2024-01-01T06:00:00Z", "2024-01-08 06:00 Mon"),  # strictly after
        ("*/15 * * * *", "2024-01-01T10:46:00Z", "2024-01-01 11:00 Mon"),
        ("5-20/7 3 * * *", "2024-01-01T03:12:00Z", "2024-01-01 03:19 Mon"),
        ("0 0 1 jan,jul *", "2024-01-02", "2024-07-01 00:00 Mon"),
        ("0 0 29 2 *", "2024-03-01", "2028-02-29 00:00 Tue"),
        ("0 0 29 feb */1", "2096-03-01", "2104-02-29 00:00 Fri"),  # 2100 is no leap year
        ("59 23 31 12 *", "2024-12-31T23:59:00Z", "2025-12-31 23:59 Wed"),
        ("0 0 * * sat-sun", "2024-01-06", "2024-01-07 00:00 Sun"),
        ("0 0 * * 7", "2024-01-01", "2024-01-07 00:00 Sun"),
        ("0 0 * * 0", "2024-01-01", "2024-01-07 00:00 Sun"),
        ("0 0 * * sun-tue", "2024-01-03", "2024-01-07 00:00 Sun"),
        ("0 0 13 * fri", "2024-09-07", "2024-09-13 00:00 Fri"),  # either of the two
        ("0 0 13 * fri", "2024-09-13", "2024-09-20 00:00 Fri"),
        ("0 0 13 * fri", "2024-10-11", "2024-10-13 00:00 Sun"),
        ("0 0 */2 * mon", "2024-01-02", "2024-01-15 00:00 Mon"),  # * in one: both of them
        ("0 0 31 * *", "2024-01-31", "2024-03-31 00:00 Sun"),
        ("0 0 1 1 *", "9999-01-02", None),
    ],
)
def test_cron_finds_the_next_moment(text, moment, found):
    assert after(text, moment) == found


def test_cron_agrees_with_trying_every_minute():
    table = Timetable.of("7,*/20 2-4,22 1-7 * mon,wed")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    minutes = [start + timedelta(minutes=k) for k in range(60 * 24 * 21)]
    fits = [
        t
        for t in minutes
        if t.minute in (0, 7, 20, 40)
        and t.hour in (2, 3, 4, 22)
        and (t.day <= 7 or t.isoweekday() in (1, 3))
    ]
    found, moment = [], start - timedelta(minutes=1)
    while (moment := table.after(moment)) <= minutes[-1]:
        found.append(moment)
    assert found == fits


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 6 * *", "4 fields"),
        ("60 6 * * 1", "'60' is no minute"),
        ("0 24 * * 1", "'24' is no hour"),
        ("0 6 0 * *", "'0' is no day of the month"),
        ("0 6 * 13 *", "'13' is no month"),
        ("0 6 * * funday", "'funday' is no day of the week"),
        ("0 6 * jan jan", "'jan' is no day of the week"),
        ("*/0 * * * *", "'0' is no step"),
        ("9-5 * * * *", "'9-5' is no minute"),
        ("5/15 * * * *", "'5/15' is no minute"),
        ("-1 * * * *", "'' is no minute"),
        ("² * * * *", "'²' is no minute"),
        ("0 0 30 2 *", "no month chosen has a day 30"),
        ("0 0 31 4,6,9,11 *", "no month chosen has a day 31"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(text, says):
    with pytest.raises(BadValue, match="schedule must be") as error:
        Cron(text)
    assert says in str(error.value)


def test_cron_counts_missed_moments_once_and_tells_the_next():
    rule = Cron("0 6 * * mon")
    missed = rule(at("2024-01-30", "2024-01-01T06:00:00Z"))
    assert missed.fire
    assert "2024-01-08T06:00:00" in missed.why
    early = rule(at("2024-01-08T05:59:59Z", "2024-01-01T06:00:00Z"))
    assert (early.fire, early.next_due) == (False, instant("2024-01-08T06:00:00Z"))
    assert rule(at("2024-01-08T06:00:00Z", "2024-01-01T06:00:00Z")).fire
