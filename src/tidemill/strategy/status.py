"""What is going on, as plain JSON: the front, what is bad, the candidates, the intake."""

from __future__ import annotations

from tidemill.core.machines import CURATION, RELEASE
from tidemill.core.ports import Json, Machine, World
from tidemill.strategy.in_place import assumed
from tidemill.strategy.turn import went_back
from tidemill.strategy.watching.telling import incidents


def status(world: World) -> Json:
    """Say how the mill stands; reads the state only, so it is quick at any age."""
    front = world.state.front()
    releases = world.state.machines(RELEASE)
    states: dict[str, int] = {}
    for m in releases:
        states[m.state] = states.get(m.state, 0) + 1
    windows = world.state.machines(CURATION)
    return {
        "front": None if front is None else front.version,
        "front_since": None if front is None or front.version is None else front.at.isoformat(),
        "last_turn": world.state.fact("last_turn"),
        "last_triggered": world.state.fact("last_triggered"),
        "releases": states,
        "pending": [release(m) for m in releases if m.state in ("inconclusive", "awaiting")],
        "windows": len(windows),
        "chosen": sum(m.payload["chosen"] for m in windows),
        "training_seconds": round(sum(m.payload.get("seconds", 0.0) for m in releases), 2),
        "bad": [_bad(i) for i in incidents(world)],
        "watched": (world.state.fact("watched") or {}).get("at"),
        "intake": intake(world),
        "lost": lost(world),
        "assumed": assumed(world),
        "clock": went_back(world),
    }


def _bad(found: Json) -> Json:
    """Say what is bad, since when and for whom, in a line."""
    names = ("id", "kind", "what", "columns", "cohorts", "onset", "last", "why")
    return {name: found[name] for name in names}


def intake(world: World) -> Json:
    """Add up what became of everything that was ever handed in."""
    totals: Json = {}
    for row in world.state.rows("intake"):
        table = totals.setdefault(row["table"], {"reasons": {}})
        names = ("seen", "accepted", "already", "sampled_out", "waiting", "quarantined")
        for name in names:
            table[name] = table.get(name, 0) + row[name]
        for reason, n in (row["reasons"] or {}).items():
            table["reasons"][reason] = table["reasons"].get(reason, 0) + n
    return totals


def lost(world: World) -> list[str]:
    """Say what services could not hand over, a line a process."""
    said = (world.state.fact("lost") or {}).values()
    return [
        f"{sum(s['reasons'].values())} records lost by process {s['process']} on {s['host']}: "
        + ", ".join(f"{reason} {n}" for reason, n in s["reasons"].items())
        for s in said
    ]


def release(machine: Machine) -> Json:
    """Describe a release in a line."""
    payload = machine.payload
    return {
        "release": machine.id,
        "state": machine.state,
        "verdict": payload.get("verdict"),
        "why": payload.get("why"),
        "champion_then": payload.get("champion"),
        "trained_on": payload["dataset"]["train"],
        "tested_on": payload.get("test", {}).get("rows"),
        "seconds": payload.get("seconds"),
        "triggered_at": payload["triggered_at"],
        "live_at": payload.get("live_at"),
        "signed_by": payload.get("signed_by"),
    }


def releases(world: World) -> list[Json]:
    """Describe every release, the oldest first."""
    return [release(m) for m in world.state.machines(RELEASE)]
