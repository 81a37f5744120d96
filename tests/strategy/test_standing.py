"""How well the loop does, told after a story of five weeks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from tidemill import AUC, Accuracy, AtLeast, Every, Newest, NoWorseThan, Strategy, Uniform
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.core.clock import ReplayedClock
from tidemill.core.costs import Costs
from tidemill.core.ports import World
from tidemill.core.rule import rule
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.strategy import importing, realised
from tidemill.strategy import standing as under_test
from tidemill.strategy.front import rollback
from tidemill.strategy.realised import Turned, gap, performed
from tidemill.strategy.registry import log, remember
from tidemill.strategy.standing import standing
from tidemill.strategy.turn import settle

START = datetime(2024, 1, 1, tzinfo=UTC)


class Steady:
    """Scores by the first feature."""

    classes_ = (0.0, 1.0)

    def predict_proba(self, frame):
        return [[1 - v, v] for v in frame["x"].to_numpy()]

    def predict(self, frame):
        return (frame["x"] > 0.5).astype(float)


def steady(data, previous):
    return Steady()


def broken(data, previous):
    raise RuntimeError("no")


WEEKLY = Strategy(
    training=steady,
    trigger=Every("7d"),
    curation=Uniform(500, per="7d"),
    holdout=Newest(at_least=20, days=5),
    offline=[AtLeast(AUC(), 0.6), NoWorseThan("champion", AUC(), margin=0.05)],
    name="weekly",
)
FAILING = replace(WEEKLY, training=broken, name="failing")
STRICT = replace(WEEKLY, offline=[AtLeast(AUC(), 0.99)], name="strict")


def world(path=None):
    return World(clock=ReplayedClock(START), events=MemoryEvents(), engine=DuckDBEngine(),
                 state=SqlState(path), blobs=MemoryBlobs(), jobs=Inline(), inbox=MemoryInbox(),
                 salt="s")  # fmt: skip


class Mill:
    """Weeks of 140 records, one in six labelled against the score, answered by whom a test says."""

    def __init__(self):
        self.world = world()
        self.clock = self.world.clock
        self.state = self.world.state

    def week(self, number, strategy, *, model=None, off=None):
        """Let records come that ``model(k)`` answered, ``off(k)`` wrong, and turn at the end."""
        start, n = START + timedelta(days=7 * number), 140
        at = [start + timedelta(minutes=70 * k) for k in range(n)]
        ids = [f"{number}-{k}" for k in range(n)]
        x = [(k * 37 % n + 0.5) / n for k in range(n)]
        label = [float((v > 0.5) != (k % 6 == 0)) for k, v in enumerate(x)]
        table = {"record_id": ids, "at": at, "x": x}
        columns = Columns(time="at", available_at="at")
        if model is not None:
            said = [1 - v if off is not None and off(k) else v for k, v in enumerate(label)]
            table |= {"model": [model(k) for k in range(n)], "score": said, "output": said}
            columns = replace(columns, model="model", score="score", output="output")
        self.clock.move_to(start + timedelta(days=7))
        importing.records(self.world, strategy, pa.table(table), columns, source="s")
        truths = pa.table({"record_id": ids, "label": label, "done": at, "cost": [0.5] * n})
        facts = FactColumns(happened_at="done", available_at="done", cost="cost")
        importing.facts(self.world, strategy, truths, facts, source="t")
        return self.turn(strategy)

    def turn(self, strategy, **moved):
        self.clock.move_to(self.clock.now() + timedelta(**moved))
        remember(self.world, strategy, strategy.name.encode(), author=lambda: "ada")
        settle(self.world, strategy)
        return self


@pytest.fixture(scope="module")
def story():
    """v1 and v2 go live, both answer in the fourth week; v3 fails, v4 is refused; back to v1."""
    mill = Mill()
    mill.week(0, WEEKLY)
    mill.week(1, WEEKLY, model=lambda k: "mine")
    mill.week(2, WEEKLY, model=lambda k: "v1")
    assert mill.state.front().version == "v2"
    # v1 is wrong half of the time, v2 is always right.
    both = ("v1", "v2")
    mill.week(3, FAILING, model=lambda k: both[k % 2], off=lambda k: k % 4 == 0)
    mill.week(4, STRICT, model=lambda k: "v2")
    rollback(mill.world, who="ada")
    mill.clock.move_to(mill.clock.now() + timedelta(days=2))
    return mill


def test_nothing_has_happened_yet():
    found = standing(world(), WEEKLY)
    assert found["front"] is None
    assert found["since_retrain"] is found["to_decide"] is found["to_live"] is None
    assert found["labels"] == {"asked": 0, "come": 0, "cost": None, "priced": None}
    assert set(found["candidates"].values()) == {0}
    assert found["promises"] == []
    assert log(world(), WEEKLY) == []


def test_ages_labels_and_candidates(story):
    found = standing(story.world, WEEKLY)
    day = 86_400
    assert found["front"]["release"] == "v1"
    assert found["front"]["age"] == 23 * day
    assert found["front"]["live_since"][:10] == "2024-02-05"
    assert found["since_retrain"] == 2 * day
    # The newest record of a week comes 139 * 70 minutes after its start.
    assert found["to_decide"] == (7 * 1440 - 139 * 70) * 60
    assert found["to_live"] == 0
    assert found["labels"] == {"asked": 699, "come": 699, "cost": 350.0, "priced": None}
    assert found["candidates"] == {"live": 2, "refused": 1, "failed": 1, "inconclusive": 0,
                                   "expired": 0, "on_the_way": 0}  # fmt: skip
    assert found["rollbacks"] == 1


def test_labels_that_are_final_later_are_decided_on_sooner(story):
    waiting = replace(WEEKLY, labels=replace(WEEKLY.labels, final_after="5h"))
    least = (7 * 1440 - 139 * 70 - 300) * 60
    assert standing(story.world, waiting)["to_decide"] == max(0, least)


def test_prices(story):
    priced = replace(WEEKLY, costs=Costs(currency="SEK", label=0.1, second=2.0))
    found = standing(story.world, priced)
    assert found["currency"] == "SEK"
    assert found["labels"]["priced"] == pytest.approx(69.9)
    seconds = sum(m.payload.get("seconds", 0) for m in story.state.machines("release"))
    assert found["training"]["priced"] == pytest.approx(2 * seconds, abs=1e-4)


def test_promised_against_realised_where_both_answered(story):
    first, second = standing(story.world, WEEKLY)["promises"]
    assert (first["release"], first["champion"], first["promised"]) == ("v1", None, None)
    assert first["realised"]["why"] == "there was no model before it"
    assert first["promised_value"]["value"] > 0.6
    assert (second["release"], second["champion"], second["metric"]) == ("v2", "v1", "auc")
    assert second["promised"]["value"] == 0
    assert second["realised_value"]["value"] == 1
    assert second["realised"]["value"] == pytest.approx(0.5, abs=0.1)
    assert second["realised"]["low"] > 0.2
    assert second["realised"]["days"] == 6  # without the one on which v2 came


def test_a_gain_that_nobody_logged_is_not_known(story, monkeypatch):
    def silent(*words, **more):
        rows = realised.turned_out(*words, **more)
        rows.model[rows.model == "v1"] = "mine"
        return rows

    monkeypatch.setattr(under_test, "turned_out", silent)
    _, second = standing(story.world, WEEKLY)["promises"]
    assert second["realised"]["value"] is None
    assert "what v1 would have said is not logged" in second["realised"]["why"]
    assert second["realised_value"]["value"] == 1


def test_how_each_strategy_did(story):
    weekly, failing, strict = log(story.world, WEEKLY)
    assert (weekly["triggered"], weekly["live"], failing["failed"]) == (2, 2, 1)
    assert (strict["refused"], strict["rolled_back"], strict["live"]) == (1, 1, 0)
    assert weekly["realised"]["n"] == 3 * 140
    assert 0.6 < weekly["realised"]["low"] < weekly["realised"]["value"] < 1
    assert (failing["realised"]["value"], failing["realised"]["n"]) == (1, 139)
    assert "no record of then" in strict["realised"]["why"]


def test_a_metric_that_breaks_is_told(story):
    @rule
    class Broken:
        """Raise."""

        name = "broken"
        needs = "score"
        higher_is_better = True

        def __call__(self, label, answer, weight, /):
            raise ZeroDivisionError("by nothing")

    odd = replace(WEEKLY, metrics=[Broken()])
    assert "ZeroDivisionError: by nothing" in log(story.world, odd)[0]["realised"]["why"]
    promises = standing(story.world, odd)["promises"]
    assert "none of the strategy's metrics" in promises[0]["realised"]["why"]


def test_a_strategy_that_measures_nothing(story):
    assert log(story.world, replace(WEEKLY, offline=[]))[0]["realised"] is None


def turned(days, model, right):
    n = len(model)
    label = np.arange(n) % 2.0
    said = np.where(right, label, 1 - label)
    at = np.datetime64("2024-01-01") + np.asarray(days).astype("timedelta64[D]")
    return Turned(at=at.astype("datetime64[us]"), model=np.asarray(model, dtype=object),
                  label=label, weight=np.ones(n), answers={"output": said, "score": said})  # fmt: skip


def test_a_difference_on_other_days_is_none():
    rows = turned([1, 1, 2, 2], ["a", "a", "b", "b"], [True, True, False, False])
    found = gap(Accuracy(), rows, rows.model == "b", rows.model == "a")
    assert (found["value"], found["days"]) == (None, 0)
    assert "no day on which both" in found["why"]


def test_a_few_days_give_no_interval():
    rows = turned([1, 1, 2, 2], ["a", "b", "a", "b"], [True, False, True, False])
    found = gap(Accuracy(), rows, rows.model == "b", rows.model == "a")
    assert (found["value"], found["low"], found["days"]) == (-1, None, 2)
    assert "2 days are too few" in found["why"]


def test_missing_answers_are_left_out():
    rows = turned(range(6), ["a"] * 6, [True] * 6)
    rows.answers["output"][0] = np.nan
    assert performed(Accuracy(), rows, rows.model == "a")["n"] == 5
    rows.answers["output"][:] = np.nan
    assert performed(Accuracy(), rows, rows.model == "a")["value"] is None
