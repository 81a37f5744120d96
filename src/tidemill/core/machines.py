"""The legal steps of each state machine, as data; ``check`` holds the journal against them."""

from __future__ import annotations

from tidemill.core.errors import NotAllowed, unknown

CURATION = "curation"
LABELLING = "labelling"
RELEASE = "release"
INCIDENT = "incident"

STEPS: dict[str, dict[str | None, tuple[str, ...]]] = {
    CURATION: {None: ("chosen",)},
    LABELLING: {
        None: ("requested",),
        "requested": ("answered", "failed"),
    },
    RELEASE: {
        None: ("triggered",),
        "triggered": ("training", "superseded"),
        "training": ("trained", "failed"),
        "trained": ("scoring", "failed", "superseded", "refused"),
        "scoring": ("tested", "failed"),
        "tested": ("approved", "refused", "inconclusive", "awaiting"),
        "inconclusive": ("scoring", "approved", "refused", "superseded"),
        "awaiting": ("approved", "refused", "expired", "superseded"),
        "approved": ("checking",),
        "checking": ("live", "refused", "failed"),
        "live": ("retired", "rolled_back"),
        "retired": ("live",),
        "rolled_back": ("live",),
    },
    INCIDENT: {
        None: ("open",),
        "open": ("open", "closed"),
    },
}
"""Kind -> state -> the states that may follow; None is the state before the first."""

OPEN = ("triggered", "training", "trained", "scoring", "tested", "approved", "checking")
"""States of a release in which the mill itself goes on with it."""

PENDING = (*OPEN, "inconclusive", "awaiting")
"""States of a release whose candidate may still become champion."""


def check_step(kind: str, source: str | None, target: str) -> None:
    """Raise ``NotAllowed`` unless the machine may go from source to target.

    Examples
    --------
    >>> check_step("release", "training", "live")
    Traceback (most recent call last):
    ...
    tidemill.core.errors.NotAllowed: a release cannot go from 'training' to 'live'. Fix: allowed next: trained, failed.
    """
    if kind not in STEPS:
        raise unknown("machine", kind, STEPS)
    allowed = STEPS[kind].get(source, ())
    if target not in allowed:
        raise NotAllowed(
            f"a {kind} cannot go from {source!r} to {target!r}.",
            fix=f"allowed next: {', '.join(allowed) or 'nothing, it has ended'}.",
        )
