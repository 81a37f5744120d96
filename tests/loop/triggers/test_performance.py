"""Triggers that look at a metric or at counts: what they compare, and with what."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tidemill.loop.triggers import (
    Above,
    Adwin,
    Below,
    Cusum,
    DroppedBy,
    Labels,
    LatencyCost,
    OutputDrift,
    Records,
    Return,
    Staleness,
)
from tidemill.measures import Accuracy, LogLoss

SIGNALS = [
    Records(10), Labels(10), Below(Accuracy(), 0.5), Above(LogLoss(), 1.0),
    DroppedBy(Accuracy(), 0.1), Staleness(LogLoss(), 1.0), Cusum(Accuracy()), Adwin(Accuracy()),
    OutputDrift(), LatencyCost(0.1), Return(Accuracy()),
]  # fmt: skip


@pytest.mark.parametrize("rule", SIGNALS, ids=lambda rule: type(rule).__name__)
def test_a_signal_asks_for_a_first_model_hears_a_person_and_else_waits_for_data(rule, facts):
    first = rule(facts(last_triggered=None, live_since=None))
    assert (first.fire, first.why) == (True, "no model was trained yet")
    asked = rule(facts(asked="Zoë"))
    assert (asked.fire, asked.why) == (True, "asked for by Zoë")
    assert not rule(facts()).fire


@pytest.mark.parametrize(("n", "fire"), [(99, False), (100, True), (101, True)])
def test_volume_fires_at_the_number(n, fire, facts):
    assert Records(100)(facts(records=n)).fire == fire
    assert Labels(100)(facts(labels=n)).fire == fire
    assert f"{n:,} records" in Records(100)(facts(records=n)).why
    assert Labels(100).wants == Records(100).wants == ("counts",)


def test_below_and_above_take_the_mean_of_the_latest_windows_by_their_labels(days, facts):
    seen = facts(days([0.1, 0.9, 0.6], labelled=[1000, 100, 300]))  # the last two: 0.675
    assert Below(Accuracy(), 0.7, windows=2)(seen).fire
    assert not Below(Accuracy(), 0.67, windows=2)(seen).fire
    assert Above(Accuracy(), 0.67, windows=2)(seen).fire
    assert not Above(Accuracy(), 0.7, windows=2)(seen).fire
    assert not Below(Accuracy(), 0.6)(seen).fire  # at the floor is not below it
    assert "0.6750 over 2 windows (400 labels)" in Below(Accuracy(), 0.7, windows=2)(seen).why
    assert Below(Accuracy(), 0.7).wants == (Accuracy(),)


def test_windows_without_labels_or_value_are_passed_over_and_open_ones_counted(days, facts):
    windows = days([0.5, 0.9, math.nan, math.inf, 0.1], labelled=[100, 100, 100, 100, 0])
    seen = facts((*windows[:1], replace(windows[1], settled=False), *windows[2:]))
    said = Below(Accuracy(), 0.75, windows=2)(seen)
    assert said.fire
    assert "0.7000 over 2 windows (200 labels, 1 not settled)" in said.why
    few = Below(Accuracy(), 0.75, windows=3)(seen)
    assert not few.fire
    assert "2 windows (200 labels, 1 not settled), 3 needed" in few.why


@pytest.mark.parametrize("metric", [Accuracy(), LogLoss()])
def test_dropped_by_knows_what_is_worse(metric, days, facts):
    up = metric.higher_is_better
    worse = [0.9, 0.9, 0.5, 0.8, 0.8] if up else [0.1, 0.1, 0.5, 0.2, 0.2]
    rule = DroppedBy(metric, 0.09, reference=2, windows=2)
    there = facts(days(worse, metric=metric.name))
    back = facts(days(worse[::-1], metric=metric.name))
    assert rule(there).fire
    assert "worse by 0.1000" in rule(there).why
    assert not rule(back).fire
    assert "worse by -0.1000" in rule(back).why
    assert not DroppedBy(metric, 0.11, reference=2, windows=2)(there).fire


def test_dropped_by_never_compares_a_window_with_itself(days, facts):
    rule = DroppedBy(Accuracy(), 0.1, reference=3, windows=2)
    assert "4 windows (400 labels), 5 needed" in rule(facts(days([0.9, 0.9, 0.9, 0.1]))).why
    assert rule(facts(days([0.9, 0.9, 0.9, 0.1, 0.1]))).fire


def test_staleness_adds_up_what_is_lost_and_never_what_is_won(days, facts):
    values, labelled = [0.2, 0.2, 0.5, 0.1, 0.3], [100, 100, 200, 50, 50]
    seen = facts(days(values, metric="log_loss", labelled=labelled))
    total = (0.3 * 200 + 0.1 * 50) / 100  # the mean window has 100 labels
    assert Staleness(LogLoss(), total - 1e-9, reference=2)(seen).fire
    assert not Staleness(LogLoss(), total + 1e-9, reference=2)(seen).fire
    assert f"staleness {total:.4f}" in Staleness(LogLoss(), 1.0, reference=2)(seen).why
    flipped = facts(days([1 - v for v in values], labelled=labelled))
    assert f"staleness {total:.4f}" in Staleness(Accuracy(), 1.0, reference=2)(flipped).why


def test_staleness_never_falls_as_windows_come(days, facts):
    values = [0.2, 0.25, 0.15, 0.4, 0.1, 0.35, 0.2]
    said = [
        Staleness(LogLoss(), 0.3, reference=2)(facts(days(values[:k], metric="log_loss"))).fire
        for k in range(2, 8)
    ]
    assert said == sorted(said)
    assert said[-1]
