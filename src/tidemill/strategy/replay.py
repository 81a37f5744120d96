"""Replay: the same turns on the same history, under another clock, in memory.

What the world said (records, labels, feedback, when each could first be seen) is taken from
a project; what the mill decided is decided again. A replay of the weeks that were just run
with the same strategy must come to the same decisions: that is how one knows that no turn
looked at what it could not have known.

Use it to hold one strategy to one project: it goes through the moments that were lived, with a
world of any adapters. To compare many strategies on one history, or to replay a table, use
``strategy/backtest``: it turns on steps of its own, in worlds that share fits and answers, and
the parity tests hold it to this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from tidemill.core.as_of import AsOf
from tidemill.core.clock import ReplayedClock
from tidemill.core.ports import Json, World
from tidemill.strategy.decided import decided
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import settle

_END = datetime(9999, 1, 1, tzinfo=UTC)
_GIVEN = ("records", "labels", "feedback", "waiting_labels", "waiting_feedback", "edge_profiles")
"""The tables that say what the world did; the others say what the mill decided."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A world in which history has happened again."""

    world: World
    turns: int


def turns_of(world: World) -> list[datetime]:
    """Return the moments at which a mill decided anything, in order."""
    moments = {row.at for row in world.state.journal() if row.actor == "tidemill"}
    return sorted(moments)


def replay(
    history: World,
    strategy: Strategy,
    make: Callable[[ReplayedClock], World],
    *,
    at: list[datetime] | None = None,
) -> Replay:
    """Drive the mill through the moments at which it turned, on the same history.

    Parameters
    ----------
    history
        Where records, labels and feedback are read; nothing in it is changed.
    strategy
        The rules to decide by: those that were live, or others.
    make
        Builds an empty world around a clock, such as one with everything in memory.
    at
        The moments to turn at; those of the history's own journal if left out.
    """
    moments = at if at is not None else turns_of(history)
    clock = ReplayedClock(moments[0] if moments else _END)
    world = make(clock)
    with world.state.lease("replay") as lease:
        world.state.set_fact(lease, "kinds", history.state.fact("kinds"))
        if history.events.version("edge_profiles") >= 0:
            # What the edge counted is on grids that were fixed then.
            world.state.set_fact(lease, "grids", history.state.fact("grids"))
    for table, rows in _given(history):
        world.events.append(table, rows, writer="history", sequence=1)
    for moment in moments:
        clock.move_to(moment)
        settle(world, strategy)
    return Replay(world=world, turns=len(moments))


def _given(history: World) -> Iterator[tuple[str, pa.Table]]:
    view = AsOf(history.events, history.engine, _END)
    for table in _GIVEN:
        if history.events.version(table) >= 0:
            rows = view.arrow(view.table(table))
            day = rows["predicted_at"].cast("timestamp[us]").cast("date32", safe=False)
            yield table, rows.append_column("day", day)


def decisions(world: World, *, until: datetime | None = None) -> Json:
    """Return what a mill decided about curation and releases, to compare two worlds."""
    rows = decided(world)["journal"]
    if until is None:
        return rows
    limit = until.isoformat(timespec="seconds")
    kept = {k: [r for r in steps if r["at"] <= limit] for k, steps in rows.items()}
    return {k: v for k, v in kept.items() if v}
