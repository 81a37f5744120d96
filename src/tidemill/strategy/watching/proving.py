"""Rules of quality replayed on a project's own past, on days that were bad for its users and others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis

from tidemill.core.machines import INCIDENT
from tidemill.core.ports import World
from tidemill.monitoring.quality import measure
from tidemill.monitoring.quality.ranking import Use, use
from tidemill.strategy.watching.past import Past

FELT = ("outcomes", "performance")
"""Kinds of incident that users felt, and that no rule of quality found."""
MOST_ROWS = 1_000_000
DAY = timedelta(days=1)


def bad_days(world: World) -> set[datetime]:
    """Return the days that were bad for users: in incidents of what they did, or of how right it was."""
    found: set[datetime] = set()
    for one in world.state.machines(INCIDENT):
        if any(signal["kind"] in FELT for signal in one.payload["signals"]):
            for start in one.payload["bad"]:
                at = datetime.fromisoformat(start).astimezone(UTC)
                found.add(at.replace(hour=0, minute=0, second=0, microsecond=0))
    return found


def uses(
    world: World,
    past: Past,
    rules: Sequence[Any],
    *,
    learnt: tuple[datetime, datetime],
    alpha: float,
) -> list[Use]:
    """Say of each rule on which past days it would have fired.

    Parameters
    ----------
    past
        The project's past.
    rules
        The rules.
    learnt
        The days they were learnt from, [first, last): those prove nothing and are left out.
    alpha
        How likely each may alarm on a day without any change.
    """
    if not rules:
        return []
    rows = past.view.table("records", until=past.until)
    at: Any = rows.predicted_at
    counts = past.view.arrow(rows.group_by(day=at.truncate("D")).aggregate(n=rows.count()))
    left, starts = MOST_ROWS, list[datetime]()
    for row in sorted(counts.to_pylist(), key=lambda r: r["day"], reverse=True):
        start = row["day"].replace(tzinfo=UTC)
        if learnt[0] <= start < learnt[1]:
            continue
        left -= row["n"]
        if left < 0:
            break
        starts.insert(0, start)
    records = past.view.records(since=min(starts, default=past.until), until=past.until)
    at = records.predicted_at
    records = records.mutate(tidemill_day=at.truncate("D"))
    points = measure(
        rules, records, world.engine, window=ibis._.tidemill_day, starts=starts, every=DAY
    )
    bad = bad_days(world)
    return [use(rule, made, bad, alpha) for rule, made in zip(rules, points, strict=True)]
