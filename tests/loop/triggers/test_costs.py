"""LatencyCost and Return: the money, its units, and when it cannot be told."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pytest

from tidemill.core.costs import Costs
from tidemill.core.rules import Fitted, Seen
from tidemill.loop.triggers import LatencyCost, Return
from tidemill.loop.triggers.forecast import next_fit, seconds_of
from tidemill.loop.triggers.latency_cost import record_seconds
from tidemill.measures import MAE, Accuracy

HOUR = timedelta(hours=1)


def fits(live, *pairs):
    return tuple(Fitted(at=live, rows=n, seconds=s) for n, s in pairs)


def stream(start, hours, records):
    return tuple(
        Seen(start=start + k * HOUR, end=start + (k + 1) * HOUR, records=records, labelled=0,
             settled=False)
        for k in range(hours)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pairs", "rows", "seconds"),
    [
        ([(100, 3.0)], 1000, 3.0),  # one fit: no line yet
        ([(100, 3.0), (100, 5.0)], 1000, 4.0),  # the same rows: the mean
        ([(100, 3.0), (200, 4.0), (400, 6.0)], 1000, 12.0),  # 2 + n / 100
        ([(100, 5.0), (200, 3.0)], 1000, 4.0),  # more rows never take less
        ([(1000, 1.0), (2000, 11.0)], 100, 0.0),  # nor does anything take less than none
    ],
)
def test_the_forecast_is_a_line_through_the_fits(pairs, rows, seconds, live):
    assert seconds_of(fits(live, *pairs), rows) == pytest.approx(seconds)


def test_the_line_is_the_one_of_least_squares(live):
    rng = np.random.default_rng(0)
    rows = rng.integers(100, 5000, 30)
    took = 2 + rows / 100 + rng.normal(0, 1, 30)
    line = np.polyfit(rows, took, 1)
    pairs = zip(rows.tolist(), took.tolist(), strict=True)
    assert seconds_of(fits(live, *pairs), 7000) == pytest.approx(np.polyval(line, 7000))


def test_the_next_fit_has_the_rows_of_the_last_and_the_labels_since(live, facts):
    given = facts(fits=fits(live, (100, 3.0), (200, 4.0)), labels=50, costs=Costs(second=0.5))
    forecast = next_fit(given)
    assert (forecast.rows, forecast.seconds, forecast.price) == (250, 4.5, 2.25)


def test_a_record_waits_from_the_middle_of_its_window_on_average(live):
    day = Seen(start=live, end=live + 24 * HOUR, records=10, labelled=0, settled=False)
    assert record_seconds((day,), live, live + 30 * HOUR) == 10 * 18 * 3600
    # A window that is still open, and one in which the retrain was, count for their part.
    assert record_seconds((day,), live, live + 6 * HOUR) == 10 * 3 * 3600
    assert record_seconds((day,), live + 20 * HOUR, live + 24 * HOUR) == 10 * 2 * 3600


def test_waiting_in_many_small_windows_is_waiting_in_one_large_one(live):
    small = stream(live, 24, 10)
    large = (Seen(start=live, end=live + 24 * HOUR, records=240, labelled=0, settled=False),)
    now = live + 40 * HOUR
    assert record_seconds(small, live, now) == pytest.approx(record_seconds(large, live, now))


def latency(rule, facts, live, *, hours=10, records=100, seconds=50.0, second=1.0, now=None):
    """10 hours of 100 records: 1000 records waited 5 hours each, 5000 record-hours."""
    return rule(facts(
        now=now or live + hours * HOUR, arrived=stream(live, hours, records),
        fits=fits(live, (1000, seconds)), costs=Costs(second=second, currency="CHF"),
    ))  # fmt: skip


def test_it_fires_when_the_regret_is_the_price_of_a_fit(live, facts):
    assert latency(LatencyCost(0.01), facts, live).fire  # 5000 x 0.01 = 50 = 50 s x 1
    assert not latency(LatencyCost(0.0099), facts, live).fire
    why = latency(LatencyCost(0.01), facts, live).why
    assert "1,000 records waited 5000 times 1h together, regret 50 CHF" in why
    assert "a fit costs 50 CHF" in why


@pytest.mark.parametrize("factor", [0.01, 1.0, 7.0])
def test_the_dimensions_are_right(factor, live, facts):
    """Change a unit and the numbers with it: the decision is the same; only one of them: not.

    Multiplying where one has to divide is invisible when all factors are 1.
    """
    fire = [True, False]
    prices = [0.0101, 0.0099]

    def decide(**more):
        per, scale = more.pop("per", "1h"), more.pop("scale", 1.0)
        return [latency(LatencyCost(p * scale, per=per), facts, live, **more).fire for p in prices]

    assert decide() == fire
    # The currency: all prices in cents.
    assert decide(scale=factor, second=factor) == fire
    # Time of waiting: the same price for a day is 24 times the one for an hour.
    assert decide(per="1d", scale=24) == fire
    assert decide(per="1m", scale=1 / 60) == fire
    # Seconds of training: twice as long at half the price.
    assert decide(seconds=50 * factor, second=1 / factor) == fire
    # A dearer fit, or a longer one, waits longer; a dearer record shorter.
    assert decide(second=1.1) == decide(seconds=55.0) == decide(scale=0.9) == [False, False]
    assert decide(second=0.9) == decide(seconds=45.0) == decide(scale=1.1) == [True, True]


def test_with_a_steady_stream_it_retrains_when_both_costs_are_equal(live, facts):
    # n records an hour and price p: regret after T hours is n p T^2 / 2, a fit costs c.
    n, p, c = 200, 0.001, 40.0
    rule = LatencyCost(p)
    said = [latency(rule, facts, live, hours=h, records=n, seconds=c).fire for h in range(1, 30)]
    assert said.index(True) + 1 == np.sqrt(2 * c / (n * p)) == 20


def test_it_tells_when_it_fires_at_the_latest(live, facts):
    said = latency(LatencyCost(0.005), facts, live)  # 25 of 50 so far, 5 more an hour
    assert abs(said.next_due - (live + 15 * HOUR)) < timedelta(seconds=2)
    again = latency(LatencyCost(0.005), facts, live, now=said.next_due)
    assert again.fire


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"costs": None}, "no price sheet"),
        ({"costs": Costs(second=0.0)}, "costs nothing"),
        ({"fits": ()}, "no fit was timed yet"),
    ],
)
def test_without_a_price_it_cannot_tell(more, says, live, facts, days):
    given = {"costs": Costs(second=1.0, error=1.0), "fits": fits(live, (100, 1.0)), **more}
    windows = days([*[0.9] * 7, *[0.1] * 7])
    for rule in (LatencyCost(1e9), Return(Accuracy())):
        said = rule(facts(windows, arrived=stream(live, 9, 100), **given))
        assert not said.fire
        assert f"cannot tell: {says}" in said.why or says in said.why
        assert "cannot tell" in said.why


def returned(said):
    return float(re.search(r"return (\S+),", said.why)[1])


def investment(
    facts, days, live, *, values=None, metric="accuracy", labels=300, rule=None, **prices
):
    windows = days(values or [*[0.9] * 7, *[0.85] * 7], metric=metric, records=200)
    costs = Costs(**{"second": 2.0, "label": 0.1, "error": 0.5, "review": 20.0, **prices})
    given = facts(windows, fits=fits(live, (1000, 25.0)), labels=labels, costs=costs)
    return (rule or Return(Accuracy()))(given)


def test_the_return_is_the_gain_over_the_cost(facts, days, live):
    said = investment(facts, days, live)
    gain = 0.05 * 200 * 28 * 0.5  # loss, records a day, days, price
    cost = 25 * 2 + 300 * 0.1 + 20
    assert returned(said) == pytest.approx(gain / cost, rel=1e-3)
    assert said.fire == (gain / cost > 1)
    assert "5,600 records in 28d gain 140 EUR, a retrain costs 100" in said.why


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"error": 1.0}, 2.0),
        ({"rule": Return(Accuracy(), horizon="14d")}, 0.5),
        ({"error": 50.0, "second": 200.0, "label": 10.0, "review": 2000.0}, 1.0),  # in cents
        ({"labels": 1300}, 0.5),
        ({"review": 120.0}, 0.5),
        ({"second": 6.0}, 0.5),
    ],
)
def test_the_return_has_no_unit(change, factor, facts, days, live):
    said = investment(facts, days, live, **change)
    assert returned(said) == pytest.approx(1.4 * factor, rel=1e-3)


def test_it_fires_above_the_required_return_only_and_never_for_a_better_model(facts, days, live):
    assert investment(facts, days, live, rule=Return(Accuracy(), 1.39)).fire
    assert not investment(facts, days, live, rule=Return(Accuracy(), 1.41)).fire
    better = investment(facts, days, live, values=[*[0.8] * 7, *[0.9] * 7])
    assert not better.fire
    assert returned(better) < 0
    error = investment(facts, days, live, values=[*[1.0] * 7, *[1.05] * 7], metric="mae",
                       rule=Return(MAE()))  # fmt: skip
    assert returned(error) == pytest.approx(1.4, rel=1e-3)


def test_a_return_needs_both_the_first_windows_and_others(facts, days, live):
    said = investment(facts, days, live, values=[0.9] * 13)
    assert not said.fire
    assert "13 windows" in said.why
    assert "14 needed" in said.why
    assert Return(Accuracy()).wants == (Accuracy(), "counts")
