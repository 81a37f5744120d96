"""Cusum: Page's recursion, how often it is wrong, how fast it is."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tidemill.loop.triggers import Cusum
from tidemill.loop.triggers.cusum import cusum, standardised
from tidemill.measures import Accuracy, LogLoss


def page(z, slack):
    total, path = 0.0, []
    for one in z:
        total = max(0.0, total + one - slack)
        path.append(total)
    return path


def run_lengths(series, *, reference, slack=0.5, threshold=5.0, known=False):
    """Return when each series is first above the threshold, its length where it never is."""
    found, labels = [], np.ones(len(series[0]))
    for one in series:
        z = one[reference:] if known else standardised(one, labels, reference)
        over = np.flatnonzero(cusum(z, slack) > threshold)
        found.append(over[0] + 1 if over.size else z.size)
    return np.array(found)


def test_the_path_is_the_recursion_of_page():
    rng = np.random.default_rng(0)
    for _ in range(20):
        z = rng.normal(0.4, 1.0, 50)
        assert cusum(z, 0.5) == pytest.approx(page(z, 0.5))


def test_a_rule_asked_each_day_says_what_the_path_says(days, facts):
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0.9, 0.01, 12), rng.normal(0.885, 0.01, 12)])
    path = cusum(standardised(-values, np.full(24, 100.0), 7), 0.5)
    rule = Cusum(Accuracy())
    said = [rule(facts(days(values[:k]))) for k in range(8, 25)]
    assert [d.fire for d in said] == (path > 5).tolist()
    assert 0 < (path > 5).sum() < 17
    assert f"cumulative sum {path[-1]:.2f} sd" in said[-1].why


def test_the_change_is_the_start_of_the_run(days, facts, live):
    values = [0.1, 0.2, 0.1, 0.2, 0.25, 0.1, 0.1, 0.4, 0.4, 0.4]  # sd 0.0577; quiet until the 8th
    said = Cusum(LogLoss(), reference=4)(facts(days(values, metric="log_loss")))
    assert said.fire
    assert said.change == live + timedelta(days=7)
    jump = Cusum(LogLoss(), reference=4)(facts(days([*values[:4], 0.9], metric="log_loss")))
    assert jump.change == live + timedelta(days=4)


def test_better_never_fires(days, facts):
    values = [0.1, 0.2, 0.1, 0.2, *[0.9] * 50]
    assert not Cusum(Accuracy(), reference=4)(facts(days(values))).fire
    assert Cusum(LogLoss(), reference=4)(facts(days(values, metric="log_loss"))).fire


def test_a_window_with_few_labels_counts_by_the_root_of_their_share():
    losses = np.array([0.1, 0.2, 0.3, 0.4, 0.4])
    z = standardised(losses, np.array([100.0, 100.0, 100.0, 4.0, 900.0]), 3)
    assert z == pytest.approx([0.4, 2.0])


def test_unequal_labels_weigh_in_the_reference():
    losses, labels = np.array([0.1, 0.3, 0.5]), np.array([300.0, 100.0, 200.0])
    sd = np.sqrt(1.5 * 0.05**2 + 0.5 * 0.15**2)  # the mean is 0.15
    assert standardised(losses, labels, 2) == pytest.approx([0.35 / sd])


@pytest.mark.parametrize("value", [0.0, 1.0, 0.9])
def test_a_reference_without_any_spread_is_no_error(value, days, facts):
    rule = Cusum(Accuracy())
    alike = [value] * 7
    assert not rule(facts(days([*alike, *alike]))).fire  # nothing ever changed
    other = abs(value - 0.3)
    assert not rule(facts(days([*alike, other]))).fire  # one window tells nothing about spread
    worse = [*alike, *[other] * 5]
    metric = Accuracy() if other < value else LogLoss()
    assert Cusum(metric)(facts(days(worse, metric=metric.name))).fire


def test_false_alarms_with_a_known_reference_come_as_rarely_as_the_literature_says():
    # Siegmund's approximation: h = 5 + 1.166, (exp(h) - h - 1) with drift -1/2 gives 938.
    rng = np.random.default_rng(2)
    lengths = run_lengths(rng.normal(size=(900, 6000)), reference=0, known=True)
    assert lengths.mean() == pytest.approx(930, rel=0.1)


@pytest.mark.parametrize(("reference", "floor", "alarmed"), [(7, 600, 0.34), (28, 800, 0.19)])
def test_false_alarms_with_a_short_reference_are_as_documented(reference, floor, alarmed):
    rng = np.random.default_rng(3)
    lengths = run_lengths(rng.normal(size=(1000, reference + 2000)), reference=reference)
    assert lengths.mean() > floor  # the true mean is higher still: runs end after 2000 windows
    share = (lengths <= 60).mean()
    assert alarmed - 0.1 < share < alarmed


@pytest.mark.parametrize(("shift", "slowest"), [(1.0, 12.0), (2.0, 4.5)])
def test_a_shift_is_found_in_time(shift, slowest):
    rng = np.random.default_rng(4)
    series = rng.normal(shift, 1.0, size=(1000, 400))
    assert run_lengths(series, reference=0, known=True).mean() < slowest
    series[:, :28] -= shift
    assert np.median(run_lengths(series, reference=28)) < slowest
