"""A candidate's way: signatures, deadlines, new evidence, rollback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tidemill import AUC, AtLeast, Every, Newest, Strategy, Uniform
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.core.clock import ReplayedClock
from tidemill.core.errors import NotAllowed, NotFound
from tidemill.core.ports import World
from tidemill.loop.log.columns import Columns, FactColumns
from tidemill.strategy import importing
from tidemill.strategy.check import problems
from tidemill.strategy.front import rollback
from tidemill.strategy.signing import bound_to, sign, signature_for
from tidemill.strategy.turn import settle

START = datetime(2024, 1, 1, tzinfo=UTC)


class Steady:
    """Scores by the first feature."""

    classes_ = (0.0, 1.0)

    def predict_proba(self, frame):
        p = frame["x"].to_numpy()
        return [[1 - v, v] for v in p]

    def predict(self, frame):
        return (frame["x"] > 0.5).astype(float)


def steady(data, previous):
    return Steady()


class Mill:
    def __init__(self, **changes):
        rules = {"training": steady, "trigger": Every("7d"), "curation": Uniform(500, per="7d"),
                 "holdout": Newest(at_least=20, days=5), "offline": [AtLeast(AUC(), 0.6)]}  # fmt: skip
        self.strategy = Strategy(**(rules | changes))
        self.clock = ReplayedClock(START)
        self.world = World(clock=self.clock, events=MemoryEvents(), engine=DuckDBEngine(),
                           state=SqlState(None), blobs=MemoryBlobs(), jobs=Inline(),
                           inbox=MemoryInbox(), salt="s")  # fmt: skip
        self.state = self.world.state

    def weeks(self, *numbers):
        """Give weeks of records of which one in six is labelled against the score, and turn."""
        for number in numbers:
            start = START + timedelta(days=7 * number)
            n = 140
            at = [start + timedelta(minutes=70 * k) for k in range(n)]
            ids = [f"{number}-{k}" for k in range(n)]
            x = [(k * 37 % n + 0.5) / n for k in range(n)]
            label = [float((v > 0.5) != (k % 6 == 0)) for k, v in enumerate(x)]
            self.clock.move_to(start + timedelta(days=7))
            table = pa.table({"record_id": ids, "at": at, "x": x})
            importing.records(self.world, self.strategy, table,
                              Columns(time="at", available_at="at"), source="s")  # fmt: skip
            importing.facts(self.world, self.strategy,
                            pa.table({"record_id": ids, "label": label, "done": at}),
                            FactColumns(happened_at="done", available_at="done"), source="t")  # fmt: skip
            self.turn()
        return self

    def turn(self, **moved):
        self.clock.move_to(self.clock.now() + timedelta(**moved))
        settle(self.world, self.strategy)
        return self

    def release(self, version):
        return self.state.machine("release", version)

    def sign(self, version, decision, who="ana"):
        return sign(self.state, version, decision=decision, who=who, why="", at="now")

    def front(self):
        front = self.state.front()
        return front and front.version


def test_auto_signs_what_is_ok_and_the_one_before_retires():
    mill = Mill().weeks(0, 1, 2)
    states = {m.id: m.state for m in mill.state.machines("release")}
    assert states == {"v1": "retired", "v2": "live"}
    assert mill.release("v1").payload["signed_by"] == "tidemill"


def test_approve_waits_for_a_person_and_a_signature_takes_it_live():
    mill = Mill(signing="approve").weeks(0, 1)
    assert mill.release("v1").state == "awaiting"
    mill.turn(hours=1)
    assert mill.front() is None
    mill.sign("v1", "approve")
    mill.turn(hours=1)
    assert mill.front() == "v1"
    assert mill.release("v1").payload["signed_by"] == "ana"
    actors = {r.target: r.actor for r in mill.state.journal() if r.id == "v1"}
    assert actors["approved"] == "ana"


def test_a_person_may_say_no():
    mill = Mill(signing="approve").weeks(0, 1)
    mill.sign("v1", "reject")
    mill.turn(hours=1)
    assert mill.release("v1").state == "refused"


def test_nobody_signs_within_the_deadline_and_the_candidate_expires():
    mill = Mill(signing="approve", deadline="3d", trigger=Every("70d")).weeks(0, 1)
    mill.turn(days=2, hours=23)
    assert mill.release("v1").state == "awaiting"
    mill.turn(hours=1)
    assert mill.release("v1").state == "expired"
    with pytest.raises(NotAllowed, match=r"it is over"):
        mill.sign("v1", "approve")


def test_suggest_never_rolls_out_by_itself_but_takes_a_signature():
    mill = Mill(signing="suggest").weeks(0, 1)
    mill.turn(days=1)
    assert (mill.release("v1").state, mill.front()) == ("inconclusive", None)
    mill.sign("v1", "approve")
    mill.turn(hours=1)
    assert mill.front() == "v1"


def test_the_first_model_without_a_floor_has_no_verdict_and_waits_for_a_person():
    mill = Mill(offline=[]).weeks(0, 1)
    assert mill.release("v1").state == "inconclusive"
    assert "add AtLeast, or let a person sign" in mill.release("v1").payload["why"]
    mill.sign("v1", "approve")
    mill.turn(hours=1)
    assert mill.front() == "v1"


def test_a_signature_is_bound_to_what_was_signed():
    mill = Mill(signing="approve").weeks(0, 1)
    machine = mill.sign("v1", "approve")
    assert signature_for(mill.state, machine)["who"] == "ana"
    for what in ("report", "strategy"):
        other = type(machine)(**{**{f: getattr(machine, f) for f in ("kind", "id", "state",
                              "updated_at")}, "payload": machine.payload | {what: "other"}})  # fmt: skip
        assert bound_to(other) != bound_to(machine)
        assert signature_for(mill.state, other) is None


def test_an_undecided_candidate_is_tested_again_only_on_new_evidence_and_more_strictly():
    mill = Mill(offline=[AtLeast(AUC(), 0.83)], trigger=Every("70d")).weeks(0, 1)
    first = mill.release("v1")
    assert (first.state, first.payload["look"]) == ("inconclusive", 1)
    mill.turn(days=3)
    assert mill.release("v1").payload["look"] == 1
    mill.weeks(2)
    again = mill.release("v1")
    assert again.payload["look"] == 2
    assert again.payload["test"]["rows"] > first.payload["test"]["rows"]


def test_rollback_is_one_transaction_and_can_be_followed_by_another():
    mill = Mill().weeks(0, 1, 2)
    before = len(mill.state.journal()), len(mill.state.fronts())
    assert rollback(mill.world, who="ana") == ("v2", "v1")
    assert mill.front() == "v1"
    assert (len(mill.state.journal()), len(mill.state.fronts())) == (before[0] + 2, before[1] + 1)
    assert {m.id: m.state for m in mill.state.machines("release")} == {
        "v1": "live", "v2": "rolled_back"}  # fmt: skip
    assert rollback(mill.world, who="ana") == ("v1", None)
    assert mill.front() is None
    with pytest.raises(NotAllowed, match=r"there is nothing to roll back"):
        rollback(mill.world, who="ana")
    assert problems(mill.world) == []


def test_what_cannot_be_signed_says_why():
    mill = Mill().weeks(0, 1)
    with pytest.raises(NotFound, match=r"unknown release 'v9'. Fix: Known: v1"):
        mill.sign("v9", "approve")
    with pytest.raises(NotAllowed, match=r"'live': it is over"):
        mill.sign("v1", "approve")
