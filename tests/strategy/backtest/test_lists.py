"""A metric of ranking through a backtest: it is scored, starts retrains, and holds candidates up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tidemill.core.errors import BadInput
from tidemill.loop.offline import AtLeast
from tidemill.loop.triggers import Below, Once
from tidemill.measures import MAP, MRR, NDCG, PrecisionAt, RecallAt
from tidemill.strategy.backtest.run import Backtest

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios"))

import backtest_worlds as tiny

WEEKS, LISTS, LONG = 8, 30, 6
NDCG3 = NDCG(k=3, group="query")


def searched(*, tags: bool = True) -> Any:
    """Make weeks of queries with six answers each; what is relevant turns with time."""
    made = tiny.turning(3, weeks=WEEKS, per_week=LISTS * LONG, turn=0.35)
    records = made.records
    query = [json.dumps({"query": f"q{k // LONG}"}) for k in range(records.num_rows)]
    unit = [f"u{k // LONG}" for k in range(records.num_rows)]
    at = records.schema.get_field_index("tags")
    records = records.set_column(at, "tags", pa.array(query)) if tags else records
    at = records.schema.get_field_index("unit")
    records = records.set_column(at, "unit", pa.array(unit))
    return tiny.History(records, made.tables["labels"])


@pytest.fixture(scope="module")
def report() -> Any:
    asked = [
        tiny.strategy_of("when needed", trigger=Below(NDCG3, 0.85)),
        tiny.strategy_of("held up", trigger=Below(NDCG3, 0.85), offline=[AtLeast(NDCG3, 1.01)]),
        tiny.strategy_of("never", trigger=Once()),
    ]
    return Backtest(tiny.given_of(searched()), asked, tiny.setting_of(metric=NDCG3)).run()


def test_a_fall_of_the_ranking_retrains_and_that_pays(report: Any) -> None:
    needed, never = (tiny.row(report, name) for name in ("when needed", "never"))
    assert report["metric"]["name"] == "ndcg_at_3"
    assert 1 < needed["retrains"] <= WEEKS
    assert never["retrains"] == 1
    assert needed["value"] > never["value"] + 0.02


def test_a_gate_on_the_ranking_keeps_candidates_from_going_live(report: Any) -> None:
    assert tiny.row(report, "held up")["value"] is None


@pytest.mark.parametrize(
    "metric", [MAP(), MRR(), PrecisionAt(3), RecallAt(3)], ids=lambda m: m.name
)
def test_every_metric_of_lists_is_scored_on_the_lists_of_each_step(metric: Any) -> None:
    history = searched()
    asked = [tiny.strategy_of("never", trigger=Once())]
    ours = Backtest(tiny.given_of(history), asked, tiny.setting_of(metric=metric))
    found = tiny.row(ours.run(), "never")
    assert 0.2 < found["value"] < 1


def test_lists_that_nobody_named_are_an_error_that_says_how(report: Any) -> None:
    asked = [tiny.strategy_of("never", trigger=Once())]
    with pytest.raises(BadInput, match=r"no tag 'query'.*Fix: log every record with tags="):
        Backtest(tiny.given_of(searched(tags=False)), asked, tiny.setting_of(metric=NDCG3)).run()
