"""The promises of a store of state; run them on your own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tidemill.core.errors import Busy, NotAllowed, TidemillError
from tidemill.core.machines import CURATION, RELEASE
from tidemill.core.ports import Lease, StateStore, Transition
from tidemill.testing.bench import Bench, hold, refused

AT = datetime(2024, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)


def check_state_store(make: Callable[[Path], StateStore], *, lasting: bool = True) -> None:
    """Hold a store of state against every promise of its port."""
    hold(STATE, lambda at: Bench(make=make, folder=at, lasting=lasting))


def a_new_state_is_empty(bench: Bench[StateStore]) -> None:
    """Before anything happened there is nothing, and asking is no error."""
    state = bench.open()
    assert state.journal() == []
    assert state.fronts() == []
    assert state.machines(RELEASE) == []
    assert state.machine(RELEASE, "v1") is state.front() is state.fact("x") is None
    assert state.rows("intake") == []


def a_step_is_journalled_whole(bench: Bench[StateStore]) -> None:
    """The journal says when, what, why, by whom, under which strategy, on which data."""
    state = bench.open()
    east = timezone(timedelta(hours=9))
    facts = {"n": 3, "text": "Zürich ✓", "nested": {"list": [1, None, 0.1]}}
    with state.lease("test") as lease:
        step = _step("v1", None, "triggered", at=AT.astimezone(east), payload=facts)
        state.transition(lease, step)
    row = state.journal()[0]
    assert (row.seq, row.kind, row.id, row.source, row.target) == (
        1,
        RELEASE,
        "v1",
        None,
        "triggered",
    )
    assert (row.why, row.payload, row.frontier) == ("because", facts, {"now": "then"})
    assert (row.strategy, row.actor, row.at) == ("s1", "ana", AT)
    machine = state.machine(RELEASE, "v1")
    assert machine is not None
    assert (machine.state, machine.payload, machine.updated_at) == ("triggered", facts, AT)


def only_legal_steps_are_taken(bench: Bench[StateStore]) -> None:
    """A step the machine cannot take, or from where it is not, is refused and leaves nothing."""
    state = bench.open()
    with state.lease("test") as lease:
        state.transition(lease, _step("v1", None, "triggered"))
        for wrong in (
            _step("v1", "triggered", "live"),
            _step("v1", "training", "trained"),
            _step("v1", None, "triggered"),
            _step("v2", "triggered", "training"),
            _step("v2", None, "live"),
        ):
            refused(NotAllowed, lambda step=wrong: state.transition(lease, step))
        unknown = Transition(kind="nothing", id="v1", source=None, target="x", why="because", at=AT)
        refused(TidemillError, lambda: state.transition(lease, unknown))
    assert [m.state for m in state.machines(RELEASE)] == ["triggered"]
    assert len(state.journal()) == 1


def a_step_and_what_goes_with_it_are_one(bench: Bench[StateStore]) -> None:
    """The step, other machines' steps, the front and the facts are written together or not."""
    state = bench.open()
    with state.lease("test") as lease:
        state.transition(lease, _step("v1", None, "triggered"))
        good = _step("v2", None, "triggered")
        bad = _step("v3", None, "live")
        for also in ((bad,), (good, bad)):
            step = _step("v1", "triggered", "training", front="v1", meta={"k": 1}, also=also)
            refused(NotAllowed, lambda one=step: state.transition(lease, one))
            assert [(m.id, m.state) for m in state.machines(RELEASE)] == [("v1", "triggered")]
            assert (state.fronts(), state.fact("k"), len(state.journal())) == ([], None, 1)
        also = (_step("v2", None, "triggered", meta={"m": [2]}),)
        step = _step("v1", "triggered", "training", front="v1", meta={"k": 1}, also=also)
        state.transition(lease, step)
    assert [(m.id, m.state) for m in state.machines(RELEASE)] == [
        ("v1", "training"),
        ("v2", "triggered"),
    ]
    assert (state.fact("k"), state.fact("m"), len(state.journal())) == (1, [2], 3)
    assert [f.version for f in state.fronts()] == ["v1"]


def the_front_is_the_latest(bench: Bench[StateStore]) -> None:
    """``fronts`` tells who answered since when; an empty version means nobody."""
    state = bench.open()
    steps = [("v1", "v1"), ("v2", "v2"), ("v3", "")]
    with state.lease("test") as lease:
        for k, (name, front) in enumerate(steps):
            at = AT + timedelta(hours=k)
            state.transition(lease, _step(name, None, "triggered", front=front, at=at))
        state.transition(lease, _step("v4", None, "triggered"))
    assert [f.version for f in state.fronts()] == ["v1", "v2", None]
    assert [f.at for f in state.fronts()] == [AT + timedelta(hours=k) for k in range(3)]
    front = state.front()
    assert front is not None
    assert front == state.fronts()[-1]


def machines_keep_their_order(bench: Bench[StateStore]) -> None:
    """Machines are listed as they were created, by kind and by state."""
    state = bench.open()
    with state.lease("test") as lease:
        for name in ("b", "a", "c"):
            state.transition(lease, _step(name, None, "triggered"))
        state.transition(lease, _step("b", "triggered", "training"))
    assert [m.id for m in state.machines(RELEASE)] == ["b", "a", "c"]
    assert [m.id for m in state.machines(RELEASE, ["triggered"])] == ["a", "c"]
    assert state.machines(RELEASE, []) == []
    assert state.machines("curation") == []


def the_journal_has_no_gaps(bench: Bench[StateStore]) -> None:
    """Entries are numbered from 1 without a gap, whatever was refused in between."""
    state = bench.open()
    with state.lease("test") as lease:
        for k in range(4):
            state.transition(lease, _step(f"v{k}", None, "triggered"))
            wrong = _step(f"v{k}", "triggered", "live")
            refused(NotAllowed, lambda step=wrong: state.transition(lease, step))
    assert [r.seq for r in state.journal()] == [1, 2, 3, 4]
    assert [r.id for r in state.journal(after=2)] == ["v2", "v3"]
    assert state.journal(after=4) == []


def the_journal_is_read_by_machine(bench: Bench[StateStore]) -> None:
    """Who asks for one kind of machine, or for one, gets its entries only, with their numbers."""
    state = bench.open()
    with state.lease("test") as lease:
        for name in ("v1", "v2"):
            state.transition(lease, _step(name, None, "triggered"))
        chosen = Transition(
            kind=CURATION, id="v1", source=None, target="chosen", why="it closed", at=AT
        )
        state.transition(lease, chosen)
        state.transition(lease, _step("v1", "triggered", "training"))
    whole = state.journal()
    assert state.journal(kind=CURATION) == whole[2:3]
    assert state.journal(kind=RELEASE) == [whole[0], whole[1], whole[3]]
    assert state.journal(kind=RELEASE, machine="v1") == [whole[0], whole[3]]
    assert state.journal(kind=RELEASE, machine="v1", after=1) == whole[3:]
    assert state.journal(machine="v1") == [whole[0], *whole[2:]]
    assert state.journal(kind="nothing") == state.journal(machine="v3") == []


def an_old_lease_is_fenced(bench: Bench[StateStore]) -> None:
    """Who held the lease before cannot write any more."""
    state = bench.open()
    with state.lease("one") as old:
        state.set_fact(old, "k", 1)
    with state.lease("two") as new:
        assert new.epoch > old.epoch
        refused(Busy, lambda: state.hold(old))
        refused(Busy, lambda: state.set_fact(old, "k", 2))
        refused(Busy, lambda: state.transition(old, _step("v1", None, "triggered")))
        refused(Busy, lambda: state.set_fact(Lease(epoch=new.epoch + 1), "k", 2))
        state.hold(new)
        state.set_fact(new, "k", 3)
    assert (state.fact("k"), state.journal()) == (3, [])


def a_lease_excludes_others(bench: Bench[StateStore]) -> None:
    """While somebody holds the lease nobody else gets it; an error lets go of it."""
    if not bench.lasting:
        return
    one, other = bench.open(), bench.open()
    with one.lease("one"):
        refused(Busy, lambda: other.lease("other").__enter__())
    with other.lease("other") as second:
        refused(Busy, lambda: one.lease("one").__enter__())
    with suppress(RuntimeError), one.lease("one"):
        raise RuntimeError
    with other.lease("other") as third:
        assert third.epoch > second.epoch


def facts_are_kept(bench: Bench[StateStore]) -> None:
    """Facts are plain JSON; the last one counts, also after opening again."""
    state = bench.open()
    values = {"a": 1, "b": {"x": [1, 2.5, None]}, "c": "ü", "d": None, "e": False}
    with state.lease("test") as lease:
        state.set_fact(lease, "a", "old")
        for key, value in values.items():
            state.set_fact(lease, key, value)
        state.transition(lease, _step("v1", None, "triggered", front="v1"))
    journal, fronts = state.journal(), state.fronts()
    if bench.lasting:
        state = bench.open()
    assert {k: state.fact(k) for k in values} == values
    assert (state.journal(), state.fronts()) == (journal, fronts)


def a_ledger_takes_each_key_once(bench: Bench[StateStore]) -> None:
    """The first row of a key stays, in the order of writing; books do not mix."""
    state = bench.open()
    assert state.add_row("intake", "b", {"n": 1})
    assert state.add_row("intake", "a", {"n": 2})
    assert not state.add_row("intake", "b", {"n": 3})
    assert state.add_row("signatures", "b", {"n": 4})
    if bench.lasting:
        state = bench.open()
        assert not state.add_row("intake", "a", {"n": 5})
    assert state.rows("intake") == [{"n": 1}, {"n": 2}]
    newest = [state.rows("intake", last=n) for n in (0, 1, 2, 9)]
    assert newest == [[], [{"n": 2}], [{"n": 1}, {"n": 2}], [{"n": 1}, {"n": 2}]]
    assert state.rows("signatures") == [{"n": 4}]


def what_is_kept_can_be_written_anew(bench: Bench[StateStore]) -> None:
    """Payloads, rows of ledgers and facts become what is made of them; all else stays."""
    state = bench.open()
    with state.lease("test") as lease:
        state.transition(lease, _step("v1", None, "triggered", payload={"who": ["ada", "bob"]}))
        state.set_fact(lease, "a", ["ada"])
        state.add_row("intake", "k", {"who": ["ada"]})
        before = state.journal()
        rewritten = lambda value: (  # noqa: E731 - said where it is used
            {k: [one for one in v if one != "ada"] for k, v in value.items()}
            if isinstance(value, dict)
            else value
        )
        state.rewrite(lease, rewritten)
    if bench.lasting:
        state = bench.open()
    machine = state.machine(RELEASE, "v1")
    assert machine is not None
    assert (machine.state, machine.payload) == ("triggered", {"who": ["bob"]})
    assert state.machines(RELEASE, ["triggered"]) == [machine]
    assert state.journal() == [replace(row, payload={"who": ["bob"]}) for row in before]
    assert (state.fact("a"), state.rows("intake")) == (["ada"], [{"who": []}])
    refused(Busy, lambda: state.rewrite(Lease(epoch=lease.epoch - 1), rewritten))


def _step(
    name: str, source: str | None, target: str, *, at: datetime = AT, **more: Any
) -> Transition:
    return Transition(
        kind=RELEASE,
        id=name,
        source=source,
        target=target,
        why="because",
        at=at,
        frontier={"now": "then"},
        strategy="s1",
        actor="ana",
        **more,
    )


STATE: tuple[Callable[[Bench[StateStore]], None], ...] = (
    a_new_state_is_empty,
    a_step_is_journalled_whole,
    only_legal_steps_are_taken,
    a_step_and_what_goes_with_it_are_one,
    the_front_is_the_latest,
    machines_keep_their_order,
    the_journal_has_no_gaps,
    the_journal_is_read_by_machine,
    an_old_lease_is_fenced,
    a_lease_excludes_others,
    facts_are_kept,
    a_ledger_takes_each_key_once,
    what_is_kept_can_be_written_anew,
)
"""The promises of a store of state."""
