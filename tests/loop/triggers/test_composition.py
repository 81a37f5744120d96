"""Triggers made of triggers: who decides, when next, and what is held back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tidemill.core.clock import instant
from tidemill.core.errors import BadValue
from tidemill.core.rule import rule
from tidemill.core.rules import Facts
from tidemill.core.verdict import Decision
from tidemill.loop.triggers import (
    AllOf,
    AnyOf,
    Below,
    Blackout,
    Budget,
    Cooldown,
    Every,
    KOf,
    Labels,
    Manual,
    MaximumAge,
    MinimumLabels,
    Not,
    OutputDrift,
    Records,
)
from tidemill.measures import Accuracy

NOW = instant("2024-06-15T12:00:00Z")
DAY = timedelta(days=1)


@rule
class Says:
    """Say what it is told to say.

    Parameters
    ----------
    fire, due, change
        The decision; days from now.
    """

    fire: bool
    due: float | None = None
    change: float | None = None

    @property
    def wants(self) -> tuple[Any, ...]:
        return ()

    def __call__(self, facts: Facts, /) -> Decision:
        if facts.asked or facts.last_triggered is None:
            return Decision(fire=True, why="asked or first")
        due, change = (None if d is None else facts.now + d * DAY for d in (self.due, self.change))
        return Decision(fire=self.fire, why="told so", next_due=due, change=change)

    @classmethod
    def examples(cls) -> Iterator[Says]:
        yield cls(True)


YES, NO = Says(True), Says(False)


def now(last=1.0, **more):
    last = None if last is None else NOW - last * DAY
    return Facts(**{"now": NOW, "last_triggered": last, "asked": None, **more})


def ahead(moment):
    return None if moment is None else (moment - NOW) / DAY


@pytest.mark.parametrize("yes", range(4))
def test_any_all_and_k_of_count_who_fires(yes):
    parts = [YES] * yes + [NO] * (3 - yes)
    assert AnyOf(*parts)(now()).fire == (yes >= 1)
    assert AllOf(*parts)(now()).fire == (yes == 3)
    for k in (1, 2, 3):
        assert KOf(k, parts)(now()).fire == (yes >= k)


def test_why_names_the_parts_that_decided():
    rule = AnyOf(Every("7d"), Labels(100))
    assert "Labels: 120 labels" in rule(now(labels=120)).why
    assert "Every" not in rule(now(labels=120)).why
    silent = rule(now(labels=20)).why
    assert "Labels: 20 labels" in silent
    assert "Every: only 1d" in silent
    held = AllOf(Every("7d"), Labels(100))(now(last=8, labels=20)).why
    assert "Labels: 20 labels" in held
    assert "Every" not in held


@pytest.mark.parametrize(
    ("k", "dues", "next_due"),
    [
        (1, [3, 5], 3),  # any: the first
        (2, [3, 5], 5),  # all: the last
        (1, [None, 5], 5),  # any, one of them by signals: the known one
        (2, [None, 5], 5),  # all, one by signals: not before the known one
        (2, [3, 5, None], 3),  # the signal may be there by then
        (2, [3, 5, 9], 5),
        (3, [3, 5, None], 5),
        (2, [None, None], None),
    ],
)
def test_it_is_next_due_when_enough_could_fire(k, dues, next_due):
    said = KOf(k, [Says(False, due) for due in dues])(now())
    assert ahead(said.next_due) == next_due


def test_those_that_fire_already_count_for_when_it_is_due():
    assert ahead(AllOf(YES, Says(False, 3), Says(False, 5))(now()).next_due) == 5
    assert ahead(KOf(2, [YES, Says(False, 3), Says(False, 5)])(now()).next_due) == 3
    assert AnyOf(YES, Says(False, 3))(now()).next_due is None


def test_the_change_is_the_latest_of_those_that_fire():
    parts = [Says(True, change=-9), Says(True, change=-4), Says(False, change=-1), YES]
    assert ahead(AnyOf(*parts)(now()).change) == -4
    for holder in (
        Cooldown(parts[0], "1h"),
        MinimumLabels(parts[0], 1),
        MaximumAge(parts[0], "9d"),
        Blackout(parts[0], []),
        Budget(parts[0], 3),
    ):
        assert ahead(holder(now(labels=5)).change) == -9


def test_wants_are_united_once_each():
    metric = Below(Accuracy(), 0.5)
    rule = AnyOf(metric, KOf(1, [Records(5), Below(Accuracy(), 0.9)]), OutputDrift())
    assert rule.wants == (Accuracy(), "counts", "outputs")
    assert MinimumLabels(metric, 5).wants == (Accuracy(), "counts")
    assert MinimumLabels(Records(5), 5).wants == ("counts",)
    for wrapped in (Not(metric), Cooldown(metric, "1d"), Budget(metric, 1), Blackout(metric, [])):
        assert wrapped.wants == metric.wants
    assert MaximumAge(metric, "1d").wants == metric.wants


@pytest.mark.parametrize("make", [AnyOf, AllOf, lambda *t: KOf(1, t)])
def test_parts_must_be_triggers_and_more_than_none(make):
    for bad in ((), (Every,), ("7d",)):
        with pytest.raises(BadValue, match="triggers must be one or more triggers"):
            make(*bad)


def test_not_is_the_opposite_except_for_first_models_and_people():
    assert not Not(YES)(now()).fire
    assert Not(NO)(now()).fire
    assert Not(YES)(now(last=None)).fire
    assert Not(Manual())(now(last=None)).fire
    assert Not(YES)(now(asked="Zoë")).fire
    assert "Says: told so" in Not(NO)(now()).why


HOLDING = [
    Cooldown(YES, "30d"),
    MinimumLabels(YES, 100),
    Budget(YES, 1),
    Blackout(YES, [("06-01", "06-30")]),
]


@pytest.mark.parametrize("rule", HOLDING, ids=lambda rule: type(rule).__name__)
def test_what_holds_back_says_so_and_hears_a_person(rule):
    held = rule(now(triggered=(NOW - DAY,)))
    assert not held.fire
    assert held.why.startswith("held back")
    assert "Says: told so" in held.why
    assert rule(now(triggered=(NOW - DAY,), asked="Zoë")).fire


@pytest.mark.parametrize("rule", HOLDING[:3], ids=lambda rule: type(rule).__name__)
def test_a_first_model_is_not_held_back(rule):
    assert rule(now(last=None, triggered=())).fire


def test_a_blackout_holds_back_a_first_model_too():
    assert not HOLDING[3](now(last=None)).fire


@pytest.mark.parametrize(
    ("inner", "last", "fire", "due"),
    [
        (YES, 6.9, False, 0.1),
        (YES, 7, True, None),
        (NO, 1, False, None),
        (Says(False, 2), 1, False, 6),  # due in 2 days, held back for 6
        (Says(False, 9), 1, False, 9),
        (Says(False, 2), 8, False, 2),
    ],
)
def test_cooldown_lets_time_pass(inner, last, fire, due):
    said = Cooldown(inner, "7d")(now(last))
    assert said.fire == fire
    assert ahead(said.next_due) == (None if due is None else pytest.approx(due))


@pytest.mark.parametrize(("labels", "fire"), [(99, False), (100, True)])
def test_minimum_labels_waits_for_them(labels, fire):
    assert MinimumLabels(YES, 100)(now(labels=labels)).fire == fire
    assert not MinimumLabels(NO, 100)(now(labels=labels)).fire


@pytest.mark.parametrize(
    ("inner", "last", "fire", "due"),
    [
        (NO, 89, False, 1),
        (NO, 90, True, None),
        (YES, 1, True, None),
        (Says(False, 5), 89, False, 1),
        (Says(False, 5), 80, False, 5),
    ],
)
def test_maximum_age_fires_in_the_end(inner, last, fire, due):
    said = MaximumAge(inner, "90d")(now(last))
    assert said.fire == fire
    assert ahead(said.next_due) == due


def test_maximum_age_leaves_the_first_model_to_the_other_trigger():
    assert not MaximumAge(Manual(), "90d")(now(last=None)).fire


@pytest.mark.parametrize(
    ("n", "ago", "fire", "due"),
    [
        (2, [1], True, None),
        (2, [1, 10], False, 20),  # the older one is forgotten 30 days after
        (2, [1, 31], True, None),
        (2, [1, 30], True, None),  # on the day it no longer counts
        (1, [1, 10], False, 29),
        (2, [1, 10, 20], False, 20),  # two must be forgotten, 20 and 10 days ago
    ],
)
def test_budget_counts_the_retrains_of_some_time(n, ago, fire, due):
    triggered = tuple(sorted(NOW - d * DAY for d in ago))
    said = Budget(YES, n, per="30d")(now(triggered=triggered))
    assert said.fire == fire
    assert ahead(said.next_due) == due
    later = Budget(Says(False, 25), n, per="30d")(now(triggered=triggered))
    assert ahead(later.next_due) == max(25, due or 0)


def held(spans, at, rule=YES):
    said = Blackout(rule, spans)(Facts(now=instant(at), last_triggered=NOW - 999 * DAY, asked=None))
    return None if said.fire else said.next_due


@pytest.mark.parametrize(
    ("spans", "at", "until"),
    [
        ([("11-20", "12-02")], "2024-11-19T23:59:59Z", None),
        ([("11-20", "12-02")], "2024-11-20", "2024-12-03"),
        ([("11-20", "12-02")], "2024-12-02T23:59:59Z", "2024-12-03"),  # the last day belongs to it
        ([("11-20", "12-02")], "2031-12-03", None),
        ([("12-24", "01-02")], "2024-12-31", "2025-01-03"),  # over the new year
        ([("12-24", "01-02")], "2025-01-01", "2025-01-03"),
        ([("12-24", "01-02")], "2025-01-03", None),
        ([("02-29", "02-29")], "2024-02-29", "2024-03-01"),
        ([("02-29", "02-29")], "2023-03-01", None),  # there is no such day
        ([("02-20", "02-29")], "2023-02-28", "2023-03-01"),
        ([("02-28", "02-28")], "2024-02-29", None),
        ([("2024-06-01", "2024-06-03")], "2024-06-03T12:00:00Z", "2024-06-04"),
        ([("2024-06-01", "2024-06-03T06:00:00Z")], "2024-06-03T05:59:00Z", "2024-06-03T06:00:00Z"),
        ([("2024-06-01", "2024-06-03T06:00:00Z")], "2024-06-03T06:00:00Z", None),
        ([("2024-06-01", "2024-06-03")], "2025-06-02", None),  # only that year
        ([("2024-06-04", "2024-06-09"), ("06-01", "06-03")], "2024-06-02", "2024-06-10"),  # in turn
    ],
)
def test_blackout_holds_back_within_its_spans(spans, at, until):
    assert held(spans, at) == (None if until is None else instant(until))


def test_a_blackout_moves_what_is_due_within_it_to_its_end():
    rule = Blackout(Says(False, 5), [("06-18", "06-25")])
    assert rule(now()).next_due == instant("2024-06-26")
    assert ahead(Blackout(Says(False, 5), [("06-25", "06-26")])(now()).next_due) == 5


def test_a_blackout_of_the_whole_year_is_never_over():
    said = Blackout(YES, [("01-01", "12-31")])(now())
    assert (said.fire, said.next_due) == (False, None)


@pytest.mark.parametrize(
    "spans", [[("12-24", "2025-01-02")], [("02-30", "03-01")], [("2024-02-02", "2024-02-01")], "ab"]
)
def test_spans_that_are_none_are_refused(spans):
    with pytest.raises(BadValue, match="spans must be a list"):
        Blackout(YES, spans)


def test_compositions_nest_and_read_back():
    rule = AnyOf(
        MaximumAge(Cooldown(MinimumLabels(AllOf(Every("7d"), Labels(5)), 9), "2d"), "90d"),
        KOf(1, [Not(Below(Accuracy(), 0.5))]),
    )
    again = eval(repr(rule), dict(globals()))
    assert again == rule
    assert hash(again) == hash(rule)
