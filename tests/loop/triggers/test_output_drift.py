"""OutputDrift: the largest difference of one share, several windows in a row."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tidemill.loop.triggers import OutputDrift


def shares(*yes):
    return [{"yes": y, "no": 1 - y} for y in yes]


def drift(days, *yes, **more):
    return days(np.zeros(len(yes)), shares=shares(*yes), **more)


@pytest.mark.parametrize(
    ("yes", "fire"),
    [
        ([0.3, 0.3, 0.45, 0.45], True),
        ([0.3, 0.3, 0.45, 0.3], False),  # one window is an accident
        ([0.3, 0.3, 0.45, 0.3, 0.45], False),  # so are two apart
        ([0.3, 0.3, 0.45, 0.1], True),  # far is far, either way
        ([0.3, 0.3, 0.39, 0.39], False),  # not far
    ],
)
def test_patience_windows_in_a_row_must_be_far(yes, fire, days, facts):
    assert OutputDrift(reference=2)(facts(drift(days, *yes))).fire == fire


def test_the_change_is_the_first_window_of_the_run(days, facts, live):
    said = OutputDrift(reference=2)(facts(drift(days, 0.3, 0.3, 0.5, 0.3, 0.5, 0.5, 0.5)))
    assert said.change == live + timedelta(days=4)
    assert "for 3 in a row, 2 needed" in said.why


def test_the_reference_is_weighted_by_records(days, facts):
    windows = drift(days, 0.1, 0.5, 0.5, records=[300, 100, 100])  # the reference is 0.2
    rule = OutputDrift(distance=0.29, patience=1, reference=2)
    assert rule(facts(windows)).fire
    assert "is 0.5000, 0.2000 in the first 2 windows: 0.3000 apart" in rule(facts(windows)).why
    assert not OutputDrift(distance=0.31, patience=1, reference=2)(facts(windows)).fire


def test_an_output_never_seen_before_counts_and_many_small_ones_do_not(days, facts):
    first = {str(k): 0.05 for k in range(20)}
    new = {**{str(k): 0.04 for k in range(20)}, "new": 0.2}
    spread = {str(k): 0.05 + 0.04 * (-1) ** k for k in range(20)}  # total variation 0.4
    rule = OutputDrift(patience=1, reference=2)
    said = rule(facts(days(np.zeros(3), shares=[first, first, new])))
    assert said.fire
    assert "'new'" in said.why
    assert not rule(facts(days(np.zeros(3), shares=[first, first, spread]))).fire


def test_labels_are_not_needed_but_records_are(days, facts):
    windows = drift(days, 0.3, 0.3, 0.5, 0.5, labelled=0)
    assert OutputDrift(reference=2)(facts(windows)).fire
    empty = drift(days, 0.3, 0.3, 0.5, 0.5, records=[200, 200, 200, 0])
    said = OutputDrift(reference=2)(facts(empty))
    assert not said.fire
    assert "3 windows, 4 needed" in said.why
    assert OutputDrift().wants == ("outputs",)


def test_noise_of_a_thousand_records_a_day_does_not_fire_and_a_shift_does(days, facts):
    rng = np.random.default_rng(0)
    rule, false, true = OutputDrift(), 0, 0
    for _ in range(100):
        quiet = rng.binomial(1000, 0.3, 60) / 1000
        false += any(rule(facts(drift(days, *quiet[:k]))).fire for k in range(9, 61, 6))
        moved = [*quiet[:50], *(quiet[50:] + 0.2)]
        true += rule(facts(drift(days, *moved))).fire
    assert (false, true) == (0, 100)
