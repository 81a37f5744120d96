"""Curation in a turn: every window of arrivals that has closed is sampled once, for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.durations import duration
from tidemill.core.machines import CURATION
from tidemill.core.ports import Lease
from tidemill.core.records import MOMENT
from tidemill.strategy.turn import Step, Turn


def due(turn: Turn) -> Iterator[Step]:
    """Say which windows have closed; a window without any arrival is passed over.

    Windows cut the time of *arrival*, so a record that comes late is in the window in which
    it came: every record is a candidate exactly once, whatever its delay.
    """
    per = duration(turn.strategy.curation.per)
    until = turn.world.state.fact("curated_until")
    start = None if until is None else datetime.fromisoformat(until)
    begun = turn.world.state.fact("curating")
    resumed = begun is not None and begun["after"] == until
    if begun is not None and resumed:
        # Begun before a crash: it ends where it was to end, whatever the strategy says now.
        start = datetime.fromisoformat(begun["start"])
        per = datetime.fromisoformat(begun["end"]) - start
    if start is not None and turn.now < start + per:
        turn.due.append(start + per)
        return
    for begin, total in turn.known(lambda: _windows(turn, start, per), "windows", start, per):
        end = begin + per
        if end > turn.now:
            turn.due.append(end)
            break
        why = f"closed with {total:,} arrivals"
        facts = {"start": begin.isoformat(), "end": end.isoformat(), "arrivals": total}
        yield Step(
            stage=CURATION,
            id=begin.isoformat(timespec="minutes"),
            target="chosen",
            why=why,
            facts=facts,
        )
        if resumed:
            break


def _windows(turn: Turn, start: datetime | None, per: timedelta) -> list[tuple[datetime, int]]:
    """Count arrivals by window since the last one that was sampled, from the first day on."""
    arrivals = turn.view.arrivals(start)
    if start is None and arrivals:
        start = min(arrivals).replace(hour=0, minute=0, second=0, microsecond=0)
    counts: dict[int, int] = {}
    for at, n in arrivals.items():
        k = (at - start) // per  # type: ignore[operator] - there is a start where there are arrivals
        counts[k] = counts.get(k, 0) + n
    return [(start + k * per, n) for k, n in sorted(counts.items())]  # type: ignore[operator]


def _chosen_before(turn: Turn, window: str) -> pa.Table:
    """Return what was chosen of a window before a crash, by the strategy of then."""
    rows = turn.view.table("chosen")
    return turn.view.arrow(rows.filter(rows.window == window).select("record_id", "pi"))


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Choose records of a window, keep their inclusion probability, and move on."""
    start, end = (datetime.fromisoformat(step.facts[k]) for k in ("start", "end"))
    until = turn.world.state.fact("curated_until")
    begun = {"after": until, "start": step.facts["start"], "end": step.facts["end"]}
    turn.world.state.set_fact(lease, "curating", begun)
    rows = turn.known(
        lambda: _choose(turn, step, start, end), "chosen", start, end, *turn.marks.of("curation")
    )
    sequence = int((start - datetime.fromtimestamp(0, UTC)) / timedelta(seconds=1))
    if not turn.world.events.append("chosen", rows, writer="curation", sequence=sequence):
        rows = _chosen_before(turn, step.id)
    n, total = rows.num_rows, step.facts["arrivals"]
    least = pc.min(rows["pi"]).as_py()
    turn.move(
        lease,
        CURATION,
        step.id,
        None,
        "chosen",
        why=f"chose {n:,} of {total:,} records",
        payload={**step.facts, "chosen": n, "least_pi": least},
        meta={"curated_until": end.isoformat()},
    )


def _choose(turn: Turn, step: Step, start: datetime, end: datetime) -> pa.Table:
    """Sample a window: which records, and with what probability."""
    records = turn.view.arrived(start, end)
    chosen = turn.view.arrow(turn.strategy.curation(records).order_by("record_id"))
    day = chosen["predicted_at"].cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    return pa.table(
        {
            "record_id": chosen["record_id"],
            "predicted_at": chosen["predicted_at"],
            "available_at": pa.array([turn.now] * chosen.num_rows, MOMENT),
            "day": day,
            "window": pa.array([step.id] * chosen.num_rows, pa.string()),
            "pi": chosen["pi"].cast(pa.float64()),
        }
    )
