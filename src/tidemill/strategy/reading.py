"""Reading tables in place: what came to be in them is counted once, what cannot be used is set aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.ports import Json, Lease
from tidemill.core.records import MOMENT
from tidemill.loop.log.taken import Taken
from tidemill.strategy.in_place import FACT, InPlace
from tidemill.strategy.mapped import Window
from tidemill.strategy.storing import Counts, not_there_yet, reasons_of
from tidemill.strategy.turn import Step, Turn

READ = "read"
_END = datetime(9999, 1, 1, tzinfo=UTC)


def due(turn: Turn) -> Iterator[Step]:
    """Say which tables of the user changed since they were read."""
    events = turn.world.events
    if not isinstance(events, InPlace):
        return
    events.look()
    for name in events.tables:
        version, before = events.version(name), _before(turn, name)
        if version < 0 or before.get("version") == version:
            continue
        why = f"{events.name(name)} {'changed' if before else 'is read for the first time'}"
        yield Step(stage="intake", id=name, target=READ, why=why, data=version)


def apply(turn: Turn, lease: Lease, step: Step) -> None:
    """Count what came into a table, and set aside what cannot be used."""
    events, name, state = turn.world.events, step.id, turn.world.state
    assert isinstance(events, InPlace)  # noqa: S101 - else nothing was due
    before = _before(turn, name)
    last = datetime.fromisoformat(before["at"]) if before else None
    counts, taken = _counted(turn, name, last)
    row: dict[str, Any] = {**asdict(counts), "at": turn.now.isoformat()}
    state.add_row("intake", f"in place {name} {before.get('at', '')}", row)
    bad = not_there_yet(turn, _stamped(taken.quarantine, turn.now), _END)
    number = before.get("number", 0) + 1
    turn.world.events.append("quarantine", bad, writer=f"in place {name}", sequence=number)
    if name == "records":
        state.set_fact(lease, "kinds", {**(state.fact("kinds") or {}), **taken.kinds})
    elif taken.kinds:
        state.set_fact(lease, "label_kind", taken.kinds["label"])
    told = {"version": step.data, "at": turn.now.isoformat(), "number": number}
    fact = {**(state.fact(FACT) or {}), name: told, "assumed": events.assumed()}
    state.set_fact(lease, FACT, fact)


def _counted(turn: Turn, name: str, last: datetime | None) -> tuple[Counts, Taken]:
    """Count the rows that came after the table was read last, up to now."""
    events = turn.world.events
    assert isinstance(events, InPlace)  # noqa: S101 - else nothing was due
    taken = events.taken(Window(table=name, arrived=last))
    arrival = taken.rows["available_at"]
    new = pc.less_equal(arrival, pa.scalar(turn.now, MOMENT))
    if last is not None:
        new = pc.and_(new, pc.greater(arrival, pa.scalar(last, MOMENT)))
    accepted, bad = int(pc.sum(new).as_py() or 0), taken.quarantine.num_rows
    counts = Counts(
        table=name,
        source=events.name(name),
        seen=accepted + bad + taken.already,
        accepted=accepted,
        already=taken.already,
        quarantined=bad,
        reasons=reasons_of(taken.quarantine),
        notes=taken.notes,
    )
    return counts, taken


def _stamped(rows: pa.Table, now: datetime) -> pa.Table:
    """Give what is set aside the moment at which it was."""
    at = pa.array(np.repeat(np.datetime64(now.replace(tzinfo=None), "us"), rows.num_rows))
    day = pa.array([now.date()] * rows.num_rows, pa.date32())
    rows = rows.set_column(rows.column_names.index("available_at"), "available_at", at.cast(MOMENT))
    return rows.set_column(rows.column_names.index("day"), "day", day)


def _before(turn: Turn, name: str) -> Json:
    return (turn.world.state.fact(FACT) or {}).get(name, {})
