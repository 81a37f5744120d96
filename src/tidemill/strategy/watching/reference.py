"""What a base window is compared with: the windows that count as usual for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.machines import RELEASE
from tidemill.loop.datasets import Manifest
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.windows import Windows, rules

LONGEST = 120
"""Windows of a reference, at most: a long training set says no more than this."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The windows from ``first`` to ``last`` (the start of the last one), and what they are."""

    first: datetime
    last: datetime
    words: str


def reference(turn: Turn, start: datetime, first: datetime) -> Reference:
    """Say which windows the one that begins at ``start`` is compared with.

    Parameters
    ----------
    start
        The window to be judged.
    first
        The first window there is.
    """
    rule, windows = rules(turn), Windows.of(turn)
    if rule.reference == "fixed":
        last = first + (rule.usual - 1) * windows.every
        return Reference(first=first, last=last, words=f"the first {rule.usual} windows")
    version = champion(turn, start + windows.every)
    if rule.reference != "sliding" and version is not None:
        spans = _spans(turn, version)
        low, high = spans["test" if rule.reference == "validation" else "train"] or (None, None)
        if low is not None and high is not None and windows.start(high) < start:
            return _stretched(turn, low, high, version)
    last = start - windows.every
    began = start - rule.usual * windows.every
    return Reference(first=began, last=last, words=f"the {rule.usual} windows before")


def _stretched(turn: Turn, low: datetime, high: datetime, version: str) -> Reference:
    """Take the windows of a split, and so many before them that there are enough."""
    windows, which, usual = Windows.of(turn), rules(turn).reference, rules(turn).usual
    last = windows.start(high)
    least = last - (usual - 1) * windows.every
    began = windows.start(low)
    first = min(began, least) if which == "validation" else began
    first = max(first, last - (LONGEST - 1) * windows.every)
    n = (last - first) // windows.every + 1
    return Reference(first=first, last=last, words=f"{which} of {version}, {n} windows")


def champion(turn: Turn, at: datetime) -> str | None:
    """Return the model version that was in front at a moment, None before the first."""
    fronts = [f for f in turn.world.state.fronts() if f.at <= at]
    return fronts[-1].version if fronts else None


def live_since(turn: Turn, version: str, at: datetime) -> datetime | None:
    """Return since when a version that is in front at a moment has been there."""
    fronts = [f for f in turn.world.state.fronts() if f.at <= at]
    return fronts[-1].at if fronts and fronts[-1].version == version else None


def _spans(turn: Turn, version: str) -> dict[str, tuple[datetime, datetime] | None]:
    """Return from when to when the records of each split of a version's dataset are."""
    machine = turn.world.state.machine(RELEASE, version)
    if machine is None:
        return {"train": None, "test": None}
    blob = machine.payload["dataset"]["blob"]
    kept = turn.world.remembered.setdefault("splits", {})
    if blob not in kept:
        rows = Manifest.from_bytes(turn.world.blobs.get("datasets", blob)).rows
        kept[blob] = {
            split: _span(rows.filter(pc.field("split") == split)) for split in ("train", "test")
        }
    return kept[blob]


def _span(rows: pa.Table) -> tuple[datetime, datetime] | None:
    found = pc.min_max(rows["predicted_at"]).as_py()
    if found["min"] is None:
        return None
    return found["min"].astimezone(UTC), found["max"].astimezone(UTC)
