"""Signatures: a person's yes or no, bound to the digests of what was signed."""

from __future__ import annotations

from tidemill.core.errors import NotAllowed, unknown
from tidemill.core.machines import RELEASE
from tidemill.core.ports import Json, Machine, StateStore

SIGNABLE = ("trained", "scoring", "tested", "inconclusive", "awaiting")


def bound_to(machine: Machine) -> Json:
    """Return the digests a signature stands for; when one changes the signature is stale."""
    payload = machine.payload
    return {
        "model": payload.get("model", {}).get("digest"),
        "report": payload.get("report"),
        "strategy": payload["strategy"],
    }


def sign(state: StateStore, version: str, *, decision: str, who: str, why: str, at: str) -> Machine:
    """Keep a signature under a report card; the next turn acts on it.

    Raises
    ------
    NotFound
        If there is no such release.
    NotAllowed
        If it has no report card yet, or is over.
    """
    machine = state.machine(RELEASE, version)
    if machine is None:
        raise unknown("release", version, [m.id for m in state.machines(RELEASE)])
    if machine.state not in ("tested", "inconclusive", "awaiting"):
        over = "its report card is not written yet" if machine.state in SIGNABLE else "it is over"
        raise NotAllowed(
            f"release {version} is {machine.state!r}: {over}.",
            fix="see 'tidemill releases list' for the ones that can be signed.",
        )
    row = {"release": version, "decision": decision, "who": who, "why": why, "at": at}
    row |= {"bound": bound_to(machine)}
    state.add_row("signatures", f"{version}:{len(state.rows('signatures'))}", row)
    return machine


def signature_for(state: StateStore, machine: Machine) -> Json | None:
    """Return the latest signature that stands for what the release is now."""
    bound = bound_to(machine)
    if bound["report"] is None:
        return None
    rows = [r for r in state.rows("signatures") if r["release"] == machine.id]
    fitting = [r for r in rows if r["bound"] == bound]
    return fitting[-1] if fitting else None
