"""Is a better model felt: seldom said by chance, seen when it is so, and silent on little."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidemill.core.signals import Point
from tidemill.monitoring.felt import felt

START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)


def points(values, *, width=np.nan, skip=()):
    made = []
    for k, value in enumerate(values):
        start, v = START + k * DAY, float(value)
        limits = {"low": v - width / 2, "high": v + width / 2}
        if k not in skip:
            made.append(Point(start=start, end=start + DAY, value=v, n=500, **limits))
    return made


def remembering(rng, days, rho=0.6):
    """A series in which each day is like the day before, and weekends are different."""
    shocks, found = rng.normal(size=days + 30), np.zeros(days + 30)
    for k in range(1, days + 30):
        found[k] = rho * found[k - 1] + shocks[k]
    return found[30:]


def week(rng, days):
    return 2 * np.resize(rng.normal(size=7), days)


def test_series_that_have_nothing_to_do_with_one_another_are_seldom_said_to():
    rng, said = np.random.default_rng(0), Counter()
    for _ in range(600):
        pair = [points(remembering(rng, 60) + week(rng, 60)) for _ in "ab"]
        said[felt(*pair).said] += 1
    # 5 % would be 30; three standard errors above.
    assert said["felt"] + said["the other way"] <= 46
    assert said["not felt"] > 20


def test_a_shared_week_is_no_effect():
    rng, said = np.random.default_rng(1), Counter()
    for _ in range(300):
        shared = week(rng, 60)
        pair = [points(remembering(rng, 60) + shared) for _ in "ab"]
        said[felt(*pair).said] += 1
    assert said["felt"] + said["the other way"] <= 26


@pytest.mark.parametrize(("way", "said"), [(1, "felt"), (-1, "the other way")])
def test_what_goes_together_is_seen(way, said):
    rng, seen = np.random.default_rng(2), Counter()
    for _ in range(100):
        metric = remembering(rng, 90)
        outcome = way * 0.6 * metric + 0.8 * remembering(rng, 90)
        seen[felt(points(metric + week(rng, 90)), points(outcome + week(rng, 90))).said] += 1
    assert seen[said] >= 85


def test_better_is_lower_for_a_loss():
    rng = np.random.default_rng(3)
    loss = remembering(rng, 90)
    clicks = points(-loss + 0.3 * rng.normal(size=90))
    found = felt(points(loss), clicks, names=("log_loss", "clicks"), higher_is_better=(False, True))
    assert found.said == "felt"
    assert found.why.startswith("a better log_loss is felt: clicks gets better with it; ")
    assert 0 < found.low < found.value < found.high <= 1


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (([0.5] * 3, [0.1] * 3), "in 3 windows, 36 are needed"),
        (([0.5] * 60, np.arange(60) % 11), "auc does not change"),
        ((np.arange(60) % 11, np.full(60, np.nan)), "in 0 windows"),
        ((np.full(60, np.inf), np.arange(60) % 11), "in 0 windows"),
        (([], []), "in 0 windows"),
    ],
)
def test_little_or_nothing_gives_no_answer(pair, why):
    found = felt(*(points(side) for side in pair), names=("auc", "clicks"))
    assert found.said == "cannot be said"
    assert why in found.why
    assert np.isnan(found.value)


def test_a_gap_is_no_change_from_one_window_to_the_next():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(2, 80))
    every_other = range(0, 80, 2)
    found = felt(points(values[0], skip=every_other), points(values[1]))
    assert found.said == "cannot be said"
    assert "follow one another" in found.why


def test_changes_that_are_chance_of_few_rows_are_not_called_not_felt():
    rng = np.random.default_rng(5)
    metric, outcome = rng.normal(size=(2, 400))
    assert felt(points(metric), points(outcome)).said == "not felt"
    noisy = felt(points(metric, width=3.9), points(outcome), names=("auc", "clicks"))
    assert noisy.said == "cannot be said"
    assert "of the changes of auc are chance of few rows" in noisy.why
