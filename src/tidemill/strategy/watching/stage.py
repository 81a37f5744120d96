"""The stage: when monitoring is due, and one look from the rows to incidents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tidemill.core.failpoints import failpoint
from tidemill.core.ports import Lease
from tidemill.strategy.turn import Step, Turn
from tidemill.strategy.watching.estimating import estimate
from tidemill.strategy.watching.fits import fit
from tidemill.strategy.watching.incidents import follow
from tidemill.strategy.watching.judging import judge
from tidemill.strategy.watching.measuring import measure
from tidemill.strategy.watching.profiling import profile
from tidemill.strategy.watching.store import keep
from tidemill.strategy.watching.windows import Progress, Windows, touched

MONITORING = "monitoring"
WRITER = "monitoring"
COUNTED = ("records", "edge_profiles")
"""Without a row in either there is nothing to look at."""


def due(turn: Turn) -> Iterator[Step]:
    """Say whether a window has closed, or more has come to be known of one."""
    state = turn.world.state
    if not _wanted(turn) or all(turn.world.events.version(t) < 0 for t in COUNTED):
        return
    windows = Windows.of(turn)
    begun, done = (Progress.of(state.fact(key)) for key in ("watching", "watched"))
    turn.due.append(windows.start(turn.now) + windows.every)
    if begun.sequence > done.sequence:
        yield _step(begun.sequence, "go on with the look that was cut short")
        return
    found = touched(turn, done.at)
    if found:
        n = len(found)
        why = f"{n} base window{'s' * (n != 1)} closed or came to be known better"
        yield _step(done.sequence + 1, why)


def _step(sequence: int, why: str) -> Step:
    facts = {"sequence": sequence}
    return Step(stage=MONITORING, id=f"look {sequence}", target="watched", why=why, facts=facts)


def _wanted(turn: Turn) -> bool:
    """In a replay nobody looks at signals for their own sake; only a trigger may want them."""
    if turn.strategy.monitoring is None:
        return False
    return turn.world.door is None or "alarms" in turn.strategy.trigger.wants


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Measure, judge, and open or close incidents.

    The moment of a look is written down first, so that one that was cut short is done again on
    exactly what it saw; its rows are appended under its number, so they are there once.
    """
    state = turn.world.state
    begun, done = (Progress.of(state.fact(key)) for key in ("watching", "watched"))
    if begun.sequence <= done.sequence:
        begun = Progress(sequence=done.sequence + 1, at=turn.now)
        state.set_fact(lease, "watching", begun.json())
    if begun.at is not None and begun.at != turn.now:
        turn = replace(turn, now=begun.at, seen={})
    found = touched(turn, done.at)
    append = partial(turn.world.events.append, writer=WRITER, sequence=begun.sequence)
    append("profiles", profile(turn, lease, done.at))
    records = touched(turn, done.at, tables=("records",))
    counted = touched(turn, done.at, tables=COUNTED)
    fit(turn, lease, counted)
    judged = judge(turn, found, counted, measure(turn, found))
    judged += estimate(turn, records)
    append("signals", keep(turn, judged))
    failpoint("monitoring.judged")
    steps = follow(turn, judged)
    meta = {"watched": begun.json()}
    if not steps:
        state.set_fact(lease, "watched", meta["watched"])
        return
    state.transition(lease, replace(steps[0], meta=meta, also=tuple(steps[1:])))
