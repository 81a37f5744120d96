"""Every change of strategy is written down once, and what was decided under each is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidemill import Every, Strategy
from tidemill.adapters.engines.duckdb import DuckDBEngine
from tidemill.adapters.stores import sql
from tidemill.adapters.stores.memory import MemoryBlobs, MemoryEvents, MemoryInbox
from tidemill.adapters.stores.sql import SqlState
from tidemill.adapters.trainers.inline import Inline
from tidemill.core.clock import ReplayedClock
from tidemill.core.errors import BadInput, Busy, NotFound
from tidemill.core.ports import Transition, World
from tidemill.loop.training.function import always_the_mean
from tidemill.strategy.registry import find, last, log, remember, text_of

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEKLY = Strategy(
    training=always_the_mean, trigger=Every("7d"), name="weekly", comment="to begin with"
)
SLOWLY = replace(WEEKLY, trigger=Every("14d"), name="slowly")
TESTED = ("triggered", "training", "trained", "scoring", "tested")
WAYS = {
    "live": (*TESTED, "approved", "checking", "live"),
    "refused": (*TESTED, "refused"),
    "inconclusive": (*TESTED, "inconclusive"),
    "expired": (*TESTED, "awaiting", "expired"),
    "failed": ("triggered", "training", "failed"),
    "rolled_back": ("rolled_back",),
    "again": ("live",),
}


def world(path=None):
    return World(clock=ReplayedClock(START), events=MemoryEvents(), engine=DuckDBEngine(),
                 state=SqlState(path), blobs=MemoryBlobs(), jobs=Inline(), inbox=MemoryInbox(),
                 salt="s")  # fmt: skip


def decide(w, strategy, version, way):
    """Take a release its way, decided by a strategy (None for a person)."""
    machine = w.state.machine("release", version)
    state, seconds = None if machine is None else machine.state, {}
    with w.state.lease("test") as lease:
        for target in WAYS[way]:
            seconds = {"seconds": 1.5} if target == "trained" else seconds
            w.state.transition(lease, Transition(
                kind="release", id=version, source=state, target=target, why="", at=w.clock.now(),
                payload=seconds, strategy="" if strategy is None else strategy.hash))  # fmt: skip
            state = target


def choose(w, strategy, window, n):
    with w.state.lease("test") as lease:
        w.state.transition(lease, Transition(
            kind="curation", id=window, source=None, target="chosen", why="", at=w.clock.now(),
            payload={"chosen": n}, strategy=strategy.hash))  # fmt: skip


def later(w):
    w.clock.move_to(w.clock.now() + timedelta(days=1))


def test_a_strategy_is_written_down_once():
    w = world()
    assert remember(w, WEEKLY, b"text", author=lambda: "ada")
    for _ in range(3):
        assert not remember(w, WEEKLY, b"text")
    [row] = w.state.rows("strategies")
    assert (row["hash"], row["name"], row["author"]) == (WEEKLY.hash, "weekly", "ada")
    assert row["comment"] == "to begin with"
    assert text_of(w, row) == "text"


def test_what_is_cosmetic_is_no_change():
    w = world()
    remember(w, WEEKLY, b"text")
    assert not remember(w, replace(WEEKLY, comment="other words"), b"other text")


def test_nobody_is_asked_who_it_was_when_nothing_changed():
    w = world()
    remember(w, WEEKLY, b"")
    assert not remember(w, WEEKLY, b"", author=lambda: pytest.fail("asked"))


def test_going_back_is_an_entry_of_its_own():
    w = world()
    for strategy in (WEEKLY, SLOWLY, WEEKLY, WEEKLY):
        remember(w, strategy, strategy.name.encode())
        w.clock.move_to(w.clock.now() + timedelta(days=1))
    found = log(w)
    assert [e["name"] for e in found] == ["weekly", "slowly", "weekly"]
    assert [e["from"][:10] for e in found] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert [(e["to"] or "")[:10] for e in found] == ["2024-01-02", "2024-01-03", ""]
    assert found[2]["first_seen"] == found[0]["from"]
    assert last(w) == WEEKLY.hash


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_crash_loses_and_doubles_nothing(monkeypatch, tmp_path, place):
    w = world(tmp_path / "state.db")
    remember(w, WEEKLY, b"weekly")

    def crash(name):
        if name == f"ledger.strategies.{place}":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sql, "failpoint", crash)
        with pytest.raises(KeyboardInterrupt):
            remember(w, SLOWLY, b"slowly")
    again = World(**{**vars(w), "state": SqlState(tmp_path / "state.db")})
    remember(again, SLOWLY, b"slowly")
    assert [e["name"] for e in log(again)] == ["weekly", "slowly"]
    assert len(again.state.rows("strategies")) == 2


def test_who_cannot_turn_takes_nothing_over(tmp_path):
    w = world(tmp_path / "state.db")
    other = SqlState(tmp_path / "state.db")
    with other.lease("somebody"), pytest.raises(Busy):
        remember(w, WEEKLY, b"")
    assert log(w) == []


def test_nothing_is_locked_when_nothing_changed(tmp_path):
    w = world(tmp_path / "state.db")
    remember(w, WEEKLY, b"")
    with SqlState(tmp_path / "state.db").lease("somebody"):
        assert not remember(w, WEEKLY, b"")


def test_what_was_decided_under_each():
    w = world()
    remember(w, WEEKLY, b"weekly", author=lambda: "ada")
    choose(w, WEEKLY, "one", 5)
    decide(w, WEEKLY, "v1", "live")
    decide(w, WEEKLY, "v2", "failed")
    later(w)
    remember(w, SLOWLY, b"slowly")
    choose(w, SLOWLY, "two", 7)
    decide(w, SLOWLY, "v3", "refused")
    decide(w, SLOWLY, "v4", "expired")
    decide(w, SLOWLY, "v5", "inconclusive")
    decide(w, None, "v1", "rolled_back")
    # The model before answers again; that is no success of a candidate.
    decide(w, None, "v1", "again")
    one, two = log(w)
    assert {k: v for k, v in one.items() if k in COUNTED} == dict.fromkeys(COUNTED, 0) | {
        "triggered": 2, "live": 1, "failed": 1, "labels_chosen": 5, "training_seconds": 1.5,
    }  # fmt: skip
    assert {k: v for k, v in two.items() if k in COUNTED} == {
        "triggered": 3, "live": 0, "refused": 1, "failed": 0, "inconclusive": 1, "expired": 1,
        "rolled_back": 1, "labels_chosen": 7, "training_seconds": 4.5,
    }  # fmt: skip
    assert (one["author"], one["message"], two["author"]) == ("ada", "to begin with", None)
    assert one["realised"] is None


COUNTED = (
    *("triggered", "live", "refused", "failed", "inconclusive", "expired", "rolled_back"),
    *("labels_chosen", "training_seconds"),
)


def test_an_older_process_that_goes_on_is_seen():
    w = world()
    remember(w, WEEKLY, b"weekly")
    decide(w, WEEKLY, "v1", "live")
    remember(w, SLOWLY, b"slowly")
    decide(w, SLOWLY, "v2", "failed")
    # It loaded its strategy before, and never asks the registry again.
    decide(w, WEEKLY, "v3", "failed")
    assert [(e["name"], e["triggered"]) for e in log(w)] == [
        ("weekly", 1),
        ("slowly", 1),
        ("weekly", 1),
    ]
    assert last(w) == WEEKLY.hash
    assert len(w.state.rows("strategies")) == 2


def test_taking_over_without_deciding_is_an_entry_too():
    w = world()
    remember(w, WEEKLY, b"weekly")
    decide(w, WEEKLY, "v1", "live")
    remember(w, SLOWLY, b"slowly")
    remember(w, WEEKLY, b"weekly")
    decide(w, WEEKLY, "v2", "live")
    assert [(e["name"], e["live"]) for e in log(w)] == [
        ("weekly", 1),
        ("slowly", 0),
        ("weekly", 1),
    ]


def test_a_registry_from_before_it_told_changes():
    w = world()
    for strategy in (WEEKLY, SLOWLY):
        row = {"hash": strategy.hash, "name": strategy.name, "source": "0" * 64}
        w.state.add_row("strategies", strategy.hash, row | {"first_seen": START.isoformat()})
    for k, strategy in enumerate((WEEKLY, SLOWLY, WEEKLY)):
        decide(w, strategy, f"v{k}", "failed")
    assert [e["name"] for e in log(w)] == ["weekly", "slowly", "weekly"]
    remember(w, WEEKLY, b"weekly", author=lambda: "ada")
    assert [e["name"] for e in log(w)] == ["weekly", "slowly", "weekly"]
    remember(w, SLOWLY, b"slowly", author=lambda: "ada")
    assert [(e["name"], e["triggered"]) for e in log(w)] == [
        ("weekly", 1),
        ("slowly", 1),
        ("weekly", 1),
        ("slowly", 0),
    ]


def test_decisions_without_a_registry():
    w = world()
    decide(w, WEEKLY, "v1", "failed")
    [entry] = log(w)
    assert (entry["hash"], entry["name"]) == (WEEKLY.hash, None)


def test_every_step_is_counted_in_exactly_one_stretch():
    w = world()
    for k, strategy in enumerate((WEEKLY, SLOWLY, SLOWLY, WEEKLY, SLOWLY)):
        remember(w, strategy, strategy.name.encode())
        choose(w, strategy, str(k), k)
        decide(w, strategy, f"v{k}", "failed")
        later(w)
    found = log(w)
    assert len(found) == 4
    assert sum(e["labels_chosen"] for e in found) == 10
    assert sum(e["failed"] for e in found) == 5
    assert [a["to"] for a in found[:-1]] == [b["from"] for b in found[1:]]


def test_finding():
    w = world()
    with pytest.raises(NotFound, match="no strategy has run yet"):
        find(w, "a")
    for name in ("abc1", "abd2"):
        row = {"hash": name, "name": name, "source": w.blobs.put("strategies", b" ")}
        w.state.add_row("strategies", name, row | {"first_seen": START.isoformat(), "after": 0})
    assert find(w, "abd")["name"] == "abd2"
    with pytest.raises(BadInput, match="may be any of abc1, abd2"):
        find(w, "ab")
    for wanted in ("x", "", "abc12"):
        with pytest.raises(NotFound, match="unknown strategy"):
            find(w, wanted)
    with pytest.raises(NotFound, match="not read from a file"):
        text_of(w, find(w, "abc1"))
