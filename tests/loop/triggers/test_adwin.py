"""Adwin: the cut test of the paper, its guarantee, and what it can see."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

from tidemill.loop.triggers import Adwin
from tidemill.loop.triggers.adwin import cuts
from tidemill.measures import Accuracy, LogLoss


def allowed(values, cut, delta):
    """The bound of the paper for one cut, word for word."""
    n0, n1 = cut, len(values) - cut
    m = 1 / (1 / n0 + 1 / n1)
    d = delta / len(values)
    return math.sqrt(2 / m * np.var(values) * math.log(2 / d)) + 2 / (3 * m) * math.log(2 / d)


def test_every_cut_is_tried_against_the_bound_of_the_paper():
    values = np.random.default_rng(0).random(23)
    gaps, least = cuts(values, 0.01)
    for k in range(1, 23):
        assert gaps[k - 1] == pytest.approx(values[k:].mean() - values[:k].mean())
        assert least[k - 1] == pytest.approx(allowed(values, k, 0.01))


@pytest.mark.parametrize(
    ("n", "chance", "delta", "broken"),
    [(80, 0.02, 0.002, "range"), (400, 0.5, 0.05, "spread"), (400, 0.1, 0.5, None)],
)
def test_false_alarms_are_at_most_delta_on_the_most_spread_values(n, chance, delta, broken):
    rng = np.random.default_rng(1)
    alarms = {"none": 0, "range": 0, "spread": 0}
    for one in (rng.random((1000, n)) < chance).astype(float):
        gaps, least = cuts(one, delta)
        spread = np.sqrt(2 * (1 / np.arange(1, n) + 1 / np.arange(n - 1, 0, -1)) * one.var())
        spread *= math.sqrt(math.log(2 * n / delta))
        alarms["none"] += np.any(gaps > least)
        alarms["range"] += np.any(gaps > spread)
        alarms["spread"] += np.any(gaps > least - spread)
    assert alarms["none"] <= delta * 1000
    if broken:  # a detector without this part of the bound would have been caught
        assert alarms[broken] > 2 * delta * 1000


def test_a_change_is_found_and_dated(days, facts, live):
    said = Adwin(Accuracy())(facts(days([*[0.9] * 300, *[0.6] * 100])))
    assert said.fire
    assert said.change == live + timedelta(days=300)
    assert "0.9000 before 2024-10-27 00:00 and 0.6000 from then on" in said.why


def test_only_worse_fires(days, facts):
    values = [*[0.9] * 300, *[0.6] * 100]
    assert not Adwin(LogLoss())(facts(days(values, metric="log_loss"))).fire
    assert Adwin(LogLoss())(facts(days(values[::-1], metric="log_loss"))).fire


@pytest.mark.parametrize(("n", "gap"), [(90, 0.68), (180, 0.28), (364, 0.13), (1500, 0.03)])
def test_what_it_can_tell_from_chance_is_as_documented(n, gap):
    def seen(by):
        return np.any(np.greater(*cuts(np.repeat([0.0, by], n // 2), 0.002)))

    assert seen(gap * 1.03)
    assert not seen(gap * 0.95)
    assert not np.any(np.greater(*cuts(np.repeat([0.0, 1.0], 34), 0.002)))  # too few for any


def test_a_shift_among_many_windows_is_found_soon_after_its_bound_allows(days, facts):
    rng, rule, found = np.random.default_rng(3), Adwin(Accuracy()), []
    for _ in range(5):
        values = rng.normal(np.repeat([0.8, 0.6], 400), 0.02)
        known = days(values)
        assert not rule(facts(known[:400])).fire
        found.append(next(k for k in range(400, 801, 4) if rule(facts(known[:k])).fire) - 400)
    assert min(found) > 40
    assert max(found) < 120


def test_values_outside_are_moved_to_the_border(days, facts):
    def said(low, high):
        return Adwin(LogLoss())(facts(days([*[low] * 60, *[high] * 30], metric="log_loss")))

    assert said(-5.0, 7.0) == said(0.0, 1.0)
