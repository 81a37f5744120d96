"""Telling people of incidents after a turn; what a channel does never stops the mill."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tidemill.core.channels import Channel
from tidemill.core.machines import INCIDENT
from tidemill.core.ports import Json, Machine, World
from tidemill.monitoring.delivery import LATE, due
from tidemill.monitoring.messages import Commands
from tidemill.monitoring.plain import moment
from tidemill.monitoring.sending import LEDGER, deliver, ledger_key
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of
from tidemill.strategy.watching.telling import SILENCES, incident
from tidemill.strategy.worth import advice

WEEK = timedelta(days=7)
_AT_ONCE = 64
"""Rows of what was sent that are read first; more, where they do not reach back far enough."""


def tell(
    world: World,
    strategy: Strategy,
    channels: Mapping[str, Channel],
    *,
    commands: Commands,
) -> list[Json]:
    """Send what is due; returns the rows of the ledger that tell what became of it.

    Each row is written before the next message is sent, so what was sent is known even when the
    process is killed; what was sent but not written is sent again under the same key.
    """
    monitoring = strategy.monitoring
    if monitoring is None or not monitoring.routes:
        return []
    now = moment_of(world)
    fresh = [i for i in map(incident, _recent(world, now)) if _fresh(i, now)]
    waiting = due(
        fresh,
        _sent(world, [datetime.fromisoformat(i["opened"]) for i in fresh], now),
        world.state.rows(SILENCES),
        monitoring.routes,
        at=now,
        weekly=_weekly(world, strategy, now),
        commands=commands,
    )
    told: list[Json] = []
    for row in deliver(waiting, channels, at=now):
        world.state.add_row(LEDGER, ledger_key(row), row)
        told.append(row)
    return told


def _sent(world: World, opened: list[datetime], now: datetime) -> list[Json]:
    """Return what was sent since these incidents opened, and in the last week; maybe more."""
    since, n = min([now - WEEK - timedelta(days=1), *opened]), _AT_ONCE
    while True:
        rows = world.state.rows(LEDGER, last=n)
        first = moment(rows[0].get("at")) if rows else None
        if len(rows) < n or (first is not None and first < since):
            return rows
        n *= 4


def _recent(world: World, now: datetime) -> list[Machine]:
    """Return what may be told of still; the payloads of others, which are many, are not read."""
    found = world.state.machines(INCIDENT)
    return [m for m in found if m.state == "open" or m.updated_at + LATE >= now]


def _fresh(found: Json, now: datetime) -> bool:
    return found["closed"] is None or datetime.fromisoformat(found["closed"]) + LATE >= now


def _weekly(world: World, strategy: Strategy, now: datetime) -> Json | None:
    """Say in a line whether to retrain, as far as a backtest of this project has told.

    What a retrain would be worth is the backtest's to say, and it is not run here: without one
    that still holds the answer is unknown, and says how to find out.
    """
    if world.state.fact("watched") is None:
        return None
    open_ = [incident(m) for m in world.state.machines(INCIDENT, ["open"])]
    worse = [i for i in open_ if i["kind"] in ("outcomes", "performance")]
    felt = "nothing that users feel is bad" if not worse else f"bad: {worse[0]['why']}"
    found = advice(world, strategy)
    then = f"; {found['fix']}" if found["fix"] else ""
    return {
        **found,
        "why": f"{felt}; {found['why']}{then}",
        "next_look": (now + WEEK).isoformat(),
        "incidents": open_,
    }
