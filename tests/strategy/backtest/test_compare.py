"""Differences are told with the doubt they deserve: none, chance, the luck of the rows, or drift."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tidemill.core.costs import Costs
from tidemill.loop.triggers import Every, Once
from tidemill.strategy.backtest.compare import Better, compare, effort_price, units_of

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios"))

import backtest_worlds as tiny

WORLD = tiny.turning(2, weeks=7, per_week=60, turn=0.3)


@pytest.fixture(scope="module")
def drifting():
    asked = [
        tiny.strategy_of("never", trigger=Once()),
        tiny.strategy_of("weekly"),
        tiny.strategy_of("again"),
        tiny.strategy_of("other weeks", trigger=Every("14d")),
    ]
    costs = Costs(error=2.0, second=3.0, label=0.1)
    ours = tiny.Rows(tiny.given_of(WORLD), asked, tiny.setting_of(costs=costs, season="0s"))
    return ours, ours.run()


def test_a_strategy_that_does_the_same_differs_by_exactly_nothing(drifting):
    ours, _ = drifting
    found = compare([ours.told["weekly"]], ours.told["again"], ours.terms)[0]
    this = found.this_history
    assert (this.value, this.low, this.high, found.limit) == (0.0, 0.0, 0.0, 0.0)
    assert found.verdict == Better.SAME
    assert ours.deterministic


def test_a_comparison_the_other_way_round_is_the_same_with_the_other_sign(drifting):
    ours, _ = drifting
    one = compare([ours.told["weekly"]], ours.told["never"], ours.terms)[0]
    other = compare([ours.told["never"]], ours.told["weekly"], ours.terms)[0]
    assert one.verdict == Better.BETTER
    assert other.verdict == Better.WORSE
    assert one.this_history.value == pytest.approx(-other.this_history.value)
    assert one.this_history.low == pytest.approx(-other.this_history.high)
    assert one.money.value == pytest.approx(-other.money.value)
    assert one.money.low == pytest.approx(-other.money.high)


def test_the_difference_is_that_of_the_totals(drifting):
    ours, report = drifting
    found = compare([ours.told["weekly"]], ours.told["never"], ours.terms)[0]
    values = {s["name"]: s["value"] for s in report["strategies"]}
    gap = values["weekly"] - values["never"]
    assert found.this_history.value == pytest.approx(gap)
    assert found.limit <= found.this_history.value


def test_money_is_the_difference_of_the_ledgers_a_year(drifting):
    ours, report = drifting
    found = compare([ours.told["weekly"]], ours.told["never"], ours.terms)[0]
    costs = {s["name"]: s["cost"]["total"] for s in report["strategies"]}
    saved = (costs["never"] - costs["weekly"]) * 365.25 / ours.terms.days
    assert found.money.value == pytest.approx(saved)
    assert found.money.low < saved < found.money.high


def test_effort_is_priced_by_the_sheet(drifting):
    ours, _ = drifting
    told = ours.told["weekly"]
    expected = 0.1 * told.labels + 3.0 * told.seconds
    assert effort_price(told, ours.rows.scorer) == pytest.approx(expected)


def test_units_that_count_have_a_label_in_a_settled_step(drifting):
    ours, _ = drifting
    found = units_of(ours.terms)
    assert found.count == found.groups == 60 * 5
    assert len(set(found.group.tolist())) == found.groups
    none = replace(ours.terms, settled=np.zeros_like(ours.terms.settled))
    assert units_of(none).count == 0


def test_nothing_to_compare_is_no_comparison(drifting):
    ours, _ = drifting
    assert compare([], ours.told["never"], ours.terms) == []


def test_seeds_that_fall_out_alike_differ_by_exactly_nothing():
    asked = [tiny.strategy_of(n, training=tiny.shaky) for n in ("one", "two")]
    report = tiny.report_of(WORLD, *asked, seeds=3)
    assert not report["deterministic"]
    assert report["seeds"] == 3
    rows = [tiny.row(report, n) for n in ("one", "two")]
    assert rows[0]["curve"] == rows[1]["curve"]


# Each number here is of worlds with fixed seeds; benchmarks/backtest.py has many more of them.


def test_a_strategy_against_itself_with_other_seeds_is_covered():
    worlds = 16
    cells = [
        tiny.against_itself(seed, ["1", "all"], weeks=5, per_week=40) for seed in range(worlds)
    ]
    for kept in ("1", "all"):
        estimates = [one[kept].this_history for one in cells]
        assert all(e.low < e.high for e in estimates)
        missed = sum(not e.low <= 0 <= e.high for e in estimates)
        # Of 16 with a chance of .05 each, four or more are missed once in 140.
        assert missed <= 3
        # Not by being wide: the interval is of the size of the differences.
        spread = np.std([e.value for e in estimates])
        assert np.median([(e.high - e.low) / 2 for e in estimates]) < 5 * spread


@pytest.mark.parametrize("resample", [False, True])
def test_where_nothing_changes_no_strategy_is_said_to_gain(resample):
    worlds = [tiny.null_world(seed, weeks=6, per_week=50, resample=resample) for seed in range(6)]
    above = sum(any(c["this_history"]["limit"] > 0 for c in w["comparisons"]) for w in worlds)
    assert above <= 1
    assert all((w["seeds"] == 5) == resample for w in worlds)
    said = [w["conclusion"][0] for w in worlds]
    assert sum("beats" in s and "cannot be said" not in s for s in said) <= 1


def test_without_drift_a_gain_is_of_more_data_and_with_drift_it_is_not():
    still = [" ".join(tiny.growth_world(s, turn=0.0)["conclusion"]) for s in (0, 1)]
    drifts = [" ".join(tiny.growth_world(s, turn=0.5)["conclusion"]) for s in (0, 1)]
    assert sum("from more data, not from drift" in s for s in still) == 2
    assert not any("not from drift" in s for s in drifts)
    assert all("on no more rows than the first model had gains +" in s for s in drifts)
