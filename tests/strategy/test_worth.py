"""What retraining is worth is what a backtest said, for as long as that holds; nothing is invented."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tidemill.core.costs import Costs
from tidemill.core.errors import BadInput
from tidemill.loop.triggers import Every
from tidemill.monitoring.watching import Monitoring
from tidemill.strategy.worth import STALE, advice, keep

NOTHING = {"value": None, "low": None, "high": None, "why": "6 groups are needed, 3 are there"}
DAY = timedelta(days=1)


def compared(name, value, low, high, *, limit=None, periods=NOTHING, money=None):
    said = "BETTER" if low > 0 else "WORSE" if high < 0 else "SAME" if low == high else "NO_VERDICT"
    found = {"value": value, "low": low, "high": high, "limit": low if limit is None else limit}
    return {"name": name, "against": "never", "verdict": said, "this_history": found,
            "periods": periods, "money_per_year": money}  # fmt: skip


def told(*retraining, kind="asked"):
    return {
        "strategies": [{"name": "own", "kind": kind, "hash": "h"}],
        "retraining": list(retraining),
        "history": {"scored_from": "a", "scored_to": "b", "step": "7d", "steps": 20},
        "metric": {"words": "AUC"},
        "conclusion": ["own beats never."],
    }


def said(mill, *retraining):
    keep(mill.world, mill.strategy, told(*retraining))
    return advice(mill.world, mill.strategy)


def test_the_numbers_of_the_backtest_are_repeated_with_their_age(mill):
    future = {"value": 0.01, "low": 0.004, "high": 0.02, "why": ""}
    money = {"value": 9.0, "low": 1.0, "high": 17.0, "currency": "EUR"}
    said(mill, compared("own", 0.02, 0.01, 0.03, periods=future, money=money))
    mill.world.clock.move_to(mill.world.clock.now() + 3 * DAY)
    found = advice(mill.world, mill.strategy)
    assert found["answer"] == "retrain"
    unit, by = "AUC in times like these", "by the backtest of 3 days ago"
    assert found["worth"] == {"value": 0.01, "low": 0.004, "high": 0.02, "unit": unit, "by": by}
    assert found["money"] == money
    assert "+0.0100 AUC in times like these [+0.0040, +0.0200]" in found["why"]


@pytest.mark.parametrize(
    ("own", "answer", "why"),
    [
        (compared("own", 0.02, 0.01, 0.03), "retrain", "no claim about what comes: 6 groups"),
        (compared("own", -0.02, -0.03, -0.01), "don't", "-0.0200 AUC on its history"),
        (compared("own", 0.0, 0.0, 0.0), "don't", "answered just as the first model did"),
        (compared("own", 0.02, -0.01, 0.05), "unknown", "cannot be said whether retraining pays"),
        (compared("own", 0.02, 0.01, 0.03, limit=-0.001), "unknown", "cannot be said"),
        (
            compared("own", 0.02, 0.01, 0.03, periods=NOTHING | {"value": 0.01, "low": -1, "high": 1}),
            "unknown",
            "cannot be said whether retraining pays: +0.0100 AUC in times like these [-1, +1]",
        ),
    ],
)  # fmt: skip
def test_an_interval_that_holds_zero_says_nothing(mill, own, answer, why):
    found = said(mill, own)
    assert found["answer"] == answer
    assert why in found["why"]
    assert (answer == "unknown") == (found["worth"] is None)


def test_without_a_conclusion_that_still_holds_it_is_unknown_and_says_why(mill):
    found = advice(mill.world, mill.strategy)
    assert (found["answer"], found["fix"]) == ("unknown", "tidemill backtest --keep")
    own = compared("own", 0.02, 0.01, 0.03)
    assert said(mill, own)["answer"] == "retrain"
    changed = replace(mill.strategy, trigger=Every("3d"))
    assert "strategy has changed" in advice(mill.world, changed)["why"]
    watched = replace(mill.strategy, monitoring=Monitoring(), costs=Costs(label=1), name="new")
    assert advice(mill.world, watched)["answer"] == "retrain"  # who is told changes no worth
    mill.world.clock.move_to(mill.world.clock.now() + STALE + DAY)
    late = advice(mill.world, mill.strategy)
    assert (late["answer"], late["worth"]) == ("unknown", None)
    assert "29 days ago" in late["why"]
    assert (
        said(mill, compared("own", -0.02, -0.03, -0.01))["answer"] == "don't"
    )  # the newest counts


def test_a_better_strategy_is_named_only_if_it_is_better_for_sure(mill):
    own = compared("own", 0.02, 0.01, 0.03)
    sure = said(mill, own, compared("weekly", 0.05, 0.03, 0.07))
    assert "of those compared, weekly gained most, +0.0500" in sure["why"]
    mill.world.clock.move_to(mill.world.clock.now() + DAY)
    assert "weekly" not in said(mill, own, compared("weekly", 0.05, 0.01, 0.09, limit=-1))["why"]


def test_a_backtest_of_others_is_not_kept(mill):
    with pytest.raises(BadInput, match="does not begin with the project's own strategy"):
        keep(mill.world, mill.strategy, told(kind="reference"))
