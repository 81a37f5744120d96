"""The replay of many strategies at once: the real turns, moment by moment, on one history.

All strategies pass the same moment before any sees the next, so what one has asked of the
data, fitted or predicted, the others find done; and memory holds one moment, not all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tidemill.core.clock import ReplayedClock
from tidemill.core.machines import RELEASE
from tidemill.core.ports import World
from tidemill.strategy.strategy import Marks, Strategy
from tidemill.strategy.turn import settle


class Waits(Protocol):
    """Jobs under a replayed clock: a fit takes its time there too."""

    def due(self) -> datetime | None:
        """Return when the next job that has begun ends, by the replayed clock."""
        ...

    def wait(self, seconds: float) -> None:
        """Sleep until a job that computes now ends."""
        ...


@dataclass(kw_only=True)
class Run:
    """One strategy, with one seed, in a world of its own."""

    name: str
    strategy: Strategy
    seed: int
    world: World
    clock: ReplayedClock
    jobs: Waits
    marks: Marks
    notes: list[str] = field(default_factory=list)
    """What kept a due retrain from happening, each once."""
    turns: int = 0


def simulate(
    runs: Sequence[Run],
    moments: Sequence[datetime],
    *,
    until: datetime | None = None,
    told: Callable[[datetime], None] | None = None,
) -> None:
    """Drive every run through the moments, and through the ends of what it has begun.

    Parameters
    ----------
    moments
        When every mill turns, in order.
    until
        Up to when the ends of what was begun count; the last moment if left out.
    told
        Is given each moment once all runs have passed it.
    """
    grid = list(moments)
    heap = [(grid[0], k) for k in range(len(runs))] if grid else []
    heapq.heapify(heap)
    last = until or (grid[-1] if grid else None)
    while heap:
        now = heap[0][0]
        here: set[int] = set()
        while heap and heap[0][0] == now:
            here.add(heapq.heappop(heap)[1])
        _pass([runs[k] for k in sorted(here)], now)
        for k in sorted(here):
            later = [m for m in (runs[k].jobs.due(), _next(grid, now)) if m is not None and m > now]
            if later and last is not None and min(later) <= last:
                heapq.heappush(heap, (min(later), k))
        if told is not None:
            told(now)


def _next(grid: list[datetime], now: datetime) -> datetime | None:
    return next((m for m in grid if m > now), None)


def _pass(runs: list[Run], now: datetime) -> None:
    """Turn every run at one moment until none can decide more; fits run side by side."""
    still = runs
    while still:
        still = [run for run in still if _turn(run, now)]
        if still:
            still[0].jobs.wait(60.0)


def _turn(run: Run, now: datetime) -> bool:
    """Turn one run; tells whether a job of it is still at work by our clock, not by its own."""
    run.clock.move_to(now)
    plans = settle(run.world, run.strategy, wait=False, marks=run.marks)
    run.turns += len(plans)
    for note in plans[-1].notes:
        if note.startswith("no retrain: due") and note not in run.notes:
            run.notes.append(note)
    due = run.jobs.due()
    return plans[-1].running > 0 and (due is None or due <= now)


@dataclass(frozen=True, kw_only=True)
class Lived:
    """One retrain of a run: when it was due, when it answered users, what became of it."""

    version: str
    triggered_at: datetime
    why: str
    became: str
    live_at: datetime | None
    model: str | None
    """The digest of its model, if it has one."""
    dataset: str
    rows: int
    seconds: float
    verdict: str


def lived(run: Run) -> list[Lived]:
    """Return every retrain of a run, the oldest first."""
    whys = {
        row.id: row.why
        for row in run.world.state.journal(kind=RELEASE)
        if row.target == "triggered"
    }
    found = []
    for m in run.world.state.machines(RELEASE):
        payload = m.payload
        live = payload.get("live_at")
        found.append(
            Lived(
                version=m.id,
                triggered_at=datetime.fromisoformat(payload["triggered_at"]),
                why=whys[m.id],
                became="live" if live is not None else m.state,
                live_at=None if live is None else datetime.fromisoformat(live),
                model=payload.get("model", {}).get("digest"),
                dataset=payload["dataset"]["digest"],
                rows=payload["dataset"]["train"],
                seconds=float(payload.get("seconds") or 0.0),
                verdict=str(payload.get("why", "")),
            )
        )
    return found
